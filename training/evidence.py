#!/usr/bin/python3
"""Fits tf.evidence: how far what the finder and the landmarks took for a face is one (inference/face/evidence.h).

    meson configure build -Dbench=true && ninja -C build bench/evidence
    training/evidence.py                        prints the constants and how well they tell faces from what is none
    training/evidence.py --write                and puts them into models/landmarks68.onnx

Faces: thermal6's and thermalfaces' labelled ones (in °C and in counts), thermal6's that were followed, and photographs of visible68's validation split as they are,
small, cut, covered and with a thermal look. What is none: every candidate of the finder, down to a score of 0.15, in the empty stretches
and clips, in made-up rooms (nothing.py), and beside the faces of made-up scenes. A logistic is fitted with each group counting alike, and
judged on groups that it has not seen: each clip, recording and source in turn.
"""

import argparse
import collections
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

import augment as A
import data
import labels
import nothing
import train
from data import HERE, shared

TERMS = ["mirror", "tilt", "shift", "warmer", "finder"]
CELSIUS, COUNTS = (0.01, -273.15), (0, 0)
FACES, NONE = 0.3, 0.15          # least scores of the finder
FOLLOWED, FIRM = 15, 0.97        # frames of a track, and its best score


class Candidates:
    def __init__(self, program, models):
        self.program, self.models, self.rows = program, models, []

    def read(self, frames, scale, threshold):
        frames = np.ascontiguousarray(frames)
        done = subprocess.run([self.program, self.models, str(frames.shape[2]), str(frames.shape[1]), "8" if frames.dtype == np.uint8 else "16",
                               *map(str, scale), str(threshold)], input=frames.tobytes(), capture_output=True, check=False)
        if done.returncode != 0:
            raise ValueError(f"{self.program}: {done.stderr.decode().strip()}")
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def none(self, frames, scale, kind, group):
        self.rows += [{**r, "kind": kind, "group": group, "face": 0} for r in self.read(frames, scale, NONE)]

    def faces(self, frames, scale, kind, groups, boxes, beside=False):
        """`boxes`: of each frame, the tight boxes of its faces (x, y, w, h)."""
        for r in self.read(frames, scale, NONE if beside else FACES):
            best = max((iou(b, r["box"]) for b in boxes[r["frame"]]), default=0)
            if best > 0.4 and r["score"] >= FACES:
                self.rows.append({**r, "kind": kind, "group": groups[r["frame"]], "face": 1})
            elif beside and best < 0.1:
                self.rows.append({**r, "kind": "beside", "group": groups[r["frame"]], "face": 0})


def iou(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return 0.0 if w <= 0 or h <= 0 else w * h / (a[2] * a[3] + b[2] * b[3] - w * h)


def tight(f):
    """From a labelled face's six points (or what is seen of them) about the box of 68."""
    eyes = (f.six[0] + f.six[1]) / 2
    d = np.linalg.norm(f.six[1] - f.six[0])
    return [eyes[0] - 1.05 * d, eyes[1] - 0.5 * d, 2.1 * d, 2.1 * d]


def followed(c, program, thermal):
    """Faces of thermal6's other frames: those of tracks that were long, and once read firmly, also where they turn away or are covered."""
    for rec in thermal.names:
        path = thermal.root / "recordings" / f"{rec}.mkv"
        done = subprocess.run([program, "run", str(path), "--format", "lepton3-y16", "--rotate", "90", "--models", c.models, "--ndjson", "-"],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ValueError(done.stderr.strip())
        rows = [json.loads(line)["faces"] for line in done.stdout.splitlines() if line.startswith("{")]
        scores = collections.defaultdict(list)
        for faces in rows:
            for f in faces:
                scores[f["id"]].append(f["score"])
        firm = {k for k, v in scores.items() if len(v) >= FOLLOWED and max(v) >= FIRM}
        boxes = [[f["box"] for f in faces if f["id"] in firm] for faces in rows]
        c.faces(thermal.frames(rec).astype(np.uint16), CELSIUS, "followed", [rec] * len(rows), boxes)


def gather(c, program, scenes):
    thermal = data.Thermal6()
    followed(c, program, thermal)
    for f in thermal.annotations():
        frame = thermal.frames(f.rec)[f.frame][None].astype(np.uint16)
        for scale, kind in ((CELSIUS, "thermal6"), (COUNTS, "thermal6, counts")):
            c.faces(frame, scale, kind, [f.rec], [[tight(f)]])
    for rec, first, last in thermal.negatives():
        frames = thermal.frames(rec)[first:last + 1].astype(np.uint16)
        c.none(frames, CELSIUS, "empty stretches", rec)
        c.none(frames, COUNTS, "empty stretches, counts", rec)
    root = shared() / "data" / "thermalfaces"
    if root.is_dir():
        for f in labels.Table(root / "dev.csv", root, 0, data.CACHE).faces:
            if f.seen()[:2].all():
                c.faces(labels.still(root / "images" / Path(f.path).name)[None], COUNTS, f.source, [f.person], [[tight(f)]])
        for path in sorted((root / "negative").glob("*.mkv")):
            kiosk = path.stem.startswith("kiosk")
            frames = labels.upright(labels.decode(path), 90 if kiosk else 0).astype(np.uint16)
            c.none(frames, CELSIUS if kiosk else COUNTS, "clips", path.stem)
    made_up(c, scenes)


def made_up(c, scenes):
    rec, _ = train.recipe("finder", train.arguments(["finder"]))
    rec.use(rec.val)                                            # the landmark network has learnt from the training split
    for i in range(0, scenes, 24):
        for make, kind in ((rec.thermal_scenes, "thermal look"), (rec.photograph_scenes, "photographs"), (rec.mosaic_scenes, "small photographs"),
                           (rec.nothing_scenes, "made-up rooms")):
            x, boxes = make(24)
            x = A.low_resolution(x, 90, 0.5, 0.04, 0.02)[:, 0, 20:140]
            lo, hi = x.amin((1, 2), True), x.amax((1, 2), True)
            kelvin = 29000 + A.uniform(24, 0, 700)[:, 0] + (x - lo) / (hi - lo).clamp(min=1e-3) * A.uniform(24, 300, 1400)[:, 0]
            frames = kelvin.round().numpy().astype(np.uint16)
            group = f"{kind} {i // 24 % 8}"
            celsius = kind == "made-up rooms" and i // 24 % 2
            if kind == "made-up rooms":
                c.none(frames, CELSIUS if celsius else COUNTS, kind, group)
                continue
            rows = [[[b[0], b[1] - 20, b[2] - b[0], b[3] - b[1]] for b in bs if np.isfinite(b[0])] for bs in boxes.numpy()]
            c.faces(frames, COUNTS, kind, [group] * 24, rows, kind == "thermal look")


def fitted(x, y, w, ridge=1e-3):
    """Logistic by Newton's steps."""
    m, s = x.mean(0), x.std(0) + 1e-6
    z = np.c_[(x - m) / s, np.ones(len(x))]
    b = np.zeros(z.shape[1])
    keep = ridge * w.sum() * np.r_[np.ones(x.shape[1]), 0]
    for _ in range(40):
        p = 1 / (1 + np.exp(-np.clip(z @ b, -30, 30)))
        b -= np.linalg.solve((z * (w * p * (1 - p))[:, None]).T @ z + np.diag(keep) + 1e-9 * np.eye(len(b)), z.T @ (w * (p - y)) + keep * b)
    a = b[:-1] / s
    return np.r_[a, b[-1] - (a * m).sum()]


def weights(rows):
    """Each kind counts alike, and within it each group."""
    groups = collections.Counter((r["kind"], r["group"]) for r in rows)
    of = collections.Counter(k for k, _ in groups)
    side = collections.Counter(r["face"] for r in {r["kind"]: r for r in rows}.values())
    return np.array([1000 / side[r["face"]] / of[r["kind"]] / groups[r["kind"], r["group"]] for r in rows])


def main():
    p = argparse.ArgumentParser(description="Fit tf.evidence.")
    p.add_argument("--models", default=str(HERE.parent / "models"))
    p.add_argument("--program", default=str(HERE.parent / "build" / "bench" / "evidence"))
    p.add_argument("--thermoface", default=str(HERE.parent / "build" / "cli" / "thermoface"))
    p.add_argument("--scenes", type=int, default=480, help="made-up scenes of each kind (480)")
    p.add_argument("--keep", metavar="FILE", help="candidates from there if it exists, else kept there")
    p.add_argument("--terms", nargs="*", default=TERMS, choices=TERMS, help="which to use (all)")
    p.add_argument("--without", nargs="*", default=[], metavar="GROUP", help="clips, recordings or sources that are not learnt from")
    p.add_argument("--write", action="store_true", help="into landmarks68.onnx of --models")
    args = p.parse_args()
    torch.set_num_threads(1)
    train.seed_all(3)
    c = Candidates(args.program, args.models)
    if args.keep and Path(args.keep).exists():
        c.rows = json.loads(Path(args.keep).read_text())
    else:
        gather(c, args.thermoface, args.scenes)
        if args.keep:
            Path(args.keep).write_text(json.dumps(c.rows))
    # What the analyser asks before, it need not be asked again.
    rows = [r for r in c.rows if r["plausible"] and r["confidence"] >= 0.5 and not {r["kind"], r["group"]} & set(args.without)]
    x = np.array([[r[t] for t in args.terms] for r in rows])
    y, w = np.array([r["face"] for r in rows], float), weights(rows)
    b = fitted(x, y, w)
    # Judged by who has not seen the group: recording, clip, source or draw.
    z = np.zeros(len(rows))
    fold = np.array([r["kind"] if r["face"] and r["kind"] not in ("thermal6", "thermal6, counts", "followed") else r["group"] for r in rows])
    for f in set(fold):
        out = fold == f
        z[out] = np.c_[x[out], np.ones(out.sum())] @ fitted(x[~out], y[~out], w[~out])
    kinds = np.array([r["kind"] for r in rows])
    shown = np.array([r["score"] >= 0.4 for r in rows])
    print(f"{'':26s}candidates  log odds above -2, 0, 2, 4 (%), by who has not seen them")
    for face in (1, 0):
        for k in sorted(set(kinds[y == face])):
            m = (kinds == k) & (y == face) & shown
            if m.any():
                print(f"{'face' if face else 'none'} {k:20s} {m.sum():10d}  " + "  ".join(f"{100 * np.mean(z[m] > t):5.1f}" for t in (-2, 0, 2, 4)))
    text = "logistic bias=%.3f " % b[-1] + " ".join(f"{t}={v:.3f}" for t, v in zip(args.terms, b))
    print("tf.evidence =", text)
    if args.write:
        subprocess.run([sys.executable, str(HERE / "meta.py"), str(Path(args.models) / "landmarks68.onnx"), f"tf.evidence={text}"], check=True)


if __name__ == "__main__":
    data.tidy(main)
