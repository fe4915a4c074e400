"""The face finder's recipe: made-up scenes with 0 to 5 labelled faces, the loss, and the scores.

Scenes are of three kinds: faces with a thermal look stood into real empty thermal frames or made-up ones, untouched photographs
at many scales, and mosaics of photographs. The label of a face is the tight box of its 68 points.
"""

import math
import random

import numpy as np
import torch
import torch.nn.functional as F

import augment as A
import labels
import nothing
from data import Thermal6, tight_box, visible68

SIZE, STRIDE = 160, 8
CELLS = SIZE // STRIDE
SLOTS = 5
KEEP = 4000                 # scenes kept for drawing again
# Empty stretches of these recordings are kept out of training, so that false faces can be counted on unseen ones.
HELD_OUT = ["20210326-091927", "20210401-132636", "20210610-091608", "20210914-081748"]


def shrink(images, k):
    n, h, w = images.shape
    return images.reshape(n, h // k, k, w // k, k).mean((2, 4)).astype(np.uint8)


class Finder:
    name = "finder"

    def __init__(self, cfg):
        self.cfg = cfg
        self.train = visible68("train", limit=256 if cfg.quick else None)
        self.val = visible68("val", limit=128 if cfg.quick else None)
        self.thermal = Thermal6()
        self.use(self.train)
        self.names = sorted({r for r, _, _ in self.thermal.negatives()})
        frames, real = self.thermal.negative_frames([r for r in self.names if r not in HELD_OUT])
        more = nothing.clips()
        # As many of each clip as of an empty stretch: the frames of one differ little.
        frames, real = labels.stacked([*(f[:h, :w] for f, (w, h) in zip(frames, real.astype(int))),
                                       *(f for clip in more.values() for f in clip[::3])])
        self.empty, self.empty_size = torch.from_numpy(frames).float(), torch.from_numpy(real)
        self.pseudo = None
        if cfg.pseudo:
            z = np.load(cfg.pseudo[0])
            self.pseudo = {k: torch.from_numpy(z[k]) for k in ("frames", "points")}
        self.steps = len(self.train) // (cfg.batch * cfg.processes)
        self.kept = []

    def use(self, faces):
        """Scenes are made of these from here on."""
        self.train = faces
        self.points = torch.from_numpy(faces.points)
        self.levels = [(torch.from_numpy(shrink(faces.images, k)), torch.from_numpy(shrink(faces.masks, k)), k) for k in (2, 4)]

    def epoch(self):
        """A scene costs more to make than to learn from: a quarter of a batch is new, the rest is drawn, mirrored at random,
        from the last few thousand."""
        b, fresh = self.cfg.batch, max(8, self.cfg.batch // 4)
        for _ in range(self.steps):
            x, boxes = self.batch(fresh)
            if len(self.kept) >= KEEP // fresh:
                self.kept.pop(random.randrange(KEEP // fresh // 4))
            self.kept.append(((x * 255).to(torch.uint8), boxes))
            xs, bs = [x], [boxes]
            for _ in range(b // fresh - 1):
                x, boxes = random.choice(self.kept)
                xs.append(x.flip(3).float() / 255)
                f = boxes.clone()
                f[..., 0], f[..., 2] = SIZE - 1 - boxes[..., 2], SIZE - 1 - boxes[..., 0]
                bs.append(f)
                if random.random() < 0.5:
                    xs[-1], bs[-1] = x.float() / 255, boxes
            yield torch.cat(xs), torch.cat(bs)

    # ------------------------------------------------------------ placing

    def place(self, index, centre, span, level, size=SIZE):
        """Windows that bring the faces `index` to `centre` (pixels of the canvas) with a box of `span` pixels."""
        k = self.levels[level][2]
        q = (self.points[index] + 0.5) / k - 0.5
        box = torch.cat([q.amin(1), q.amax(1)], 1)
        face = (box[:, :2] + box[:, 2:]) / 2
        wide = (box[:, 2:] - box[:, :2]).max(1).values
        b = len(index)
        angle = (torch.randn(b) * 12).clamp(-40, 40) * math.pi / 180
        mirror = torch.where(torch.rand(b) < 0.5, -torch.ones(b), torch.ones(b))
        side = size * wide / span
        win = A.Window(face, side, angle, mirror)
        d = ((centre + 0.5) / size - 0.5) * side[:, None]
        dx, dy = d[:, 0] * mirror, d[:, 1]
        win.centre = face - torch.stack([win.cos * dx - win.sin * dy, win.sin * dx + win.cos * dy], 1)
        return win, q

    def pictures(self, index, level):
        img, mask, _ = self.levels[level]
        return img[index].float()[:, None] / 255, mask[index].float()[:, None] / 255

    def canvas_box(self, win, q, size=SIZE):
        u = win.to_window(q) * size - 0.5
        return torch.cat([u.amin(1), u.amax(1)], 1), u

    # ------------------------------------------------------------ scenes

    def background(self, b, nearest=0.5):
        """Scene temperatures: 0 about room, 1 about skin. Half real empty frames, half made up; both with clutter."""
        pick = torch.randint(0, len(self.empty), (b,))
        size = self.empty_size[pick]
        short = size.amin(1)
        # Half to 1.4 of the shorter side: 60 to 170 pixels of a camera of 160 x 120.
        side = torch.exp(torch.empty(b).uniform_(math.log(nearest), math.log(1.42))) * short
        win = A.Window((size - 1) / 2 + (torch.rand(b, 2) - 0.5) * (0.5 * short)[:, None], side, torch.randn(b) * 0.1, torch.sign(torch.randn(b)))
        real, inside = win.sample(self.empty[pick][:, None], SIZE, real=size)
        skin = A.uniform(b, 30450, 30900)
        real = (real - 29850) / (skin - 29850)
        made = A.uniform(b, -0.3, 0.6) + A.smooth_noise(b, 4, SIZE) * A.uniform(b, 0, 0.25) \
            + A.smooth_noise(b, 16, SIZE) * A.uniform(b, 0, 0.1)
        real = torch.where(inside > 0, real, made)
        t = torch.where(torch.rand(b, 1, 1, 1) < 0.6, real, made)
        return self.clutter(t, 2, 0.4)

    def clutter(self, t, count, p):
        """Discs, boxes and bars of any temperature, the hot reference disc among them."""
        b = len(t)
        u = torch.arange(SIZE, dtype=torch.float32)
        xx, yy = u[None, None, None, :], u[None, None, :, None]
        for _ in range(count):
            a = A.uniform(b, 0, math.pi) * A.chance(b, 0.5)
            dx, dy = xx - A.uniform(b, 0, SIZE), yy - A.uniform(b, 0, SIZE)
            x, y = dx * torch.cos(a) + dy * torch.sin(a), -dx * torch.sin(a) + dy * torch.cos(a)
            disc = A.chance(b, 0.5)
            rx = torch.exp(A.uniform(b, math.log(3), math.log(40)))
            ry = torch.where(disc > 0, rx * A.uniform(b, 0.8, 1.25), torch.exp(A.uniform(b, math.log(3), math.log(60))))
            d = torch.where(disc > 0, (x / rx) ** 2 + (y / ry) ** 2, torch.maximum((x / rx).abs(), (y / ry).abs()))
            mask = torch.sigmoid((1 - d) * 12) * A.chance(b, p)
            t = t + mask * (A.uniform(b, -0.2, 1.35) + A.smooth_noise(b, 5, SIZE) * 0.04 - t)
        return t

    def thermal_scenes(self, b):
        t = self.background(b)
        boxes = torch.full((b, SLOTS, 4), float("nan"))
        # Far faces first, then a near one in front of them.
        for slot, (level, lo, hi, p) in enumerate([(1, 14, 48, 0.3), (0, 24, 60, 0.45), (0, 30, 130, 0.6)]):
            index = torch.randint(0, len(self.train), (b,))
            span = torch.exp(torch.empty(b).uniform_(math.log(lo), math.log(hi)))
            win, q = self.place(index, torch.rand(b, 2) * torch.tensor([SIZE, SIZE]), span, level)
            on = torch.rand(b) < p
            box, u = self.canvas_box(win, q)
            boxes = hide(boxes, box, on)
            boxes[on, slot] = box[on]
            if on.any():
                g, m = self.pictures(index[on], level)
                win = A.Window(win.centre[on], win.side[on], torch.atan2(win.sin, win.cos)[on], win.mirror[on])
                g, _ = win.sample(g, SIZE)
                m, ins = win.sample(m, SIZE)
                t[on], _ = A.thermal_look(g, m * ins, u[on], background=t[on])
        t = self.clutter(t, 1, 0.15)
        flip = A.chance(b, 0.05)
        return t * (1 - flip) + (1 - t) * flip, boxes

    def photograph_scenes(self, b):
        """One photograph, whole, on a canvas that it may not fill."""
        index = torch.randint(0, len(self.train), (b,))
        span = torch.exp(torch.empty(b).uniform_(math.log(22), math.log(140)))
        win, q = self.place(index, torch.rand(b, 2) * 90 + 35, span, 0)
        g, _ = self.pictures(index, 0)
        x, ins = win.sample(g, SIZE)
        box, _ = self.canvas_box(win, q)
        back = torch.where(torch.rand(b, 1, 1, 1) < 0.5, self.background(b).clamp(0, 1), A.uniform(b, 0, 1).expand(b, 1, SIZE, SIZE))
        x = torch.where(ins > 0, x, back)
        boxes = torch.full((b, SLOTS, 4), float("nan"))
        boxes[:, 0] = box
        return x, boxes

    def mosaic_scenes(self, b):
        """Four photographs: small faces among real texture."""
        boxes = torch.full((b, SLOTS, 4), float("nan"))
        half, tiles = SIZE // 2, []
        for i in range(4):
            index = torch.randint(0, len(self.train), (b,))
            span = torch.exp(torch.empty(b).uniform_(math.log(16), math.log(60)))
            win, q = self.place(index, torch.rand(b, 2) * 50 + 15, span, 1 if i % 2 else 0, half)
            g, _ = self.pictures(index, 1 if i % 2 else 0)
            x, ins = win.sample(g, half)
            tiles.append(x * ins + (1 - ins) * A.uniform(b, 0, 1))
            off = torch.tensor([half * (i % 2), half * (i // 2)] * 2, dtype=torch.float32)
            box, _ = self.canvas_box(win, q, half)
            c = (box[:, :2] + box[:, 2:]) / 2
            ok = ((c > 2) & (c < half - 2)).all(1)
            boxes[ok, i] = (box + off)[ok]
        return torch.cat([torch.cat(tiles[:2], 3), torch.cat(tiles[2:], 3)], 2), boxes

    def nothing_scenes(self, b):
        """No face, and what looks most like one: a third are faces in pieces, the others rooms and gardens from near and far."""
        t = nothing.scenes(self.background(b, nearest=0.25))
        rows = (torch.rand(b) < 0.33).nonzero().flatten()
        for i in rows.tolist():
            index = torch.randint(0, len(self.train), (1,))
            span = torch.exp(torch.empty(1).uniform_(math.log(24), math.log(100)))
            win, q = self.place(index, torch.rand(1, 2) * 60 + 50, span, 0)
            g, m = self.pictures(index, 0)
            g, _ = win.sample(g, SIZE)
            m, ins = win.sample(m, SIZE)
            _, u = self.canvas_box(win, q)
            whole = A.thermal_look(g, m * ins, u, background=t[i:i + 1])[0] if torch.rand(1) < 0.7 else torch.where(ins > 0, g, t[i:i + 1])
            broken = nothing.pieces(whole, u)
            if broken is not None:
                t[i:i + 1] = broken
        flip = A.chance(b, 0.1)
        return t * (1 - flip) + (1 - t) * flip, torch.full((b, SLOTS, 4), float("nan"))

    def real_scenes(self, b):
        """Real thermal frames with the faces that a landmark network marked on them."""
        pick = torch.randint(0, len(self.pseudo["frames"]), (b,))
        f = self.pseudo["frames"][pick].float()[:, None]
        side = torch.exp(torch.empty(b).uniform_(math.log(75), math.log(210)))
        centre = torch.tensor([59.5, 79.5]) + torch.randn(b, 2) * 20
        win = A.Window(centre, side, torch.randn(b) * 0.12, torch.sign(torch.randn(b)))
        x, ins = win.sample(f, SIZE)
        p = self.pseudo["points"][pick]                                     # [b, K, 68, 2], NaN where fewer faces
        boxes = torch.full((b, SLOTS, 4), float("nan"))
        for i in range(p.shape[1]):
            u = win.to_window(p[:, i]) * SIZE - 0.5
            boxes[:, i] = torch.cat([u.amin(1), u.amax(1)], 1)
        x = (x - 29850) / (30700 - 29850)
        made = A.uniform(b, -0.3, 0.6).expand_as(x)
        fill = torch.rand(b, 1, 1, 1) < 0.5
        keep = torch.where(fill, torch.ones_like(ins), ins)
        return torch.where(ins > 0, x, made), boxes, keep

    def batch(self, b):
        real = b // 4 if self.pseudo is not None else 0
        none = max(1, (b - real) // 6)
        n1, n2 = (b - real - none) * 5 // 8, (b - real - none) * 2 // 8
        parts = [self.nothing_scenes(none), self.thermal_scenes(n1), self.photograph_scenes(n2), self.mosaic_scenes(b - real - none - n1 - n2)]
        n1 += none
        x = torch.cat([p[0] for p in parts])
        x = torch.cat([A.low_resolution(x[:n1], 90, 0.5, 0.04, 0.02), A.low_resolution(x[n1:], 90, 0.4, 0.05, 0.01)])
        boxes = torch.cat([p[1] for p in parts])
        inside = letterbox(b - real)
        if real:
            xr, br, ir = self.real_scenes(real)
            x, boxes, inside = torch.cat([x, A.low_resolution(xr, 100, 0.3, 0.02, 0.01)]), torch.cat([boxes, br]), torch.cat([inside, ir])
        x = A.percentile_tone(A.gamma(x, 0.65, 1.6), inside)
        boxes = drop_outside(boxes, inside)
        shuffle = torch.randperm(b)
        return A.to_u8(x)[shuffle], boxes[shuffle]

    def marks(self, batch):
        return [[r for r in rows if np.isfinite(r[0])] for rows in batch[1].numpy()]

    # ------------------------------------------------------------ learning

    def loss(self, net, batch):
        x, boxes = batch
        heat, dist = [o.float() for o in net(x)]
        return finder_loss(heat, dist, boxes)

    def score(self, net):
        return score(net, self.thermal, self.val)


def hide(boxes, front, on):
    """A face mostly behind the one in front of it is no face any more."""
    w = torch.minimum(boxes[..., 2], front[:, None, 2]) - torch.maximum(boxes[..., 0], front[:, None, 0])
    h = torch.minimum(boxes[..., 3], front[:, None, 3]) - torch.maximum(boxes[..., 1], front[:, None, 1])
    area = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    covered = (w.clamp(min=0) * h.clamp(min=0)) / area > 0.25
    boxes[covered & on[:, None]] = float("nan")
    return boxes


def letterbox(b):
    """Which part of the square a picture of a usual shape covers."""
    ratio = torch.tensor([0.75, 0.75, 1.3333, 1.3333, 1.25, 1.7778, 1.0])[torch.randint(0, 7, (b,))]
    u = (torch.arange(SIZE) + 0.5) / SIZE - 0.5
    w, h = ratio.clamp(max=1) / 2, (1 / ratio).clamp(max=1) / 2
    return ((u.abs()[None, None, None, :] <= w[:, None, None, None]) & (u.abs()[None, None, :, None] <= h[:, None, None, None])).float()


def drop_outside(boxes, inside):
    """Faces whose middle is out of the picture are no targets."""
    c = ((boxes[..., :2] + boxes[..., 2:]) / 2)
    i = torch.nan_to_num(c, nan=-1.0).round().long()
    ok = (i >= 0).all(-1) & (i < SIZE).all(-1)
    i = i.clamp(0, SIZE - 1)
    ok &= inside[torch.arange(len(boxes))[:, None], 0, i[..., 1], i[..., 0]] > 0
    return torch.where(ok[..., None], boxes, torch.full_like(boxes, float("nan")))


def finder_loss(heat, dist, boxes):
    """CenterNet's focal loss on the centre map; generalised IoU of the boxes at and beside the centres."""
    b, _, h, w = heat.shape
    ok = torch.isfinite(boxes).all(2)
    bx = torch.nan_to_num(boxes, nan=0.0)
    c = ((torch.arange(w) + 0.5) * STRIDE - 0.5)
    cx, cy = c[None, None, None, :], c[None, None, :, None]
    mid = (bx[..., :2] + bx[..., 2:]) / 2
    span = (bx[..., 2:] - bx[..., :2]).clamp(min=1)
    sig = (0.11 * span).clamp(min=0.55 * STRIDE)
    g = torch.exp(-((cx - mid[..., 0, None, None]) ** 2 / (2 * sig[..., 0, None, None] ** 2)
                    + (cy - mid[..., 1, None, None]) ** 2 / (2 * sig[..., 1, None, None] ** 2))) * ok[..., None, None]
    # The cell nearest to a centre is a plain positive.
    top = g.flatten(2).max(2).values[..., None, None]
    g = torch.where((g >= top) & ok[..., None, None], torch.ones_like(g), g)
    y, owner = g.max(1)
    z = heat[:, 0]
    p = torch.sigmoid(z)
    pos = (y == 1).float()
    n = pos.sum().clamp(min=1)
    ce_pos, ce_neg = F.softplus(-z), F.softplus(z)
    focal = (pos * (1 - p) ** 2 * ce_pos + (1 - pos) * (1 - y) ** 4 * p ** 2 * ce_neg).sum() / n

    near = (y > 0.45).float()
    t = bx.gather(1, owner.flatten(1)[..., None].expand(-1, -1, 4)).view(b, h, w, 4)
    l, tt, r, bt = [d * STRIDE for d in dist.unbind(1)]
    x0, y0, x1, y1 = cx[:, 0] - l, cy[:, 0] - tt, cx[:, 0] + r, cy[:, 0] + bt
    iw = (torch.minimum(x1, t[..., 2]) - torch.maximum(x0, t[..., 0])).clamp(min=0)
    ih = (torch.minimum(y1, t[..., 3]) - torch.maximum(y0, t[..., 1])).clamp(min=0)
    ti = (t[..., 2] - t[..., 0]) * (t[..., 3] - t[..., 1])
    pi = (x1 - x0).clamp(min=0) * (y1 - y0).clamp(min=0)
    union = (ti + pi - iw * ih).clamp(min=1)
    hull = ((torch.maximum(x1, t[..., 2]) - torch.minimum(x0, t[..., 0])).clamp(min=1)
            * (torch.maximum(y1, t[..., 3]) - torch.minimum(y0, t[..., 1])).clamp(min=1))
    giou = 1 - iw * ih / union + (hull - union).clamp(min=0) / hull
    side = (t[..., 2:] - t[..., :2]).amax(-1).clamp(min=8)
    l1 = ((x0 - t[..., 0]).abs() + (y0 - t[..., 1]).abs() + (x1 - t[..., 2]).abs() + (y1 - t[..., 3]).abs()) / side
    box = ((giou + 0.5 * l1) * near).sum() / near.sum().clamp(min=1)
    return focal + 2 * box


# ---------------------------------------------------------------- reading and scoring

@torch.no_grad()
def find(net, pictures, threshold=0.5, min_span=1.0):
    """pictures [B, 1, H, W] float → per picture a list of (score, left, top, right, bottom), best first."""
    b, _, h, w = pictures.shape
    side = max(w, h)
    win = A.Window(torch.tensor([[(w - 1) / 2, (h - 1) / 2]]).repeat(b, 1), torch.full((b,), float(side)), torch.zeros(b))
    n = min(8, max(1, math.ceil(side / SIZE)))
    x, inside = win.sample(pictures, SIZE, n)
    x = A.to_u8(A.percentile_tone(x, inside, min_span=min_span, step=1))
    heat, dist = [o.float() for o in net(x)]
    s = torch.sigmoid(heat)
    peak = (F.max_pool2d(s, 3, 1, 1) == s) & (s >= threshold)
    k = side / SIZE
    out = []
    for i in range(b):
        rows = []
        for r, c in peak[i, 0].nonzero().tolist():
            l, t, rr, bb = (dist[i, :, r, c] * STRIDE).tolist()
            x0, y0 = (c + 0.5) * STRIDE - 0.5, (r + 0.5) * STRIDE - 0.5
            to = lambda v, full: ((v + 0.5) / SIZE - 0.5) * side + (full - 1) / 2
            rows.append((s[i, 0, r, c].item(), to(x0 - l, w), to(y0 - t, h), to(x0 + rr, w), to(y0 + bb, h)))
        rows.sort(reverse=True)
        keep = []
        for a in rows:
            if all(iou(a[1:], z[1:]) < 0.4 for z in keep):
                keep.append(a)
        out.append(keep)
    return out


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)


def score(net, thermal, visible, threshold=0.5):
    """Frame by frame, no tracker: thermal6 faces whose box is found, false faces on empty frames, visible faces."""
    net.eval()
    notes = thermal.annotations()
    pics = torch.from_numpy(np.stack([thermal.frames(a.rec)[a.frame] for a in notes]).astype(np.float32))[:, None]
    from landmarks import thermal_boxes
    ref = thermal_boxes(notes).tolist()
    found, overlaps = 0, []
    for a, r, got in zip(notes, ref, find(net, pics, threshold)):
        best = max([iou(r, g[1:]) for g in got], default=0.0)
        found += best > 0.4
        overlaps.append(best)

    def false_faces(recs):
        n, k = 0, 0
        f = thermal.negative_frames(recs)[0]
        for i in range(0, len(f), 64):
            got = find(net, torch.from_numpy(f[i:i + 64].astype(np.float32))[:, None], threshold)
            n, k = n + sum(len(g) for g in got), k + len(got)
        return 1000.0 * n / k

    out = {"t_found": 100.0 * found / len(notes), "t_iou": float(np.mean(overlaps)),
           "false_unseen": false_faces(HELD_OUT), "false_all": false_faces(None)}
    boxes, hit, extra = tight_box(visible.points), 0, 0
    ov = []
    for i in range(0, len(visible), 64):
        g = torch.from_numpy(visible.images[i:i + 64]).float()[:, None]
        for b, got in zip(boxes[i:i + 64], find(net, g, threshold)):
            best = max([iou(b, z[1:]) for z in got], default=0.0)
            hit += best > 0.4
            ov.append(best)
            extra += max(0, len(got) - 1)
    out.update(v_found=100.0 * hit / len(visible), v_iou=float(np.mean(ov)), v_extra=100.0 * extra / len(visible))
    return out
