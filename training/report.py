#!/usr/bin/python3
"""The model card's tables: by part of the face, by source, by size of the face, with and without glasses (int8, simulated).

    training/report.py [--split test]
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

import landmarks as LM
import losses as L
from data import SIX_NAMES, Thermal6, tight_box, visible68
from evaluate import load

PARTS = {"jaw": range(0, 17), "brows": range(17, 27), "nose": range(27, 36), "eyes": range(36, 48), "mouth": range(48, 68)}


@torch.no_grad()
def visible(model, faces, pixels=None, moved=0.0, readings=1):
    """Error of each point in percent of the outer eye corners' distance [N, 68]; `pixels`: longer side of the tight box; `moved`: how far
    that is from the true box, a share of its longer side; `readings`: each from the box of the last one's points, as a tracker does."""
    out, rng = [], np.random.default_rng(5)
    for image, p in zip(faces.images, faces.points):
        box = tight_box(p)
        k = 1.0 if pixels is None else pixels / max(box[2] - box[0], box[3] - box[1])
        if k < 1:
            size = int(round(image.shape[0] * k))
            k = size / image.shape[0]
            image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        q = torch.from_numpy((p + 0.5) * np.float32(min(k, 1)) - 0.5)[None]
        b = torch.cat([q.amin(1), q.amax(1)], 1)
        a = rng.uniform(0, 2 * np.pi)
        b = b + moved * (b[:, 2:] - b[:, :2]).max() * torch.tensor([np.cos(a), np.sin(a)] * 2, dtype=torch.float32)
        for _ in range(readings):
            r, _ = LM.predict(model, torch.from_numpy(image).float()[None, None], b)
            b = torch.cat([r.amin(1), r.amax(1)], 1)
        out.append(100 * (r - q).norm(dim=2)[0] / (q[0, 36] - q[0, 45]).norm())
    return torch.stack(out).numpy()


def main():
    p = argparse.ArgumentParser(description="Tables of the model card.")
    p.add_argument("--split", default="test")
    p.add_argument("--folder", type=Path, help="where int8.pt lies (default training/out/landmarks68)")
    p.add_argument("--threads", type=int, default=1)
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    model = load("landmarks68", True, args.folder)
    faces = visible68(args.split)
    e = visible(model, faces)
    per = e.mean(1)
    row = lambda name, v: print(f"| {name} | {len(v)} | {v.mean():.2f} | {100 * (v > 10).mean():.1f} |")
    print("| faces | images | NME % | over 10 % |\n|---|---|---|---|")
    row("all", per)
    for s in sorted(set(faces.source)):
        row(s, per[faces.source == s])
    # Turn of the head: the bridge's place between the ears, 0.5 when frontal.
    pt = faces.points
    side = np.linalg.norm(pt[:, 27] - pt[:, 0], axis=1)
    yaw = np.abs(side / (side + np.linalg.norm(pt[:, 27] - pt[:, 16], axis=1)) - 0.5)
    for name, lo, hi in (("frontal", 0, 0.08), ("quarter", 0.08, 0.2), ("far turned", 0.2, 1)):
        row(name, per[(yaw >= lo) & (yaw < hi)])
    for n in (24, 32, 48, 64, 96):
        row(f"{n} px", visible(model, faces, n).mean(1))
    for moved in (0.03, 0.06, 0.1):
        row(f"box off by {100 * moved:.0f} %", visible(model, faces, moved=moved).mean(1))
        row("the same, read three times", visible(model, faces, moved=moved, readings=3).mean(1))
    print("\n| part | NME % |\n|---|---|")
    for name, index in PARTS.items():
        print(f"| {name} | {e[:, list(index)].mean():.2f} |")
    thermal = Thermal6()
    t = LM.score_thermal(model, thermal, detail=True)
    glasses = np.array([a.glasses for a in thermal.annotations()])
    each = t["t_each"]
    print("\nthermal6 from true boxes:", {k: v for k, v in t.items() if k != "t_each"}, SIX_NAMES)
    for name, pick in (("glasses", glasses), ("no glasses", ~glasses)):
        print(f"{name}: {pick.sum()} faces, {each[pick].mean():.2f} %, over 15 %: {100 * (each[pick] > 15).mean():.1f} %")


if __name__ == "__main__":
    main()
