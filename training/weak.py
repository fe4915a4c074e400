#!/usr/bin/python3
"""Weak labels: 68 points for the annotated thermal frames, bent so that they pass through the six hand-placed ones.

    training/weak.py --landmarks training/out/landmarks68/last.pt

A network reads the 68 points from the true box; a similarity and then a smooth field take its six points (eye centres, nose, mouth corners,
chin) onto the hand-placed ones. The points in between follow. Writes training/out/weak.npz. Whoever trains on it must score by
cross-validation over recordings (train.py --fold).
"""

import argparse

import numpy as np
import torch

import landmarks as LM
import losses as L
import nets
from data import OUT, SIX, Thermal6
from pseudo import read


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


def main():
    p = argparse.ArgumentParser(description="Bend a network's points through the hand-placed ones.")
    p.add_argument("--landmarks", required=True)
    p.add_argument("--out", default=str(OUT / "weak.npz"))
    args = p.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    net = nets.landmarks68()
    net.load_state_dict(torch.load(args.landmarks)["ema"])
    net.eval()
    thermal = Thermal6()
    notes = thermal.annotations()
    frames = np.stack([thermal.frames(a.rec)[a.frame] for a in notes])
    pts, spread, margin = read(net, torch.from_numpy(frames.astype(np.float32))[:, None], LM.thermal_boxes(notes))
    bent = np.stack([bend(q.numpy().astype(np.float64), a.six) for q, a in zip(pts, notes)]).astype(np.float32)
    six = L.six_points(torch.from_numpy(bent)).numpy()
    truth = np.stack([a.six for a in notes])
    eye = np.linalg.norm(truth[:, 0] - truth[:, 1], axis=1)
    print(f"{len(notes)} faces; residual of the six points "
          f"{100 * (np.linalg.norm(six - truth, axis=2) / eye[:, None]).mean():.2f} % of the eye distance")
    np.savez_compressed(args.out, frames=frames.astype(np.int32), points=bent, weight=np.ones(len(notes), np.float32),
                        rec=np.array([a.rec for a in notes]))


if __name__ == "__main__":
    main()
