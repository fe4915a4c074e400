"""The recipe of every network that gives coordinates (systems A, B, D, E): batches, loss, scores, metadata.

What differs from one to the next stands in recipes/NAME.json: network, order of the points, augmentation, starting weights.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F

import adapters
import augment as A
import orders
import tiaug
from data import Thermal6, labels_right

SIZE, SCALE = 96, 1.3        # crop = tight box of the 68 points x 1.3


def clahe(x, limit, tiles):
    """Contrast-limited adaptive histogram equalisation of u8-rounded pictures [B, 1, h, w] (`clahe` of tf.normalise)."""
    op = cv2.createCLAHE(limit, (tiles, tiles))
    u8 = (x * 255).round().to(torch.uint8).numpy()
    return torch.from_numpy(np.stack([op.apply(p[0]) for p in u8])[:, None]).float() / 255


class Source:
    """All the faces of a split, as equal crops, in the recipe's order of points."""

    def __init__(self, specs, split, order, view=None, limit=None):
        parts = []
        for spec in specs:
            s = adapters.load(spec, split, limit)
            images, points, boxes = (np.stack(s.images), s.points, s.boxes) if s.name == "visible68" else s.crops()
            p68 = points if s.order == "ibug68" else np.full((len(points), 68, 2), np.nan, np.float32)
            keep = orders.in_view(p68, view) if view else np.ones(len(points), bool)
            right = labels_right(s.subject if s.name == "visible68" else [""] * len(points))
            parts.append([a[keep] for a in (images, orders.convert(points, s.order, order), p68, boxes, right)])
        images, points, p68, boxes, right = [np.concatenate(x) for x in zip(*parts)]
        self.images = images
        if split == "train":
            # Training samples once where the program takes the mean of 2 x 2: softened before, the two look alike.
            self.images = np.stack([cv2.GaussianBlur(i, (0, 0), 0.5) for i in images])
            self.masks = adapters.masks(p68)
        self.points, self.p68, self.boxes, self.right = map(torch.from_numpy, (points, p68, boxes, right))
        self.shape = np.isfinite(p68).all((1, 2))

    def __len__(self):
        return len(self.images)


class Points:
    def __init__(self, cfg):
        self.cfg, self.order = cfg, cfg.order
        self.name = cfg.recipe
        specs = cfg.data or ["visible68"]
        self.train = Source(specs, "train", self.order, cfg.view, 256 if cfg.quick else None)
        self.val = Source(specs, "val", self.order, cfg.view, 128 if cfg.quick else None)
        flip = orders.flip(self.order)
        self.mirror = cfg.mirror and flip is not None
        self.flip = None if flip is None else torch.from_numpy(flip)
        if self.mirror is False and cfg.mirror:
            print(f"{self.order}: its symmetry is not known, so nothing is mirrored")
        self.steps = max(1, len(self.train) // (cfg.batch * cfg.processes))
        self.tiaug = tiaug.Settings(share=cfg.tiaug)

    def to_window(self, win, points):
        """Points of the recipe's order in 0..1 of the window; rows of mirrored windows in the mirrored order."""
        u = win.to_window(points)
        if points.shape[1] != 68 and self.flip is not None:     # Window does the 68 itself
            u = torch.where((win.mirror < 0)[:, None, None], u[:, self.flip], u)
        return u

    def epoch(self):
        order = torch.randperm(len(self.train))
        for i in range(self.steps):
            yield self.batch(order[i * self.cfg.batch:(i + 1) * self.cfg.batch])

    def batch(self, index):
        """Gray faces; `thermal` of them with a thermal look, `tiaug` with TiAug's noise and occlusions, tone as the program gives it."""
        s, cfg, n = self.train, self.cfg, index.numpy()
        b = len(index)
        g = torch.from_numpy(s.images[n]).float()[:, None] / 255
        win = tiaug.window(s.boxes[index], SCALE, self.tiaug, self.mirror)
        x, inside = win.sample(g, SIZE)
        # Points where the picture has them; photographs learn them as labelled, mirrored or not (data.LABELS_RIGHT).
        right = torch.stack([s.right[index], torch.zeros(b)], 1)[:, None]
        u = self.to_window(win, s.points[index] - right)
        lead = right / win.side[:, None, None]
        if cfg.thermal or cfg.tiaug:
            face = win.sample(torch.from_numpy(s.masks[n]).float()[:, None] / 255, SIZE)[0]
        k = int(b * cfg.thermal)
        if k:
            k = torch.from_numpy(s.shape[n[:k]]).nonzero().flatten()
            lead[k] = 0
            q = win.to_window(s.p68[index] - right) * SIZE
            t, _ = A.thermal_look(x[k], face[k], q[k])
            x = x.clone()
            x[k] = A.low_resolution(t, 24, 0.85, 0.035, 0.012)
            turned = A.chance(len(k), 0.06)
            x[k] = A.gamma(x[k]) * (1 - turned) + (1 - A.gamma(x[k])) * turned
            inside[k] = 1
        if cfg.tiaug:
            x = tiaug.apply(x, face, self.tiaug)
        x = A.to_u8(A.percentile_tone(x, inside))
        if cfg.clahe:
            x = clahe(x, cfg.clahe, cfg.tiles)
        return x, u + lead, torch.ones(b), torch.ones(b)

    def loss(self, net, batch):
        """Mean distance per coordinate in pixels, quadratic below one; what has no label is left out."""
        u = batch[1]
        ok = torch.isfinite(u)
        d = (net(batch[0])[0].view_as(u) - torch.nan_to_num(u)) * SIZE
        return (F.smooth_l1_loss(d, torch.zeros_like(d), reduction="none") * ok).sum() / ok.sum().clamp(min=1)

    @torch.no_grad()
    def read(self, net, pictures, boxes):
        """Points in the picture [B, N, 2], as the C code reads them."""
        win = A.box_window(boxes, SCALE)
        n = int(min(8, max(1, np.ceil((win.side / SIZE).max().item()))))
        x, inside = win.sample(pictures, SIZE, n)
        x = A.to_u8(A.percentile_tone(x, inside, step=1))
        if self.cfg.clahe:
            x = clahe(x, self.cfg.clahe, self.cfg.tiles)
        return win.to_picture_plain(net(x)[0].view(len(x), -1, 2))

    @torch.no_grad()
    def score(self, net):
        net.eval()
        s, mae, mse, nme = self.val, [], [], []
        eyes = orders.outer_eyes(self.order)
        for i in range(0, len(s), 64):
            p = s.points[i:i + 64]
            r = self.read(net, torch.from_numpy(s.images[i:i + 64]).float()[:, None], s.boxes[i:i + 64])
            k = SIZE / (SCALE * (s.boxes[i:i + 64, 2:] - s.boxes[i:i + 64, :2]).max(1).values)
            d = (r - p) * k[:, None, None]
            mae.append(d.abs()[torch.isfinite(d)])
            mse.append(d.square()[torch.isfinite(d)])
            ends = s.p68[i:i + 64][:, (36, 45)] if not eyes else p[:, eyes]
            size = (ends[:, 0] - ends[:, 1]).norm(dim=1)
            nme.append(100 * torch.nanmean((r - p).norm(dim=2), 1) / size)
        nme = torch.cat(nme)
        nme = nme[torch.isfinite(nme)]
        out = {"mae": float(torch.cat(mae).mean()), "mse": float(torch.cat(mse).mean())}
        if len(nme):
            out.update(nme=float(nme.mean()), fail10=float((nme > 10).float().mean() * 100))
        if self.order in ("ibug68", "kaggle15"):
            out.update(self.score_thermal(net))
        return out

    @torch.no_grad()
    def score_thermal(self, net):
        """The hand-placed points of thermal6 that the order has, from the stand-in for the true boxes, read three times as a tracker would."""
        if not hasattr(self, "real"):
            try:
                s = adapters.load("thermal6", "test")
            except ValueError:
                self.real = None
            else:
                self.real = [torch.from_numpy(np.stack(s.images).astype(np.float32))[:, None], torch.from_numpy(s.boxes),
                             torch.from_numpy(s.points)]
        if self.real is None:
            return {}
        pictures, boxes, truth = self.real
        p = self.read(net, pictures, boxes)
        if self.order == "ibug68":
            for _ in range(2):
                p = self.read(net, pictures, torch.cat([p.amin(1), p.amax(1)], 1))
            import losses as L
            six = L.six_points(p)
        else:
            six = p[:, (1, 0, 10, 12, 11)]
            truth = truth[:, :5]
        eye = (truth[:, 0] - truth[:, 1]).norm(dim=1)
        e = 100 * torch.nanmean((six - truth).norm(dim=2), 1) / eye
        return {"t_nme": float(e.mean()), "t_fail15": float((e > 15).float().mean() * 100)}

    def metadata(self, model, report):
        tone = "percentile lo=1 hi=99" + (f" clahe={self.cfg.clahe:g} tiles={self.cfg.tiles}" if self.cfg.clahe else "")
        meta = {"tf.task": "landmarks", "tf.points": str(orders.count(self.order)), "tf.order": self.order,
                "tf.crop": f"square scale={SCALE}", "tf.normalise": tone, "tf.decode": "points"}
        if self.order in orders.FROM68 and self.order != "ibug68":
            meta["tf.from68"] = orders.FROM68[self.order]
        return meta
