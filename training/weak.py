#!/usr/bin/python3
"""Weak labels: 68 points for the annotated thermal frames, bent so that they pass through the six hand-placed ones.

    training/weak.py --landmarks training/out/landmarks68/last.pt [--around 12]

A network reads the 68 points from the true box; a similarity and then a smooth field take its six points (eye centres, nose, mouth corners,
chin) onto the hand-placed ones. The points in between follow. What a hand corrected in one frame holds for the same person a second before
and after: `--around N` follows the face through N frames to both sides and moves each reading by the same correction, turned and scaled with
the head, as long as the readings agree with themselves and the head keeps its pose.

`--table FILE` takes a lab's own rows, pictures or recordings of any size and turn (docs/training.md) in place of thermal6's.

Writes training/out/weak.npz. Whoever trains on it must score by cross-validation over recordings (train.py --fold).
"""

import argparse

import numpy as np
import torch

import labels as T
import landmarks as LM
import losses as L
import nets
import shipped
from data import CACHE, OUT, SIX, Thermal6, tidy
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


def bend(points, six, seen=None, width=0.7, ridge=0.02):
    """Moves 68 points so that their six means land on `six`, those of them that are `seen`: two at least, the eyes among them."""
    seen = np.ones(6, bool) if seen is None else seen
    mean = lambda p: np.stack([p[i].mean(0) for i in SIX])[seen]
    eye = np.linalg.norm(six[0] - six[1])
    six = six[seen]
    for _ in range(3):
        points = similarity(mean(points), six)(points)
    for _ in range(4):
        src = mean(points)
        kernel = lambda a, b: np.exp(-((a[:, None] - b[None]) ** 2).sum(2) / (2 * (width * eye) ** 2))
        w = np.linalg.solve(kernel(src, src) + ridge * np.eye(len(six)), six - src)
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
def follow(net, table, notes, readings, labels, args):
    """The labels carried to neighbouring frames: [(note, frame, points, weight)]. All faces go one frame on at a time, as a batch."""
    out = []
    tracks = [(i, step, labels[i]) for i in range(len(notes)) for step in (-1, 1)]
    for k in range(1, args.around + 1):
        tracks = [t for t in tracks if table.frame(notes[t[0]], notes[t[0]].frame + t[1] * k) is not None]
        if not tracks:
            break
        at = [notes[i].frame + step * k for i, step, _ in tracks]
        x, real = T.stacked([table.frame(notes[i], f) for (i, _, _), f in zip(tracks, at)])
        boxes = np.stack([np.concatenate([p.min(0), p.max(0)]) for _, _, p in tracks]).astype(np.float32)
        q, spread, margin = read(net, torch.from_numpy(x).float()[:, None], torch.from_numpy(boxes), VIEWS[1:3], torch.from_numpy(real))
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


@torch.no_grad()
def labelled(net, table, notes):
    """A network's 68 points for each note, and the same bent through the hand-placed ones, or those themselves where all 68 are."""
    pictures, real = T.stacked([table.picture(a) for a in notes])
    points, _, _ = read(net, torch.from_numpy(pictures).float()[:, None], LM.thermal_boxes(notes), real=torch.from_numpy(real))
    points = points.numpy().astype(np.float64)
    bent = []
    for q, a in zip(points, notes):
        b = bend(q, a.six, a.seen())
        if a.all68 is not None:
            b = np.where(np.isfinite(a.all68), a.all68, b)
        bent.append(b)
    return points, np.stack(bent)


def packed(table, faces):
    """[(note, frame, points, weight)] as train.py and finetune.py read them: a person with many labels does not outweigh one with few."""
    count = {}
    for a, _, _, _ in faces:
        count[a.person] = count.get(a.person, 0) + 1
    mean = len(faces) / len(count)
    pieces = [T.patch(table.frame(a, f), q, np.concatenate([q.min(0), q.max(0)])) for a, f, q, _ in faces]
    frames, real = T.stacked([p[0] for p in pieces])
    return {"frames": frames, "real": real, "points": np.stack([p[1] for p in pieces]).astype(np.float32),
            "weight": np.array([w for _, _, _, w in faces], np.float32),
            "often": np.array([mean / count[a.person] for a, _, _, _ in faces], np.float32), "rec": np.array([a.rec for a, _, _, _ in faces])}


def main():
    p = argparse.ArgumentParser(description="Bend a network's points through the hand-placed ones.")
    p.add_argument("--landmarks", required=True, help="checkpoint or .onnx file")
    p.add_argument("--around", type=int, default=0, help="frames to both sides that get the label carried over")
    p.add_argument("--spread", type=float, default=0.06, help="largest disagreement of the readings, share of the eye distance")
    p.add_argument("--margin", type=float, default=7.0, help="least mean margin of the peaks")
    p.add_argument("--pose", type=float, default=0.08, help="largest change of shape, share of the eye distance")
    p.add_argument("--table", help="rows of hand-placed points (docs/training.md); default: those of thermal6")
    p.add_argument("--rotate", type=int, default=0, choices=(0, 90, 180, 270), help="of --table: the turn of recordings that do not say theirs")
    p.add_argument("--out", default=str(OUT / "weak.npz"))
    args = p.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    net = shipped.network(nets.landmarks68, args.landmarks)
    table = T.Table(args.table, None, args.rotate, CACHE) if args.table else Thermal6().table()
    notes = [a for a in table.faces if a.seen()[:2].all() and a.quality != "poor"]
    if not notes:
        raise ValueError(f"{table.path}: no face with both eyes")
    table.load(notes, args.around)
    pts, bent = labelled(net, table, notes)
    six = L.six_points(torch.from_numpy(bent.astype(np.float32))).numpy()
    truth = np.stack([a.six for a in notes])
    eye = np.linalg.norm(truth[:, 0] - truth[:, 1], axis=1)
    print(f"{len(notes)} faces; residual of the six points "
          f"{100 * np.nanmean(np.linalg.norm(six - truth, axis=2) / eye[:, None]):.2f} % of the eye distance")
    # (recording, frame, person) → note, points and weight; the nearest hand-placed frame has the last word.
    found = {(a.rec, a.frame, a.person): (a, q, 1.0) for a, q in zip(notes, bent)}
    if args.around:
        for a, f, q, weight in follow(net, table, notes, pts, bent, args):
            key = (a.rec, f, a.person)
            if key not in found or found[key][2] < weight:
                found[key] = (a, q, weight)
        print(f"{len(found)} faces with what was carried over")
    z = packed(table, [(found[k][0], k[1], *found[k][1:]) for k in sorted(found)])
    T.save(args.out, lambda f: np.savez_compressed(f, **z))


if __name__ == "__main__":
    tidy(main)
