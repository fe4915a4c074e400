#!/usr/bin/env python3
"""Names the ninja targets that some of the tests need, so that a second tree is built no further than it is run.

Usage: test-targets.py FOLDER [SUITE... | !SUITE...]     with `!`: the tests of every suite but these
"""
import json
import os
import subprocess
import sys


def main():
    folder, names = sys.argv[1], sys.argv[2:]
    ask = lambda what: json.loads(subprocess.run(["meson", "introspect", folder, what], check=True, capture_output=True).stdout)
    targets = {t["id"]: t["filename"] for t in ask("--targets")}
    by_file = {os.path.realpath(f) for files in targets.values() for f in files}
    without = {n[1:] for n in names if n.startswith("!")}
    wanted = {n for n in names if not n.startswith("!")}
    files = set()
    for test in ask("--tests"):
        suites = {s.split(":")[-1] for s in test["suite"]}
        if suites & without or (wanted and not suites & wanted):
            continue
        for target in test["depends"]:
            files.update(targets[target])
        files.update(c for c in test["cmd"] if os.path.realpath(c) in by_file)
    print("\n".join(sorted(os.path.relpath(f, folder) for f in files)))


if __name__ == "__main__":
    main()
