#!/usr/bin/python3
"""From a trained checkpoint to an int8 ONNX file.

    training/quantise.py landmarks68 [--qat 4]        writes models/landmarks68.onnx
    training/quantise.py finder
    training/quantise.py b-resnet18           a system of recipes/: into its training output; --output puts it elsewhere

Batch normalisation is folded into the convolutions, activations are calibrated on a mix of photographs and thermal frames, weights
are symmetric per output channel; `--qat N` fine-tunes for N epochs with the rounding in the loop. The same fake-quantised forward
scores the int8 network here, before the C engine does.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import data
import nets
import train


def fold(net):
    """{conv or gemm name: (weight, bias)} with batch normalisation folded in."""
    out = {}
    for n in net.nodes:
        if n.op not in ("conv", "gemm"):
            continue
        layers = net.mods[n.name]
        w = layers[0].weight.detach().clone()
        b = torch.zeros(len(w)) if layers[0].bias is None else layers[0].bias.detach().clone()
        if len(layers) > 1:
            bn = layers[1]
            k = bn.weight.detach() / torch.sqrt(bn.running_var + bn.eps)
            w, b = w * k[:, None, None, None], (b - bn.running_mean) * k + bn.bias.detach()
        out[n.name] = (w, b)
    return out


class Quantised(nn.Module):
    """The folded network with u8 activations and s8 weights, simulated in float; trainable through the rounding.

    Each value is rounded to u8, after its ReLU where it has one, as the ONNX file says; nets.KEEP keep their input's scale.
    """

    def __init__(self, net):
        super().__init__()
        self.nodes, self.outputs, self.size = net.nodes, net.outputs, net.size
        self.layers = {n.name: net.mods[n.name][0] for n in net.nodes if n.op in ("conv", "gemm")}
        folded = fold(net)
        self.weight = nn.ParameterDict({k: nn.Parameter(w) for k, (w, b) in folded.items()})
        self.bias = nn.ParameterDict({k: nn.Parameter(b) for k, (w, b) in folded.items()})
        self.range = {"in": (1 / 255, 0)}      # value → (scale, zero point)
        self.on = False
        if hasattr(net, "mean"):
            self.register_buffer("mean", net.mean.clone())

    def weight_scale(self, name):
        return (self.weight[name].detach().abs().flatten(1).amax(1) / 127).clamp(min=1e-8)

    def rounded_weight(self, name):
        s = self.weight_scale(name)
        return torch.fake_quantize_per_channel_affine(
            self.weight[name], s, torch.zeros(len(s), dtype=torch.int32), 0, -127, 127)

    def rounded_bias(self, n):
        """Multiples of sx * sw, as the s32 of the file; the gradient passes through."""
        b, s = self.bias[n.name], self.scale_of(n.inputs[0])[0] * self.weight_scale(n.name)
        return b + (torch.round(b / s) * s - b).detach()

    def forward(self, x, watch=None):
        v = {"in": x}
        for n in self.nodes[1:]:
            a = [v[i] for i in n.inputs]
            if n.op in nets.KEEP:
                v[n.name] = nets.apply(n, a)
                continue
            if n.op in ("conv", "gemm"):
                c = self.layers[n.name]
                w = self.rounded_weight(n.name) if self.on else self.weight[n.name]
                b = self.rounded_bias(n) if self.on else self.bias[n.name]
                y = F.conv2d(a[0], w, b, c.stride, c.padding, c.dilation, c.groups) if n.op == "conv" else F.linear(a[0], w, b)
                y = F.relu(y) if n.relu else y
            else:
                y = nets.apply(n, a)
            if watch is not None:
                watch(n.name, y)
            if self.on:
                s, z = self.range[n.name]
                y = torch.fake_quantize_per_tensor_affine(y, s, z, 0, 255)
            v[n.name] = y
        return [v[o] for o in self.outputs.values()]

    def scale_of(self, name):
        n = next(n for n in self.nodes if n.name == name)
        return self.scale_of(n.inputs[0]) if n.op in nets.KEEP else self.range[name]

    @torch.no_grad()
    def calibrate(self, batches, floor=None):
        """The u8 range of each value with the least squared error over the batches.

        `floor` maps an output to the lowest value that matters there: a heat map's cold cells may be cut off."""
        kept = {}

        def watch(name, y):
            f = y.flatten()
            f = torch.cat([f[torch.randperm(len(f))[:20000]], f.min()[None], f.max()[None]])
            kept.setdefault(name, []).append(f)

        self.on = False
        for x in batches:
            self(x, watch)
        for name, parts in kept.items():
            f = torch.cat(parts)
            lo, hi = min(0.0, f.min().item()), max(0.0, f.max().item())
            if floor and name in floor:
                lo = max(lo, floor[name])
            best = None
            for shrink in (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5) if name not in self.outputs.values() else (1.0,):
                s = max((hi - lo) * shrink / 255, 1e-8)
                z = int(round(-lo * shrink / s))
                e = (torch.fake_quantize_per_tensor_affine(f, s, min(255, max(0, z)), 0, 255) - f).square().mean().item()
                if best is None or e < best[0]:
                    best = (e, s, min(255, max(0, z)))
            self.range[name] = best[1:]
        self.on = True


def landmark_confidence(model, rec):
    """tf.confidence: a logistic curve of the peak's margin. 0.5 at two thirds of the median over faces in their place, 0.95 where all
    but a hundredth of those with a thermal look lie above.

    Windows without a face have margins near 0, so it is not they that set the curve but windows that have slid off a face, which lie in
    between: they must not pass for sure. Steered by visible68 val only.
    """
    import augment as A
    import landmarks as LM
    import losses as L
    torch.manual_seed(11)
    # A thermal look needs all of a face's points; of these every split has some.
    whole = np.isfinite(rec.val.points).all((1, 2))
    faces, margins = rec.val.take(whole), ([], [])
    if not len(faces):
        raise ValueError("the validation split has no face with all 68 points: name a data set with such faces beside")
    points, boxes = torch.from_numpy(faces.points), torch.from_numpy(rec.val_boxes[whole])
    margin_of = lambda x, inside: L.decode(model(A.to_u8(A.percentile_tone(x, inside)))[0])[1].mean(1)
    with torch.no_grad():
        for i in range(0, len(faces), 64):
            g = torch.from_numpy(faces.images[i:i + 64]).float()[:, None] / 255
            m = torch.from_numpy(faces.masks[i:i + 64]).float()[:, None] / 255
            for look in (0, 1):
                win = A.jittered_window(boxes[i:i + 64], LM.SCALE, 0)
                x, inside = win.sample(g, LM.SIZE, 2)
                if look:
                    u = win.to_window(points[i:i + 64])
                    x, _ = A.thermal_look(x, win.sample(m, LM.SIZE)[0], u * LM.SIZE)
                    x, inside = A.low_resolution(x, 26, 0.85, 0.05, 0.02), torch.ones_like(inside)
                margins[look].append(margin_of(x, inside))
        empty = torch.cat([margin_of(*rec.nothing(64)) for _ in range(5)])
    plain, thermal = (torch.cat(m) for m in margins)
    half = float(torch.cat([plain, thermal]).median()) * 2 / 3
    sure = max(float(thermal.quantile(0.01)), half + 1)          # + 1: networks of a minute's training
    a = math.log(19) / (sure - half)
    quantiles = lambda m: [round(float(m.quantile(q)), 2) for q in (0.01, 0.5, 0.99)]
    return a, -a * half, {"margin_p1_p50_p99": {"photographs": quantiles(plain), "thermal look": quantiles(thermal), "no face": quantiles(empty)}}


def calibration(rec, net_name, count):
    """Training batches as they come, some of them with a thermal look, and empty thermal windows."""
    import augment as A
    batches = []
    for i, b in enumerate(rec.epoch()):
        batches.append(b[0])
        if i + 1 == count:
            break
    if net_name == "landmarks68":
        x, inside = rec.nothing(16)
        batches.append(A.to_u8(A.percentile_tone(x, inside)))
    return batches


def full_score(rec, model, name):
    if name != "landmarks68":
        return rec.score(model)
    import landmarks as LM
    v = LM.score_visible(model, rec.val, detail=True, boxes=rec.val_boxes)
    t = LM.score_thermal(model, rec.thermal, detail=True) if rec.thermal else {}
    t.pop("t_each", None)
    return {**v, **t}


def main():
    p = argparse.ArgumentParser(description="Quantise and export a trained network.")
    p.add_argument("recipe", choices=train.names())
    p.add_argument("--checkpoint", help="default training/out/RECIPE/last.pt")
    p.add_argument("--qat", type=int, default=0, help="epochs of quantisation-aware fine-tuning")
    p.add_argument("--qat-lr", type=float, default=1e-4)
    p.add_argument("--pseudo", nargs="*", help="as in train.py, for the fine-tuning")
    p.add_argument("--output", help="default models/RECIPE.onnx; for the systems of recipes/ the training output")
    p.add_argument("--version", default="1")
    p.add_argument("--data", help="tf.data of the file; default: what --pseudo says")
    p.add_argument("--sets", nargs="*", metavar="NAME[:PATH]", help="--data of train.py")
    p.add_argument("--quick", action="store_true")
    p.add_argument("--threads", type=int, default=1)
    args = p.parse_args()
    system = args.recipe not in train.DEFAULTS
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    extra = (["--quick"] if args.quick else []) + (["--pseudo", *args.pseudo] if args.pseudo else []) + (["--data", *args.sets] if args.sets else [])
    cfg = train.arguments([args.recipe, *extra])
    train.seed_all(7)
    rec, build = train.recipe(args.recipe, cfg)
    net = build()
    checkpoint = Path(args.checkpoint) if args.checkpoint else cfg.out / "last.pt"
    trained = nets.checkpoint(checkpoint)
    nets.restore(net, trained["ema"], checkpoint)
    # A checkpoint says what it has seen; one from before that was so is taken by the options.
    seen = trained.get("saw") or train.has_seen(cfg)
    args.licence = data.licence(seen["sets"], seen["licences"])
    if system:
        args.data = args.data or saw(args.recipe, args.sets or cfg.data)
    args.data = args.data or "; ".join(
        [f"{k} train split (photographs, two fifths with a made-up thermal look)" for k in seen["sets"] if not k.startswith("thermal")]
        + (["empty stretches of thermal6"] if "thermal6" in seen["sets"] else [])
        + (["empty clips of thermalfaces"] if "thermalfaces" in seen["sets"] else [])
        + [f"thermal6 frames labelled by {'the six dev points' if 'weak' in f else 'the networks themselves'}"
           for f in args.pseudo or seen["pseudo"]])
    net.eval()
    model = Quantised(net)
    report = {"macs": net.macs(), "weights": sum(w.numel() for w in model.weight.values()),
              "float": full_score(rec, net, args.recipe)}
    print("float", brief(report["float"]), flush=True)
    floor = {} if system else {"heat": -14.0} if args.recipe == "landmarks68" else {"heat": -10.0}
    batches = calibration(rec, args.recipe, 2 if args.quick else 8)
    model.calibrate(batches, floor)
    report["int8"] = full_score(rec, model, args.recipe)
    print("int8 ", brief(report["int8"]), flush=True)
    if not system:
        print("heat range", model.range["heat"])
    if args.qat:
        fine_tune(rec, model, args)
        report["int8_qat"] = full_score(rec, model, args.recipe)
        print("qat  ", brief(report["int8_qat"]), flush=True)
    meta = metadata(args, model, rec, report)
    root = Path(__file__).resolve().parent.parent
    out = Path(args.output) if args.output else (cfg.out if args.quick or system else root / "models") / f"{args.recipe}.onnx"
    out.parent.mkdir(parents=True, exist_ok=True)
    import export
    export.write(model, out, meta)
    torch.save({"state": model.state_dict(), "range": model.range}, checkpoint.parent / "int8.pt")
    (checkpoint.parent / "int8.json").write_text(json.dumps(report, indent=1, default=str))
    print(f"wrote {out}: {net.macs() / 1e6:.1f} MMAC, {out.stat().st_size} bytes")


def brief(s):
    return "  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in s.items())


def fine_tune(rec, model, args):
    opt = torch.optim.Adam(model.parameters(), lr=args.qat_lr)
    ema = nets.Ema(model, 0.995)
    steps, total = 0, args.qat * rec.steps
    for epoch in range(args.qat):
        t0, sums = time.time(), 0.0
        for batch in rec.epoch():
            for g in opt.param_groups:
                g["lr"] = args.qat_lr * (0.5 + 0.5 * np.cos(np.pi * steps / total))
            opt.zero_grad(set_to_none=True)
            loss = rec.loss(model, batch)
            loss.backward()
            opt.step()
            ema.update(model)
            steps, sums = steps + 1, sums + loss.item()
        print(f"qat epoch {epoch} loss {sums / rec.steps:.3f} seconds {time.time() - t0:.0f}", flush=True)
    model.load_state_dict(ema.state)


def saw(name, sets):
    """tf.data of a system: its labelled data, and what its starting weights have seen."""
    d = train.described(name)
    text = [f"{s.split(':')[0]} train split" for s in sets or d["data"] or ["visible68"]]
    if d["thermal"]:
        text.append(f"{100 * d['thermal']:.0f} % with a made-up thermal look")
    if d["init"]:
        kind = train.described(d["init"])["class"]
        text.append("started from " + ("pretext tasks on thermal6 frames outside dev, five points by the shipped networks"
                                       if kind == "pretext" else "an autoencoder of the same pictures"))
    return "; ".join(text)


def metadata(args, model, rec, report):
    common = {"tf.normalise": "percentile lo=1 hi=99 apart=20 skin_max_c=42", "tf.name": f"thermoface {args.recipe}", "tf.version": args.version,
              "tf.data": args.data,
              "tf.licence": args.licence}
    if args.recipe not in train.DEFAULTS:
        return {**rec.metadata(model, report), **{k: v for k, v in common.items() if k != "tf.normalise"}}
    if args.recipe == "finder":
        return {"tf.task": "finder", "tf.crop": "letterbox", "tf.decode": "center stride=8 threshold=0.4", "tf.box": "points68", **common}
    import losses as L
    a, c, info = landmark_confidence(model, rec)
    report["confidence"] = {"a": a, "c": c, **info}
    print("confidence", report["confidence"])
    return {"tf.task": "landmarks", "tf.points": "68", "tf.order": "ibug68", "tf.crop": "square scale=1.5",
            "tf.decode": f"heatmap beta=1.2 window=7 blend={L.BLEND}", "tf.mean": " ".join(f"{x:.5f},{y:.5f}" for x, y in model.mean),
            "tf.confidence": f"peak a={a:.4f} c={c:.4f}", **common}


if __name__ == "__main__":
    data.tidy(main)
