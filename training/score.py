#!/usr/bin/python3
"""Scores of a system's recipe on a split, in float and in (simulated) int8, one line each: what the model card's table is made of.

    training/score.py b-resnet18 c-unet --split test

The int8 figures that count are those of `thermoface eval` on the exported file; these two beside each other show what rounding costs.
"""

import argparse

import torch

import evaluate
import nets
import quantise
import train
import data
from data import OUT


def main():
    p = argparse.ArgumentParser(description="Float and int8 scores of systems' recipes.")
    p.add_argument("recipes", nargs="+")
    p.add_argument("--split", default="test", choices=("val", "test"))
    p.add_argument("--threads", type=int, default=1)
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    for name in args.recipes:
        cfg = train.arguments([name])
        rec, build = train.recipe(name, cfg)
        if args.split == "test":
            from points import Source
            rec.val = Source(cfg.data or ["visible68"], "test", cfg.order, cfg.view)
        log = nets.checkpoint(OUT / name / "last.pt", ("ema", "log"))["log"]
        seconds, cpu = (sum(r[k] for r in log) / len(log) for k in ("seconds", "cpu"))
        print(f"{name}: {len(rec.val)} faces; trained {log[-1]['epoch'] + 1} epochs of {rec.steps} steps, "
              f"{seconds:.0f} s each, of which {cpu:.0f} s CPU")
        net = build()
        nets.restore(net, nets.checkpoint(OUT / name / "last.pt")["ema"], OUT / name / "last.pt")
        print("  float", quantise.brief(rec.score(net.eval())))
        if (OUT / name / "int8.pt").exists():
            print("  int8 ", quantise.brief(rec.score(evaluate.quantised(build(), OUT / name))), flush=True)


if __name__ == "__main__":
    data.tidy(main)
