#!/usr/bin/python3
"""How far visible68's labels lie beside the picture, from left to right.

    training/registration.py [--model models/landmarks68.onnx]

A reader that is even-handed (it reads every picture and its mirror image, each from the box of its own points, and takes the mean) has no
reason to lie left of the labels on nearly all faces, unless the labels lie right of the faces. The pupils, which no network is needed for,
say the same: the darkest spot of an eye lies left of the middle of its six labels. Prints both for each split and source; data.LABELS_RIGHT
holds the outcome, and the last columns are NME (float) from the true boxes without and with it. From top to bottom nothing can be told this way.
"""

import argparse

import cv2
import numpy as np
import torch

import augment as A
import landmarks as LM
import losses as L
import nets
import orders
import shipped
import data
from data import HERE, labels_right, tight_box, visible68

READINGS = 3


def readings(net, images, boxes, count=READINGS):
    out = []
    for i in range(0, len(images), 64):
        x, b = torch.from_numpy(images[i:i + 64]).float()[:, None], boxes[i:i + 64]
        for _ in range(count):
            p, _ = LM.predict(net, x, b)
            b = torch.cat([p.amin(1), p.amax(1)], 1)
        out.append(p)
    return torch.cat(out)


@torch.no_grad()
def beside(net, faces):
    """Label minus even-handed reading, mean over the points, pixels [N]."""
    last = faces.images.shape[2] - 1
    boxes = torch.from_numpy(tight_box(faces.points))
    mirrored = boxes.clone()
    mirrored[:, 0], mirrored[:, 2] = last - boxes[:, 2], last - boxes[:, 0]
    plain = readings(net, faces.images, boxes)[..., 0]
    turned = last - readings(net, np.ascontiguousarray(faces.images[:, :, ::-1]), mirrored)[:, A.FLIP][..., 0]
    return (torch.from_numpy(faces.points[..., 0]) - (plain + turned) / 2).mean(1).numpy()


@torch.no_grad()
def errors(net, faces):
    """NME from the true boxes as it is, and with all points moved right by data.LABELS_RIGHT [N] each."""
    truth = torch.from_numpy(faces.points)
    p = readings(net, faces.images, torch.from_numpy(tight_box(faces.points)), 1)
    moved = p + torch.from_numpy(labels_right(faces.source))[:, None, None] * torch.tensor([1.0, 0.0])
    return L.nme(p, truth).numpy(), L.nme(moved, truth).numpy()


def pupils(faces):
    """Middle of an eye's labels minus its darkest spot, pixels; nearly frontal faces with open eyes."""
    out = []
    for image, p in zip(faces.images, faces.points):
        size = np.linalg.norm(p[36] - p[45])
        if orders.yaw(p[None])[0] > 0.06:
            continue
        soft = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.036 * size)
        r = int(round(0.12 * size))
        dy, dx = np.mgrid[-r:r + 1, -r:r + 1]
        for eye in (p[36:42], p[42:48]):
            if np.linalg.norm(eye[1] - eye[5]) < 0.07 * size:
                continue
            c = eye.mean(0)
            around = cv2.remap(soft, (c[0] + dx).astype(np.float32), (c[1] + dy * 0.5).astype(np.float32), cv2.INTER_LINEAR)
            at = dx.ravel()[around.argmin()]
            if abs(at) < r:
                out.append(-at)
    return np.array(out, np.float32)


def main():
    p = argparse.ArgumentParser(description="How far the labels of visible68 lie right of the faces.")
    p.add_argument("--model", default=str(HERE.parent / "models" / "landmarks68.onnx"))
    p.add_argument("--splits", nargs="*", default=["train", "val", "test"])
    p.add_argument("--limit", type=int, help="no more faces of a split than this")
    args = p.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    net = shipped.network(nets.landmarks68, args.model)
    print("| split | source | faces | labels right of the reading, px | share of faces | pupils | labels right of the pupil, px | NME % | moved |")
    print("|---|---|---|---|---|---|---|---|---|")
    for split in args.splits:
        faces = visible68(split, limit=args.limit)
        d, (plain, moved) = beside(net, faces), errors(net, faces)
        for s in sorted(set(faces.source)):
            k = faces.source == s
            e = pupils(faces.take(k))
            print(f"| {split} | {s} | {k.sum()} | {d[k].mean():.2f} | {100 * (d[k] > 0).mean():.0f} % | {len(e)} | "
                  f"{e.mean():.2f} ± {e.std() / max(1, len(e)) ** 0.5:.2f} | {plain[k].mean():.2f} | {moved[k].mean():.2f} |", flush=True)
        print(f"| {split} | all | {len(d)} | | | | | {plain.mean():.2f} | {moved.mean():.2f} |", flush=True)


if __name__ == "__main__":
    data.tidy(main)
