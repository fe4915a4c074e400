#!/usr/bin/python3
"""Pseudo-labels: what the present networks say about unlabelled thermal frames, where they agree with themselves.

    training/pseudo.py --landmarks training/out/landmarks68/last.pt --finder training/out/finder/last.pt

Every frame of every recording is searched; each face is read through several windows (mirrored, shifted, turned, scaled). It is kept when
the readings agree, the confidence is high and the face does not jump from one frame to the next. No hand-placed point is used.
`--without REC,REC` leaves recordings out, for cross-validation. Writes training/out/pseudo.npz (landmarks) and pseudo-finder.npz.
"""

import argparse
import math

import numpy as np
import torch

import augment as A
import finder as FN
import losses as L
import nets
import shipped
import data
from data import OUT, Thermal6
from landmarks import SCALE, SIZE

VIEWS = [(0, 1.0, 0, 0), (0, 1.0, 0.02, -0.02), (8, 0.95, -0.02, 0.02), (-8, 1.05, 0.02, 0.02), (0, 1.12, 0, -0.03)]


@torch.no_grad()
def read(net, pictures, boxes, views=VIEWS, real=None):
    """Mean, spread (share of the eye distance) and margin over the views of each face."""
    readings, margins = [], []
    for turn, zoom, dx, dy in views:
        for m in (1.0, -1.0):
            b = len(boxes)
            span = (boxes[:, 2:] - boxes[:, :2]).max(1).values
            centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + span[:, None] * torch.tensor([[dx * m, dy]])
            win = A.Window(centre, SCALE * zoom * span, torch.full((b,), turn * math.pi / 180), torch.full((b,), m))
            x, inside = win.sample(pictures, SIZE, real=real)
            u, margin = L.read(net, A.to_u8(A.percentile_tone(x, inside, step=1)))
            readings.append(win.to_picture(u))
            margins.append(margin[:, A.FLIP] if m < 0 else margin)
    r = torch.stack(readings)
    mean = r.median(0).values
    eye = (mean[:, 36] - mean[:, 45]).norm(dim=1).clamp(min=1)
    spread = (r - mean).norm(dim=3).mean(0) / eye[:, None]
    return mean, spread, torch.stack(margins).mean(0)


def main():
    p = argparse.ArgumentParser(description="Label unlabelled thermal frames with the present networks.")
    p.add_argument("--landmarks", required=True, help="checkpoint or .onnx file")
    p.add_argument("--finder", required=True, help="checkpoint or .onnx file")
    p.add_argument("--without", default="")
    p.add_argument("--out", default=str(OUT / "pseudo"))
    p.add_argument("--spread", type=float, default=0.05)
    p.add_argument("--margin", type=float, default=8.0)
    p.add_argument("--threads", type=int, default=1)
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    marks, find = shipped.network(nets.landmarks68, args.landmarks), shipped.network(nets.finder, args.finder)
    thermal = Thermal6()
    skip = set(filter(None, args.without.split(",")))
    empty = {}
    for r, a, b in thermal.negatives():
        empty.setdefault(r, []).append((a, b))
    faces = dict(frames=[], points=[], weight=[], rec=[], index=[])
    scenes = dict(frames=[], points=[])
    seen = 0
    for rec in thermal.names:
        if rec in skip:
            continue
        frames = thermal.frames(rec)
        seen += len(frames)
        x = torch.from_numpy(frames.astype(np.float32))[:, None]
        found = []
        for i in range(0, len(x), 64):
            found += FN.find(find, x[i:i + 64], 0.4)
        flat = [(i, f) for i, fs in enumerate(found) for f in fs
                if not any(a <= i <= b for a, b in empty.get(rec, []))]
        if not flat:
            continue
        at = torch.tensor([i for i, _ in flat])
        boxes = torch.tensor([f[1:] for _, f in flat], dtype=torch.float32)
        for _ in range(2):                       # the second time from the box of the points
            parts = [read(marks, x[at[i:i + 64]], boxes[i:i + 64]) for i in range(0, len(at), 64)]
            mean, spread, margin = [torch.cat(t) for t in zip(*parts)]
            boxes = torch.cat([mean.amin(1), mean.amax(1)], 1)
        good = (spread.mean(1) < args.spread) & (margin.mean(1) > args.margin)
        good &= (boxes[:, 2:] - boxes[:, :2]).min(1).values > 14
        # Two readings of one face: keep the surer.
        for a in range(len(at)):
            for b in range(a + 1, len(at)):
                if at[b] != at[a]:
                    break
                if FN.iou(boxes[a].tolist(), boxes[b].tolist()) > 0.4:
                    good[b if margin[b].mean() < margin[a].mean() else a] = False
        for k in good.nonzero().flatten().tolist():
            faces["frames"].append(frames[at[k]])
            faces["points"].append(mean[k].numpy())
            faces["weight"].append(float((1 - spread[k].mean() / args.spread).clamp(0.2, 1)))
            faces["rec"].append(rec)
            faces["index"].append(int(at[k]))
        # A scene teaches the finder only when every candidate in it was settled one way or the other.
        for i in range(len(frames)):
            mine = (at == i).nonzero().flatten().tolist()
            if mine and all(good[k] or margin[k].mean() < 6 for k in mine) and any(good[k] for k in mine):
                pts = np.full((3, 68, 2), np.nan, np.float32)
                for j, k in enumerate([k for k in mine if good[k]][:3]):
                    pts[j] = mean[k].numpy()
                scenes["frames"].append(frames[i])
                scenes["points"].append(pts)
        print(f"{rec}: {len(frames)} frames, {len(flat)} candidates, {int(good.sum())} kept", flush=True)
    np.savez_compressed(args.out + ".npz", **{k: np.array(v, {"frames": np.int32, "points": np.float32, "weight": np.float32}.get(k)) for k, v in faces.items()})
    np.savez_compressed(args.out + "-finder.npz", **{k: np.array(v, np.int32 if k == "frames" else np.float32)
                                                     for k, v in scenes.items()})
    print(f"{len(faces['frames'])} faces, {len(scenes['frames'])} scenes of {seen} frames")


if __name__ == "__main__":
    data.tidy(main)
