"""The segmentation recipe (system C): classes of a face's window, drawn from the 68 points as `thermoface eval segmentation` draws the truth.

Loss: cross-entropy, and SAM-CL (Joshi et al. 2022): an auxiliary network reads class maps at several scales; the predicted map shall be near the
true one and farther, by a margin, from one whose classes were swapped. The swap is self-adversarial: two classes that the network itself confuses.
"""

import cv2
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import augment as A
from points import SCALE, SIZE, Points

CLASSES = ["background", "skin", "brows", "eyes", "nose", "mouth"]
CELLS = 48
BROW_HALF = 0.04                 # as cli/eval_segmentation.c: half a brow's thickness in distances of the outer eye corners


def outlines(p):
    """[(class, polygon)] from 68 points, later over earlier: docs/landmarks.md, cli/eval_segmentation.c."""
    r = (p[45] - p[36]) * BROW_HALF
    d = np.array([-r[1], r[0]], p.dtype)
    brow = lambda a: np.vstack([p[a:a + 5] - d, (p[a:a + 5] + d)[::-1]])
    return [(1, np.vstack([p[0:17], p[26:16:-1]])), (2, brow(17)), (2, brow(22)), (3, p[36:42]), (3, p[42:48]),
            (4, np.vstack([p[27:28], p[31:36]])), (5, p[48:60])]


def inside(polygon, x, y):
    """Even-odd rule at points x, y, as the C code has it."""
    a, b = polygon, np.roll(polygon, 1, 0)
    out = np.zeros(np.broadcast(x, y).shape, bool)
    for (ax, ay), (bx, by) in zip(a, b):
        crosses = (ay <= y) != (by <= y)
        if ay != by:
            out ^= crosses & (x >= ax + (y - ay) * (bx - ax) / (by - ay))
    return out


def drawn(u, cells=CELLS):
    """Class map [cells, cells] of points u [68, 2] in 0..1 of the window, decided at the cells' centres."""
    at = (np.arange(cells, dtype=np.float32) + 0.5) / cells
    x, y = at[None, :], at[:, None]
    out = np.zeros((cells, cells), np.uint8)
    for k, polygon in outlines(u):
        # Only the cells under the polygon's box can change.
        lo = np.clip(np.floor(polygon.min(0) * cells).astype(int), 0, cells)
        hi = np.clip(np.ceil(polygon.max(0) * cells).astype(int) + 1, 0, cells)
        part = inside(polygon, x[:, lo[0]:hi[0]], y[lo[1]:hi[1]])
        out[lo[1]:hi[1], lo[0]:hi[0]][part] = k
    return out


def sketched(u, cells=CELLS, fine=8):
    """`drawn` by OpenCV on a grid eight times as fine, for training: a few cells on edges differ, at a fraction of the time."""
    big = np.zeros((cells * fine, cells * fine), np.uint8)
    for k, polygon in outlines(u):
        cv2.fillPoly(big, [np.rint((polygon * cells * fine - 0.5) * 16).astype(np.int32)], k, cv2.LINE_8, shift=4)
    return big[fine // 2::fine, fine // 2::fine]


class Auxiliary(nn.Module):
    """Reads a class map (one-hot or probabilities) at three scales."""

    def __init__(self, n):
        super().__init__()
        down = lambda: nn.Sequential(nn.utils.spectral_norm(nn.Conv2d(n, n, 3, 2, 1)), nn.BatchNorm2d(n), nn.ReLU())
        self.down = nn.ModuleList([down(), down(), down()])

    def forward(self, x):
        out = [x]
        for d in self.down:
            out.append(d(out[-1]))
        return out


class Regions(Points):
    def __init__(self, cfg):
        super().__init__(cfg)
        self.auxiliary = Auxiliary(len(CLASSES))
        self.optimiser = torch.optim.Adam(self.auxiliary.parameters(), lr=1e-3)

    def batch(self, index):
        x, u, weight, face = super().batch(index)
        return x, u, weight, face, torch.from_numpy(np.stack([sketched(p) for p in u.numpy()])).long()

    def swapped(self, truth, logits):
        """The truth with two classes exchanged in each picture: one at random among those there, and what the network most takes it for."""
        n = len(CLASSES)
        p = F.softmax(logits.detach().float(), 1)
        one = F.one_hot(truth, n).permute(0, 3, 1, 2).float()
        confused = torch.einsum("bihw,bjhw->bij", one, p) / one.sum((2, 3)).clamp(min=1)[:, :, None]
        confused = confused * (1 - torch.eye(n)) + 1e-6
        a = torch.multinomial((one.sum((2, 3)) > 0).float(), 1)[:, 0]
        b = confused[torch.arange(len(a)), a].argmax(1)
        out = truth.clone()
        va, vb = a[:, None, None], b[:, None, None]
        out = torch.where(truth == va, vb.expand_as(truth), out)
        return torch.where(truth == vb, va.expand_as(truth), out)

    def contrast(self, predicted, true, false, margin=0.5):
        total = 0
        for p, t, f in zip(self.auxiliary(predicted), self.auxiliary(true), self.auxiliary(false)):
            near, far = (p - t).abs().mean((1, 2, 3)), (p - f).abs().mean((1, 2, 3))
            scale = (t.detach() - f.detach()).abs().mean((1, 2, 3)).clamp(min=1e-3)       # what a whole swap amounts to
            total = total + F.relu((near - far) / scale + margin).mean()
        return total / 4

    def loss(self, net, batch):
        logits = net(batch[0])[0].float()
        truth = batch[4]
        n = len(CLASSES)
        loss = F.cross_entropy(logits, truth, weight=torch.tensor([1.0, 1.0, 2.0, 2.0, 1.5, 1.5]))
        if self.cfg.samcl and net.training:
            one = lambda t: F.one_hot(t, n).permute(0, 3, 1, 2).float()
            # The auxiliary learns from the same loss: it steps on what the last call's backward pass left.
            self.optimiser.step()
            self.optimiser.zero_grad()
            loss = loss + self.cfg.samcl * self.contrast(F.softmax(logits, 1), one(truth), one(self.swapped(truth, logits)))
        return loss

    @torch.no_grad()
    def score(self, net):
        """Mean intersection over union over all cells of all windows, as `thermoface eval segmentation`."""
        net.eval()
        s, n = self.val, len(CLASSES)
        table = np.zeros((n, n), np.int64)
        for i in range(0, len(s), 64):
            win = A.box_window(s.boxes[i:i + 64], SCALE)
            x, inner = win.sample(torch.from_numpy(s.images[i:i + 64]).float()[:, None], SIZE, 2)
            y = net(A.to_u8(A.percentile_tone(x, inner, step=1)))[0].argmax(1).numpy()
            u = win.to_window(s.points[i:i + 64]).numpy()
            for k in range(len(u)):
                np.add.at(table, (drawn(u[k]).ravel(), y[k].ravel()), 1)
        both = np.diag(table)
        iou = 100 * both / np.maximum(table.sum(0) + table.sum(1) - both, 1)
        return {"miou": float(iou.mean()), **{f"iou_{c}": float(v) for c, v in zip(CLASSES, iou)}}

    def metadata(self, model, report):
        return {"tf.task": "segmentation", "tf.crop": f"square scale={SCALE}", "tf.normalise": "percentile lo=1 hi=99 apart=20 skin_max_c=42",
                "tf.decode": "argmax", "tf.classes": " ".join(CLASSES)}
