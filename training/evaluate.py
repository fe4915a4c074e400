#!/usr/bin/python3
"""Both networks together, frame by frame, without a tracker: a preview of `thermoface eval thermal6`.

    training/evaluate.py [--int8] [--threshold 0.5]

The published figures come from the C engine (docs/training.md); this one needs no build and can sweep thresholds.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

import finder as FN
import landmarks as LM
import losses as L
import nets
import quantise
import data
from data import OUT, Thermal6, visible68


def quantised(net, folder):
    model = quantise.Quantised(net)
    z = nets.checkpoint(folder / "int8.pt", ("state", "range"))
    model.load_state_dict(z["state"])
    model.range, model.on = z["range"], True
    return model.eval()


def load(name, int8, folder=None):
    net = nets.landmarks68() if name == "landmarks68" else nets.finder()
    folder = folder or OUT / name
    if not int8:
        nets.restore(net, nets.checkpoint(folder / "last.pt")["ema"], folder / "last.pt")
        return net.eval()
    return quantised(net, folder)


@torch.no_grad()
def faces_of(find, marks, pictures, threshold, conf):
    """Per picture the (score, confidence, points) of each accepted face; points read twice, as the tracker would."""
    out = []
    for i in range(0, len(pictures), 64):
        x = pictures[i:i + 64]
        got = FN.find(find, x, threshold)
        flat = [(k, f) for k, fs in enumerate(got) for f in fs]
        rows = [[] for _ in got]
        if flat:
            at = torch.tensor([k for k, _ in flat])
            boxes = torch.tensor([f[1:] for _, f in flat], dtype=torch.float32)
            p, m = LM.predict(marks, x[at], boxes)
            p, m = LM.predict(marks, x[at], torch.cat([p.amin(1), p.amax(1)], 1))
            c = torch.sigmoid(conf[0] * m + conf[1]).mean(1)
            for (k, f), pts, cc in zip(flat, p, c.tolist()):
                rows[k].append((f[0], cc, pts))
        out += rows
    return out


def main():
    ap = argparse.ArgumentParser(description="Finder and landmarks together on thermal6 and visible68.")
    ap.add_argument("--int8", action="store_true")
    ap.add_argument("--folder", type=Path, default=OUT / "landmarks68", help="the landmark network's")
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--conf", type=float, nargs=2, default=None, help="a and c of tf.confidence")
    args = ap.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    find, marks = load("finder", args.int8), load("landmarks68", args.int8, args.folder)
    if args.conf is None:
        import json
        c = json.loads((args.folder / "int8.json").read_text())["confidence"]
        args.conf = (c["a"], c["c"])
    thermal = Thermal6()
    notes = thermal.annotations()
    pics = torch.from_numpy(np.stack([thermal.frames(a.rec)[a.frame] for a in notes]).astype(np.float32))[:, None]
    positive = faces_of(find, marks, pics, 0.3, args.conf)
    empty = {k: faces_of(find, marks, torch.from_numpy(thermal.negative_frames(r)[0].astype(np.float32))[:, None], 0.3, args.conf)
             for k, r in (("unseen", FN.HELD_OUT), ("all", None))}
    visible = visible68("val")
    vis = faces_of(find, marks, torch.from_numpy(visible.images).float()[:, None], 0.3, args.conf)
    for threshold in (0.3, 0.4, 0.5, 0.6):
        for cmin in (0.3, 0.5, 0.6):
            keep = lambda rows: [r for r in rows if r[0] >= threshold and r[1] >= cmin]
            errors, n = [], len(notes)
            for a, rows in zip(notes, positive):
                rows = keep(rows)
                if not rows:
                    continue
                six = [L.six_points(r[2][None])[0].numpy() for r in rows]
                eye = np.linalg.norm(a.six[0] - a.six[1])
                d = [np.linalg.norm(s[2] - a.six[2]) for s in six]
                k = int(np.argmin(d))
                if d[k] < eye:
                    errors.append(100 * np.linalg.norm(six[k] - a.six, axis=1).mean() / eye)
            e = np.array(errors)
            false = {k: 1000 * sum(len(keep(r)) for r in v) / len(v) for k, v in empty.items()}
            ve = []
            for pts, rows in zip(visible.points, vis):
                rows = keep(rows)
                if rows:
                    ve.append(min(100 * np.linalg.norm(r[2].numpy() - pts, axis=1).mean() / np.linalg.norm(pts[36] - pts[45])
                                  for r in rows))
            print(f"finder >= {threshold} confidence >= {cmin}: found {100 * len(e) / n:.1f} nme {e.mean():.2f} "
                  f"fail15 {100 * (1 - (e <= 15).sum() / n):.1f} false/1000 unseen {false['unseen']:.1f} all {false['all']:.1f} "
                  f"| visible found {100 * len(ve) / len(visible):.1f} nme {np.mean(ve):.2f}", flush=True)


if __name__ == "__main__":
    data.tidy(main)
