#!/usr/bin/python3
"""Whether a thermal face wears glasses, from its regions' temperatures: fits the numbers in inference/face/covering.c.

    training/glasses.py [--thermoface build/cli/thermoface] [--models models]

The C engine measures the regions of the labelled faces of thermalfaces (single pictures) and thermal6 (recordings). How far eyes and
inner eye corners lie below the rest of the face, in standard deviations of the face's own temperatures, goes into a logistic regression.
Prints how well each source is told when the others were fitted, and the lines for the C file.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import data

REGIONS = ["forehead", "periorbital_right", "periorbital_left", "canthus_right", "canthus_left", "nose_tip", "nostrils", "perinasal",
           "cheek_right", "cheek_left", "chin", "mouth"]
EYES, CANTHI, REST = [1, 2], [3, 4], [0, 7, 8, 9, 10]
RIDGE = 1.0


def run(*command):
    r = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if r.returncode:
        sys.exit(f"glasses.py: {r.stderr.strip()}")


def stills(args, folder):
    """(source, glasses, [12 of mean and sd]) of each face of thermalfaces that was found."""
    root = data.shared() / "data/thermalfaces"
    out = Path(folder) / "points"
    run(args.thermoface, "eval", "stills", root / "dev.csv", "--images", root / "images", "--models", args.models, "--points", out)
    rows = list(csv.DictReader(open(root / "dev.csv")))
    for line in map(json.loads, open(out)):
        r = rows[line["line"] - 2]
        if line["points"]:
            yield r["source"], int(r["glasses"]), [line["regions"][n][:2] or [np.nan] * 2 for n in REGIONS]


def recordings(args, folder):
    """The same of thermal6: the reported face whose nose is nearest."""
    root = data.shared() / "data/thermal6"
    rows = list(csv.DictReader(open(root / "dev.csv")))
    for rec in sorted({r["rec"] for r in rows}):
        out, last = Path(folder) / f"{rec}.ndjson", max(int(r["frame"]) for r in rows if r["rec"] == rec)
        run(args.thermoface, "run", root / "recordings" / f"{rec}.mkv", "--format", "lepton3-y16", "--rotate", 90, "--models", args.models,
            "--limit", last + 1, "--ndjson", out)
        records = [json.loads(line) for line in open(out)]
        for r in rows:
            if r["rec"] != rec or not r["nose_x"]:
                continue
            nose = np.array([float(r["nose_x"]), float(r["nose_y"])])
            eyes = np.hypot(float(r["eye_l_x"]) - float(r["eye_r_x"]), float(r["eye_l_y"]) - float(r["eye_r_y"]))
            near = sorted((np.linalg.norm(np.array(f["points"][30][:2]) - nose), i) for i, f in enumerate(records[int(r["frame"])]["faces"]))
            if near and near[0][0] < eyes:
                g = records[int(r["frame"])]["faces"][near[0][1]]["regions"]
                yield "thermal6", int(r["glasses"]), [[np.nan if g[n][v] is None else g[n][v] for v in ("mean", "sd")] for n in REGIONS]


def features(g):
    mean, sd = g[..., 0], g[..., 1]
    spread = np.sqrt(np.nanmean(sd ** 2, 1) + np.nanvar(mean, 1))
    rest = np.nanmean(mean[:, REST], 1)
    return np.stack([(np.nanmean(mean[:, which], 1) - rest) / spread for which in (EYES, CANTHI)] + [np.ones(len(g))], 1)


def fitted(x, y):
    v, ridge = np.zeros(3), np.diag([RIDGE, RIDGE, 0.01])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(x @ v, -30, 30)))
        v += np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + ridge, x.T @ (y - p) - ridge @ v)
    return v


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--thermoface", default=data.HERE.parent / "build/cli/thermoface")
    parser.add_argument("--models", default=data.HERE.parent / "models")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        faces = [*stills(args, folder), *recordings(args, folder)]
    source, y = np.array([f[0] for f in faces]), np.array([f[1] for f in faces])
    x = features(np.array([f[2] for f in faces], float))
    said = np.empty(len(y))
    for s in sorted(set(source)):
        here = source == s
        said[here] = 1 / (1 + np.exp(-(x[here] @ fitted(x[~here], y[~here]))))
        print(f"{s:10s} {(y[here] == 1).sum():3d} with and {(y[here] == 0).sum():3d} without glasses, by the other sources: "
              f"{auc(said[here], y[here] == 1)}, right at 0.5: {100 * ((said[here] > 0.5) == (y[here] == 1)).mean():.1f} %, "
              f"said of those with / without: {mean(said[here & (y == 1)])} / {mean(said[here & (y == 0)])}")
    bins = np.minimum((said * 10).astype(int), 9)
    ece = sum(abs((said - y)[bins == b].sum()) for b in range(10)) / len(y)
    print(f"all together: {auc(said, y == 1)}, right at 0.5: {100 * ((said > 0.5) == (y == 1)).mean():.1f} %, ECE {ece:.3f}")
    v = fitted(x, y)
    print(f"#define GLASSES_EYES {v[0]:.3f}f\n#define GLASSES_CANTHI {v[1]:.3f}f\n#define GLASSES_BIAS {v[2]:.3f}f")


def mean(p):
    return f"{p.mean():.2f}" if len(p) else "-"


def auc(p, yes):
    if yes.all() or not yes.any():
        return "no AUC"
    return f"AUC {(p[yes][:, None] > p[~yes][None]).mean() + 0.5 * (p[yes][:, None] == p[~yes][None]).mean():.3f}"


if __name__ == "__main__":
    sys.exit(main())
