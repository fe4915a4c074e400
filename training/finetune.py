#!/usr/bin/python3
"""Fine-tunes landmarks68 on a lab's own camera: a folder of hand-placed points in, a model file out, in a few minutes.

    training/finetune.py FOLDER [--output landmarks68.onnx]

FOLDER holds points.csv and its pictures or recordings, as `thermoface annotate` leaves them (docs/training.md). Persons are kept apart: most are
learnt from, some say when to stop, and with four or more some are only judged in the end. The shipped sets are rehearsed where they are there
(TF_SHARED), so that what the network knew is not lost. Prints a table of before and after, by the C engine where it is found, on the int8 file.
"""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Read when NumPy and torch load them: NumPy's threads fight torch's, and waiting ones must not keep others from the processor.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

import augment as A  # noqa: E402
import data  # noqa: E402
import export  # noqa: E402
import labels as T  # noqa: E402
import landmarks as LM  # noqa: E402
import losses as L  # noqa: E402
import nets  # noqa: E402
import quantise  # noqa: E402
import shipped  # noqa: E402
import train  # noqa: E402
import weak  # noqa: E402
from data import CACHE, OUT, Thermal6, shared  # noqa: E402

USES, KEEP = 3, 16           # of a batch: making one costs more than learning from it
BLENDS = (0.25, 0.5, 0.75, 1.0)
MODELS = data.HERE.parent / "models"


def arguments(argv=None):
    p = argparse.ArgumentParser(description="Fine-tune landmarks68 on a lab's own pictures.")
    p.add_argument("folder", type=Path, help="points.csv, or the folder with it and its pictures or recordings")
    p.add_argument("--model", type=Path, default=MODELS / "landmarks68.onnx", help="the file to start from (the shipped one)")
    p.add_argument("--finder", type=Path, default=MODELS / "finder.onnx", help="for the table: the finder that is used beside it")
    p.add_argument("--output", type=Path, help="the model file to write (OUT/landmarks68.onnx)")
    p.add_argument("--out", type=Path, default=OUT / "finetune", help="folder of checkpoint, log and curves (training/out/finetune)")
    p.add_argument("--rotate", type=int, default=0, choices=(0, 90, 180, 270), help="turn of recordings that do not say theirs")
    p.add_argument("--stop", nargs="*", metavar="PERSON", help="persons that say when to stop (else chosen)")
    p.add_argument("--judge", nargs="*", metavar="PERSON", help="persons that are only judged in the end (else chosen, of four or more)")
    p.add_argument("--steps", type=int, default=200, help="at most (200)")
    p.add_argument("--every", type=int, default=20, help="steps between two looks at the persons that say when to stop")
    p.add_argument("--patience", type=int, default=8, help="looks without a better one before it stops")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--own", type=float, default=0.3, help="share of the batch from FOLDER; the rest are rehearsed sets, where there are any")
    p.add_argument("--lr", type=float, default=3e-4)
    p.add_argument("--stay", type=float, default=1e-3, help="pull back to the starting weights, each step")
    p.add_argument("--forget", type=float, nargs=2, default=(0.25, 0.15), metavar=("THERMAL", "VISIBLE"),
                   help="how much worse thermal6 and visible68's validation split may become, in their percent (0.25 0.15)")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--no-rehearsal", action="store_true", help="do without the shared sets even where they are there")
    p.add_argument("--thermoface", help="the program that judges (build/cli/thermoface, else the installed one)")
    p.add_argument("--quick", action="store_true", help="a few steps without rehearsal, to see that everything runs")
    p.add_argument("--no-resume", action="store_true")
    args = p.parse_args(argv)
    if args.quick:
        args.steps, args.every, args.batch = min(args.steps, 6), 3, min(args.batch, 8)
        args.no_rehearsal, args.threads = True, 1
    for k in ("steps", "every", "patience", "batch", "threads"):
        if getattr(args, k) < 1:
            p.error(f"--{k} {getattr(args, k)}: must be 1 or more")
    if not 0 < args.own <= 1:
        p.error(f"--own {args.own}: must be above 0 and at most 1")
    args.output = args.output or args.out / "landmarks68.onnx"
    return args


def split(faces, args):
    """Persons into (learn, stop, judge). Who is chosen follows from the names alone."""
    count = {}
    for f in faces:
        count[f.person] = count.get(f.person, 0) + 1
    for k in ("stop", "judge"):
        for name in getattr(args, k) or []:
            if name not in count:
                raise ValueError(f"--{k} {name}: no person of this name in the table; there are {', '.join(sorted(count))}")
    stop, judge = list(args.stop or []), list(args.judge or [])
    free = sorted((p for p in count if p not in stop + judge), key=lambda p: (count[p], p))
    n = len(count)
    if args.judge is None and n >= 4:
        judge, free = free[:n // 4], free[n // 4:]
    if args.stop is None and n >= 2 and len(free) > 1:
        k = max(1, len(free) // 4)
        stop, free = free[:k], free[k:]
    if not free:
        raise ValueError("no person is left to learn from: fewer of --stop and --judge, or more persons")
    both = set(stop) & set(judge)
    if both:
        raise ValueError(f"--stop and --judge both name {', '.join(sorted(both))}")
    return [[f for f in faces if f.person in group] for group in (free, stop, judge)]


def torch_labels(z, share=1.0):
    return {"share": share, **{k: torch.from_numpy(z[k]) for k in ("frames", "real", "points", "weight", "often")}}


class Batches:
    """Own faces, rehearsed thermal faces and photographs, windows without a face."""

    def __init__(self, args, own, net):
        self.args, self.kept, self.turn = args, [], 0
        self.own = torch_labels(own)
        self.weak = self.photos = self.kept_thermal = None
        self.empty = None
        thermal = None if args.no_rehearsal else LM.thermal_set()
        if thermal:
            notes = thermal.annotations()
            table = thermal.table()
            self.kept_thermal = notes, [table.picture(a) for a in notes]
            _, bent = weak.labelled(net, table, notes)
            self.weak = torch_labels(weak.packed(table, [(a, a.frame, q, 1.0) for a, q in zip(notes, bent)]))
            frames, real = thermal.negative_frames()
            self.empty = torch.from_numpy(frames).float(), torch.from_numpy(real)
        if not args.no_rehearsal and (shared() / "data" / "visible68" / "train.csv").is_file():
            cfg = train.arguments(["landmarks68", "--mild", "--steady", "--look", "0.5", "--empty", "0.001"])
            self.photos = LM.Landmarks(cfg)
        self.shapes = self.photos.shapes if self.photos else self.own["points"]
        rest = 1 - args.own if self.weak or self.photos else 0.0
        self.sizes = {"own": args.batch if not rest else round(args.batch * args.own)}
        self.sizes["weak"] = round(args.batch * rest * (0.5 if self.photos else 1)) if self.weak else 0
        self.sizes["photos"] = args.batch - self.sizes["own"] - self.sizes["weak"] if self.photos else 0

    def known(self, net):
        """Errors on what is rehearsed: thermal6, in % of the eye distance, and visible68's validation split, in % of NME."""
        out = []
        if self.kept_thermal:
            out.append(error_of(net, *self.kept_thermal))
        if self.photos:
            part = slice(0, 160)
            out.append(LM.score_visible(net, self.photos.val.take(part), boxes=self.photos.val_boxes[part])["nme"])
        return out

    def fresh(self):
        xs, insides, us, ws = [], [], [], []
        for labels, n in ((self.own, self.sizes["own"]), (self.weak, self.sizes["weak"])):
            if labels and n:
                x, inside, u, w = LM.thermal_batch({**labels, "share": 1.0}, n, 0.15, self.shapes)
                xs, insides, us, ws = xs + [x], insides + [inside], us + [u], ws + [w]
        k = max(1, self.args.batch // 12)
        x, inside = LM.nothing(self.empty, k)
        lo, hi = x.amin((2, 3), True), x.amax((2, 3), True)
        xs, insides = xs + [(x - lo) / (hi - lo).clamp(min=1e-3)], insides + [inside]
        us, ws = us + [torch.full((k, 68, 2), 0.5)], ws + [torch.ones(k)]
        x, inside, u, w = (torch.cat(t) for t in (xs, insides, us, ws))
        face = torch.ones(len(x))
        face[-k:] = 0
        x = A.to_u8(A.percentile_tone(A.occlude(x, 0.08), A.cut_border(inside)))
        w = w * LM.by_size(u)
        right = torch.zeros(len(x), 1, 2)
        if self.sizes["photos"]:
            n = self.sizes["photos"]
            cfg = self.photos.cfg
            cfg.batch = n
            often = torch.ones(len(self.photos.train))
            often[torch.from_numpy(self.photos.train.source != "ytf")] = 3
            px, pu, pw, pf, pr = self.photos.batch(torch.multinomial(often, n))
            x, u, w, face, right = (torch.cat(t) for t in ((x, px), (u, pu), (w, pw), (face, pf), (right, pr)))
        return x, u, w, face, right

    def next(self):
        """A batch: new, or one that was used before, moved a little."""
        self.turn += 1
        if self.turn % USES == 1 or not self.kept:
            x, u, w, face, right = self.fresh()
            self.kept = (self.kept + [((x * 255).to(torch.uint8), u, w, face, right)])[-KEEP:]
            return x, u + right, w, face
        x, u, w, face, right = random.choice(self.kept)
        x, u = LM.again(x, u, torch.full((len(x),), 0.6))
        return x, u + right, w, face


def blend(start, end, share):
    """Weights between where it began and where it came: less was learnt, less forgotten."""
    return {k: (1 - share) * start[k] + share * v if v.is_floating_point() else v for k, v in end.items()}


def error_of(net, faces, pictures):
    s = LM.score_six(net, faces, pictures)
    # A face that was not found counts as far off, not as none.
    return (s["t_nme"] if s["t_found"] else 0) * s["t_found"] / 100 + 30 * (1 - s["t_found"] / 100)


def learn(args, net, table, groups, log):
    """Trains `net`; returns the best weights, by the persons that say when to stop."""
    own = weak.packed(table, [(a, a.frame, q, 1.0) for a, q in zip(groups[0], weak.labelled(net, table, groups[0])[1])])
    batches = Batches(args, own, net)
    stop, pictures = groups[1], [table.picture(f) for f in groups[1]]
    start = {k: v.detach().clone() for k, v in net.state_dict().items()}
    ema = nets.Ema(net, 0.98)
    opt = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=0, foreach=True)
    # (error of those who say when to stop, what it is, weights); nothing learnt is the first candidate.
    best = (error_of(net, stop, pictures) if stop else None, None, {k: v.clone() for k, v in start.items()})
    looks, first, known = 0, 0, batches.known(net)
    mark = json.dumps([str(v) for k, v in sorted(vars(args).items()) if k not in ("output", "out", "threads", "thermoface", "finder", "no_resume", "steps")]
                      + [T.signature(table.path), T.signature(args.model)] + [args.steps])
    last = args.out / "last.pt"
    if last.exists() and not args.no_resume:
        z = nets.checkpoint(last, ("mark",))
        if z["mark"] == mark:
            net.load_state_dict(z["net"])
            opt.load_state_dict(z["opt"])
            ema.state, ema.steps, best, looks, first = z["ema"], z["ema_steps"], z["best"], z["looks"], z["step"]
            batches.kept, batches.turn = z["kept"], z["turn"]
            log[:] = z["log"]
            print(f"resumed at step {first}")
    if not log:
        log.append({"step": 0, "own": best[0]} if stop else {"step": 0})
    names = [f"{n} {k}" for k, n in (("of your own", batches.sizes["own"]), ("rehearsed thermal", batches.sizes["weak"]),
                                     ("photographs", batches.sizes["photos"])) if n]
    print(f"a batch: {', '.join(names)}; at most {args.steps} steps" + ("" if stop else "; one person alone: nobody says when to stop"), flush=True)
    bfloat, t0, total, n = train.has_bfloat16(), time.time(), 0.0, 0
    for step in range(first, args.steps):
        if step % args.every == 0 or step == first:
            train.seed_all(args.seed * 100003 + step)
        for g in opt.param_groups:
            g["lr"] = args.lr * min(1, (step + 1) / 20) * (0.5 + 0.5 * np.cos(np.pi * step / args.steps))
        batch = batches.next()
        opt.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat):
            heat, points = net(batch[0].contiguous(memory_format=torch.channels_last))
        x, u, w, face = batch
        loss = L.landmark_loss(heat.float(), u, w, face) + L.coordinate_loss(points.float().view(len(x), 68, 2) + net.mean, u, w, face)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        opt.step()
        with torch.no_grad():
            for k, v in net.named_parameters():
                v.lerp_(start[k], args.stay)
        ema.update(net)
        total, n = total + loss.item(), n + 1
        if (step + 1) % args.every and step + 1 < args.steps:
            continue
        row = {"step": step + 1, "loss": total / n, "seconds": round(time.time() - t0, 1)}
        total, n = 0.0, 0
        if stop:
            model = nets.without_norms(nets.landmarks68())
            for share in BLENDS:
                model.load_state_dict(blend(start, ema.state, share))
                e = error_of(model.eval(), stop, pictures)
                if share == 1:
                    row["own"] = e
                # What is better here and has forgotten more than it may is no candidate.
                if e < best[0] - 0.01 and all(b - a <= may for a, b, may in zip(known, batches.known(model), args.forget)):
                    best, looks = (e, {"step": step + 1, "share": share}, blend(start, ema.state, share)), -1
            looks += 1
        else:
            best = (None, {"step": step + 1, "share": 1.0}, {k: v.clone() for k, v in ema.state.items()})
        log.append(row)
        train.write(last, {"mark": mark, "net": net.state_dict(), "opt": opt.state_dict(), "ema": ema.state, "ema_steps": ema.steps, "best": best,
                           "looks": looks, "step": step + 1, "kept": batches.kept, "turn": batches.turn, "log": log})
        (args.out / "log.json").write_text(json.dumps(log, indent=1))
        train.curves(log, args.out / "curves.png", "step")
        print("  ".join(f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
        if stop and looks >= args.patience:
            print(f"no better for {looks} looks: stopped")
            break
    return best, batches


def engine(args):
    """The program that judges, or None."""
    for path in (args.thermoface, data.HERE.parent / "build" / "cli" / "thermoface", shutil.which("thermoface")):
        if path and os.access(path, os.X_OK):
            return str(path)
    if args.thermoface:
        raise ValueError(f"--thermoface {args.thermoface}: not a program")
    return None


def said(program, *arguments):
    done = subprocess.run([program, *map(str, arguments), "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"{program} ended with {done.returncode}")
    return json.loads(done.stdout)


def stills_of(folder, table, faces):
    """Upright pictures and a table of these faces, as `thermoface eval stills` reads them."""
    folder.mkdir(parents=True)
    with open(folder / "points.csv", "w", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(["file", "person", *[f"{k}_{a}" for k in T.SIX_NAMES for a in "xy"], "glasses", "mask", "quality"])
        for i, a in enumerate(faces):
            cv2.imwrite(str(folder / f"{i}.png"), table.picture(a))
            w.writerow([f"{i}.png", a.person, *["" if np.isnan(v) else f"{v:.3f}" for v in a.six.ravel()], int(a.glasses), int(a.mask), a.quality])
    return folder / "points.csv"


def judged(args, program, table, groups, model):
    """{set: (faces, error, over)} of a model file, by the C engine with the finder, as in use."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "models").mkdir()
        for name, path in (("landmarks68", model), ("finder", args.finder)):
            (folder / "models" / f"{name}.onnx").symlink_to(Path(path).resolve())
        for name, faces in zip(("own: learnt from", "own: said when to stop", "own: only judged"), groups):
            if not faces:
                continue
            s = said(program, "eval", "stills", stills_of(folder / name[5:9].strip(), table, faces), "--images", folder / name[5:9].strip(),
                     "--models", folder / "models")
            rows[name] = s["faces"], s["nme"], s["fail15"]
            if not name.endswith("from") and len(s.get("by_glasses", {})) > 1:
                g = s["by_glasses"]["1"]
                rows[f"{name}, glasses"] = g["faces"], g["nme"], g["fail15"]
        root = shared() / "data"
        if args.quick:
            return rows
        if (root / "thermal6" / "dev.csv").is_file():
            s = said(program, "eval", "thermal6", root / "thermal6" / "dev.csv", "--recordings", root / "thermal6" / "recordings", "--models", folder / "models")
            rows["thermal6"] = s["faces"], s["nme"], s["fail15"]
        if (root / "visible68" / "test.csv").is_file():
            s = said(program, "eval", "visible68", root / "visible68" / "test.csv", "--images", root / "visible68" / "images", "--model", model)
            rows["visible68 test"] = s["images"], s["nme"], s["fail10"]
    return rows


def exported(args, net, batches, info, table, groups):
    """The int8 file: as the starting one, but for the weights and what it has seen."""
    meta = shipped.metadata(args.model)
    torch.manual_seed(7)
    model = quantise.Quantised(net)
    pictures = [batches.fresh()[0] for _ in range(2 if args.quick else 10)]
    model.calibrate(pictures, {"heat": -14.0})
    own = f"{len(groups[0])} hand-placed faces of {len({f.person for f in groups[0]})} persons of an own camera ({table.path.name})"
    seen = (["visible68"] if batches.photos else []) + (["thermal6"] if batches.weak else [])
    meta.update({"tf.data": f"{meta.get('tf.data', 'unknown')}; then {own}" + (f", rehearsing {', '.join(seen)}" if seen else ""),
                 "tf.licence": data.licence(["own", *seen], filter(None, [meta.get("tf.licence")])),
                 "tf.name": f"{meta.get('tf.name', 'landmarks68').removesuffix(', fine-tuned')}, fine-tuned"})
    args.output.parent.mkdir(parents=True, exist_ok=True)
    part = args.output.with_name(args.output.name + ".part")
    export.write(model, part, meta)
    part.replace(args.output)
    (args.out / "result.json").write_text(json.dumps({"best": info, "model": str(args.output)}))


def show(before, after):
    print(f"\n{'int8, C engine':34} {'faces':>6} {'error %':>15} {'over 15 % (visible68: 10 %)':>30}")
    number = lambda v: "-" if v is None else f"{v:.2f}"
    for k, (n, e, f) in before.items():
        print(f"{k:34} {n:6} {number(e):>6} → {number(after[k][1]):>6} {f:>20.1f} → {after[k][2]:>6.1f}")


def main(argv=None):
    args = arguments(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    train.seed_all(args.seed)
    table = T.Table(args.folder / "points.csv" if args.folder.is_dir() else args.folder, None, args.rotate, CACHE)
    faces = [f for f in table.faces if f.seen()[:2].all() and f.quality != "poor"]
    if not faces:
        raise ValueError(f"{table.path}: no face with both eyes to learn from")
    left = len(table.faces) - len(faces)
    groups = split(faces, args)
    for text, g in zip(("learns from", "says when to stop", "only judged"), groups):
        if g:
            print(f"{text}: {len(g)} face{'s' * (len(g) != 1)} of {', '.join(sorted({f.person for f in g}))}")
    if left:
        print(f"left out: {left} of quality poor or with an eye that cannot be seen")
    net = shipped.load(nets.without_norms(nets.landmarks68()), args.model).to(memory_format=torch.channels_last)
    for f in faces:
        table.picture(f)
    net.eval()
    log = []
    (error, info, state), batches = learn(args, net, table, groups, log)
    net.load_state_dict(state)
    net.eval()
    if info:
        print(f"taken: step {info['step']}" + (f", {100 * info['share']:.0f} % of the way" if groups[1] else ""))
    else:
        print("nothing learnt was better for the persons who say when to stop: the weights stay as they were")
    exported(args, net, batches, info, table, groups)
    program = engine(args)
    if program:
        show(judged(args, program, table, groups, args.model), judged(args, program, table, groups, args.output))
    else:
        print("no thermoface program here (--thermoface): nothing judged the file")
    print(f"\nwrote {args.output} ({args.output.stat().st_size} bytes)")


if __name__ == "__main__":
    data.tidy(main)
