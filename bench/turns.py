#!/usr/bin/env python3
"""rotate=auto on recordings whose upright turn is known, each in all four turns.

    bench/turns.py [--thermoface FILE] [--models DIR] [--format ROW] --upright 90 RECORDING...

A line a recording: frames with a sure face (mean confidence 0.8) when it is read upright; what
--rotate auto made of each of the four turns (a dot: right); how many of the four were warned of with
the right turn given (should be none), and how many of the three wrong turns of the recording itself
were. 16-bit gray recordings; the turned copies are made by ffmpeg. Ends with status 1 when a turn was
wrong, a right one was warned of, or one with 20 such frames was not decided.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

FILTERS = {0: "null", 90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}


def run(options, path, rotate, records="/dev/null"):
    done = subprocess.run([options.thermoface, "run", path, "--format", options.format, "--rotate", str(rotate),
                           "--ndjson", records, "--overwrite"] + (["--models", options.models] if options.models else []),
                          capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{path}: {done.stderr.strip()}")
    return done.stderr


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--thermoface", default="build/cli/thermoface")
    parser.add_argument("--models")
    parser.add_argument("--format", default="centikelvin")
    parser.add_argument("--upright", type=int, default=0)
    parser.add_argument("recordings", nargs="+")
    options = parser.parse_args()
    totals = dict.fromkeys(("right", "wrong", "open", "warned", "missed", "told"), 0)
    failed = False
    print(f"{'recording':44} {'frames':>6} {'faces':>5}  auto, turned by 0 90 180 270    warned: right  wrong")
    with tempfile.TemporaryDirectory() as folder:
        for path in options.recordings:
            records = f"{folder}/records.ndjson"
            run(options, path, options.upright, records)
            with open(records, encoding="utf-8") as file:
                rows = [json.loads(line) for line in file]
            faces = sum(sum(p[2] for p in r["faces"][0]["points"]) / 68 >= 0.8 for r in rows if r["faces"])
            marks, warned = [], 0
            for turned, how in FILTERS.items():
                copy = f"{folder}/turned.mkv"
                subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", path, "-vf", how, "-pix_fmt", "gray16le", "-c:v", "ffv1",
                                copy], check=True)
                upright = (options.upright - turned) % 360
                said = re.search(r"^upright with --rotate (\d+)", run(options, copy, "auto"), re.M)
                if not said:
                    marks.append("-")
                    totals["open"] += 1
                    failed |= faces >= 20
                elif int(said.group(1)) == upright:
                    marks.append(".")
                    totals["right"] += 1
                else:
                    marks.append(f"{said.group(1)}!")
                    totals["wrong"] += 1
                    failed = True
                warned += "do not stand upright" in run(options, copy, upright)
            failed |= warned > 0
            told = sum("do not stand upright" in run(options, path, turn) for turn in FILTERS if turn != options.upright)
            totals["warned"] += warned
            totals["told"] += told
            print(f"{os.path.basename(path)[-44:]:44} {len(rows):6} {faces:5}  {'  '.join(f'{m:>4}' for m in marks):>30}"
                  f"  {warned:13} {told:4}/3", flush=True)
    print(f"auto: {totals['right']} right, {totals['wrong']} wrong, {totals['open']} not decided; warned of a right turn: "
          f"{totals['warned']}; of a wrong one: {totals['told']} of {3 * len(options.recordings)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
