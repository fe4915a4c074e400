#!/usr/bin/python3
"""The model card's tables, as the C engine sees a shipped file: by source, turn of the head, size of the face, glasses, mask, box, part.

    training/report.py                                             models/landmarks68.onnx, and the finder beside it on thermal6
    training/report.py --model models/systems/b-simple.onnx        a system's file; --view side for the nose networks

Makes altered copies of the split in a folder of its own and has `thermoface eval` score them. Glasses and masks are painted on: visible68
says of no face whether it wears any.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch

import augment as A
import orders
import data
from data import HERE, shared, tight_box, visible68

SIZES = (24, 32, 48, 64, 96)
# Least and greatest orders.yaw.
TURNS = (("frontal", 0, 0.08), ("quarter turned", 0.08, 0.2), ("far turned", 0.2, 1))


def smaller(image, points, pixels):
    """The face with its tight box `pixels` on the longer side; a face that is smaller stays."""
    box = tight_box(points)
    k = pixels / max(box[2] - box[0], box[3] - box[1])
    if k >= 1:
        return image, points
    size = int(round(image.shape[0] * k))
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), (points + 0.5) * (size / image.shape[0]) - 0.5


def masked(image, points, _):
    """A plain cloth mask from the middle of the nose over mouth and chin."""
    out = image.copy()
    outline = np.vstack([points[1:16], points[28:29]])
    level = int(np.percentile(image, 75))
    cv2.fillPoly(out, [np.rint(outline * 16).astype(np.int32)], level, cv2.LINE_AA, shift=4)
    return out, points


def with_glasses(image, points, _):
    """Dark opaque lenses, those of training."""
    size = image.shape[0]
    q = torch.from_numpy(points)[None]
    ax = torch.arange(size, dtype=torch.float32)
    tall = (q[:, 27] - q[:, 8]).norm(dim=1)[:, None, None, None]
    x = A.glasses(torch.from_numpy(image).float()[None, None] / 255, q, ax[None, None, None, :], ax[None, None, :, None],
                  q[:, 36:42].mean(1), q[:, 42:48].mean(1), tall, lambda d: torch.sigmoid(d / (0.02 * tall)), 1.0)
    return (x[0, 0].clamp(0, 1) * 255).round().byte().numpy(), points


class Judge:
    """`thermoface eval` on some of the faces, as they are or altered."""

    def __init__(self, args, faces, folder):
        self.args, self.faces, self.folder = args, faces, folder
        meta = {p.key: p.value for p in onnx.load(str(args.model)).metadata_props}
        self.kind = "segmentation" if meta.get("tf.task") == "segmentation" else "points"
        self.count = 0

    def run(self, *argv):
        done = subprocess.run([self.args.thermoface, "eval", *map(str, argv), "--json"], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        return json.loads(done.stdout)

    def __call__(self, keep, change=None, *change_arguments, options=()):
        """Scores of the faces `keep` (bool [N]); `change` alters picture and points."""
        self.count += 1
        folder = self.folder / f"{self.count}"
        folder.mkdir()
        torch.manual_seed(1)
        with open(folder / "labels.csv", "w", newline="") as f:
            out = csv.writer(f, lineterminator="\n")
            out.writerow(["file", "source"] + [f"{a}{k}" for k in range(68) for a in "xy"])
            for i in np.flatnonzero(keep):
                image, points = self.faces.images[i], self.faces.points[i]
                if change:
                    image, points = change(image, points, *change_arguments)
                cv2.imwrite(str(folder / f"{i}.png"), image)
                out.writerow([f"{i}.png", self.faces.source[i]] + [f"{v:.3f}" for v in points.ravel()])
        row = self.run(self.kind, folder / "labels.csv", "--images", folder, "--model", self.args.model, *options)
        shutil.rmtree(folder)
        return row


def cells(row):
    if "miou" in row:
        return f"{row['miou']:.1f}"
    return f"{row['nme']:.2f} | {row['fail10']:.1f} | {row['mae']:.2f}"


def pictures(judge, faces, args):
    """The rows on photographs."""
    every = orders.in_view(faces.points, args.view) if args.view else np.ones(len(faces), bool)
    print("| faces | images | mIoU % |\n|---|---|---|" if judge.kind == "segmentation" else
          "| faces | images | NME % | over 10 % | MAE px |\n|---|---|---|---|---|")

    def line(name, keep, *change, options=()):
        keep = keep & every
        if keep.any():
            row = judge(keep, *change, options=options)
            print(f"| {name} | {keep.sum()} | {cells(row)} |", flush=True)
            return row
        return {}

    whole = line("all", every)
    for s in sorted(set(faces.source)):
        line(s, faces.source == s)
    turn = orders.yaw(faces.points)
    for name, lo, hi in TURNS:
        line(name, (turn >= lo) & (turn < hi))
    for n in SIZES:
        line(f"face of {n} px", every, smaller, n)
    line("glasses painted on", every, with_glasses, None)
    line("mask painted on", every, masked, None)
    if judge.kind == "segmentation":
        return
    for off in (3, 6, 10):
        line(f"box off by {off} %", every, options=("--box-off", off))
    if "by_part" not in whole:
        return
    for off in (3, 6, 10):
        line(f"box off by {off} %, read three times", every, options=("--box-off", off, "--readings", 3))
    print("\n| part | NME % |\n|---|---|")
    for name, value in whole["by_part"].items():
        print(f"| {name} | {value:.2f} |")


def thermal(judge, args):
    """thermal6 dev with and without glasses, finder and tracker on."""
    root = shared() / "data" / "thermal6"
    with open(root / "dev.csv") as f:
        rows = list(csv.DictReader(f))
    print("\n| thermal6 dev | faces | found % | mean error % | over 15 % or not found |\n|---|---|---|---|---|")
    for name, keep in (("all", rows), ("glasses", [r for r in rows if r["glasses"] == "1"]), ("none", [r for r in rows if r["glasses"] != "1"])):
        path = judge.folder / "dev.csv"
        with open(path, "w", newline="") as f:
            out = csv.DictWriter(f, rows[0].keys(), lineterminator="\n")
            out.writeheader()
            out.writerows(keep)
        row = judge.run("thermal6", path, "--recordings", root / "recordings", "--models", args.model.parent)
        print(f"| {name} | {row['faces']} | {row['found']:.1f} | {row['nme']:.2f} | {row['fail15']:.1f} |", flush=True)


def main():
    p = argparse.ArgumentParser(description="Tables of the model card, through the C engine.")
    p.add_argument("--model", type=Path, default=HERE.parent / "models" / "landmarks68.onnx")
    p.add_argument("--split", default="test")
    p.add_argument("--view", choices=sorted(orders.VIEWS), help="only faces seen so")
    p.add_argument("--limit", type=int, help="no more faces than this")
    p.add_argument("--thermoface", default=str(HERE.parent / "build" / "cli" / "thermoface"))
    args = p.parse_args()
    torch.set_num_threads(1)
    faces = visible68(args.split, limit=args.limit)
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(args, faces, Path(folder))
        pictures(judge, faces, args)
        if args.model.name == "landmarks68.onnx" and (args.model.parent / "finder.onnx").exists():
            thermal(judge, args)


if __name__ == "__main__":
    data.tidy(main)
