"""Recipes that learn without labels: A's pretext tasks on real thermal frames, E's autoencoder.

Neither is exported: points recipes name them in `init` and take over what has the same name and shape.
"""

import numpy as np
import torch
import torch.nn.functional as F

import augment as A
import tiaug
from data import OUT
from points import SCALE, SIZE, Points

MIRROR5 = torch.tensor([1, 0, 2, 4, 3])


class Pretext:
    """Which quarter turn, which recording, and five points (eyes, nose, mouth corners) of faces that thermal_faces.py collected."""

    def __init__(self, cfg):
        self.cfg, self.name = cfg, cfg.recipe
        path = OUT / "thermal-faces.npz"
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing: training/thermal_faces.py makes it")
        z = np.load(path)
        names = sorted(set(z["rec"]))
        self.recordings = len(names)
        self.frames = torch.from_numpy(z["frames"]).float()[:, None]
        p = torch.from_numpy(z["points"])
        self.rec = torch.tensor([names.index(r) for r in z["rec"]])
        self.boxes = torch.cat([p.amin(1), p.amax(1)], 1)
        self.five = torch.stack([p[:, 36:42].mean(1), p[:, 42:48].mean(1), p[:, 30], p[:, 48], p[:, 54]], 1)
        # Neighbouring frames are alike: every tenth stretch of eight is kept for scoring.
        held = torch.from_numpy(z["index"] // 8 % 10 == 0)
        self.train, self.val = (~held).nonzero().flatten(), held.nonzero().flatten()
        if cfg.quick:
            self.train, self.val = self.train[:256], self.val[:64]
        self.steps = max(1, len(self.train) // (cfg.batch * cfg.processes)) * (1 if cfg.quick else 4)
        self.settings = tiaug.Settings(share=cfg.tiaug)

    def epoch(self):
        for _ in range(self.steps):
            yield self.batch(self.train[torch.randint(0, len(self.train), (self.cfg.batch,))])

    def batch(self, index, plain=False):
        b = len(index)
        win = A.box_window(self.boxes[index], SCALE) if plain else tiaug.window(self.boxes[index], SCALE, self.settings)
        x, inside = win.sample(self.frames[index], SIZE)
        u = win.to_window(self.five[index])
        u = torch.where((win.mirror < 0)[:, None, None], u[:, MIRROR5], u)
        if not plain and self.cfg.tiaug:
            yy, xx = torch.meshgrid(torch.linspace(-1, 1, SIZE), torch.linspace(-1, 1, SIZE), indexing="ij")
            face = ((xx / 0.7) ** 2 + (yy / 0.8) ** 2 < 1).float().expand(b, 1, -1, -1)
            x = tiaug.apply(x, face, self.settings)
        x = A.to_u8(A.percentile_tone(x, inside))
        turn = torch.arange(b) % 4
        for k in (1, 2, 3):                       # quarter turns against the clock; the points keep to the upright face
            m = turn == k
            x[m] = torch.rot90(x[m], k, (2, 3))
        return x, u, turn, (turn == 0).float(), self.rec[index]

    def loss(self, net, batch):
        rotation, recording, five = net(batch[0])
        upright = (batch[2] == 0).float()[:, None, None]
        d = F.smooth_l1_loss(five.view(-1, 5, 2) * SIZE, batch[1] * SIZE, reduction="none") * upright
        return (F.cross_entropy(rotation, batch[2]) + F.cross_entropy(recording, batch[4])
                + d.sum() / (10 * upright.sum()).clamp(min=1))

    @torch.no_grad()
    def score(self, net):
        net.eval()
        torch.manual_seed(5)
        turns, recs, mape = [], [], []
        for i in range(0, len(self.val), 64):
            x, u, turn, _, rec = self.batch(self.val[i:i + 64], plain=True)
            rotation, recording, five = net(x)
            turns.append(rotation.argmax(1) == turn)
            recs.append(recording.argmax(1) == rec)
            k = turn == 0
            mape.append(((five.view(-1, 5, 2) - u).abs() / u.abs().clamp(min=0.05))[k].flatten())
        return {"rotation": 100 * float(torch.cat(turns).float().mean()), "recording": 100 * float(torch.cat(recs).float().mean()),
                "mape5": 100 * float(torch.cat(mape).mean())}


class Autoencoder(Points):
    """Pictures as the points recipe sees them, given back (binary cross-entropy of every pixel)."""

    def loss(self, net, batch):
        return F.binary_cross_entropy_with_logits(net(batch[0])[0].float(), batch[0])

    @torch.no_grad()
    def score(self, net):
        net.eval()
        torch.manual_seed(5)
        e = []
        for i in range(0, len(self.val), 64):
            win = A.box_window(self.val.boxes[i:i + 64], SCALE)
            x, inside = win.sample(torch.from_numpy(self.val.images[i:i + 64]).float()[:, None], SIZE, 2)
            x = A.to_u8(A.percentile_tone(x, inside, step=1))
            e.append((torch.sigmoid(net(x)[0]) - x).abs().mean((1, 2, 3)))
        return {"pixel_mae": float(torch.cat(e).mean())}
