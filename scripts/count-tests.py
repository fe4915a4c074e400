#!/usr/bin/env python3
"""Counts what a run of `meson test` did, from its testlog.json: one line "pass|fail|skip<TAB>name" for each check.

Usage: count-tests.py cases|files PREFIX TESTLOG.json

cases: every case that a test program named in TAP (cmocka with CMOCKA_MESSAGE_OUTPUT=TAP, our scripts) is a check; a program
that names none is one check by its exit status, and one that fails without a failed case (a crash, a time-out) is a failed
check of its own. files: each program is one check.
"""
import json
import re
import sys

# cmocka 1.1 writes a skipped case as "not ok N # SKIP name", TAP itself as "ok N - name # SKIP why".
LINE = re.compile(r"^\s*(not )?ok\b\s*(\d+)?\s*(?:-\s*)?(.*)$")
SKIP = re.compile(r"#\s*skip\b", re.IGNORECASE)


def cases(text):
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        name = match.group(3).strip()
        if SKIP.search(name):
            yield "skip", SKIP.sub("", name, count=1).strip()
        else:
            yield ("fail" if match.group(1) else "pass"), name


def main():
    mode, prefix, path = sys.argv[1:]
    tail = []
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            test = json.loads(line)
            # "thermoface:base / base frame" becomes "base frame"
            name = test["name"].split(" / ")[-1]
            result = test["result"]
            good = result in ("OK", "SKIP", "EXPECTEDFAIL")
            found = list(cases(test.get("stdout") or "")) if mode == "cases" else []
            for state, case in found:
                print(f"{state}\t{prefix}: {name}: {case}")
            if not found:
                state = "skip" if result == "SKIP" else "pass" if good else "fail"
                print(f"{state}\t{prefix}: {name}{'' if good else f' ({result})'}")
            elif not good and not any(state == "fail" for state, _ in found):
                print(f"fail\t{prefix}: {name} ({result}, returncode {test.get('returncode')})")
            if not good:
                text = (test.get("stdout") or "") + (test.get("stderr") or "")
                lines = [l for l in text.splitlines() if not l.startswith("ok ")]
                tail.append(f"--- {prefix}: {name}\n" + "\n".join(lines[-25:]))
    if tail:
        print("\n".join(tail), file=sys.stderr)


if __name__ == "__main__":
    main()
