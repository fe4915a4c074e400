#!/usr/bin/env python3
"""The manual's pages as texts: lines that fit a window. Writes TAP.

Usage: test_pages.py SOURCE

Looks at README.md, CONTRIBUTING.md, docs/*.md and models/*.md. Outside of tables and fenced blocks no line has more than
100 characters; a picture or a link stands whole on its line and may be longer only where it cannot be broken.
"""
import os
import re
import sys

COLUMNS = 100


def pages(source):
    names = ["README.md", "CONTRIBUTING.md"]
    for folder in ("docs", "models"):
        names += sorted(f"{folder}/{n}" for n in os.listdir(os.path.join(source, folder)) if n.endswith(".md"))
    return [(n, open(os.path.join(source, n), encoding="utf-8").read().splitlines()) for n in names]


def prose(lines):
    """(number, line) of what is neither in a fenced block nor in a table."""
    inside = False
    for number, line in enumerate(lines, 1):
        if re.match(r"^\s*```", line):
            inside = not inside
        elif not inside and not line.lstrip().startswith("|"):
            yield number, line


def too_long(lines):
    return [(n, len(l)) for n, l in prose(lines) if len(l) > COLUMNS and len(l.split()) > 1]


class Report:
    def __init__(self):
        self.count = 0

    def say(self, good, name, why=""):
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}")
        for line in str(why).splitlines()[:20] if not good else []:
            print(f"#   {line}")


def test_width(report, source):
    # The check itself: it must see a long line, and let tables, blocks and addresses be.
    assert too_long(["word " * 30]) and not too_long(["| " + "cell " * 30, "```sh", "word " * 30, "```", "x" * 200])
    for name, lines in pages(source):
        bad = too_long(lines)
        report.say(not bad, f"{name}: lines of at most {COLUMNS} characters",
                   "\n".join(f"{name}:{n}: {length} characters" for n, length in bad))


def main():
    source, report = os.path.abspath(sys.argv[1]), Report()
    test_width(report, source)
    print(f"1..{report.count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
