#!/usr/bin/python3
"""What a point's confidence means: fits the probability that it lies within 10 % of the eye distance, and writes it into the model.

    training/confidence.py MODEL [--thermoface build/cli/thermoface] [--finder models/finder.onnx] [--dry] [--set CSV:IMAGES …]

The C engine reads labelled pictures that the network has not been trained on (thermalfaces `dev`, visible68 `val`, and visible68 `val`
with a made-up thermal look) and says of each point what it has to go by: how firm and how wide its map is, how far map and coordinate,
both mirrored readings, and the nearest usual face lie from it. A logistic regression makes a probability of that. The usual faces are a
principal component model of visible68 `train`. Prints how well it does on each source of thermal pictures when fitted without it, and
writes tf.confidence.shape, .once and .twice (docs/models.md) into MODEL unless --dry. --set adds pictures of a lab's own, with six points.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

import data

CLUES = 5
MODES = 10
NEAR, RIGHT, BAD = 0.003, 0.10, 0.15
SIZES = 10, 60         # eye distances in pixels; smaller and larger faces count as these
SMALL = 0.35           # photographs made small, to eye distances that a 160 x 120 camera has
RIDGE = 2.0
THERMAL = 12.0         # what a labelled point of a thermal picture weighs against one of a photograph
SIX = data.SIX
PHOTOGRAPHS = ["val", "look", "small"]
GROUPS = [range(0, 17), range(17, 27), range(27, 36), range(36, 48), range(48, 60), range(60, 68)]


def eye_distance(points):
    return np.linalg.norm(points[..., 36:42, :].mean(-2) - points[..., 42:48, :].mean(-2), axis=-1)


def over(points, mean):
    """Points [N, 68, 2] placed over the mean shape by the similarity of least squares."""
    z = points[..., 0] + 1j * points[..., 1]
    z = z - z.mean(-1, keepdims=True)
    m = mean[:, 0] + 1j * mean[:, 1]
    z = z * (z.conj() * m).sum(-1, keepdims=True) / (abs(z) ** 2).sum(-1, keepdims=True)
    return np.stack([z.real, z.imag], -1)


def shapes(points):
    """Mean, deviations and components of faces; each face counts with its mirror image, so that neither side is the usual one."""
    both = np.concatenate([points, points[:, data.FLIP68] * [-1, 1]])
    mean = both[0] - both[0].mean(0)
    for _ in range(10):
        mean = over(both, mean).mean(0)
        angle = np.arctan2(*(mean[42:48].mean(0) - mean[36:42].mean(0))[::-1])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        mean = mean @ turn / eye_distance(mean)
    _, s, parts = np.linalg.svd((over(both, mean) - mean).reshape(len(both), -1), full_matrices=False)
    return mean, s[:MODES] / np.sqrt(len(both)), parts[:MODES]


def written(*numbers):
    return " ".join(f"{v:.4g}" for part in numbers for v in np.ravel(part))


class Set:
    """Pictures with labels: `truth` [N, 68, 2] or [N, 6, 2], NaN where a point cannot be seen; `rows` their lines in the CSV."""

    def __init__(self, name, path, images, truth, rows, sources, persons, thermal, beside=0):
        self.beside = beside               # how far right of the faces their labels lie
        self.name, self.path, self.images, self.truth, self.rows = name, path, images, truth, rows
        self.sources, self.persons, self.thermal = sources, persons, thermal


def six_set(name, path, images):
    rows = list(csv.DictReader(open(path)))
    names = [f"{n}_{a}" for n in ("eye_r", "eye_l", "nose", "mouth_r", "mouth_l", "chin") for a in "xy"]
    truth = np.array([[float(r[n]) if r[n] else np.nan for n in names] for r in rows]).reshape(-1, 6, 2)
    truth[[r.get("mask") == "1" for r in rows], 3:] = np.nan
    return Set(name, path, images, truth, np.arange(2, len(rows) + 2), np.array([r.get("source", name) for r in rows]),
               np.array([r.get("person", r["file"]) for r in rows]), True)


def looked(faces, seed):
    """Photographs with the made-up thermal look of the training (augment.py)."""
    import torch

    import augment as A
    torch.manual_seed(seed)
    images, out = faces.images, []
    for i in range(0, len(images), 32):
        g = torch.from_numpy(images[i:i + 32]).float()[:, None] / 255
        mask = torch.from_numpy(faces.masks[i:i + 32]).float()[:, None] / 255
        out.append(A.thermal_look(g, mask, torch.from_numpy(faces.points[i:i + 32]).float())[0])
    t = torch.cat(out)[:, 0].numpy()
    low, high = (np.percentile(t, q, axis=(1, 2))[:, None, None] for q in (1, 99))
    return np.clip((t - low) / (high - low + 1e-6) * 255, 0, 255).astype(np.uint8)


def visible_set(name, faces, images, folder, thermal, scale=1):
    """visible68 in the columns that `eval stills` reads."""
    folder = Path(folder) / name
    folder.mkdir()
    path = folder / "points.csv"
    points = (faces.points.astype(float) + 0.5) * scale - 0.5
    head = "file,source," + ",".join(f"{n}_{a}" for n in ("eye_r", "eye_l", "nose", "mouth_r", "mouth_l", "chin") for a in "xy") + ",mask"
    with open(path, "w") as out:
        print(head, file=out)
        for i, p in enumerate(points):
            small = cv2.resize(images[i], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale != 1 else images[i]
            cv2.imwrite(str(folder / f"{i}.png"), small)
            six = [p[s].mean(0) for s in SIX]
            print(f"{i}.png,{name}," + ",".join(f"{v:.2f}" for xy in six for v in xy) + ",0", file=out)
    n = len(points)
    return Set(name, path, folder, points, np.arange(2, n + 2), np.array([name] * n), np.array([f"photograph{i}" for i in range(n)]), thermal,
               data.labels_right(faces.source) * scale)


def read(args, models, s, mirror):
    """Points [N, 68, 2] and clues [N, 68, 5] of each row; NaN where the face was not found."""
    points, clues = np.full((len(s.rows), 68, 2), np.nan), np.full((len(s.rows), 68, CLUES), np.nan)
    at = {int(r): i for i, r in enumerate(s.rows)}
    for c in range(CLUES):
        with tempfile.TemporaryDirectory() as t:
            out = Path(t) / "points"
            command = [args.thermoface, "eval", "stills", s.path, "--images", s.images, "--models", models, "--mirror", mirror,
                       "--points", out, "--clue", c + 1, "--json"]
            r = subprocess.run([str(a) for a in command], capture_output=True, text=True)
            if r.returncode:
                sys.exit(f"confidence.py: {r.stderr.strip()}")
            for line in map(json.loads, open(out)):
                if line["points"]:
                    p = np.array(line["points"])
                    points[at[line["line"]]], clues[at[line["line"]], :, c] = p[:, :2], p[:, 2]
    return points, clues


def features(points, clues, mean, deviation, parts):
    """[N, 68, 12], as inference/face/calibration.c has them."""
    left = (over(points, mean) - mean).reshape(len(points), -1)
    unusual = ((left @ parts.T / deviation) ** 2).mean(1)
    face = np.concatenate([clues.mean(1), np.log(unusual + 0.1)[:, None], np.log(np.clip(eye_distance(points), *SIZES))[:, None]], 1)
    return np.concatenate([clues, np.repeat(face[:, None], 68, 1)], 2)


def errors(s, points, mirror):
    """[N, 68] in eye distances, and weights; an eye's label is that of its six points' middle."""
    if s.truth.shape[1] == 68:
        truth = s.truth.copy()
        if mirror == "yes" or s.name != "val":     # a single reading of a photograph gives points as labelled (models/MODEL_CARD.md)
            truth[..., 0] -= s.beside[:, None]
        return np.linalg.norm(points - truth, axis=2) / eye_distance(truth)[:, None], np.ones(points.shape[:2])
    e, w = np.full(points.shape[:2], np.nan), np.zeros(points.shape[:2])
    eyes = np.linalg.norm(s.truth[:, 0] - s.truth[:, 1], axis=1)
    for k, which in enumerate(SIX):
        e[:, which] = (np.linalg.norm(points[:, which].mean(1) - s.truth[:, k], axis=1) / eyes)[:, None]
        w[:, which] = 1 / len(which)
    return e, w


def fitted(x, y, w, point):
    """Logistic regression by Newton's method: 68 biases around those of their groups, and the weights of the clues."""
    mean, sd = x.mean(0), x.std(0)
    sd[sd < 1e-4] = np.inf             # of faces read once, the distance of two readings: no clue
    group = np.zeros((68, len(GROUPS)))
    for g, which in enumerate(GROUPS):
        group[list(which), g] = 1
    a = np.concatenate([(x - mean) / sd, group[point], np.eye(68)[point]], 1)
    ridge = np.concatenate([np.full(x.shape[1], RIDGE), np.full(len(GROUPS), 0.1), np.full(68, 10.0)])
    v = np.zeros(a.shape[1])
    for _ in range(25):
        p = 1 / (1 + np.exp(-np.clip(a @ v, -30, 30)))
        h = (a * (w * p * (1 - p))[:, None]).T @ a + np.diag(ridge)
        step = np.linalg.solve(h, a.T @ (w * (y - p)) - ridge * v)
        v += step
        if abs(step).max() < 1e-6:
            break
    n = x.shape[1]
    weight = v[:n] / sd
    return np.concatenate([group @ v[n:n + len(GROUPS)] + v[n + len(GROUPS):] - weight @ mean, weight])


def probability(x, fit):
    """[N, 68]"""
    return 1 / (1 + np.exp(-(x @ fit[68:] + fit[:68])))


def auc(p, bad):
    order = np.argsort(p, kind="stable")
    rank = np.empty(len(p))
    rank[order] = np.arange(1, len(p) + 1)
    n = bad.sum()
    return 1 - (rank[bad].sum() - n * (n + 1) / 2) / max(n * (len(p) - n), 1)


def ece(p, right):
    b = np.minimum((p * 10).astype(int), 9)
    return sum(abs((p - right)[b == i].sum()) for i in range(10)) / len(p)


def six_of(p, e):
    """Probabilities and errors of the six points of faces, NaN where there is no label."""
    return np.stack([p[:, which].mean(1) for which in SIX], 1), np.stack([e[:, which].mean(1) for which in SIX], 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--thermoface", default=data.HERE.parent / "build/cli/thermoface")
    parser.add_argument("--finder", default=data.HERE.parent / "models/finder.onnx")
    parser.add_argument("--set", nargs="*", default=[], metavar="CSV:IMAGES")
    parser.add_argument("--keep", metavar="FILE", help="what was read, for looking at it (NumPy)")
    parser.add_argument("--quick", action="store_true", help="a few faces, to see that it runs")
    parser.add_argument("--dry", action="store_true")
    args = parser.parse_args()
    limit = 24 if args.quick else None
    thermal = data.shared() / "data/thermalfaces"
    mean, deviation, parts = shapes(data.visible68("train", limit=limit).points.astype(float))
    with tempfile.TemporaryDirectory() as t:
        models = Path(t) / "models"
        models.mkdir()
        (models / "landmarks68.onnx").write_bytes(Path(args.model).read_bytes())
        (models / "finder.onnx").write_bytes(Path(args.finder).read_bytes())
        shape = written(mean, *[x for m in range(len(deviation)) for x in ([deviation[m]], parts[m])])
        nothing = written(np.zeros(68 + 2 * CLUES + 2))
        tell(models / "landmarks68.onnx", shape, nothing, nothing)
        val = data.visible68("val", limit=limit)
        sets = [visible_set("val", val, val.images, t, False),
                visible_set("look", val, looked(val, 1), t, False),
                visible_set("small", val, looked(val, 2), t, False, SMALL)]
        if (thermal / "dev.csv").exists():
            sets.append(six_set("thermalfaces", thermal / "dev.csv", thermal / "images"))
        sets += [six_set(*(s.rsplit(":", 1)[:1] * 1), *s.rsplit(":", 1)) for s in args.set]
        fits = [fit(args, models, sets, mirror, (mean, deviation, parts)) for mirror in ("no", "yes")]
    if not args.dry:
        tell(args.model, shape, written(fits[0]), written(fits[1]))


def tell(model, shape, once, twice):
    subprocess.run([sys.executable, str(data.HERE / "meta.py"), str(model), f"tf.confidence.shape={shape}", f"tf.confidence.once={once}",
                    f"tf.confidence.twice={twice}"], check=True)


def fit(args, models, sets, mirror, usual):
    x, e, w, source, person, place = [], [], [], [], [], []
    for s in sets:
        p, c = read(args, models, s, mirror)
        err, weight = errors(s, p, mirror)
        seen = np.isfinite(p[:, 0, 0])
        x.append(features(p[seen], c[seen], *usual)), e.append(err[seen])
        w.append(weight[seen] * (THERMAL if s.thermal else 1)), source.append(s.sources[seen]), person.append(s.persons[seen]), place.append(p[seen])
    x, e, w, source, person = (np.concatenate(v) for v in (x, e, w, source, person))
    if args.keep:
        np.savez(f"{args.keep}-{mirror}.npz", x=x, e=e, w=w, source=source, person=person, points=np.concatenate(place))
    report(x, e, w, source, person, mirror)
    return fit_of(x, e, w, np.ones(len(x), bool))


def fit_of(x, e, w, which):
    x, e, w = x[which], e[which], w[which]
    there = np.isfinite(e) & (w > 0)
    point = np.broadcast_to(np.arange(68), e.shape)[there]
    return fitted(x[there], (e[there] <= RIGHT).astype(float), w[there], point)


def report(x, e, w, source, person, mirror):
    print(f"mirror {mirror}: fitted without the source, judged on it")
    said, was = [], []
    photographs = np.isin(source, PHOTOGRAPHS)
    for name in [s for s in sorted(set(source)) if s not in PHOTOGRAPHS]:
        f = fit_of(x, e, w, source != name)
        p, err = six_of(probability(x[source == name], f), e[source == name])
        there = np.isfinite(err)
        said.append(p[there]), was.append(err[there])
        line(name, said[-1], was[-1])
    if said:
        line("thermal", np.concatenate(said), np.concatenate(was))
    said, was = [], []
    folds = np.array([hash_of(v) % 5 for v in person])
    for k in range(5):
        f = fit_of(x, e, w, folds != k)
        here = (folds == k)
        p, err = probability(x[here & photographs], f), e[here & photographs]
        said.append(p.ravel()), was.append(err.ravel())
    line("photographs, five folds, 68 points", np.concatenate(said), np.concatenate(was))


def hash_of(text):
    import zlib
    return zlib.crc32(str(text).encode())


def line(name, p, e):
    print(f"  {name:36s} {len(p):6d} points, {100 * (e <= RIGHT).mean():5.1f} % right, said {100 * p.mean():5.1f} %, AUC (> 15 %) "
          f"{auc(p, e > BAD):.3f}, ECE {ece(p, e <= RIGHT):.3f}")


if __name__ == "__main__":
    sys.exit(main())
