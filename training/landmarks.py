"""The 68-point network's recipe: batches, the step, and the scores."""

import random
import zipfile

import numpy as np
import torch
import torch.nn.functional as F

import adapters
import augment as A
import labels as T
import losses as L
import orders
from data import Faces, Thermal6, labels_right, shared, tight_box, visible68

SIZE, SCALE = 112, 1.5
USES = 8                     # of each batch: making one costs more than learning from it
KEEP = 60                    # batches waiting for another use
MASKS = 0.08                 # of the faces wear one


def again(x, u, near):
    """A batch (8 bit) for another use: mirrored or not, turned, moved and scaled a little (`near` [B] scales that), other contrast and noise."""
    b = len(x)
    side = SIZE * torch.exp(torch.randn(b) * 0.05 * near)
    centre = (SIZE - 1) / 2 + torch.randn(b, 2) * 0.025 * SIZE * near[:, None]
    win = A.Window(centre, side, torch.randn(b) * 0.1, torch.where(torch.rand(b) < 0.5, -1.0, 1.0))
    x, _ = win.sample(x.float() / 255, SIZE)
    x = A.gamma(x, 0.8, 1.25) + torch.randn_like(x) * A.uniform(b, 0, 0.02)
    return A.to_u8(x.clamp(0, 1)), win.to_window(u * SIZE - 0.5)


def fold_recordings(thermal, fold):
    """`i/k`: the recordings held out in fold i of k; recordings that share a person stay together."""
    i, k = map(int, fold.split("/"))
    group, first = {}, {}
    for a in thermal.annotations():
        first.setdefault(a.person, a.rec)
        group.setdefault(a.rec, group.get(first[a.person], first[a.person]))
    leaders = sorted(set(group.values()))
    return [r for r in sorted(group) if leaders.index(group[r]) % k == i]


def load_labels(path, share="0.25", without=()):
    """What pseudo.py or weak.py wrote, but for some recordings."""
    try:
        z = np.load(path)
        z = {k: z[k] for k in z.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as e:
        raise ValueError(f"--pseudo {path}: cannot be read as labels of pseudo.py or weak.py: {e}") from None
    missing = {"frames", "points", "weight", "rec"} - set(z)
    if missing:
        raise ValueError(f"--pseudo {path}: no labels of pseudo.py or weak.py: {', '.join(sorted(missing))} are missing")
    keep = ~np.isin(z["rec"], list(without))
    if not keep.any():
        raise ValueError(f"--pseudo {path}: no face is left")
    often = z["often"] if "often" in z else np.ones(len(keep), np.float32)
    h, w = z["frames"].shape[1:]
    real = z["real"] if "real" in z else np.tile(np.float32([w, h]), (len(keep), 1))
    return {"share": float(share), "often": torch.from_numpy(often[keep]), "real": torch.from_numpy(real[keep]),
            **{k: torch.from_numpy(z[k][keep]) for k in ("frames", "points", "weight")}}


def photographs(specs, split, limit):
    """The faces of every data set named, 224 x 224 crops of 68 points each: (Faces, the face's box [N, 4])."""
    parts, boxes = [], []
    for spec in specs or ["visible68"]:
        if spec == "visible68":
            part = visible68(split, limit=limit)
            parts.append(part)
            boxes.append(tight_box(part.points))
            continue
        s = adapters.load(spec, split, limit)
        images, points, box = s.crops()
        p68 = orders.convert(points, s.order, "ibug68")
        if not np.isfinite(p68).any():
            raise ValueError(f"{spec}: none of its points has a counterpart among the 68")
        name = s.subject if s.name == "visible68" else np.array([s.name] * len(s))
        parts.append(Faces(images, adapters.masks(p68), p68, name))
        boxes.append(box)
    faces = Faces(*[np.concatenate([getattr(p, k) for p in parts]) for k in ("images", "masks", "points", "source")])
    return faces, np.concatenate(boxes).astype(np.float32)


def thermal_set():
    """The shared thermal recordings, or None where they are not."""
    return Thermal6() if (shared() / "data" / "thermal6" / "index.csv").is_file() else None


def by_size(u):
    """Weights of faces [B] in windows: errors count by the distance of the outer eye corners, where these are labelled."""
    eye = torch.nan_to_num((u[:, 36] - u[:, 45]).norm(dim=1), nan=0.32).clamp(min=0.05)
    return (0.32 / eye).clamp(0.6, 2.0)


class Landmarks:
    name = "landmarks68"

    def __init__(self, cfg):
        self.cfg = cfg
        self.train, boxes = photographs(cfg.data, "train", 256 if cfg.quick else None)
        self.val, self.val_boxes = photographs(cfg.data, "val", 128 if cfg.quick else None)
        self.thermal = thermal_set()
        self.points = torch.from_numpy(self.train.points)
        self.boxes = torch.from_numpy(boxes)
        # Only a face with all its points can have a thermal look, or lend its shape.
        self.whole = torch.isfinite(self.points).all(2).all(1)
        self.shapes = self.points[self.whole]
        self.right = torch.from_numpy(labels_right(self.train.source))
        self.empty = None
        if self.thermal:
            frames, real = self.thermal.negative_frames()
            self.empty = torch.from_numpy(frames).float(), torch.from_numpy(real)
        if cfg.fold and not self.thermal:
            raise ValueError("--fold needs the recordings of thermal6 (TF_SHARED)")
        self.held_out = fold_recordings(self.thermal, cfg.fold) if cfg.fold else None
        self.pseudo = [load_labels(*(spec.rsplit(":", 1) if ":" in spec else [spec]), without=self.held_out or []) for spec in cfg.pseudo or []]
        if cfg.reshape and self.pseudo and not len(self.shapes):
            raise ValueError("--reshape needs faces with all 68 points among --data")
        self.steps = USES * (len(self.train) // (cfg.batch * cfg.processes))
        self.kept = []

    def mean_shape(self):
        """The mean face in 0..1 of its window, made symmetric."""
        win = A.box_window(self.boxes, SCALE)
        mean = torch.nanmean(win.to_window(self.points), 0)
        return (mean + torch.stack([1 - mean[A.FLIP, 0], mean[A.FLIP, 1]], 1)) / 2

    def epoch(self):
        """Every face once anew (HELEN's and AFW's, whose labels are clean, --clean times as often), and what was made before once more in
        between: USES steps for each new batch."""
        often = torch.ones(len(self.train))
        often[torch.from_numpy(self.train.source != "ytf")] = self.cfg.clean
        order = torch.multinomial(often, len(often), replacement=self.cfg.clean != 1)
        for i in range(self.steps // USES):
            x, u, weight, face, right = self.batch(order[i * self.cfg.batch:(i + 1) * self.cfg.batch])
            yield x, u + right, weight, face
            self.kept.append(((x * 255).to(torch.uint8), u, weight, face, right, self.near(len(x))))
            if len(self.kept) > KEEP:
                self.kept.pop(0)
            for _ in range(USES - 1):
                x, u, weight, face, right, near = random.choice(self.kept)
                x, u = again(x, u, near)
                yield x, u + right, weight, face

    def batch(self, index):
        """Gray faces: plain, with a thermal look, real thermal with pseudo-labels, and windows without a face.

        Points are where the picture has them; `right` [B, 1, 2] is how far from there the labels lie: a photograph's points are learnt as
        labelled, mirrored or not, thermal ones as they are."""
        b = len(index)
        g = torch.from_numpy(self.train.images[index.numpy()]).float()[:, None] / 255
        m = torch.from_numpy(self.train.masks[index.numpy()]).float()[:, None] / 255
        win = A.jittered_window(self.boxes[index], SCALE, self.often(0.3), self.near(b)[:b])
        x, inside = win.sample(g, SIZE, 2)
        right = torch.stack([self.right[index], torch.zeros(b)], 1)[:, None]
        u = win.to_window(self.points[index] - right)
        right = right / win.side[:, None, None]
        face = torch.ones(b)

        # The first of the batch get a thermal look, those without all their points do not.
        looks = torch.arange(b) < int(b * self.cfg.look)
        looks &= torch.isfinite(u).all(2).all(1)
        right[looks] = 0
        mask, _ = win.sample(m, SIZE)
        x = x.clone()
        if looks.any():
            t, _ = A.thermal_look(x[looks], mask[looks], u[looks] * SIZE)
            t = A.low_resolution(t, 26, 0.85, 0.035, 0.012)
            t = A.gamma(t)
            flip = A.chance(len(t), 0.06)
            x[looks] = t * (1 - flip) + (1 - t) * flip
        if not looks.all():
            x[~looks] = A.low_resolution(A.gamma(x[~looks]), 28, self.often(0.5), 0.035, 0.006)
        x = A.cloth_masks(x, u * SIZE, MASKS)
        # A thermal picture seldom ends where the photograph did.
        full = (torch.rand(b, 1, 1, 1) < 0.7).float()
        full[~looks] = 0
        inside = torch.maximum(inside, full)

        # Windows without a face: the empty stretches, anywhere and at any size.
        e = max(1, int(b * self.cfg.empty))
        x[-e:], inside[-e:] = self.nothing(e)
        face[-e:] = 0

        weight = torch.ones(b)
        for labels in self.pseudo:
            xs, ins, us, ws = self.thermal_batch(labels, b)
            p = len(xs)
            x, inside, u = torch.cat([x, xs]), torch.cat([inside, ins]), torch.cat([u, us])
            face, weight, right = torch.cat([face, torch.ones(p)]), torch.cat([weight, ws]), torch.cat([right, torch.zeros(p, 1, 2)])
        x = A.occlude(x, self.often(0.15))
        x = A.percentile_tone(x, A.cut_border(inside))
        weight = weight * by_size(u)
        return A.to_u8(x), u, weight, face, right

    def near(self, rows):
        """How far windows may be off: as far as always, or (--steady) hardly for photographs, most of whose boxes are true in use."""
        near = torch.ones(rows)
        if self.cfg.steady:
            near[int(self.cfg.batch * self.cfg.look):self.cfg.batch] = 0.3
        return near

    def often(self, share):
        """How often the hard cases come: half as often in a run that ends a training (--mild)."""
        return share / 2 if self.cfg.mild else share

    def nothing(self, n):
        return nothing(self.empty, n)

    def thermal_batch(self, labels, b):
        return thermal_batch(labels, b, self.often(0.3), self.shapes if self.cfg.reshape else None)

    def loss(self, net, batch):
        x, u, weight, face = batch
        heat, points = net(x)
        return (L.landmark_loss(heat.float(), u, weight, face)
                + L.coordinate_loss(points.float().view(len(x), 68, 2) + net.mean, u, weight, face))

    def score(self, net, split=None):
        with torch.no_grad():
            net.eval()
            loss = self.validation_loss(net)
        out = {"val_loss": loss, **score_visible(net, self.val, boxes=self.val_boxes)}
        return {**out, **score_thermal(net, self.thermal, recs=self.held_out)} if self.thermal else out

    def validation_loss(self, net):
        """The loss on the validation split's own windows, unmoved and as labelled, the same faces every time."""
        total, n = 0.0, min(256, len(self.val))
        for i in range(0, n, 64):
            g = torch.from_numpy(self.val.images[i:min(n, i + 64)]).float()[:, None] / 255
            win = A.box_window(torch.from_numpy(self.val_boxes[i:i + len(g)]), SCALE)
            x, inside = win.sample(g, SIZE, 2)
            u = win.to_window(torch.from_numpy(self.val.points[i:i + len(g)]))
            total += len(g) * float(self.loss(net, (A.to_u8(A.percentile_tone(x, inside)), u, by_size(u), torch.ones(len(g)))))
        return total / n


def nothing(empty, n):
    """Windows without a face: of empty frames and their real sizes, half of them at the warmest of twelve places, where a finder would
    look; made up where there are none."""
    if empty is None:
        x = (A.uniform(n, -0.3, 0.6) + A.smooth_noise(n, 3, SIZE) * A.uniform(n, 0, 0.3) + A.smooth_noise(n, 12, SIZE) * A.uniform(n, 0, 0.1)
             + torch.randn(n, 1, SIZE, SIZE) * A.uniform(n, 0, 0.03))
        ax = torch.arange(SIZE, dtype=torch.float32)
        spot = A.blob(ax[None, None, None, :], ax[None, None, :, None], torch.rand(n, 2) * SIZE, A.uniform(n, 5, 50))
        return x + spot * A.uniform(n, -0.5, 1), torch.ones_like(x)
    frames, real = empty
    pick = torch.randint(0, len(frames), (n,))
    places = torch.rand(n, 12, 2)
    frames, real = frames[pick], real[pick]
    warm = F.avg_pool2d(frames[:, None], 9, 1, 4)[:, 0]
    at = (places * (real - 1)[:, None]).long()
    hot = warm[torch.arange(n)[:, None], at[..., 1], at[..., 0]].argmax(1) * (torch.rand(n) < 0.5)
    centre = places[torch.arange(n), hot] * real
    # A quarter to 1.25 of the shorter side: 30 to 150 pixels of a camera of 160 x 120.
    side = torch.exp(torch.empty(n).uniform_(np.log(0.25), np.log(1.25))) * real.amin(1)
    win = A.Window(centre, side, torch.randn(n) * 0.2, torch.sign(torch.randn(n)))
    return win.sample(frames[:, None], SIZE, real=real)


def other_people(shapes, x, q):
    """Few persons have thermal labels: half get the shape of another face (`shapes` [K, 68, 2]), a third some of another's warmth."""
    n = len(x)
    shapes = shapes[torch.randint(0, len(shapes), (n, 8))]
    flip = torch.rand(n, 8, 1, 1) < 0.5
    shapes = torch.where(flip, shapes[:, :, A.FLIP] * torch.tensor([-1.0, 1.0]), shapes)
    s, left = A.fitted(shapes, q)
    eye = (q[:, 36] - q[:, 45]).norm(dim=1)
    share = torch.rand(n) * (torch.rand(n) < 0.5) * (left < 0.12 * eye)
    s = q + share[:, None, None] * (s - q)
    y = A.reshaped(x, q, s)
    other = torch.randperm(n)
    z = A.reshaped(x[other], q[other], s)
    # As far as the outline and the brow, softly.
    ax = torch.arange(SIZE, dtype=torch.float32)
    centre, r = s.mean(1), (s - s.mean(1, True)).norm(dim=2).amax(1)
    d = ((ax[None, None, :] - centre[:, 0, None, None]) ** 2 + (ax[None, :, None] - centre[:, 1, None, None]) ** 2).sqrt() / r[:, None, None]
    mix = torch.sigmoid((0.85 - d) / 0.08)[:, None] * A.uniform(n, 0, 0.8) * A.chance(n, 0.3)
    return y + mix * (z - y), s


def thermal_batch(labels, b, far, shapes=None):
    """Real thermal faces that carry labels of another origin (pseudo.py, weak.py, finetune.py): windows, what of them is picture, points in
    0..1, weights. `far`: the share of windows far off; shapes: those of other people, which they may take on."""
    n = max(1, int(b * labels["share"]))
    pick = torch.multinomial(labels["often"], n, replacement=True)
    f = labels["frames"][pick].float()[:, None]
    p = labels["points"][pick]
    box = torch.cat([p.amin(1), p.amax(1)], 1)
    win = A.jittered_window(box, SCALE, far)
    x, inside = win.sample(f, SIZE, real=labels["real"][pick])
    lo, hi = x.amin((2, 3), True), x.amax((2, 3), True)
    x = (x - lo) / (hi - lo).clamp(min=1)
    q = win.to_window(p) * SIZE
    if shapes is not None:
        x, q = other_people(shapes, x, q)
    x = A.low_resolution(x, 36, 0.5, 0.025, 0.006)
    x = A.gamma(x, 0.7, 1.4)
    x = A.skin_patches(x, q)                 # nobody else's skin has this person's pattern
    if torch.rand(1).item() < 0.5:           # glasses change the most from person to person
        ax = torch.arange(SIZE, dtype=torch.float32)
        tall = (q[:, 27] - q[:, 8]).norm(dim=1)[:, None, None, None]
        x = A.glasses(x, q, ax[None, None, None, :], ax[None, None, :, None], q[:, 36:42].mean(1), q[:, 42:48].mean(1),
                      tall, lambda d: torch.sigmoid(d / (0.02 * tall)), 0.3)
    x = A.cloth_masks(x, q, MASKS)
    return x, inside, q / SIZE, labels["weight"][pick]


@torch.no_grad()
def predict(net, pictures, boxes, scale=SCALE, window=None, decode_window=7, real=None):
    """pictures [B, 1, H, W] float, boxes [B, 4] → points in the picture [B, 68, 2] and margins, as the C code does it."""
    win = window or A.box_window(boxes, scale)
    n = int(min(8, max(1, np.ceil((win.side / SIZE).max().item()))))
    x, inside = win.sample(pictures, SIZE, n, real)
    x = A.to_u8(A.percentile_tone(x, inside, min_span=1e-3, step=1))
    u, margin = L.read(net, x, decode_window)
    return win.to_picture(u), margin


@torch.no_grad()
def score_visible(net, faces, decode_window=7, detail=False, boxes=None):
    net.eval()
    errors = []
    boxes = torch.from_numpy(tight_box(faces.points) if boxes is None else boxes)
    points = torch.from_numpy(faces.points)
    for i in range(0, len(faces), 64):
        g = torch.from_numpy(faces.images[i:i + 64]).float()[:, None]
        p, _ = predict(net, g, boxes[i:i + 64], decode_window=decode_window)
        errors.append(L.nme(p, points[i:i + 64]))
    e = torch.cat(errors).numpy()
    if not np.isfinite(e).any():
        return {}                            # a set without the outer eye corners has no such measure
    faces, e = faces.take(np.isfinite(e)), e[np.isfinite(e)]
    out = {"nme": float(e.mean()), "fail10": float((e > 10).mean() * 100)}
    if detail:
        t = np.linspace(0, 10, 1001)
        out["auc10"] = float(np.mean([(e <= x).mean() for x in t]))
        out["by_source"] = {s: {"images": int((faces.source == s).sum()), "nme": float(e[faces.source == s].mean()),
                                "fail10": float((e[faces.source == s] > 10).mean() * 100)}
                            for s in sorted(set(faces.source))}
    return out


def thermal_boxes(annotations):
    """A stand-in for the finder: the tight box of 68 points guessed from the six (eyes, and chin where it is seen), for steering only."""
    out = []
    for a in annotations:
        eye = a.six[:2].mean(0)
        d = np.linalg.norm(a.six[1] - a.six[0])
        chin = a.six[5] if np.isfinite(a.six[5]).all() else eye + [0, 1.25 * d]
        h = np.linalg.norm(chin - eye)
        top = eye[1] - 0.36 * h
        cx = (a.box[0] + a.box[2]) / 2
        w = max(min(a.box[2] - a.box[0], 2.4 * d), 1.9 * d)
        out.append([cx - w / 2, top, cx + w / 2, chin[1]])
    return torch.tensor(np.array(out), dtype=torch.float32)


@torch.no_grad()
def score_thermal(net, thermal, decode_window=7, detail=False, settle=2, recs=None):
    """thermal6 from true boxes (no finder, no tracker): steers the training, is not the published metric.

    `settle` repeats with the box of the points found, as the tracker would."""
    notes = [a for a in thermal.annotations() if recs is None or a.rec in recs]
    return score_six(net, notes, [thermal.frames(a.rec)[a.frame] for a in notes], decode_window, detail, settle)


@torch.no_grad()
def score_six(net, notes, pictures, decode_window=7, detail=False, settle=2):
    """labels.Face and their upright pictures: error in % of the eye distance over the points that are there."""
    net.eval()
    pics, real = T.stacked(pictures)
    pics, real = torch.from_numpy(pics).float()[:, None], torch.from_numpy(real)
    boxes = thermal_boxes(notes)
    p, margin = predict(net, pics, boxes, decode_window=decode_window, real=real)
    for _ in range(settle):
        p, margin = predict(net, pics, torch.cat([p.amin(1), p.amax(1)], 1), decode_window=decode_window, real=real)
    six = L.six_points(p)
    truth = torch.from_numpy(np.stack([a.six for a in notes]).astype(np.float32))
    seen = torch.from_numpy(np.stack([a.seen() for a in notes]))
    eye = (truth[:, 0] - truth[:, 1]).norm(dim=1)
    d = 100 * (six - truth).norm(dim=2) / eye[:, None]
    d[~seen] = float("nan")
    near = torch.where(seen[:, 2], (six[:, 2] - truth[:, 2]).norm(dim=1), (six[:, 0] - truth[:, 0]).norm(dim=1))
    found = near < eye
    e = torch.nanmean(d, 1)
    out = {"t_nme": float(e[found].mean()), "t_found": float(found.float().mean() * 100),
           "t_fail15": float((~found | (e > 15)).float().mean() * 100)}
    if detail:
        out["t_points"] = [round(float(v), 2) for v in torch.nanmean(d[found], 0)]
        out["t_bias"] = [[round(float(v), 1) for v in r] for r in torch.nanmean((100 * (six - truth) / eye[:, None, None])[found], 0)]
        out["t_each"] = e.numpy()
    return out
