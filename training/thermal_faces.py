#!/usr/bin/python3
"""Faces in the unlabelled frames of thermal6, for self-supervision: where the program sees the same face over time and in the mirror.

    training/thermal_faces.py --thermoface build/cli/thermoface

Every recording goes through `thermoface run` twice, as it is and mirrored. A face is kept where both readings agree (mean distance of the 68 points
below 9 % of the outer eye corners' distance), where it is followed from the frame before without a jump, and where its confidence is high.
Frames within five of one that dev.csv annotates are left out, so that these stay a test. Writes TF_TRAINING_OUT/thermal-faces.npz.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import data
from data import FLIP68, OUT, Thermal6

NEAR = 5


def played(thermoface, models, path, folder):
    """{frame: [(id, score, points [68, 2])]}"""
    out = Path(folder) / "faces.ndjson"
    done = subprocess.run([thermoface, "run", str(path), "--format", "lepton3-y16", "--rotate", "90", "--models", str(models),
                           "--ndjson", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    lines = out.read_text().splitlines()
    out.unlink()                                   # the command never writes over a file
    rows = {}
    for line in lines:
        r = json.loads(line)
        rows[r["frame"]] = [(f["id"], f["score"], np.array(f["points"])[:, :2]) for f in r["faces"]]
    return rows


def agreeing(plain, mirrored, width, score, spread):
    """Faces (frame, id, points) that hold in the mirror and over time."""
    seen, out = {}, []
    for frame in sorted(plain):
        for face, sure, p in plain[frame]:
            before = seen.get(face)
            seen[face] = (frame, p)
            eye = np.linalg.norm(p[36] - p[45])
            if sure < score or eye < 4 or before is None or before[0] != frame - 1:
                continue
            if np.linalg.norm(p - before[1], axis=1).mean() > 0.5 * eye:
                continue
            for _, _, m in mirrored.get(frame, []):
                back = m[FLIP68].copy()
                back[:, 0] = width - 1 - back[:, 0]
                if np.linalg.norm(p - back, axis=1).mean() < spread * eye:
                    out.append((frame, face, (p + back) / 2))
                    break
    return out


def main():
    p = argparse.ArgumentParser(description="Collect faces from unlabelled thermal frames.")
    p.add_argument("--thermoface", default=str(Path(__file__).resolve().parent.parent / "build/cli/thermoface"))
    p.add_argument("--models", default=str(Path(__file__).resolve().parent.parent / "models"))
    p.add_argument("--root", type=Path, help="folder laid out as thermal6 (default: the shared one)")
    p.add_argument("--score", type=float, default=0.6)
    p.add_argument("--spread", type=float, default=0.09)
    p.add_argument("--out", type=Path, default=OUT / "thermal-faces.npz")
    args = p.parse_args()
    thermal = Thermal6(args.root)
    marked = {}
    for a in thermal.annotations():
        marked.setdefault(a.rec, []).append(a.frame)
    kept = {k: [] for k in ("frames", "points", "rec", "index")}
    with tempfile.TemporaryDirectory() as folder:
        for rec in thermal.names:
            path = thermal.root / "recordings" / f"{rec}.mkv"
            other = Path(folder) / "mirrored.mkv"
            # The camera lay on its side: what is upside down in the file is mirrored once it is upright.
            subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(path), "-vf", "vflip", "-c:v", "ffv1", str(other)], check=True)
            frames = thermal.frames(rec)
            found = agreeing(played(args.thermoface, args.models, path, folder), played(args.thermoface, args.models, other, folder),
                             frames.shape[2], args.score, args.spread)
            found = [f for f in found if all(abs(f[0] - m) > NEAR for m in marked.get(rec, []))]
            for frame, _, points in found:
                kept["frames"].append(frames[frame])
                kept["points"].append(points)
                kept["rec"].append(rec)
                kept["index"].append(frame)
            print(f"{rec}: {len(frames)} frames, {len(found)} faces kept", flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.out, frames=np.array(kept["frames"], np.int32), points=np.array(kept["points"], np.float32),
                        rec=np.array(kept["rec"]), index=np.array(kept["index"]))
    print(f"{len(kept['frames'])} faces in {len(set(kept['rec']))} recordings → {args.out}")


if __name__ == "__main__":
    data.tidy(main)
