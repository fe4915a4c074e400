#!/usr/bin/python3
"""Weak labels: 68 points for the annotated thermal frames, bent so that they pass through the six hand-placed ones.

    training/weak.py --landmarks training/out/landmarks68/last.pt [--around 12]

A network reads the 68 points from the true box; a similarity and then a smooth field take its six points (eye centres, nose, mouth corners,
chin) onto the hand-placed ones. The points in between follow. What a hand corrected in one frame holds for the same person a second before
and after: `--around N` follows the face through N frames to both sides and moves each reading by the same correction, turned and scaled with
the head, as long as the readings agree with themselves and the head keeps its pose.

Writes training/out/weak.npz. Whoever trains on it must score by cross-validation over recordings (train.py --fold).
"""

import argparse

import numpy as np
import torch

import landmarks as LM
import losses as L
import nets
import shipped
from data import OUT, SIX, Thermal6
from pseudo import VIEWS, read


def similarity(a, b):
    """Least-squares similarity that takes points a to b [N, 2]."""
    ma, mb = a.mean(0), b.mean(0)
    x, y = (a - ma) @ [1, 1j], (b - mb) @ [1, 1j]
    k = (x.conj() @ y) / (x.conj() @ x)

    def apply(p):
        z = ((p - ma) @ [1, 1j]) * k
        return np.stack([z.real, z.imag], -1) + mb
    return apply


def bend(points, six, width=0.7, ridge=0.02):
    """Moves 68 points so that their six means land on `six`."""
    mean = lambda p: np.stack([p[i].mean(0) for i in SIX])
    for _ in range(3):
        points = similarity(mean(points), six)(points)
    eye = np.linalg.norm(six[0] - six[1])
    for _ in range(4):
        src = mean(points)
        kernel = lambda a, b: np.exp(-((a[:, None] - b[None]) ** 2).sum(2) / (2 * (width * eye) ** 2))
        w = np.linalg.solve(kernel(src, src) + ridge * np.eye(6), six - src)
        points = points + kernel(points, src) @ w
    return points


def complex_of(p):
    return p @ np.array([1, 1j])


def turn_of(a, b):
    """The turn and scale (a complex number) of the similarity that takes points a to b, and what it leaves over, in pixels."""
    x, y = complex_of(a), complex_of(b)
    x, y = x - x.mean(), y - y.mean()
    k = (x.conj() @ y) / (x.conj() @ x)
    return k, float(np.abs(y - k * x).mean())


@torch.no_grad()
def follow(net, thermal, notes, readings, labels, args):
    """The labels carried to neighbouring frames: [(note, frame, points, weight)]. All faces go one frame on at a time, as a batch."""
    out = []
    tracks = [(i, step, labels[i]) for i in range(len(notes)) for step in (-1, 1)]
    for k in range(1, args.around + 1):
        tracks = [t for t in tracks if 0 <= notes[t[0]].frame + t[1] * k < len(thermal.frames(notes[t[0]].rec))]
        if not tracks:
            break
        at = [notes[i].frame + step * k for i, step, _ in tracks]
        x = np.stack([thermal.frames(notes[i].rec)[f] for (i, _, _), f in zip(tracks, at)]).astype(np.float32)
        boxes = np.stack([np.concatenate([p.min(0), p.max(0)]) for _, _, p in tracks]).astype(np.float32)
        q, spread, margin = read(net, torch.from_numpy(x)[:, None], torch.from_numpy(boxes), VIEWS[1:3])
        q, spread, margin = q.numpy().astype(np.float64), spread.mean(1), margin.mean(1)
        alive = []
        for j, (i, step, _) in enumerate(tracks):
            eye = np.linalg.norm(labels[i][36] - labels[i][45])
            turn, left = turn_of(readings[i], q[j])
            if spread[j] > args.spread or margin[j] < args.margin or left > args.pose * eye or not 0.6 < abs(turn) < 1.7:
                continue
            moved = complex_of(labels[i] - readings[i]) * turn
            points = q[j] + np.stack([moved.real, moved.imag], -1)
            out.append((notes[i], at[j], points, 1 - 0.5 * k / (args.around + 1)))
            alive.append((i, step, points))
        tracks = alive
    return out


def main():
    p = argparse.ArgumentParser(description="Bend a network's points through the hand-placed ones.")
    p.add_argument("--landmarks", required=True, help="checkpoint or .onnx file")
    p.add_argument("--around", type=int, default=0, help="frames to both sides that get the label carried over")
    p.add_argument("--spread", type=float, default=0.06, help="largest disagreement of the readings, share of the eye distance")
    p.add_argument("--margin", type=float, default=7.0, help="least mean margin of the peaks")
    p.add_argument("--pose", type=float, default=0.08, help="largest change of shape, share of the eye distance")
    p.add_argument("--out", default=str(OUT / "weak.npz"))
    args = p.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    net = shipped.network(nets.landmarks68, args.landmarks)
    thermal = Thermal6()
    notes = thermal.annotations()
    frames = np.stack([thermal.frames(a.rec)[a.frame] for a in notes])
    pts, spread, margin = read(net, torch.from_numpy(frames.astype(np.float32))[:, None], LM.thermal_boxes(notes))
    pts = pts.numpy().astype(np.float64)
    bent = np.stack([bend(q, a.six) for q, a in zip(pts, notes)])
    six = L.six_points(torch.from_numpy(bent.astype(np.float32))).numpy()
    truth = np.stack([a.six for a in notes])
    eye = np.linalg.norm(truth[:, 0] - truth[:, 1], axis=1)
    print(f"{len(notes)} faces; residual of the six points "
          f"{100 * (np.linalg.norm(six - truth, axis=2) / eye[:, None]).mean():.2f} % of the eye distance")
    # (recording, frame, person) → points and weight; the nearest hand-placed frame has the last word.
    labels = {(a.rec, a.frame, a.person): (q, 1.0) for a, q in zip(notes, bent)}
    if args.around:
        for a, f, q, weight in follow(net, thermal, notes, pts, bent, args):
            key = (a.rec, f, a.person)
            if key not in labels or labels[key][1] < weight:
                labels[key] = (q, weight)
        print(f"{len(labels)} faces with what was carried over")
    # A person with many labels must not outweigh one with few.
    count = {}
    for rec, _, person in labels:
        count[person] = count.get(person, 0) + 1
    mean = len(labels) / len(count)
    keys = sorted(labels)
    np.savez_compressed(args.out, frames=np.stack([thermal.frames(r)[f] for r, f, _ in keys]).astype(np.int32),
                        points=np.stack([labels[k][0] for k in keys]).astype(np.float32),
                        weight=np.array([labels[k][1] for k in keys], np.float32),
                        often=np.array([mean / count[k[2]] for k in keys], np.float32),
                        rec=np.array([k[0] for k in keys]))


if __name__ == "__main__":
    main()
