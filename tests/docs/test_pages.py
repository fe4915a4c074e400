#!/usr/bin/env python3
"""The manual's pages as texts: width, figures, links, messages. Writes TAP.

Usage: test_pages.py SOURCE

Looks at README.md, CONTRIBUTING.md, docs/*.md and models/*.md.

- Outside of tables and fenced blocks no line has more than 100 characters; a picture or a link stands whole on its line and
  may be longer only where it cannot be broken.
- A figure that was measured stands in docs/figures.md and nowhere else. What looks like one (FIGURES) elsewhere fails, but
  for the lines of figures-elsewhere.txt, whose number may only shrink. README.md and the model card may repeat figures if
  their digits are in docs/figures.md.
- A link to a heading finds it; docs/design.md lists the rooms of scripts/check-style.
- What docs/troubleshooting.md quotes, the programs say.
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


def prose(lines, tables=False):
    """(number, line) of what is neither in a fenced block nor (unless `tables`) in a table."""
    inside = False
    for number, line in enumerate(lines, 1):
        if re.match(r"^\s*```", line):
            inside = not inside
        elif not inside and (tables or not line.lstrip().startswith("|")):
            yield number, line


def too_long(lines):
    return [(n, len(l)) for n, l in prose(lines) if len(l) > COLUMNS and len(l.split()) > 1]


# What is taken for a figure that somebody measured.
FIGURES = [
    # a number with decimals and a unit of time, share, rate or size; the finest units with whole numbers, too
    re.compile(r"\b\d+(?:,\d{3})*\.\d+ (?:ms|µs|us|%|MB|kB|GMAC/s|frames/s|pictures/s|kbit/s|Mbit/s)(?!\w)"),
    re.compile(r"\b\d+ (?:µs|GMAC/s|kbit/s)(?!\w)"),
    # so many times as fast, as long, the recorded speed …
    re.compile(r"\b(?:\d[\d.,]*|two|three|ten|twenty|fifty)(?: to [\w.]+)? times (?:as |the )?"
               r"(?:fast|quick|slow|long|recorded|real|speed)\w*"),
    # a score by its name
    re.compile(r"\b(?:NME|MSE|MAE|AUC|auc10|mIoU|fail10|fail15)`? (?:of )?\d[\d.]*"),
    # a processor by its name: something was measured on it
    re.compile(r"\b(?:Xeon|EPYC|Ryzen|Zen \d)\b"),
]
FIGURES_PAGE = "docs/figures.md"
# These may repeat a few of its figures, in the same digits.
QUOTING = ("README.md", "models/MODEL_CARD.md")
# How many lines figures-elsewhere.txt may have. This number only ever gets smaller.
ELSEWHERE = 12


def figures(lines):
    """(number, figure, line) of everything that looks measured, tables included."""
    for number, line in prose(lines, tables=True):
        for rule in FIGURES:
            for found in rule.finditer(line):
                yield number, found.group(0), line


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


def test_figures(report, source):
    """Every measured figure stands once, in docs/figures.md."""
    # The check itself.
    seen = ["It took 0.204 ms.", "4.22 % of them", "1.8 to 4.2 times as fast", "`fail15` 2", "16 µs", "on a Xeon", "NME 4.8"]
    unseen = ["at most `max-skew` (50 ms)", "a fifth, 20 %", "after 0.25 s", "three times in a row", "`nme`: mean distance"]
    assert all(list(figures([l])) for l in seen) and not any(list(figures([l])) for l in unseen)
    every = dict(pages(source))
    have = set(re.findall(r"\d+(?:[.,]\d+)*", "\n".join(every[FIGURES_PAGE])))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "figures-elsewhere.txt"), encoding="utf-8") as lines:
        listed = {tuple(l.rstrip("\n").split("\t")[:2]) for l in lines if l.strip() and not l.startswith("#")}
    used = set()
    for name, lines in every.items():
        bad = []
        for number, figure, line in figures(lines) if name != FIGURES_PAGE else ():
            if (name, figure) in listed:
                used.add((name, figure))
            elif name not in QUOTING:
                bad.append(f"{name}:{number}: {figure}: put it into {FIGURES_PAGE} and link there")
            else:
                bad += [f"{name}:{number}: {n} is not in {FIGURES_PAGE}" for n in re.findall(r"\d+\.\d+", line) if n not in have]
        report.say(not bad, f"{name}: no measured figure of its own", "\n".join(bad))
    report.say(listed == used, "figures-elsewhere.txt lists nothing that no page has", listed - used)
    report.say(len(listed) == ELSEWHERE, f"{len(listed)} figures stand elsewhere",
               f"{ELSEWHERE} are allowed; the number may only shrink (then lower ELSEWHERE in test_pages.py)")


def anchors(lines):
    """The names under which a page's headings are linked to, as GitHub makes them."""
    found, inside = set(), False
    for line in lines:
        if re.match(r"^\s*```", line):
            inside = not inside
        elif not inside and re.match(r"^#+ ", line):
            text = re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "]", line.lstrip("# ")).lower())
            name, n = text.strip().replace(" ", "-"), 0
            while name + (f"-{n}" if n else "") in found:
                n += 1
            found.add(name + (f"-{n}" if n else ""))
    return found


def test_links(report, source):
    """A link to a part of a page leads to a heading (that the page is there, scripts/check-style looks at)."""
    every = dict(pages(source))
    assert anchors(["# Who may: the `x`", "```sh", "# no", "```"]) == {"who-may-the-x"}
    for name, lines in every.items():
        bad = []
        for number, line in prose(lines, tables=True):
            for path, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", line):
                if "://" in path:
                    continue
                other = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
                if other in every and anchor not in anchors(every[other]):
                    bad.append(f"{name}:{number}: {path}#{anchor}")
        report.say(not bad, f"{name}: its links lead to headings", "\n".join(bad))


def test_rooms(report, source):
    """docs/design.md lists the rooms that scripts/check-style knows, and these are there."""
    with open(os.path.join(source, "scripts/check-style"), encoding="utf-8") as script:
        rooms = set(re.findall(r"^    \[([a-z/]+)\]=", script.read(), re.M))
    listed = {m.group(1) for line in dict(pages(source))["docs/design.md"] if (m := re.match(r"^\| `([a-z/]+)/` \|", line))}
    there = {room for room in rooms | listed if os.path.isdir(os.path.join(source, room))}
    report.say(len(rooms) > 5 and listed == rooms == there, "docs/design.md: the rooms are those of scripts/check-style",
               f"one has, not the other: {sorted(listed ^ rooms)}; no such folder: {sorted((rooms | listed) - there)}")


def said(source):
    """All that the programs can say: their string literals, each with what follows it joined on."""
    text = []
    for folder in ("base", "capture", "inference", "overlay", "publish", "pipeline", "config", "daemon", "cli"):
        for top, _, names in sorted(os.walk(os.path.join(source, folder))):
            text += [open(os.path.join(top, n), encoding="utf-8").read() for n in sorted(names) if n.endswith((".c", ".h"))]
    text = re.sub(r'"\s*(?:\n\s*)+"', "", "\n".join(text))
    return "\n".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', text)).replace('\\"', '"')


def test_messages(report, source):
    """What docs/troubleshooting.md says that programs say, they say; `…` there stands for what they fill in."""
    name = "docs/troubleshooting.md"
    ours, inside, bad = said(source), False, []
    assert "is thermofaced running?" in ours and "is nobody running?" not in ours
    for number, line in enumerate(dict(pages(source))[name], 1):
        if line.startswith("```"):
            inside = line == "```text"
        elif inside:
            bad += [f"{name}:{number}: {part}" for part in re.split(r"\s*…\s*", line) if part.strip(" ,:") and part not in ours]
    report.say(not bad, f"{name}: the programs say what it quotes", "\n".join(bad))


def main():
    source, report = os.path.abspath(sys.argv[1]), Report()
    test_width(report, source)
    test_figures(report, source)
    test_links(report, source)
    test_rooms(report, source)
    test_messages(report, source)
    print(f"1..{report.count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
