#!/usr/bin/python3
"""Trains one recipe: data → network → log, curves, contact sheet, checkpoints under training/out/RECIPE.

    training/train.py landmarks68            the shipped recipe (resumes where it stopped)
    training/train.py finder
    training/train.py b-resnet18             a system of recipes/b-resnet18.json; --data NAME:PATH trains it on a lab's own data set
    training/train.py landmarks68 --quick    about a minute, end to end, into training/out/quick-landmarks68

Afterwards `training/quantise.py RECIPE` turns the checkpoint into an int8 ONNX file. See docs/training.md.
"""

import argparse
import json
import math
import multiprocessing
import os
import random
import sys
import time
from pathlib import Path

import numpy as np
import torch

import nets
from data import HERE, OUT

DEFAULTS = {
    "landmarks68": dict(epochs=40, batch=64, lr=2e-3, ema=0.998, decay=1e-3),
    "finder": dict(epochs=60, batch=48, lr=2.5e-3, ema=0.998, decay=1e-3),
}


# What recipes/NAME.json may say (docs/training.md), and what it is when it does not.
SYSTEM = dict(epochs=20, batch=64, lr=2e-3, ema=0.99, decay=1e-3, network=None, arguments={}, order="ibug68", view=None, data=None,
              init=None, mirror=True, thermal=0.0, tiaug=0.0, clahe=0.0, tiles=4, samcl=0.0, system="", published="", **{"class": "points"})


def names():
    return sorted(DEFAULTS) + sorted(p.stem for p in (HERE / "recipes").glob("*.json"))


def described(name):
    """A recipe file's settings; `base` names one that it changes."""
    own = json.loads((HERE / "recipes" / f"{name}.json").read_text())
    unknown = set(own) - set(SYSTEM) - {"base"}
    if unknown:
        raise ValueError(f"recipes/{name}.json: unknown {', '.join(sorted(unknown))}")
    base = described(own.pop("base")) if "base" in own else SYSTEM
    return {**base, **own}


def recipe(name, cfg):
    if name not in DEFAULTS:
        import orders
        import regions
        import selfsupervised
        import systems
        from points import Points
        rec = {"points": Points, "regions": regions.Regions, "pretext": selfsupervised.Pretext,
               "autoencoder": selfsupervised.Autoencoder}[cfg.kind](cfg)
        first = {"points": lambda: [orders.count(cfg.order)], "regions": lambda: [len(regions.CLASSES)],
                 "pretext": lambda: [rec.recordings], "autoencoder": lambda: []}[cfg.kind]()
        return rec, lambda: getattr(systems, cfg.network)(*first, **cfg.arguments)
    if name == "landmarks68":
        from landmarks import Landmarks
        return Landmarks(cfg), nets.landmarks68
    from finder import Finder
    return Finder(cfg), nets.finder


def arguments(argv=None):
    p = argparse.ArgumentParser(description="Train a network of thermoface.")
    p.add_argument("recipe", choices=names())
    p.add_argument("--quick", action="store_true", help="a minute on a few faces, to see that everything runs")
    p.add_argument("--epochs", type=int)
    p.add_argument("--batch", type=int)
    p.add_argument("--lr", type=float)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--processes", type=int, default=1, help="processes that share each batch")
    p.add_argument("--out", help="output folder (default training/out/RECIPE)")
    p.add_argument("--init", help="start from this checkpoint's averaged weights, or from a shipped .onnx file")
    p.add_argument("--data", nargs="*", metavar="NAME[:PATH]", help="labelled data for a system's recipe (adapters.py; default visible68)")
    p.add_argument("--pseudo", nargs="*", metavar="FILE[:SHARE]",
                   help="real thermal faces with labels of pseudo.py or weak.py, SHARE per visible face (0.25)")
    p.add_argument("--fold", metavar="I/K", help="cross-validation: hold the recordings of fold I of K out and score on them")
    p.add_argument("--empty", type=float, default=0.08, help="share of windows without a face")
    p.add_argument("--reshape", action="store_true", help="thermal faces with labels also get other shapes and mixed warmth")
    p.add_argument("--look", type=float, default=0.4, help="landmarks68: share of photographs that get a thermal look")
    p.add_argument("--mild", action="store_true", help="landmarks68: hard cases half as often, for the last epochs")
    p.add_argument("--steady", action="store_true", help="landmarks68: windows of photographs lie where their boxes say, most of them")
    p.add_argument("--clean", type=float, default=1, help="landmarks68: how many times as often HELEN and AFW come as YouTube Faces")
    p.add_argument("--fp32", action="store_true", help="no bfloat16 in the convolutions (as it is where the processor has none)")
    p.add_argument("--no-resume", action="store_true")
    cfg = p.parse_args(argv)
    defaults = DEFAULTS[cfg.recipe] if cfg.recipe in DEFAULTS else described(cfg.recipe)
    for k, v in defaults.items():
        k = "kind" if k == "class" else k
        if getattr(cfg, k, None) is None:
            setattr(cfg, k, v)
    if cfg.quick:
        cfg.epochs = min(cfg.epochs, 3)
        cfg.out = cfg.out or str(OUT / f"quick-{cfg.recipe}")
    cfg.fp32 = cfg.fp32 or not has_bfloat16()
    cfg.processes = max(1, cfg.processes)
    cfg.batch = max(1, cfg.batch // cfg.processes)
    cfg.out = Path(cfg.out or OUT / cfg.recipe)
    return cfg


def has_bfloat16():
    """Whether this processor multiplies bfloat16; one that does not is many times slower with it than with float."""
    try:
        words = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(words)


def seed_all(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def learning_rate(cfg, step, total):
    warm = min(200, total // 10 + 1)
    return cfg.lr * min(1, (step + 1) / warm) * (0.5 + 0.5 * math.cos(math.pi * min(1, step / total))) + 1e-6


def curves(log, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    keys = [k for k in log[-1] if k not in ("epoch", "seconds", "cpu") and isinstance(log[-1][k], (int, float))]
    fig, axes = plt.subplots(1, len(keys), figsize=(3.6 * len(keys), 3))
    for ax, k in zip(np.atleast_1d(axes), keys):
        rows = [r for r in log if k in r]
        ax.plot([r["epoch"] for r in rows], [r[k] for r in rows])
        ax.set_title(k)
        ax.grid(alpha=0.3)
    fig.tight_layout()
    fig.savefig(path, dpi=80)
    plt.close(fig)


def contact_sheet(rec, path, count=96):
    """What the network sees, so that a person can look."""
    import cv2
    tiles = []
    for batch in rec.epoch():
        x, marks = batch[0], rec.marks(batch) if hasattr(rec, "marks") else None
        for i in range(len(x)):
            im = cv2.cvtColor((x[i, 0].numpy() * 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
            im = cv2.resize(im, None, fx=160 / im.shape[1], fy=160 / im.shape[0], interpolation=cv2.INTER_NEAREST)
            if marks is not None:
                for b in marks[i]:
                    cv2.rectangle(im, (int(b[0]), int(b[1])), (int(b[2]), int(b[3])), (0, 255, 255), 1)
            elif batch[3][i] > 0:
                for u, v in np.nan_to_num(batch[1][i].numpy(), nan=-1) * 160:
                    cv2.circle(im, (int(u), int(v)), 1, (0, 255, 255), -1)
            tiles.append(im)
        if len(tiles) >= count:
            break
    random.shuffle(tiles)
    tiles = tiles[:len(tiles) // 12 * 12][:count]
    cv2.imwrite(str(path), np.vstack([np.hstack(tiles[i:i + 12]) for i in range(0, len(tiles), 12)]))


def adopt(net, cfg, rec):
    """Starting weights: a checkpoint of this network, a shipped file, or another recipe (by name) as far as names and shapes agree."""
    path = Path(cfg.init)
    if path.suffix == ".onnx":
        import shipped
        shipped.load(net, path, next(rec.epoch())[0])
        return
    if not path.suffix:
        path = cfg.out.parent / f"quick-{cfg.init}" / "last.pt" if cfg.quick else OUT / cfg.init / "last.pt"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: train {cfg.init} first")
    state = torch.load(path)["ema"]
    if cfg.recipe in DEFAULTS:
        net.load_state_dict(state)
        return
    own = net.state_dict()
    same = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    net.load_state_dict(same, strict=False)
    print(f"{len(same)} of {len(own)} tensors from {path}")


def progress(epoch, done, steps, loss, began):
    width = 24
    full = width * done // steps
    left = (time.time() - began) / done * (steps - done)
    print(f"\repoch {epoch} [{'#' * full}{'.' * (width - full)}] {done}/{steps}  loss {loss:.3f}  {left:.0f} s left ", end="", flush=True)


class Team:
    """Processes that share every batch: each learns from its part, and all take the mean gradient. Two processes of one thread took
    0.17 s a step where one of two threads took 0.22: the small convolutions of these networks do not divide well."""

    def __init__(self, size, weights):
        self.size, self.step, self.rank = size, 0, 0
        if size > 1:
            self.barrier = multiprocessing.Barrier(size)
            self.gradients = torch.zeros(2, size, weights).share_memory_()       # in turn, so that one wait a step is enough

    def start(self):
        """Returns in every process; `rank` says in which."""
        for rank in range(1, self.size):
            if os.fork() == 0:
                self.rank = rank
                break

    def share(self, parameters):
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters]
        part = self.gradients[self.step % 2]
        torch.cat([g.flatten() for g in gradients], out=part[self.rank])
        self.barrier.wait(600)
        mean = part.mean(0).split([g.numel() for g in gradients])
        for g, m in zip(gradients, mean):
            g.copy_(m.view(g.shape))
        self.step += 1


def main():
    cfg = arguments()
    cfg.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(cfg.threads)
    torch.set_flush_denormal(True)
    seed_all(cfg.seed)
    rec, build = recipe(cfg.recipe, cfg)
    net = build().to(memory_format=torch.channels_last)
    if hasattr(rec, "mean_shape"):
        net.mean.copy_(rec.mean_shape())
    if cfg.init:
        adopt(net, cfg, rec)
    (cfg.out / "config.json").write_text(json.dumps({k: str(v) for k, v in vars(cfg).items()}, indent=1))
    contact_sheet(rec, cfg.out / "sheet.png")
    decay = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": cfg.decay}, {"params": rest, "weight_decay": 0}], lr=cfg.lr, foreach=True)
    ema = nets.Ema(net, cfg.ema)
    log, first, step = [], 0, 0
    last = cfg.out / "last.pt"
    if last.exists() and not cfg.no_resume and not cfg.quick:
        z = torch.load(last)
        net.load_state_dict(z["net"])
        opt.load_state_dict(z["opt"])
        ema.state, ema.steps = z["ema"], z["steps"]
        log, first = z["log"], z["epoch"] + 1
        step = first * rec.steps
        print(f"resumed at epoch {first}")
    total = cfg.epochs * rec.steps
    team = Team(cfg.processes, sum(p.numel() for p in net.parameters()))
    print(f"{cfg.recipe}: {net.macs() / 1e6:.1f} MMAC, {sum(p.numel() for p in net.parameters())} weights, "
          f"{cfg.epochs} epochs of {rec.steps} steps", flush=True)
    team.start()
    for epoch in range(first, cfg.epochs):
        seed_all(cfg.seed * 100003 + epoch + 1009 * team.rank)
        net.train()
        t0, c0, sums = time.time(), time.process_time(), 0.0
        for i, batch in enumerate(rec.epoch()):
            for g in opt.param_groups:
                g["lr"] = learning_rate(cfg, step, total)
            opt.zero_grad(set_to_none=True)
            batch = (batch[0].contiguous(memory_format=torch.channels_last), *batch[1:])
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not cfg.fp32):
                loss = rec.loss(net, batch)
            loss.backward()
            team.share(list(net.parameters()))
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            opt.step()
            ema.update(net)
            sums += loss.item()
            step += 1
            if sys.stdout.isatty() and team.rank == 0:
                progress(epoch, i + 1, rec.steps, sums / (i + 1), t0)
        if team.rank > 0:
            continue
        row = {"epoch": epoch, "loss": sums / rec.steps, "seconds": round(time.time() - t0, 1), "cpu": round(time.process_time() - c0, 1)}
        done = epoch + 1 == cfg.epochs
        if (epoch + 1) % (1 if cfg.quick else 3) == 0 or done:
            model = build()
            model.load_state_dict(ema.state)
            row.update(rec.score(model))
            log.append(row)
            curves(log, cfg.out / "curves.png")
            torch.save({"net": net.state_dict(), "ema": ema.state, "opt": opt.state_dict(), "steps": step,
                        "epoch": epoch, "log": log}, str(last) + ".part")
            Path(str(last) + ".part").replace(last)
        print("\r" + "  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
                               if not isinstance(v, (list, dict))), flush=True)
    if team.rank > 0:
        return
    (cfg.out / "log.json").write_text(json.dumps(log, indent=1, default=str))


if __name__ == "__main__":
    main()
