"""Reading heat maps, and the losses and scores built on that."""

import torch
import torch.nn.functional as F


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


def target_maps(u, size, sigma):
    """Gaussians around points u [B, N, 2] (0..1), each summing to 1; sigma in cells."""
    c = torch.arange(size) + 0.5
    gx = torch.exp(-((c - u[..., 0:1] * size) ** 2) / (2 * sigma * sigma))
    gy = torch.exp(-((c - u[..., 1:2] * size) ** 2) / (2 * sigma * sigma))
    gx, gy = gx / gx.sum(-1, True).clamp(min=1e-6), gy / gy.sum(-1, True).clamp(min=1e-6)
    return gy[..., :, None] * gx[..., None, :]


def landmark_loss(heat, u, weight, face, sigma=1.0, coordinates=1.0):
    """Cross-entropy of the map against a Gaussian, plus the distance of the soft-argmax: what NME measures, sharpened near zero.

    u [B, N, 2] in 0..1 (NaN: no label), weight [B] per face, face [B]: 1 where a face is in the window. A window without a face is
    taught a flat map, so that the margin of the peak means something.
    """
    b, n, h, w = heat.shape
    ok = torch.isfinite(u).all(2)
    v = torch.nan_to_num(u, nan=0.5)
    # A point outside the window has no cell: leave it out rather than pull the map to the edge.
    ok = ok & (v > -0.01).all(2) & (v < 1.01).all(2)
    m = ok.float() * face[:, None]
    logp = F.log_softmax(heat.flatten(2), 2)
    ce = -(target_maps(v.clamp(0, 1), h, sigma).flatten(2) * logp).sum(2)
    d = (soft_argmax(heat) - v).norm(dim=2) * w                      # cells
    per = (0.35 * ce + coordinates * (d + 0.3 * torch.log1p(d / 0.3))) * m
    loss = (per.sum(1) * weight).sum() / (m.sum(1) * weight).sum().clamp(min=1)
    empty = 1 - face
    flat = (-logp.mean(2)).mean(1)
    return loss + (flat * empty).sum() / b


def nme(points, truth):
    """Mean distance over the 68 points by the outer eye corners' distance, percent, per face."""
    d = (points - truth).norm(dim=2).mean(1)
    return 100 * d / (truth[:, 36] - truth[:, 45]).norm(dim=1)


def six_points(p):
    """68 points [B, 68, 2] → eye centres, nose, mouth corners, chin [B, 6, 2] (thermal6)."""
    return torch.stack([p[:, 36:42].mean(1), p[:, 42:48].mean(1), p[:, 30], p[:, 48], p[:, 54], p[:, 8]], 1)
