#!/usr/bin/python3
"""Where the shipped networks fail on the synthetic subject, whose points are known: docs/images/failures.jpg.

    training/failures.py --thermoface build/cli/thermoface --tool build/tests/house/house-tool

Each case is played through `thermoface run` as a file would be; the frame with the largest error of each case is a tile: what was
reported (red) over the truth (green), and the error in percent of the outer eye corners' distance. Cases are sorted by that error, so
the first tiles are the failures and the last ones what is typical. No picture of a person is used.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

import data
from data import HERE

CASES = {
    "plain": "seed={s}", "glasses": "seed={s},glasses=1", "small, 160x120": "seed={s},size=160x120,scale=0.5",
    "far, 160x120": "seed={s},size=160x120,scale=0.3", "very noisy": "seed={s},size=160x120,noise=800,fpn=400",
    "tilted 35 degrees": "seed={s},size=320x256,turn=35", "tilted 45 degrees": "seed={s},size=320x256,turn=45",
    "cut by the edge": "seed={s},size=320x256,shift_x=115", "too near": "seed={s},size=320x256,scale=1.9",
    "two people": "seed={s},size=320x256,faces=2,scale=0.6", "gray": "seed={s},kind=visible,size=320x256",
    "glasses, far": "seed={s},size=160x120,glasses=1,scale=0.5",
}
FRAMES, TILE, SHOWN = 60, 256, 12


def worst(args, text, folder):
    """(error in percent, truth, reported or None, picture) of one case's worst face; nothing reported counts as 100 %."""
    url = f"synthetic:{text}"
    video = Path(folder) / "case.mkv"
    records = subprocess.run([args.thermoface, "run", url, "--limit", str(FRAMES), "--ndjson", "-", "--video", str(video), "--overwrite",
                              "--palette", "white-hot", "--models", args.models, "--quiet"], check=True, capture_output=True, text=True).stdout
    width, height = (text.split("size=")[1].split(",")[0] if "size=" in text else "640x512").split("x")
    truth = subprocess.run([args.tool, "truth", url, width, height, "30", str(FRAMES)], check=True, capture_output=True, text=True).stdout
    found = None
    for k, (line, real) in enumerate(zip(records.splitlines(), truth.splitlines())):
        faces = [np.array(f["points"])[:, :2] for f in json.loads(line)["faces"]]
        for t in json.loads(real)["faces"]:
            p = np.array(t["points"])
            eyes = np.linalg.norm(p[36] - p[45])
            near = min(faces, key=lambda q: np.linalg.norm(q[30] - p[30]), default=None)
            if near is not None and np.linalg.norm(near[30] - p[30]) > eyes:
                near = None
            error = 100.0 if near is None else 100 * np.linalg.norm(near - p, axis=1).mean() / eyes
            if found is None or error > found[0]:
                found = (error, k, p, near)
    capture = cv2.VideoCapture(str(video))
    capture.set(cv2.CAP_PROP_POS_FRAMES, found[1])
    ok, picture = capture.read()
    if not ok:
        sys.exit(f"{url}: frame {found[1]} of its video cannot be read")
    factor = -(-480 // int(height))               # docs/overlay.md, "Layout"
    bigger = lambda q: None if q is None else (q + 0.5) * factor - 0.5
    return found[0], bigger(found[2]), bigger(found[3]), picture[:int(height) * factor, :int(width) * factor]


def tile(name, error, truth, points, picture):
    """The face and what is around it."""
    k = TILE / (2.2 * max(np.ptp(truth[:, 0]), np.ptp(truth[:, 1])))
    centre = truth.mean(0)
    m = np.float32([[k, 0, TILE / 2 - k * centre[0]], [0, k, TILE / 2 - k * centre[1]]])
    out = cv2.warpAffine(picture, m, (TILE, TILE), flags=cv2.INTER_LINEAR, borderValue=(40, 40, 40))
    for pts, colour in ((truth, (80, 220, 80)), (points, (60, 60, 255))):
        if pts is not None:
            for x, y in pts @ m[:, :2].T + m[:, 2]:
                cv2.circle(out, (int(round(x)), int(round(y))), 2, colour, -1, cv2.LINE_AA)
    what = "not found" if points is None else f"{error:.1f} %"
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(out, f"{name}: {what}", (6, TILE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, thick, cv2.LINE_AA)
    return out


def main():
    p = argparse.ArgumentParser(description="A sheet of the networks' failures on the synthetic subject.")
    root = HERE.parent
    p.add_argument("--thermoface", default=str(root / "build/cli/thermoface"))
    p.add_argument("--tool", default=str(root / "build/tests/house/house-tool"))
    p.add_argument("--models", default=str(root / "models"))
    p.add_argument("--seeds", type=int, default=6)
    p.add_argument("--out", default=str(root / "docs/images/failures.jpg"))
    args = p.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, text in CASES.items():
            each = [worst(args, text.format(s=s), folder) for s in range(1, args.seeds + 1)]
            errors = [e[0] for e in each]
            print(f"| {name} | {np.median(errors):.1f} | {max(errors):.1f} | {sum(e[2] is None for e in each)} of {len(each)} |", flush=True)
            rows.append((name, max(each, key=lambda e: e[0])))
    rows.sort(key=lambda r: -r[1][0])
    tiles = [tile(name, *e) for name, e in rows[:SHOWN]]
    cv2.imwrite(args.out, np.vstack([np.hstack(tiles[i:i + 4]) for i in range(0, len(tiles), 4)]))


if __name__ == "__main__":
    data.tidy(main)
