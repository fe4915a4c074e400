#!/usr/bin/python3
"""Cross-validation of the weak labels: what the recipe reaches on thermal faces of recordings and persons it has not seen.

    training/crossval.py --init training/out/landmarks68/last.pt --pseudo training/out/weak.npz:0.3 --epochs 3

For each of K folds (recordings that share a person stay together): train without the fold's recordings, quantise, and let
`thermoface eval thermal6` judge the int8 file on the fold's faces, with the shipped finder and the tracker, as a camera would be. Prints a
line for each fold and the means over all faces. A fold whose file is there already is only judged.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import data
from data import HERE, OUT, Thermal6, shared
from landmarks import fold_recordings


def judge(program, thermal, recs, model, finder):
    """thermoface's own figures for one file on some recordings."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "landmarks68.onnx").symlink_to(Path(model).resolve())
        (folder / "finder.onnx").symlink_to(Path(finder).resolve())
        tables = {}
        for name in ("dev", "negative"):
            with open(thermal.root / f"{name}.csv") as f:
                rows = list(csv.DictReader(f))
            # Empty stretches teach "no face" to every fold; they are judged in whole, by each.
            kept = rows if name == "negative" else [r for r in rows if r["rec"] in recs]
            tables[name] = folder / f"{name}.csv"
            with open(tables[name], "w", newline="") as f:
                out = csv.DictWriter(f, rows[0].keys(), lineterminator="\n")
                out.writeheader()
                out.writerows(kept)
        done = subprocess.run([program, "eval", "thermal6", str(tables["dev"]), "--recordings", str(thermal.root / "recordings"),
                               "--negative", str(tables["negative"]), "--models", str(folder), "--json"],
                              capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def main():
    p = argparse.ArgumentParser(description="Cross-validate the weak labels through the C engine.")
    p.add_argument("--folds", type=int, default=3)
    p.add_argument("--init", help="checkpoint that has seen no hand-placed thermal point, or, with {fold} in it, each fold's own from before")
    p.add_argument("--pseudo", nargs="*", default=[])
    p.add_argument("--epochs", default="3")
    p.add_argument("--lr", default="8e-4")
    p.add_argument("--reshape", action="store_true", help="as for train.py")
    p.add_argument("--mild", action="store_true", help="as for train.py")
    p.add_argument("--steady", action="store_true", help="as for train.py")
    p.add_argument("--look", default="0.4", help="as for train.py")
    p.add_argument("--clean", default="1", help="as for train.py")
    p.add_argument("--empty", default="0.08", help="as for train.py")
    p.add_argument("--threads", default="2")
    p.add_argument("--out", default=str(OUT / "crossval"))
    p.add_argument("--finder", default=str(HERE.parent / "models" / "finder.onnx"))
    p.add_argument("--thermoface", default=str(HERE.parent / "build" / "cli" / "thermoface"))
    args = p.parse_args()
    os.environ.setdefault("TF_SHARED", str(shared()))
    thermal, total = Thermal6(), []
    for i in range(args.folds):
        folder = Path(args.out) / f"fold{i}"
        model = folder / "landmarks68.onnx"
        if not model.exists():
            if not args.init:
                sys.exit(f"{model} is not there: name the checkpoint to start from with --init")
            subprocess.run([sys.executable, str(HERE / "train.py"), "landmarks68", "--init", args.init.replace("{fold}", str(i)), "--epochs", args.epochs,
                            "--lr", args.lr, "--pseudo", *args.pseudo, "--fold", f"{i}/{args.folds}", "--threads", args.threads,
                            "--out", str(folder), "--look", args.look, "--empty", args.empty, "--clean", args.clean,
                            *[f"--{k}" for k in ("reshape", "mild", "steady") if getattr(args, k)]], check=True)
            subprocess.run([sys.executable, str(HERE / "quantise.py"), "landmarks68", "--checkpoint", str(folder / "last.pt"),
                            "--threads", args.threads, "--output", str(model)], check=True)
        row = judge(args.thermoface, thermal, fold_recordings(thermal, f"{i}/{args.folds}"), model, args.finder)
        total.append(row)
        print(f"fold {i}: {json.dumps(row)}", flush=True)
    faces = sum(r["faces"] for r in total)
    mean = {k: sum(r[k] * r["faces"] for r in total) / faces for k in ("found", "nme", "fail15")}
    mean["false_per_1000"] = sum(r["false_per_1000"] for r in total) / len(total)
    print(json.dumps({"faces": faces, **{k: round(v, 3) for k, v in mean.items()}}))


if __name__ == "__main__":
    data.tidy(main)
