"""Data sets of labelled faces, each read into the same structure.

    adapters.load("visible68", "train")             the shared data
    adapters.load("wflw:/data/WFLW", "train")       NAME:PATH of a data set that a lab holds

`Labelled` holds pictures of any size and depth, points in the set's own order (orders.py) with NaN where a label is missing, and the
box that the network's window goes around. `Labelled.crops` makes 224 x 224 gray pictures of it, which is what the recipes read.
The formats, and where their description comes from, stand at each reader.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

import labels
import orders
from data import CACHE, Thermal6, face_mask, tight_box, visible68

CROP, AROUND = 224, 2.0      # crops: side in pixels, and in longer sides of the face box


@dataclass
class Labelled:
    name: str
    order: str
    images: list          # [h, w] each: u8, u16 counts or float temperatures
    points: np.ndarray    # [N, K, 2] float32, pixels; NaN: no label
    boxes: np.ndarray     # [N, 4] left, top, right, bottom: the tight box of the whole face, or what stands in for it
    subject: np.ndarray   # [N] str

    def __len__(self):
        return len(self.images)

    def crops(self):
        """images [N, 224, 224] u8, points in their pixels, boxes likewise."""
        images, points, boxes = [], [], []
        for image, p, b in zip(self.images, self.points, self.boxes):
            side = AROUND * max(b[2] - b[0], b[3] - b[1])
            k = CROP / side
            x0, y0 = (b[0] + b[2]) / 2 - side / 2, (b[1] + b[3]) / 2 - side / 2
            # Pixel centres: u = (x + 0.5 - (x0 + 0.5)) * k - 0.5, as the input windows of docs/models.md.
            m = np.float32([[k, 0, -x0 * k - 0.5], [0, k, -y0 * k - 0.5]])
            v = image.astype(np.float32)
            if k < 1:                          # thinned by warpAffine alone, a large picture would flicker
                v = cv2.GaussianBlur(v, (0, 0), 0.4 / k)
            v = cv2.warpAffine(v, m, (CROP, CROP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            if image.dtype != np.uint8:
                lo, hi = np.percentile(v, (0.5, 99.5))
                v = (v - lo) / max(hi - lo, 1e-3) * 255
            images.append(np.clip(np.rint(v), 0, 255).astype(np.uint8))
            points.append(p * k + m[:, 2])
            boxes.append(np.float32(b).reshape(2, 2) * k + m[:, 2])
        return np.stack(images), np.stack(points).astype(np.float32), np.stack(boxes).reshape(-1, 4).astype(np.float32)


def part_of(subject):
    """train, val or test (80, 10, 10 %) for data without a split of its own: by person, always the same."""
    k = zlib.crc32(subject.encode()) % 10
    return "test" if k == 0 else "val" if k == 1 else "train"


def made(name, order, rows, limit):
    """rows: (image, points, box or None, subject)."""
    rows = list(rows if limit is None else rows[:limit])
    if not rows:
        raise ValueError(f"{name}: no labelled faces in this split")
    points = np.stack([r[1] for r in rows]).astype(np.float32)
    boxes = np.stack([tight_box(p) if r[2] is None else r[2] for r, p in zip(rows, points)]).astype(np.float32)
    images = [labels.still(r[0], name) if isinstance(r[0], (str, Path)) else r[0] for r in rows]
    return Labelled(name, order, images, points, boxes, np.array([r[3] for r in rows]))


def read_visible68(root, split, limit):
    """../shared/data/README.md."""
    faces = visible68(split, root, limit)
    return Labelled("visible68", "ibug68", list(faces.images), faces.points, tight_box(faces.points), faces.source)


def read_thermal6(root, split, limit):
    """../shared/data/README.md: the hand-placed six points, counts. It has one split, for scoring: val and test are the same, train is
    refused unless it is named `dev`."""
    if split == "train":
        raise ValueError("thermal6 is for scoring; ask for the split 'dev' to train on it, and say so in tf.data")
    thermal = Thermal6(root)
    return six("thermal6", thermal.table(), thermal.annotations()[:limit])


def six(name, table, notes):
    """Rows of hand-placed points; mouth and chin under a mask are guesses, and left out."""
    import landmarks as LM
    if not notes:
        raise ValueError(f"{table.path}: no labelled faces in this split")
    rows = []
    for a, b in zip(notes, LM.thermal_boxes(notes).numpy()):
        p = a.six.astype(np.float32) if a.all68 is None else a.all68.astype(np.float32)
        p = np.where(a.seen()[:, None], p, np.nan) if a.all68 is None else p
        rows.append((table.picture(a), p, b, a.person))
    return made(name, "thermal6" if table.count == 6 else "ibug68", rows, None)


def read_own(root, split, limit):
    """A lab's own table of six or 68 points, as `thermoface annotate` writes it (docs/training.md): the CSV or its folder. Split by person."""
    table = labels.Table(root / "points.csv" if root.is_dir() else root, None, 0, CACHE)
    return six("own", table, [a for a in table.faces if a.seen()[:2].all() and a.quality != "poor" and part_of(a.person) == split][:limit])


def read_kaggle(root, split, limit):
    """Kaggle "Facial Keypoints Detection", training.csv: two columns a point (`left_eye_center_x` …, empty where missing) and `Image`, 96 x 96
    gray values separated by spaces. No persons: split by row. The picture is the window: its box is 1/1.3 of it."""
    path = root / "training.csv" if root.is_dir() else root
    rows = []
    half = 96 / 1.3 / 2
    box = np.float32([47.5 - half, 47.5 - half, 47.5 + half, 47.5 + half])
    columns = [f"{c}_{a}" for c in orders.KAGGLE_COLUMNS for a in "xy"]
    for i, (where, r) in enumerate(labels.rows_of(path, [*columns, "Image"])):
        if part_of(f"row{i}") != split:
            continue
        try:
            image = np.array(r["Image"].split(), np.uint8).reshape(96, 96)
        except (ValueError, OverflowError):
            raise ValueError(f"{where}: Image: not 96 x 96 gray values") from None
        p = [labels.point(where, r, f"{c}_x", f"{c}_y") for c in orders.KAGGLE_COLUMNS]
        rows.append((image, np.float32(p), box, f"row{i}"))
    return made("kaggle", "kaggle15", rows, limit)


def read_tfl(root, split, limit):
    """The Thermal Face Database (Kopaczka et al. 2018), folder of snapshots: NAME.ljson (menpo's landmark file; points are y, x, null where
    missing) beside NAME.npy (temperatures) or a picture NAME.png or .jpg; a name's second part, between underscores, is the person."""
    rows = []
    for path in sorted(root.glob("**/*.ljson")):
        words = path.stem.split("_")
        subject = words[1] if len(words) > 1 else words[0]
        if part_of(subject) != split:
            continue
        try:
            z = json.loads(path.read_text())
            group = z if "landmarks" in z else next(iter(z["groups"].values()))
            yx = group["landmarks"]["points"]
            p = np.array([[np.nan if v is None else float(v) for v in (q[1], q[0])] for q in yx], np.float32)
        except (ValueError, LookupError, TypeError, AttributeError, StopIteration) as e:
            raise ValueError(f"{path}: not a landmark file of menpo: {e}") from None
        if len(p) < 68:
            raise ValueError(f"{path}: {len(p)} points, 68 are needed")
        image = path.with_suffix(".npy")
        stem = path.stem[:-4] if path.stem.endswith("_lfb") else path.stem
        options = [path.with_suffix(e) for e in (".png", ".jpg", ".tiff")] + [path.parent / stem]
        if image.exists():
            try:
                image = np.load(image).astype(np.float32)
            except (ValueError, EOFError) as e:
                raise ValueError(f"{image}: not temperatures of NumPy: {e}") from None
        else:
            image = next((o for o in options if o.is_file()), None)
            if image is None:
                raise ValueError(f"{path}: no picture beside it")
        rows.append((image, p[:68], None, subject))
    return made("tfl", "ibug68", rows, limit)


def read_sftl54(root, split, limit):
    """SF-TL54 (Kuzdeuov et al. 2022): SPLIT/json/NAME.json as labelme writes it, with a shape `face` (two corners) and shapes whose points in
    file order are the 54, beside SPLIT/images/NAME.*; a name begins with the person's number."""
    rows = []
    for path in sorted((root / split / "json").glob("*.json")):
        try:
            shapes = json.loads(path.read_text())["shapes"]
            p = np.array([q for s in shapes if s["label"] != "face" for q in s["points"]], np.float32)
        except (ValueError, LookupError, TypeError) as e:
            raise ValueError(f"{path}: not a file of labelme: {e}") from None
        if p.shape != (54, 2):
            raise ValueError(f"{path}: {len(p)} points, 54 are needed")
        image = next(iter(sorted((root / split / "images").glob(path.stem + ".*"))), None)
        if image is None:
            raise ValueError(f"{path}: no picture of this name in {root / split / 'images'}")
        rows.append((image, p, None, path.stem.split("_")[0]))
    return made("sftl54", "sftl54", rows, limit)


def read_wflw(root, split, limit):
    """WFLW (Wu et al. 2018): one face a line, 98 x and y, the box's corners, six attributes, the picture's name under WFLW_images. Its list of
    training is split by event into train and val; its list of test is the test."""
    folder = root / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    path = folder / f"list_98pt_rect_attr_{'test' if split == 'test' else 'train'}.txt"
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        f = line.split()
        if len(f) != 207:
            raise ValueError(f"{path}:{number}: {len(f)} fields, 207 are needed")
        event = f[206].split("/")[0]
        try:
            points = np.array(f[:196], np.float32).reshape(98, 2)
        except ValueError as e:
            raise ValueError(f"{path}:{number}: {e}") from None
        if split != "test" and ("val" if zlib.crc32(f[206].encode()) % 10 == 0 else "train") != split:
            continue
        rows.append((root / "WFLW_images" / f[206], points, None, event))
    return made("wflw", "wflw98", rows, limit)


def read_charlotte(root, split, limit):
    """Charlotte-ThermalFace (Ashrafi et al. 2022): 16-bit TIFF pictures and 72 points. `landmarks.csv` in the folder: `file,subject,x0,y0,…,x71,y71`,
    empty where missing; rewrite the set's own tables into this form. Where its points lie among the 68 is not known here, so a network learns
    the set's own order, without mirroring."""
    rows = []
    for where, r in labels.rows_of(root / "landmarks.csv", ["file", "subject", *[f"{a}{k}" for k in range(72) for a in "xy"]]):
        if part_of(r["subject"]) != split:
            continue
        p = np.float32([labels.point(where, r, f"x{k}", f"y{k}") for k in range(72)])
        rows.append((labels.still(root / r["file"], where), p, None, r["subject"]))
    return made("charlotte", "charlotte72", rows, limit)


READERS = {"visible68": read_visible68, "thermal6": read_thermal6, "kaggle": read_kaggle, "tfl": read_tfl,
           "sftl54": read_sftl54, "wflw": read_wflw, "charlotte": read_charlotte, "own": read_own}


def load(spec, split, limit=None):
    """NAME or NAME:PATH; split is train, val or test."""
    name, _, path = spec.partition(":")
    if name not in READERS:
        raise ValueError(f"data set '{name}' is not known; there are {', '.join(READERS)}")
    if not path and name not in ("visible68", "thermal6"):
        raise ValueError(f"{name} needs its folder: {name}:PATH")
    return READERS[name](Path(path) if path else None, split, limit)


def masks(points, size=CROP):
    """The face's mask for a thermal look; empty where a point it needs is missing."""
    out = np.zeros((len(points), size, size), np.uint8)
    for i, p in enumerate(points):
        if np.isfinite(p[:27]).all():
            out[i] = face_mask(p, size, size)
    return out
