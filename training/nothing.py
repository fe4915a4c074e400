"""Pictures that hold no face, for the finder: what rooms and gardens are full of, and real clips of them.

Temperatures as in finder.py: 0 about room, 1 about skin. Doors, windows, radiators, pipes, cups, lamps, animals, sky over ground, and
faces in pieces: what has a face's warmth and detail in another order is none.
"""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import augment as A
import labels
from data import shared

# Clips that no training sees, so that false faces can be counted on unseen ones.
CLIPS_HELD_OUT = ["kiosk_0", "kiosk_4", "outdoor_0", "outdoor_4"]


def clips(root=None, held_out=False):
    """Frames of thermalfaces' empty clips [n, H, W] in hundredths of a kelvin, upright: {clip: frames}. Those in other counts are spread
    over the stretch from a room to skin, which is all that the tone needs."""
    root = Path(root) if root else shared() / "data" / "thermalfaces" / "negative"
    out = {}
    for path in sorted(root.glob("*.mkv")):
        if (path.stem in CLIPS_HELD_OUT) != held_out:
            continue
        frames = labels.decode(path).astype(np.float32)
        if path.stem.startswith("kiosk"):
            out[path.stem] = labels.upright(frames, 90).astype(np.int32)
            continue
        lo, hi = np.percentile(frames, (0.5, 99.5))
        out[path.stem] = (29850 + (frames - lo) / max(hi - lo, 1) * 850).astype(np.int32)
    return out


def boxed(b, size, lo, hi, tall=(0.3, 3)):
    """A soft rectangle somewhere, its sides from `lo` to `hi` pixels, and where within it each pixel lies, -1 to 1."""
    u = torch.arange(size, dtype=torch.float32)
    cx, cy = A.uniform(b, 0, size), A.uniform(b, 0, size)
    rx = torch.exp(A.uniform(b, math.log(lo), math.log(hi))) / 2
    ry = (rx * torch.exp(A.uniform(b, math.log(tall[0]), math.log(tall[1])))).clamp(max=size)
    x, y = (u[None, None, None, :] - cx) / rx, (u[None, None, :, None] - cy) / ry
    edge = torch.exp(A.uniform(b, math.log(0.3), math.log(3)))
    mask = torch.sigmoid((1 - x.abs()) * rx / edge) * torch.sigmoid((1 - y.abs()) * ry / edge)
    return mask, x, y


def door(t):
    """An opening with a frame, a handle and perhaps panes; darker or warmer than the wall."""
    b, size = len(t), t.shape[-1]
    mask, x, y = boxed(b, size, 20, 110, (1, 3))
    inside = A.uniform(b, -0.3, 1) + y * A.uniform(b, -0.15, 0.15) + A.smooth_noise(b, 5, size) * 0.05
    inside = inside + A.uniform(b, -0.3, 0.3) * torch.sigmoid((0.15 - ((x - A.uniform(b, -0.6, 0.6)) % 0.8 - 0.4).abs()) * 30) * A.chance(b, 0.5)
    inside = inside + A.uniform(b, -0.3, 0.3) * torch.sigmoid(((y - A.uniform(b, -0.8, 0.8)).abs() - 0.1) * -30) * A.chance(b, 0.6)
    for _ in range(3):         # handles, lamps, hinges
        spot = torch.exp(-(((x - A.uniform(b, -1, 1)) / A.uniform(b, 0.05, 0.3)) ** 2 + ((y - A.uniform(b, -1, 1)) / A.uniform(b, 0.05, 0.25)) ** 2))
        inside = inside + spot * A.uniform(b, -0.4, 0.6) * A.chance(b, 0.5)
    return t + mask * (inside - t)


def radiator(t):
    """Ribs side by side, or one above the other."""
    b, size = len(t), t.shape[-1]
    mask, x, y = boxed(b, size, 24, 120, (0.3, 2))
    along = torch.where(torch.rand(b, 1, 1, 1) < 0.5, x, y)
    ribs = torch.sin(along * A.uniform(b, 4, 25)) * A.uniform(b, 0.02, 0.3)
    return t + mask * (A.uniform(b, 0, 1.3) + ribs - y * A.uniform(b, -0.2, 0.3) - t)


def animal(t):
    """A warm body with a head, ears and legs; smooth."""
    b, size = len(t), t.shape[-1]
    u = torch.arange(size, dtype=torch.float32)
    cx, cy, r = A.uniform(b, 10, size - 10), A.uniform(b, 10, size - 10), torch.exp(A.uniform(b, math.log(4), math.log(36)))
    x, y = (u[None, None, None, :] - cx) / r, (u[None, None, :, None] - cy) / r
    x = x * torch.sign(torch.rand(b, 1, 1, 1) - 0.5)
    oval = lambda ox, oy, rx, ry: ((x - ox) / rx) ** 2 + ((y - oy) / ry) ** 2
    body = oval(0, 0, A.uniform(b, 0.8, 1.8), A.uniform(b, 0.5, 1.1))
    head = oval(A.uniform(b, 0.8, 1.6), A.uniform(b, -1, 0.2), A.uniform(b, 0.3, 0.7), A.uniform(b, 0.3, 0.7))
    legs = torch.minimum(oval(A.uniform(b, -1, 0), 1, 0.18, A.uniform(b, 0.3, 1)), oval(A.uniform(b, 0.1, 1), 1, 0.18, A.uniform(b, 0.3, 1)))
    mask = torch.sigmoid((1 - torch.minimum(torch.minimum(body, head), legs)) * A.uniform(b, 2, 14))
    warm = A.uniform(b, 0.4, 1.3) + A.smooth_noise(b, 10, size) * A.uniform(b, 0, 0.15)
    return t + mask * (warm - t)


def cup(t):
    """Bodies of one temperature with a warmer or colder rim and inside: cups, lamps, bottles, balls."""
    b, size = len(t), t.shape[-1]
    u = torch.arange(size, dtype=torch.float32)
    cx, cy, r = A.uniform(b, 0, size), A.uniform(b, 0, size), torch.exp(A.uniform(b, math.log(5), math.log(45)))
    x, y = (u[None, None, None, :] - cx) / r, (u[None, None, :, None] - cy) / (r * A.uniform(b, 0.7, 1.8))
    p = torch.where(torch.rand(b, 1, 1, 1) < 0.5, torch.tensor(2.0), torch.tensor(6.0))
    d = (x.abs() ** p + y.abs() ** p) ** (1 / p)
    sharp = r * A.uniform(b, 0.4, 1.5)
    level = A.uniform(b, -0.2, 1.4)
    inside = level + A.uniform(b, -0.4, 0.4) * torch.sigmoid((A.uniform(b, 0.4, 0.9) - d) * sharp) + y * A.uniform(b, -0.3, 0.3) \
        + A.uniform(b, -0.4, 0.4) * torch.exp(-((d - 0.9) / 0.12) ** 2) * A.chance(b, 0.5)
    return t + torch.sigmoid((1 - d) * sharp) * (inside - t)


def pipes(t):
    """Lines of any direction, hot or cold: pipes, cables, branches, edges of walls."""
    b, size = len(t), t.shape[-1]
    u = torch.arange(size, dtype=torch.float32)
    for _ in range(4):
        a = A.uniform(b, 0, math.pi)
        d = (u[None, None, None, :] - A.uniform(b, 0, size)) * torch.cos(a) + (u[None, None, :, None] - A.uniform(b, 0, size)) * torch.sin(a)
        w = torch.exp(A.uniform(b, 0, math.log(8)))
        t = t + torch.sigmoid((1 - d.abs() / w) * 4) * A.uniform(b, -0.5, 0.6) * A.chance(b, 0.4)
    return t


def ground(t):
    """Grass, gravel, leaves and sky: noise of several sizes, rough in parts of the picture."""
    b, size = len(t), t.shape[-1]
    rough = sum(A.smooth_noise(b, k, size) * A.uniform(b, 0, 0.35) for k in (6, 12, 24, 48))
    where = torch.sigmoid(A.smooth_noise(b, 3, size) * A.uniform(b, 1, 8) + A.uniform(b, -2, 2))
    horizon = torch.arange(size, dtype=torch.float32)[None, None, :, None] - A.uniform(b, -40, size + 40)
    return t + rough * where + A.uniform(b, -0.8, 0.8) * torch.sigmoid(horizon / A.uniform(b, 1, 20)) * A.chance(b, 0.5)


def pieces(x, q):
    """Faces x [B, 1, S, S] with points q [B, 68, 2] cut into parts that change places: their warmth and detail, and no face."""
    b, size = len(x), x.shape[-1]
    out = x.clone()
    for i in range(b):
        lo, hi = q[i].amin(0), q[i].amax(0)
        n = int(torch.randint(3, 5, (1,)))
        side = int(((hi - lo).max() * 1.2 / n).clamp(min=3))
        x0, y0 = [int(v) - side // 4 for v in lo]
        if x0 < 0 or y0 < 0 or x0 + n * side > size or y0 + n * side > size:
            return None
        tiles = [x[i, :, y0 + r * side:y0 + (r + 1) * side, x0 + c * side:x0 + (c + 1) * side] for r in range(n) for c in range(n)]
        for k, j in enumerate(deranged(n * n)):
            r, c = divmod(k, n)
            tile = tiles[j].rot90(int(torch.randint(0, 4, (1,))), (1, 2))
            out[i, :, y0 + r * side:y0 + (r + 1) * side, x0 + c * side:x0 + (c + 1) * side] = tile
    k = 3
    return F.avg_pool2d(F.pad(out, (1, 1, 1, 1), mode="replicate"), k, 1)


def deranged(n):
    """A permutation that leaves few in their place."""
    p = torch.randperm(n)
    return torch.where(p == torch.arange(n), p.roll(1), p).tolist()


def scenes(background):
    """What stands in front of `background` [B, 1, S, S]; no faces."""
    t = background
    b = len(t)
    for make, p in ((ground, 0.35), (door, 0.5), (radiator, 0.2), (pipes, 0.35), (cup, 0.4), (animal, 0.35), (door, 0.2), (cup, 0.2)):
        t = torch.where(A.chance(b, p) > 0, make(t), t)
    return t
