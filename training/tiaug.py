"""TiAug: the thermal augmentation of Joshi et al. (SAM-CL, BMVC 2022), as a module of its own.

    tiaug.Settings()                 every range, in one place
    tiaug.apply(temperature, face)   noise and occlusions on a batch of temperatures
    tiaug.window(boxes, scale)       its geometric part

Pixel noise up to 0.1 °C; a geometric change; one, two or two connected occlusions of 1 to 40 % of the face, polygons of 2 to 30 vertices,
irregular to 10 % and spiky to 50 %, at any temperature from min - (max - min) to max + (max - min) of the picture.
Pictures that are not radiometric are taken to span SPAN degrees.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch

SPAN = 10.0      # °C from the coldest to the warmest pixel of a face's window, where the picture does not say


@dataclass
class Settings:
    noise_c: float = 0.1               # standard deviation of the pixel noise is 0 to this
    area: tuple = (0.01, 0.40)         # of the face
    vertices: tuple = (2, 30)
    irregularity: float = 0.10         # share by which the angles between vertices vary
    spikiness: float = 0.50            # share by which their distances from the centre vary
    kinds: tuple = ("one", "two", "connected")
    share: float = 0.5                 # of the pictures that get occlusions
    turn: float = 15.0                 # degrees
    zoom: tuple = (0.85, 1.18)
    shift: float = 0.08                # of the box


def polygon(centre, radius, s, rng):
    """Vertices around a centre. Two make a bar: a line cannot have an area."""
    n = rng.integers(s.vertices[0], s.vertices[1] + 1)
    step = 2 * math.pi / n
    angle = step * (np.arange(n) + rng.uniform(-s.irregularity, s.irregularity, n)) + rng.uniform(0, 2 * math.pi)
    r = np.clip(rng.normal(radius, s.spikiness * radius * rng.random(), n), 0, 2 * radius)
    p = np.array(centre) + r[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    if n == 2:
        along = p[1] - p[0]
        across = np.array([-along[1], along[0]]) * (0.15 + 0.25 * rng.random())
        p = np.stack([p[0] - across / 2, p[1] - across / 2, p[1] + across / 2, p[0] + across / 2])
    return p


def scaled(p, area):
    """The polygon about its centre, of that area."""
    x, y = p[:, 0], p[:, 1]
    own = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    c = p.mean(0)
    return c + (p - c) * math.sqrt(area / max(own, 1e-6))


def occlusions(face, s, rng):
    """Masks [h, w] u8 of one picture's occlusions. face: its mask, 0 to 1."""
    h, w = face.shape
    total = float(face.sum())
    where = np.argwhere(face > 0.5)
    if total < 16 or not len(where):
        return []
    kind = s.kinds[rng.integers(len(s.kinds))]
    share = rng.uniform(*s.area)
    parts = 1 if kind == "one" else 2
    cut = [1.0] if parts == 1 else [k := rng.uniform(0.3, 0.7), 1 - k]
    shapes, centres = [], []
    for c in cut:
        y, x = where[rng.integers(len(where))]
        area = share * c * total
        shapes.append(scaled(polygon((x, y), math.sqrt(area / math.pi), s, rng), area))
        centres.append((x, y))
    masks = []
    for p in shapes:
        m = np.zeros((h, w), np.uint8)
        cv2.fillPoly(m, [np.rint(p * 8).astype(np.int32)], 255, cv2.LINE_AA, shift=3)
        masks.append(m)
    if kind == "connected":            # one thing: both, and a bar between them
        m = np.maximum(*masks)
        width = max(1, int(0.25 * math.sqrt(share * total)))
        cv2.line(m, tuple(map(int, centres[0])), tuple(map(int, centres[1])), 255, width, cv2.LINE_AA)
        masks = [m]
    # What is drawn, the bar and twice covered parts included, stays within the bound.
    limit = s.area[1] * total
    while sum(float(m.sum()) / 255 for m in masks) > limit:
        masks = [cv2.erode(m, np.ones((3, 3), np.uint8)) for m in masks]
    return masks


def apply(x, face, settings=Settings(), rng=None, span_c=SPAN):
    """x [B, 1, h, w]: temperatures in any unit, whose range within a picture stands for `span_c` degrees; face: masks, 0 to 1."""
    rng = rng or np.random.default_rng(np.random.randint(2 ** 31))
    lo, hi = x.amin((2, 3), True), x.amax((2, 3), True)
    span = hi - lo
    out = x + torch.randn_like(x) * torch.rand(len(x), 1, 1, 1) * settings.noise_c * span / span_c
    for i in np.nonzero(rng.random(len(x)) < settings.share)[0]:
        for m in occlusions(face[i, 0].numpy(), settings, rng):
            level = float(lo[i] + span[i] * rng.uniform(-1, 2))
            k = torch.from_numpy(m.astype(np.float32) / 255)
            out[i, 0] += k * (level - out[i, 0])
    return out


def window(boxes, scale, settings=Settings(), mirror=True):
    """The geometric part: turned, scaled, shifted, mirrored input windows around boxes [B, 4]."""
    import augment as A
    b, s = len(boxes), settings
    span = (boxes[:, 2:] - boxes[:, :2]).max(1).values
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + (torch.rand(b, 2) * 2 - 1) * s.shift * span[:, None]
    side = scale * span * torch.exp(torch.empty(b).uniform_(math.log(s.zoom[0]), math.log(s.zoom[1])))
    angle = (torch.rand(b) * 2 - 1) * math.radians(s.turn)
    flip = torch.where(torch.rand(b) < 0.5, -torch.ones(b), torch.ones(b)) if mirror else torch.ones(b)
    return A.Window(centre, side, angle, flip)
