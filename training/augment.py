"""Augmentation as whole-batch tensor operations: input window, thermal look, resolution, noise, occlusion, tone.

A per-image loop would cost more than the network on two cores; everything here works on [B, 1, H, W] at once.
The geometry and the tone are those of docs/models.md, so that a network sees here what the C code will give it.
"""

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from data import FLIP68

FLIP = torch.from_numpy(FLIP68)


def uniform(b, lo, hi, shape=(1, 1, 1)):
    return torch.rand(b, *shape) * (hi - lo) + lo


def chance(b, p):
    """[B, 1, 1, 1] of 0 and 1."""
    return (torch.rand(b, 1, 1, 1) < p).float()


# ---------------------------------------------------------------- geometry

class Window:
    """A batch of turned, possibly mirrored square input windows on pictures (tf.crop in docs/models.md)."""

    def __init__(self, centre, side, angle, mirror=None):
        self.centre, self.side = centre, side          # [B, 2], [B]
        self.cos, self.sin = torch.cos(angle), torch.sin(angle)
        self.mirror = torch.ones_like(side) if mirror is None else mirror    # -1 where mirrored

    def grid(self, size, height, width, real=None):
        """Sampling grid for grid_sample(align_corners=False) and the mask of what lies inside the picture, whose real width and
        height [B, 2] may be less than its canvas'."""
        u = ((torch.arange(size) + 0.5) / size - 0.5)
        ux = (u[None, None, :] * self.side[:, None, None] * self.mirror[:, None, None])
        uy = (u[None, :, None] * self.side[:, None, None])
        c, s = self.cos[:, None, None], self.sin[:, None, None]
        x = self.centre[:, 0, None, None] + c * ux - s * uy
        y = self.centre[:, 1, None, None] + s * ux + c * uy
        right, bottom = (width, height) if real is None else (real[:, 0, None, None], real[:, 1, None, None])
        inside = (x >= -0.5) & (x <= right - 0.5) & (y >= -0.5) & (y <= bottom - 0.5)
        if real is not None:                 # beyond its last line a picture goes on as there, on a canvas as on none
            x, y = torch.minimum(x, right - 1), torch.minimum(y, bottom - 1)
        g = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
        return g, inside[:, None].float()

    def sample(self, pictures, size, n=1, real=None):
        """[B, 1, H, W] float → [B, 1, size, size], mean of n x n bilinear samples, and the inside mask."""
        h, w = pictures.shape[-2:]
        g, inside = self.grid(size * n, h, w, real)
        x = F.grid_sample(pictures, g, "bilinear", "border", align_corners=False)
        if n > 1:
            x = sum(x[:, :, i::n, j::n] for i in range(n) for j in range(n)) / (n * n)
            inside = self.grid(size, h, w, real)[1]
        return x, inside

    def to_window(self, points):
        """Picture points [B, N, 2] → 0..1 of the window; mirrored rows get the mirrored order."""
        d = points - self.centre[:, None]
        c, s = self.cos[:, None], self.sin[:, None]
        ux = (c * d[..., 0] + s * d[..., 1]) / self.side[:, None] * self.mirror[:, None]
        uy = (-s * d[..., 0] + c * d[..., 1]) / self.side[:, None]
        u = torch.stack([ux, uy], -1) + 0.5
        if points.shape[1] == 68:
            u = torch.where((self.mirror < 0)[:, None, None], u[:, FLIP], u)
        return u

    def to_picture(self, u):
        if u.shape[1] == 68:
            u = torch.where((self.mirror < 0)[:, None, None], u[:, FLIP], u)
        return self.to_picture_plain(u)

    def to_picture_plain(self, u):
        """Points of any order, which keep their numbers."""
        ux = (u[..., 0] - 0.5) * self.side[:, None] * self.mirror[:, None]
        uy = (u[..., 1] - 0.5) * self.side[:, None]
        c, s = self.cos[:, None], self.sin[:, None]
        return torch.stack([c * ux - s * uy, s * ux + c * uy], -1) + self.centre[:, None]


def box_window(boxes, scale=1.5, angle=None, mirror=None):
    """The plain window of `square scale=S` around left, top, right, bottom boxes [B, 4]."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    side = scale * (boxes[:, 2:] - boxes[:, :2]).max(1).values
    return Window(centre, side, torch.zeros_like(side) if angle is None else angle, mirror)


def jittered_window(boxes, scale=1.5, far=0.3, near=1.0):
    """What a finder's box or a tracker's last points make of the window: most near the true one, some far off; `near` scales the former."""
    b = len(boxes)
    wide, near = (torch.rand(b) < far).float(), torch.as_tensor(near).expand(b)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    span = (boxes[:, 2:] - boxes[:, :2]).max(1).values
    centre = centre + torch.randn(b, 2) * (span * torch.where(wide > 0, 0.095, 0.035 * near))[:, None]
    side = scale * span * torch.exp(torch.randn(b) * torch.where(wide > 0, 0.15, 0.07 * near)).clamp(0.7, 1.5)
    angle = (torch.randn(b) * (9 + 12 * wide)).clamp(-45, 45) * math.pi / 180
    mirror = torch.where(torch.rand(b) < 0.5, -torch.ones(b), torch.ones(b))
    return Window(centre, side, angle, mirror)


# ---------------------------------------------------------------- tone

def percentile_tone(x, inside, lo=1.0, hi=99.0, min_span=1e-3, step=2):
    """tf.normalise percentile; `step` thins the ranks' sample (training only; 1 is exact)."""
    b = len(x)
    v = torch.where(inside > 0, x, torch.full_like(x, float("inf")))[:, :, ::step, ::step].reshape(b, -1)
    v = v.sort(1).values
    n = torch.isfinite(v).sum(1).clamp(min=1)
    pick = lambda q: v.gather(1, ((q / 100 * (n - 1)).floor().long().clamp(min=0))[:, None])
    a, z = pick(lo), pick(hi)
    a, z = a[:, :, None, None], z[:, :, None, None]
    return ((x - a) / (z - a).clamp(min=min_span)).clamp(0, 1) * inside


def to_u8(x):
    return torch.round(x * 255) / 255


# ---------------------------------------------------------------- thermal look

def smooth_noise(b, cells, size):
    return F.interpolate(torch.randn(b, 1, cells, cells), size=(size, size), mode="bicubic", align_corners=False)


def blurred(x, k=3):
    """A wide blur by way of a quarter of the resolution."""
    y = sum(x[:, :, i::4, j::4] for i in range(4) for j in range(4)) / 16
    y = F.avg_pool2d(y, k, 1, k // 2, count_include_pad=False)
    return F.interpolate(y, size=x.shape[-2:], mode="bilinear", align_corners=False)


def blob(xx, yy, p, r):
    """A Gaussian spot at p [B, 2] of radius r [B, 1, 1, 1]."""
    px, py = p[:, 0, None, None, None], p[:, 1, None, None, None]
    return torch.exp(-((xx - px) ** 2 + (yy - py) ** 2) / (2 * r * r))


def thermal_look(g, face, q, background=None):
    """Gives gray faces the look of a thermal camera's.

    g [B, 1, S, S] gray 0..1, face [B, 1, S, S] soft mask of the face, q [B, 68, 2] points in pixels of g,
    background: temperature of the scene behind (0 cold to 1 as warm as skin), else one is made up.
    Returns the temperature (arbitrary units) and the mask of the whole person.
    """
    b, size = len(g), g.shape[-1]
    ax = torch.arange(size, dtype=torch.float32)
    xx, yy = ax[None, None, None, :], ax[None, None, :, None]
    v4 = lambda t: t[:, None, None, None]

    eye_r, eye_l = q[:, 36:42].mean(1), q[:, 42:48].mean(1)
    up = q[:, 27] - q[:, 8]
    tall = up.norm(dim=1).clamp(min=1e-3)                      # nasion to chin
    up = up / tall[:, None]
    ac = torch.stack([-up[:, 1], up[:, 0]], 1)                 # across the face
    h = v4(tall)
    wide = v4(torch.maximum((q[:, 16] - q[:, 0]).norm(dim=1), 0.85 * tall))
    along = lambda p: (xx - v4(p[:, 0])) * v4(up[:, 0]) + (yy - v4(p[:, 1])) * v4(up[:, 1])
    across = lambda p: (xx - v4(p[:, 0])) * v4(ac[:, 0]) + (yy - v4(p[:, 1])) * v4(ac[:, 1])
    soft = 0.02 * h
    step = lambda d: torch.sigmoid(d / soft)

    mean = (g * face).sum((2, 3), True) / face.sum((2, 3), True).clamp(min=1)
    sd = ((((g - mean) ** 2) * face).sum((2, 3), True) / face.sum((2, 3), True).clamp(min=1)).sqrt().clamp(min=0.05)
    z = ((g - mean) / sd).clamp(-3, 3)
    detail = z - blurred(z)

    # Scene, from far to near: background, clothes, neck, hair, face.
    if background is None:
        background = (uniform(b, -0.3, 0.6) + smooth_noise(b, 3, size) * uniform(b, 0, 0.2)
                      + smooth_noise(b, 10, size) * uniform(b, 0, 0.06) + z * uniform(b, -0.08, 0.08) * chance(b, 0.5))
    t = background

    chin = q[:, 8]
    a, c = along(chin), across(chin)
    shoulder = uniform(b, -1.1, -0.3) * h
    slope = uniform(b, 0.1, 0.6)
    torso = step(shoulder - a - slope * c.abs() + slope * 0.4 * wide) * step(uniform(b, 0.9, 1.8) * wide - c.abs())
    cloth = uniform(b, -0.1, 0.85) + smooth_noise(b, 6, size) * uniform(b, 0.02, 0.2) + z * uniform(b, -0.08, 0.08)
    person = torso
    t = t + torso * (cloth - t)

    neck = step(uniform(b, 0.3, 0.48) * wide - (c + uniform(b, -0.08, 0.08) * wide).abs()) * step(-a + 0.3 * h)
    collar = step(a - uniform(b, -1.0, -0.02) * h)             # clothes may reach up to the chin
    neck = neck * collar
    warm = 1 + uniform(b, -0.2, 0.12)
    t = t + neck * (warm + smooth_noise(b, 4, size) * 0.04 - t)
    person = torch.maximum(person, neck)

    mid = (q[:, 0] + q[:, 16]) / 2
    lift = uniform(b, 0.1, 0.35) * h
    ha, hc = along(mid) - lift, across(mid)
    ra, rc = uniform(b, 0.75, 1.0) * h, uniform(b, 0.53, 0.65) * wide
    head = step(h * 0.5 * (1 - ((ha / ra) ** 2 + (hc / rc) ** 2)))
    hair = uniform(b, 0.0, 1.0) + smooth_noise(b, 12, size) * uniform(b, 0.02, 0.15) + z * uniform(b, -0.05, 0.2)
    t = t + head * (hair - t)
    person = torch.maximum(person, head)
    long_hair = step(uniform(b, 0.5, 0.75) * wide - hc.abs()) * step(
        -ha) * step(ha + uniform(b, 0.5, 1.8) * h) * chance(b, 0.25)
    t = t + long_hair * (1 - neck) * (hair - t)
    person = torch.maximum(person, long_hair)

    skin = 1 + z * uniform(b, -0.04, 0.1) + detail * uniform(b, -0.08, 0.16)
    skin = skin - uniform(b, 0, 0.35) * (1 - blurred(face, 5))
    skin = skin + smooth_noise(b, 5, size) * uniform(b, 0, 0.06)
    dot = lambda p, r, lo, hi: blob(xx, yy, p, r * h) * uniform(b, lo, hi)
    spot = uniform(b, 0.05, 0.09)
    hot = uniform(b, 0, 0.22)
    skin = skin + (blob(xx, yy, q[:, 39], spot * h) + blob(xx, yy, q[:, 42], spot * h)) * hot
    eyes, orbit = uniform(b, -0.12, 0.25), uniform(b, 0.1, 0.2)
    skin = skin + (blob(xx, yy, eye_r, orbit * h) + blob(xx, yy, eye_l, orbit * h)) * eyes
    ball = uniform(b, -0.12, 0.05)
    skin = skin + (blob(xx, yy, eye_r, 0.06 * h) + blob(xx, yy, eye_l, 0.06 * h)) * ball
    cold = uniform(b, -0.55, 0.05)
    skin = skin + cold * torch.maximum(blob(xx, yy, q[:, 30], uniform(b, 0.1, 0.2) * h),
                                       uniform(b, 0.2, 0.9) * blob(xx, yy, q[:, 28], 0.1 * h))
    skin = skin + dot(q[:, 33], 0.06, -0.2, 0.15)
    brow = uniform(b, -0.22, 0.03)
    for i in (18, 19, 20, 23, 24, 25):
        skin = skin + blob(xx, yy, q[:, i], 0.06 * h) * brow
    cheek, broad = uniform(b, -0.25, 0.25), uniform(b, 0.1, 0.25)
    skin = skin + (blob(xx, yy, (q[:, 2] + q[:, 31]) / 2, broad * h) + blob(xx, yy, (q[:, 14] + q[:, 35]) / 2, broad * h)) * cheek
    lip, thick = uniform(b, -0.3, 0.14), uniform(b, 0.035, 0.08)
    for i in (48, 60, 62, 64, 54):
        skin = skin + blob(xx, yy, q[:, i], thick * h) * lip
    # Patches that belong to nobody's anatomy: real skin has many, and the contour has to carry the points then.
    for _ in range(4):
        mix = torch.rand(b, 3, 1)
        at = (q[torch.arange(b)[:, None], torch.randint(0, 68, (b, 3))] * mix / mix.sum(1, True)).sum(1)
        skin = skin + blob(xx, yy, at, uniform(b, 0.05, 0.22) * h) * uniform(b, -0.3, 0.25) * chance(b, 0.5)
    skin = skin + dot((q[:, 57] + q[:, 8]) / 2, 0.18, -0.15, 0.1)
    mouth = q[:, 48:60].mean(1)
    beard = torch.maximum(blob(xx, yy, (q[:, 33] + q[:, 51]) / 2, 0.13 * h), step(along(mouth)*-1) * step(
        uniform(b, 0.2, 0.5) * wide - across(mouth).abs())) * chance(b, 0.25)
    skin = skin - beard * uniform(b, 0.1, 0.5)
    t = t + face * (skin - t)
    person = torch.maximum(person, face)

    hat = step(along(q[:, 27]) - uniform(b, 0.25, 0.5) * h) * step(
        h * 0.5 * (1 - ((ha / (1.15 * ra)) ** 2 + (hc / (1.12 * rc)) ** 2))) * chance(b, 0.12)
    t = t + hat * (uniform(b, -0.1, 0.8) + smooth_noise(b, 6, size) * 0.05 - t)
    person = torch.maximum(person, hat)
    t = glasses(t, q, xx, yy, eye_r, eye_l, h, step, 0.35)
    return t, person


def glasses(t, q, xx, yy, eye_r, eye_l, h, step, p):
    """Opaque, cold lenses with a bridge and arms."""
    b = len(t)
    v4 = lambda s: s[:, None, None, None]
    e = eye_l - eye_r
    d = e.norm(dim=1).clamp(min=1e-3)
    e = e / d[:, None]
    drop = v4(d) * uniform(b, -0.02, 0.14)
    rx, ry = v4(d) * uniform(b, 0.33, 0.5), v4(d) * uniform(b, 0.2, 0.36)
    on = chance(b, p)
    cold = uniform(b, -0.2, 0.55)
    power = 4.0
    lens = 0
    for c in (eye_r, eye_l):
        lx = (xx - v4(c[:, 0])) * v4(e[:, 0]) + (yy - v4(c[:, 1])) * v4(e[:, 1])
        ly = -(xx - v4(c[:, 0])) * v4(e[:, 1]) + (yy - v4(c[:, 1])) * v4(e[:, 0]) - drop
        inside = 1 - ((lx / rx).abs() ** power + (ly / ry).abs() ** power)
        lens = torch.maximum(lens * torch.ones_like(t), step(h * 0.25 * inside))
    m = (eye_r + eye_l) / 2
    lx = (xx - v4(m[:, 0])) * v4(e[:, 0]) + (yy - v4(m[:, 1])) * v4(e[:, 1])
    ly = -(xx - v4(m[:, 0])) * v4(e[:, 1]) + (yy - v4(m[:, 1])) * v4(e[:, 0]) - drop + ry * 0.5
    bar = step(v4(d) * uniform(b, 0.5, 1.2) - lx.abs()) * step(ry * uniform(b, 0.12, 0.35) - ly.abs())
    lens = torch.maximum(lens, bar) * on
    return t + lens * (cold - t)


def cloth_masks(x, q, p):
    """Cloth from the nose's bridge over mouth and chin on some of the faces, of any level, darker or lighter where breath passes.

    x [B, 1, S, S] in any unit, q [B, 68, 2] points in pixels of x.
    """
    b, size = len(x), x.shape[-1]
    rows = ((torch.rand(b) < p) & torch.isfinite(q).flatten(1).all(1)).nonzero().flatten()
    if not len(rows):
        return x
    y, q = x[rows], q[rows]
    mouth = q[:, 48:60].mean(1, True)
    jaw = mouth + (q[:, 1:16] - mouth) * uniform(len(rows), 0.95, 1.12, (1, 1))
    share = torch.rand(len(rows), 1, 1)
    top = q[:, 27:28] + (q[:, 30:31] - q[:, 27:28]) * (0.1 + 0.8 * share)
    drawn = np.zeros((len(rows), size, size), np.uint8)
    for canvas, outline in zip(drawn, torch.cat([jaw, top], 1).numpy()):
        cv2.fillPoly(canvas, [np.rint(outline.clip(-size, 2 * size) * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    mask = F.avg_pool2d(torch.from_numpy(drawn)[:, None].float() / 255, 3, 1, 1)
    ax = torch.arange(size, dtype=torch.float32)
    h = (q[:, 27] - q[:, 8]).norm(dim=1).clamp(min=1)[:, None, None, None]
    breath = blob(ax[None, None, None, :], ax[None, None, :, None], (q[:, 33] + q[:, 51]) / 2, uniform(len(rows), 0.08, 0.25) * h)
    lo, hi = y.amin((2, 3), True), y.amax((2, 3), True)
    n = len(rows)
    cloth = (uniform(n, 0, 1) + smooth_noise(n, 5, size) * uniform(n, 0, 0.08) + smooth_noise(n, 20, size) * uniform(n, 0, 0.04)
             + breath * uniform(n, -0.3, 0.3))
    x = x.clone()
    x[rows] = y + mask * (lo + (hi - lo) * cloth - y)
    return x


def skin_patches(x, q, p=0.7):
    """Warm and cold spots over a real thermal face, x [B, 1, S, S] in 0..1, q [B, 68, 2] points in pixels of x.

    At the parts that differ most between persons (nose, inner eye corners, cheeks, mouth, brows) and anywhere between any three
    points, and a slow drift over the whole picture: the outline and the parts' order have to carry the points then.
    """
    b, size = len(x), x.shape[-1]
    ax = torch.arange(size, dtype=torch.float32)
    xx, yy = ax[None, None, None, :], ax[None, None, :, None]
    h = (q[:, 27] - q[:, 8]).norm(dim=1).clamp(min=1)[:, None, None, None]
    t = smooth_noise(b, 4, size) * uniform(b, 0, 0.05)
    parts = (((30,), 0.1, 0.2, -0.35, 0.1), ((39, 42), 0.05, 0.1, -0.1, 0.15), ((36, 45), 0.08, 0.2, -0.1, 0.12),
             ((2, 14), 0.1, 0.25, -0.15, 0.15), ((48, 54, 62), 0.05, 0.12, -0.2, 0.12), ((19, 24), 0.05, 0.12, -0.15, 0.05),
             ((8,), 0.1, 0.25, -0.15, 0.12))
    for points, lo, hi, cold, warm in parts:
        spot = sum(blob(xx, yy, q[:, i], uniform(b, lo, hi) * h) for i in points)
        t = t + spot * uniform(b, cold, warm) * chance(b, 0.35)
    for _ in range(2):
        mix = torch.rand(b, 3, 1)
        at = (q[torch.arange(b)[:, None], torch.randint(0, 68, (b, 3))] * mix / mix.sum(1, True)).sum(1)
        t = t + blob(xx, yy, at, uniform(b, 0.05, 0.2) * h) * uniform(b, -0.2, 0.15) * chance(b, 0.5)
    return x + t * chance(b, p)


# ---------------------------------------------------------------- other shapes

def fitted(shapes, q):
    """Of the shapes [B, K, N, 2] the one that a similarity brings nearest to q [B, N, 2], so moved, and what is left over."""
    a, b = torch.view_as_complex(shapes.contiguous()), torch.view_as_complex(q.contiguous())[:, None]
    a0, b0 = a - a.mean(2, True), b - b.mean(2, True)
    turn = (a0.conj() * b0).sum(2, True) / (a0.conj() * a0).sum(2, True).real.clamp(min=1e-6)
    moved = a0 * turn
    left = (moved - b0).abs().mean(2)
    best = left.argmin(1)
    at = torch.arange(len(q))
    return torch.view_as_real(moved[at, best] + b.mean(2)), left[at, best]


def reshaped(x, q, s, cells=28):
    """Pictures x [B, 1, S, S] whose points q [B, N, 2] (pixels) come to lie at s: a thin-plate spline (Bookstein 1989) on a coarse grid.

    Eight anchors on the border stay where they are.
    """
    b, size = len(x), x.shape[-1]
    edge = torch.tensor([[i, j] for i in (0.0, 0.5, 1.0) for j in (0.0, 0.5, 1.0) if (i, j) != (0.5, 0.5)])
    c = torch.cat([s / size, edge.expand(b, 8, 2)], 1)
    d = torch.cat([(q - s) / size, torch.zeros(b, 8, 2)], 1)
    n = c.shape[1]
    radial = lambda r2: r2 * torch.log(r2.clamp(min=1e-9))
    distance = lambda u, v: ((u[:, :, None] - v[:, None]) ** 2).sum(3)
    ones = torch.ones(b, n, 1)
    m = torch.zeros(b, n + 3, n + 3)
    m[:, :n, :n] = radial(distance(c, c)) + 2e-3 * torch.eye(n)      # smoothed: neighbouring points disagree by their noise
    m[:, :n, n:] = torch.cat([ones, c], 2)
    m[:, n:, :n] = m[:, :n, n:].transpose(1, 2)
    w = torch.linalg.solve(m, torch.cat([d, torch.zeros(b, 3, 2)], 1))
    ax = (torch.arange(cells) + 0.5) / cells
    g = torch.stack(torch.meshgrid(ax, ax, indexing="xy"), 2).reshape(1, -1, 2).expand(b, -1, 2)
    moved = radial(distance(g, c)) @ w[:, :n] + torch.cat([torch.ones(b, cells * cells, 1), g], 2) @ w[:, n:]
    moved = F.interpolate(moved.transpose(1, 2).view(b, 2, cells, cells), size=(size, size), mode="bilinear", align_corners=False)
    ax = (torch.arange(size) + 0.5) / size
    grid = 2 * (torch.stack(torch.meshgrid(ax, ax, indexing="xy"), 2)[None] + moved.permute(0, 2, 3, 1)) - 1
    return F.grid_sample(x, grid, "bilinear", "border", align_corners=False)


# ---------------------------------------------------------------- sensor and clutter

def occlude(x, p=0.25):
    """Soft boxes and ellipses of another level over part of the window (hands, phones, hair, picture overlays)."""
    b, size = len(x), x.shape[-1]
    u = torch.linspace(-1, 1, size)
    xx, yy = u[None, None, None, :], u[None, None, :, None]
    lo, hi = x.amin((2, 3), True), x.amax((2, 3), True)
    for _ in range(2):
        a = uniform(b, 0, math.pi)
        cx, cy = uniform(b, -0.9, 0.9), uniform(b, -0.9, 0.9)
        dx = (xx - cx) * torch.cos(a) + (yy - cy) * torch.sin(a)
        dy = -(xx - cx) * torch.sin(a) + (yy - cy) * torch.cos(a)
        rx, ry = uniform(b, 0.08, 0.4), uniform(b, 0.08, 0.3)
        power = torch.where(torch.rand(b, 1, 1, 1) < 0.5, torch.tensor(2.0), torch.tensor(8.0))
        mask = torch.sigmoid((1 - (dx / rx).abs() ** power - (dy / ry).abs() ** power) * 15) * chance(b, p)
        level = lo + (hi - lo) * uniform(b, -0.15, 1.15) + smooth_noise(b, 6, size) * (hi - lo) * 0.05
        x = x + mask * (level - x)
    return x


def low_resolution(x, smallest, p, noise=0.03, pattern=0.01):
    """Seen through a coarse sensor: fewer pixels, noise and fixed pattern at that resolution, then enlarged again.

    The batch is cut into eight groups, each with one resolution; `noise` and `pattern` are shares of the contrast.
    """
    parts, size = [], x.shape[-1]
    for part in x.chunk(8):
        b = len(part)
        span = (part.amax((2, 3), True) - part.amin((2, 3), True))
        n = int(round(math.exp(torch.empty(1).uniform_(math.log(smallest), math.log(size)).item())))
        use = torch.rand(1).item() < p and n < size
        y = F.interpolate(part, size=(n, n), mode="bilinear", align_corners=False, antialias=True) if use else part
        k = y.shape[-1]
        y = y + torch.randn_like(y) * uniform(b, 0, noise) * span
        y = y + (torch.randn(b, 1, 1, k) + torch.randn(b, 1, k, 1)) * uniform(b, 0, pattern) * span
        if use:
            y = F.interpolate(y, size=(size, size), mode="bilinear", align_corners=False)
        parts.append(y)
    return torch.cat(parts)


def gamma(x, lo=0.6, hi=1.7):
    a, z = x.amin((2, 3), True), x.amax((2, 3), True)
    y = ((x - a) / (z - a).clamp(min=1e-4)).clamp(0, 1)
    return y ** torch.exp(uniform(len(x), math.log(lo), math.log(hi)))


def cut_border(inside, p=0.12):
    """The picture ends within the window."""
    b, size = len(inside), inside.shape[-1]
    u = torch.linspace(0, 1, size)
    edge = uniform(b, 0.02, 0.25)
    side = torch.randint(0, 4, (b, 1, 1, 1))
    xx, yy = u[None, None, None, :].expand(b, 1, size, size), u[None, None, :, None].expand(b, 1, size, size)
    d = torch.where(side == 0, xx, torch.where(side == 1, 1 - xx, torch.where(side == 2, yy, 1 - yy)))
    return inside * (1 - (d < edge).float() * chance(b, p))
