"""Reading heat maps, and the losses and scores built on that."""

import ctypes
import functools
import subprocess
from pathlib import Path

import torch
import torch.nn.functional as F

from data import CACHE
import labels


def soft_argmax(heat):
    """Whole-map soft-argmax of logits [B, N, h, w] → 0..1 of the window [B, N, 2] (training)."""
    b, n, h, w = heat.shape
    p = F.softmax(heat.flatten(2), 2).view(b, n, h, w)
    x = (p.sum(2) * ((torch.arange(w) + 0.5) / w)).sum(2)
    y = (p.sum(3) * ((torch.arange(h) + 0.5) / h)).sum(2)
    return torch.stack([x, y], 2)


def decode(heat, beta=1.2, window=7):
    """tf.decode heatmap: soft-argmax over window x window cells around the peak, and the peak's margin (docs/models.md)."""
    b, n, h, w = heat.shape
    flat = heat.flatten(2)
    peak, at = flat.max(2)
    margin = peak - flat.mean(2)
    if window == 0:
        return soft_argmax(heat * beta), margin
    r, c = at // w, at % w
    half = window // 2
    dy, dx = torch.meshgrid(torch.arange(-half, half + 1), torch.arange(-half, half + 1), indexing="ij")
    rr, cc = r[..., None] + dy.flatten(), c[..., None] + dx.flatten()
    ok = (rr >= 0) & (rr < h) & (cc >= 0) & (cc < w)
    z = flat.gather(2, (rr.clamp(0, h - 1) * w + cc.clamp(0, w - 1)))
    p = torch.where(ok, torch.exp(beta * (z - peak[..., None])), torch.zeros_like(z))
    p = p / p.sum(2, True)
    x = (p * (cc + 0.5)).sum(2) / w
    y = (p * (rr + 0.5)).sum(2) / h
    return torch.stack([x, y], 2), margin


# A point is this much of the coordinates and the rest of its map (`blend` of tf.decode).
BLEND = 0.3


def read(net, x, window=7):
    """landmarks68 on input windows x → points in 0..1 of the window [B, 68, 2] and the maps' margins, as the C code takes them."""
    heat, points = net(x)
    u, margin = decode(heat.float(), window=window)
    return u + BLEND * (points.float().view_as(u) + net.mean - u), margin


# A map may be moved up and down as a whole, and what is far from a point may be as low as it likes (a Gaussian's logarithm is a
# parabola): neither changes the loss, and both would grow until 8 bits cannot hold them. So the mean square of the logits costs a
# little, and so does what lies more than DEEP below a map's peak.
ANCHOR, FLOOR, DEEP = 3e-4, 1e-3, 14.0


def mean_square(x):
    x = x.flatten()          # much faster than torch's pow
    return torch.dot(x, x) / len(x)


@functools.lru_cache(None)
def in_c():
    """heatloss.c as a function, built once for this processor; None where there is no C compiler (torch's own operations do it then)."""
    source = Path(__file__).with_name("heatloss.c")
    with open("/proc/cpuinfo") as f:
        cpu = next((line for line in f if line.startswith("flags")), "")
    key = f"{labels.signature(source)}-{hash_of(cpu)}"
    path = CACHE / f"heatloss-{key}.so"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{torch.initial_seed() % 10 ** 9}.part")
        try:
            done = subprocess.run(["cc", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", "-o", str(part), str(source), "-lm"],
                                  capture_output=True, check=False)
        except OSError:
            return None
        if done.returncode != 0:
            return None
        part.replace(path)
    f = ctypes.CDLL(str(path)).tf_heat_loss
    f.restype = ctypes.c_double
    f.argtypes = [ctypes.c_int64] * 3 + [ctypes.c_void_p] * 8
    return f


def hash_of(text):
    import hashlib
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class FusedHeatLoss(torch.autograd.Function):
    """landmark_loss and its gradient in two passes over each map, in C: torch's way takes four times as long."""

    @staticmethod
    def forward(ctx, heat, v, share, flat, sigma, coordinates):
        b, n, h, w = heat.shape
        z = heat.detach().to(torch.float32, memory_format=torch.contiguous_format)
        gx, gy = gaussians(v[..., 0], w, sigma).contiguous(), gaussians(v[..., 1], h, sigma).contiguous()
        v, share = v.float().contiguous(), share.float().contiguous()
        even = flat.float()[:, None].expand(b, n).contiguous()
        settings = torch.tensor([coordinates, ANCHOR, FLOOR, DEEP], dtype=torch.float32)
        g = torch.empty_like(z)
        loss = in_c()(b * n, h, w, *[t.data_ptr() for t in (z, gx, gy, v, share, even, settings, g)])
        ctx.save_for_backward(g)
        return torch.tensor(loss, dtype=torch.float32)

    @staticmethod
    def backward(ctx, grad):
        g, = ctx.saved_tensors
        return g if float(grad) == 1 else g * grad, None, None, None, None, None


class HeatLoss(torch.autograd.Function):
    """The same in torch's operations, where there is no C compiler."""

    @staticmethod
    def forward(ctx, heat, v, share, flat, sigma, coordinates):
        b, n, h, w = heat.shape
        z = heat.detach().to(torch.float32, memory_format=torch.contiguous_format)
        top = z.amax((2, 3), True)
        p = torch.exp(z - top)
        total = p.sum((2, 3), True)
        p.div_(total)
        log_total = (top + total.log())[..., 0, 0]
        cx, cy = (torch.arange(w) + 0.5) / w, (torch.arange(h) + 0.5) / h
        gx, gy = gaussians(v[..., 0], w, sigma), gaussians(v[..., 1], h, sigma)
        ce = log_total - (torch.matmul(z, gx[..., None])[..., 0] * gy).sum(2)
        dx, dy = p.sum(2) @ cx - v[..., 0], p.sum(3) @ cy - v[..., 1]
        length = (dx * dx + dy * dy).sqrt()
        d = length * w                                                # cells
        loss = (share * (0.35 * ce + coordinates * (d + 0.3 * torch.log1p(d / 0.3)))).sum()
        loss = loss + (flat[:, None] * (log_total - z.mean((2, 3)))).sum()
        deep = (top - DEEP - z).clamp_(min=0)
        loss = loss + ANCHOR * mean_square(z) + FLOOR * mean_square(deep)
        ctx.save_for_backward(z, deep, p, gx, gy, share, flat, dx, dy, length, v)
        ctx.coordinates = coordinates
        return loss

    @staticmethod
    def backward(ctx, grad):
        z, deep, p, gx, gy, share, flat, dx, dy, length, v = ctx.saved_tensors
        b, n, h, w = p.shape
        cx, cy = (torch.arange(w) + 0.5) / w, (torch.arange(h) + 0.5) / h
        d = length * w
        pull = grad * share * ctx.coordinates * (1 + 1 / (1 + d / 0.3)) * w / length.clamp(min=1e-6)
        ce, even = grad * 0.35 * share, grad * flat[:, None]
        across = (pull * dx)[..., None] * (cx - (dx + v[..., 0])[..., None]) + (ce + even)[..., None]
        down = (pull * dy)[..., None] * (cy - (dy + v[..., 1])[..., None])
        g = (across[:, :, None, :] + down[..., None]).mul_(p)
        g.addcmul_((gy * ce[..., None])[..., None], gx[:, :, None, :], value=-1)
        g.sub_((even / (h * w))[..., None, None])
        g.sub_(deep, alpha=float(grad) * 2 * FLOOR / z.numel())
        # The depth must not lift the level. Of the rest the mean is 0, but for rounding, which Adam would make much of.
        g.sub_(g.mean((2, 3), True))
        g.add_(z, alpha=float(grad) * 2 * ANCHOR / z.numel())
        return g, None, None, None, None, None


def gaussians(u, size, sigma):
    """Gaussians around u [B, N] (0..1) over size cells, each summing to 1; sigma in cells."""
    g = torch.exp(-((torch.arange(size) + 0.5 - u[..., None] * size) ** 2) / (2 * sigma * sigma))
    return g / g.sum(-1, True).clamp(min=1e-6)


def labelled(u, face, edge):
    """Which points count [B, N], and u without NaN; a point more than `edge` outside the window does not."""
    v = torch.nan_to_num(u, nan=0.5)
    return torch.isfinite(u).all(2) & (v > -edge).all(2) & (v < 1 + edge).all(2) & (face[:, None] > 0), v


def landmark_loss(heat, u, weight, face, sigma=1.0, coordinates=1.0):
    """Cross-entropy of the map against a Gaussian, plus the distance of the soft-argmax: what NME measures, sharpened near zero.

    u [B, N, 2] in 0..1 (NaN: no label), weight [B] per face, face [B]: 1 where a face is in the window. A window without a face is
    taught a flat map, so that the margin of the peak means something.
    """
    b, n = u.shape[:2]
    # A point outside the window has no cell: leave it out rather than pull the map to the edge.
    ok, v = labelled(u, face, 0.01)
    m = ok.float()
    norm = (m.sum(1) * weight).sum().clamp(min=1)
    return (FusedHeatLoss if in_c() else HeatLoss).apply(heat, v.clamp(0, 1), m * weight[:, None] / norm, (1 - face) / (b * n), sigma, coordinates)


def coordinate_loss(points, u, weight, face, cells=28):
    """The same distance for coordinates [B, N, 2]; these may lie outside the window."""
    ok, v = labelled(u, face, 0.3)
    m = ok.float()
    d = ((points - v).square().sum(2) + 1e-8).sqrt() * cells
    return ((d + 0.3 * torch.log1p(d / 0.3)) * m * weight[:, None]).sum() / (m.sum(1) * weight).sum().clamp(min=1)


def nme(points, truth):
    """Mean distance over the 68 points by the outer eye corners' distance, percent, per face."""
    d = (points - truth).norm(dim=2).mean(1)
    return 100 * d / (truth[:, 36] - truth[:, 45]).norm(dim=1)


def six_points(p):
    """68 points [B, 68, 2] → eye centres, nose, mouth corners, chin [B, 6, 2] (thermal6)."""
    return torch.stack([p[:, 36:42].mean(1), p[:, 42:48].mean(1), p[:, 30], p[:, 48], p[:, 54], p[:, 8]], 1)
