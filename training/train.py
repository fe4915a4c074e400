#!/usr/bin/python3
"""Trains one recipe: data → network → log, curves, contact sheet, checkpoints under training/out/RECIPE.

    training/train.py landmarks68            the shipped recipe (resumes where it stopped)
    training/train.py finder
    training/train.py b-resnet18             a system of recipes/b-resnet18.json; --data NAME:PATH trains it on a lab's own data set
    training/train.py landmarks68 --quick    about a minute, end to end, into training/out/quick-landmarks68

Afterwards `training/quantise.py RECIPE` turns the checkpoint into an int8 ONNX file. See docs/training.md.
"""

import argparse
import ctypes
import json
import math
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

# Read when NumPy and torch load them: NumPy's threads fight torch's, and waiting ones must not keep others from the processor.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np  # noqa: E402
import torch  # noqa: E402

import nets  # noqa: E402
from data import HERE, OUT, shared, tidy  # noqa: E402

DEFAULTS = {
    "landmarks68": dict(epochs=40, batch=64, lr=2e-3, ema=0.998, decay=1e-3),
    "finder": dict(epochs=60, batch=48, lr=2.5e-3, ema=0.998, decay=1e-3),
}


# What recipes/NAME.json may say (docs/training.md), and what it is when it does not.
SYSTEM = dict(epochs=20, batch=64, lr=2e-3, ema=0.99, decay=1e-3, network=None, arguments={}, order="ibug68", view=None, data=None,
              init=None, mirror=True, thermal=0.0, tiaug=0.0, clahe=0.0, tiles=4, samcl=0.0, system="", published="", **{"class": "points"})


# Options that only some recipes know, and their values where nothing is said. `class` of the other recipes: all of them but these two
# recipes' own. What a recipe would not use is refused.
OPTIONAL = dict(data=None, pseudo=None, fold=None, empty=0.08, reshape=False, look=0.4, mild=False, steady=False, clean=1.0)
KNOWS = {"landmarks68": set(OPTIONAL), "finder": {"pseudo"}, "points": {"data"}, "regions": {"data"}, "autoencoder": {"data"}, "pretext": set()}


def names():
    return sorted(DEFAULTS) + sorted(p.stem for p in (HERE / "recipes").glob("*.json"))


def described(name):
    """A recipe file's settings; `base` names one that it changes."""
    try:
        own = json.loads((HERE / "recipes" / f"{name}.json").read_text())
    except json.JSONDecodeError as e:
        raise ValueError(f"recipes/{name}.json: {e}") from None
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
    p.add_argument("--data", nargs="*", metavar="NAME[:PATH]", help="labelled data, several at once (adapters.py; default visible68)")
    p.add_argument("--pseudo", nargs="*", metavar="FILE[:SHARE]",
                   help="real thermal faces with labels of pseudo.py or weak.py, SHARE per visible face (0.25)")
    p.add_argument("--fold", metavar="I/K", help="cross-validation: hold the recordings of fold I of K out and score on them")
    p.add_argument("--empty", type=float, help="landmarks68: share of windows without a face (0.08)")
    p.add_argument("--reshape", action="store_true", default=None, help="landmarks68: thermal faces with labels also get other shapes and mixed warmth")
    p.add_argument("--look", type=float, help="landmarks68: share of photographs that get a thermal look (0.4)")
    p.add_argument("--mild", action="store_true", default=None, help="landmarks68: hard cases half as often, for the last epochs")
    p.add_argument("--steady", action="store_true", default=None, help="landmarks68: windows of photographs lie where their boxes say, most of them")
    p.add_argument("--clean", type=float, help="landmarks68: how many times as often HELEN and AFW come as YouTube Faces (1)")
    p.add_argument("--fp32", action="store_true", help="no bfloat16 in the convolutions (as it is where the processor has none)")
    p.add_argument("--no-resume", action="store_true")
    cfg = p.parse_args(argv)
    defaults = DEFAULTS[cfg.recipe] if cfg.recipe in DEFAULTS else described(cfg.recipe)
    knows = KNOWS[defaults.get("class", cfg.recipe)]
    unused = [k for k in OPTIONAL if k not in knows and getattr(cfg, k) is not None]
    if unused:
        p.error(f"{cfg.recipe} does not use {', '.join('--' + k for k in unused)}")
    if not cfg.pseudo and cfg.reshape:
        p.error("--reshape changes the faces of --pseudo, which is not given")
    for k in ("epochs", "batch", "threads"):
        if getattr(cfg, k) is not None and getattr(cfg, k) < 1:
            p.error(f"--{k} {getattr(cfg, k)}: must be 1 or more")
    if cfg.fold:
        parts = cfg.fold.split("/")
        if len(parts) != 2 or not all(v.isdigit() for v in parts) or not int(parts[0]) < int(parts[1]):
            p.error(f"--fold {cfg.fold}: must be I/K with I from 0 to K - 1")
    for k, v in defaults.items():
        k = "kind" if k == "class" else k
        if getattr(cfg, k, None) is None:
            setattr(cfg, k, v)
    for k, v in OPTIONAL.items():
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


UNITS = {"loss": "loss", "nme": "NME of val, % of the outer eye corners' distance", "fail10": "faces of val over 10 %, %",
         "t_nme": "thermal6: error, % of the eye distance", "t_found": "thermal6: found, %", "t_fail15": "thermal6: not found or over 15 %, %",
         "mae": "mean error, pixels of the crop", "mse": "mean squared error, pixels² of the crop", "miou": "mIoU, %",
         "own": "held-out persons: error, % of the eye distance"}


def curves(log, path, across="epoch"):
    """The log as pictures of curves; training and validation loss share one."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    keys = []
    for row in log:
        keys += [k for k, v in row.items() if k not in (across, "seconds", "cpu", "val_loss", *keys) and isinstance(v, (int, float))]
    fig, axes = plt.subplots(1, len(keys), figsize=(3.6 * len(keys), 3), squeeze=False)
    for ax, k in zip(axes[0], keys):
        for name in (k, "val_loss") if k == "loss" else (k,):
            rows = [r for r in log if name in r]
            if rows:
                ax.plot([r[across] for r in rows], [r[name] for r in rows], marker="." if len(rows) < 20 else None,
                        label={"loss": "training", "val_loss": "validation"}.get(name))
        if k == "loss" and any("val_loss" in r for r in log):
            ax.legend(fontsize=7)
        ax.set_xlabel(across)
        ax.set_ylabel(UNITS.get(k, k), fontsize=8)
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


def has_seen(cfg):
    """Data sets that a run learns from, and the licences of files that it started from: what tf.data and tf.licence are made of."""
    sets = [s.split(":")[0] for s in cfg.data or ["visible68"]]
    if cfg.recipe in DEFAULTS:
        sets += ["thermal6"] if (shared() / "data" / "thermal6" / "index.csv").is_file() else []
        if cfg.recipe == "finder" and (shared() / "data" / "thermalfaces" / "negative").is_dir():
            sets += ["thermalfaces"]
    elif cfg.kind == "pretext":
        sets = ["thermal6"]
    pseudo = list(cfg.pseudo or [])
    licences = []
    if cfg.init and Path(cfg.init).suffix == ".onnx":
        import shipped
        licences = list(filter(None, [shipped.metadata(cfg.init).get("tf.licence")]))
    elif cfg.init:
        before = nets.checkpoint(init_path(cfg)).get("saw", {})
        sets += before.get("sets", [])
        licences = before.get("licences", [])
        pseudo += [f for f in before.get("pseudo", []) if f not in pseudo]
    return {"sets": sorted(set(sets)), "pseudo": pseudo, "licences": licences}


def init_path(cfg):
    path = Path(cfg.init)
    if not path.suffix:
        path = cfg.out.parent / f"quick-{cfg.init}" / "last.pt" if cfg.quick else OUT / cfg.init / "last.pt"
    if not path.exists():
        raise ValueError(f"--init {cfg.init}: {path} is missing" + ("" if Path(cfg.init).suffix else f": train {cfg.init} first"))
    return path


def adopt(net, cfg, rec):
    """Starting weights: a checkpoint of this network, a shipped file, or another recipe (by name) as far as names and shapes agree."""
    path = Path(cfg.init)
    if path.suffix == ".onnx":
        import shipped
        shipped.load(net, path, next(rec.epoch())[0])
        return
    path = init_path(cfg)
    state = nets.checkpoint(path)["ema"]
    if cfg.recipe in DEFAULTS:
        nets.restore(net, state, path)
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


PR_SET_PDEATHSIG = 1


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
        parent = os.getpid()
        for rank in range(1, self.size):
            if os.fork() == 0:
                self.rank = rank
                # Whatever ends the parent (a kill, too) ends its helpers: they would wait for it with all their memory.
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != parent:
                    os._exit(1)
                break

    def share(self, parameters):
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters]
        part = self.gradients[self.step % 2]
        torch.cat([g.flatten() for g in gradients], out=part[self.rank])
        try:
            self.barrier.wait(600)
        except threading.BrokenBarrierError:
            raise ValueError("a process that shared the batches has ended; what it was at is in the last checkpoint: start again to go on") from None
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
    if rec.steps < 1:
        raise ValueError(f"too few faces for a batch of {cfg.batch * cfg.processes}: name more data or a smaller --batch")
    net = build().to(memory_format=torch.channels_last)
    if hasattr(rec, "mean_shape"):
        net.mean.copy_(rec.mean_shape())
    if cfg.init:
        adopt(net, cfg, rec)
    (cfg.out / "config.json").write_text(json.dumps({k: str(v) for k, v in vars(cfg).items()}, indent=1))
    contact_sheet(rec, cfg.out / "sheet.png")
    saw = has_seen(cfg)
    decay = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": cfg.decay}, {"params": rest, "weight_decay": 0}], lr=cfg.lr, foreach=True)
    ema = nets.Ema(net, cfg.ema)
    log, first, step = [], 0, 0
    last = cfg.out / "last.pt"
    resumed = last.exists() and not cfg.no_resume and not cfg.quick
    if resumed:
        z = nets.checkpoint(last)
        nets.restore(net, z["net"], last)
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
    kept = cfg.out / f"kept-{team.rank}.pt"      # batches that wait for another use: without them a resumed run would be another
    if resumed and hasattr(rec, "kept") and kept.exists():
        z = nets.checkpoint(kept, ("epoch", "kept"))
        if z["epoch"] == first - 1:
            rec.kept = z["kept"]
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
        if hasattr(rec, "kept") and not cfg.quick:
            write(kept, {"epoch": epoch, "kept": rec.kept})
        if team.rank > 0:
            continue
        row = {"epoch": epoch, "loss": sums / rec.steps, "seconds": round(time.time() - t0, 1), "cpu": round(time.process_time() - c0, 1)}
        model = build()
        model.load_state_dict(ema.state)
        model.eval()
        if (epoch + 1) % (1 if cfg.quick else 3) == 0 or epoch + 1 == cfg.epochs:
            row.update(rec.score(model))
        if hasattr(rec, "validation_loss"):
            with torch.no_grad():
                row["val_loss"] = rec.validation_loss(model)
        log.append(row)
        curves(log, cfg.out / "curves.png")
        write(last, {"net": net.state_dict(), "ema": ema.state, "opt": opt.state_dict(), "steps": step, "epoch": epoch, "log": log,
                     "saw": saw})
        (cfg.out / "log.json").write_text(json.dumps(log, indent=1, default=str))
        print("\r" + "  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
                               if not isinstance(v, (list, dict))), flush=True)


def write(path, what):
    """A checkpoint, whole or not at all."""
    torch.save(what, f"{path}.part")
    Path(f"{path}.part").replace(path)


if __name__ == "__main__":
    tidy(main)
