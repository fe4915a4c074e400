"""Data adapters: what the training reads, as plain arrays.

Every annotated set becomes a `Faces`: images as one uint8 array, 68 points in iBUG order (NaN where a label is
missing), a mask of the face, the source of each row. Decoded images are cached under training/out/cache, because
decoding them again costs more than an epoch.

Coordinates are pixels, origin at the centre of the top left pixel (docs/models.md).
"""

import csv
import os
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
OUT = Path(os.environ.get("TF_TRAINING_OUT", HERE / "out"))
CACHE = OUT / "cache"

# The point that takes the place of point i when the picture is mirrored.
FLIP68 = np.array(
    [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
     26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
     27, 28, 29, 30, 35, 34, 33, 32, 31,
     45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
     54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55,
     64, 63, 62, 61, 60, 67, 66, 65])

# How far right of the picture visible68's labels lie, in pixels of a crop: a network that has seen as many mirrored faces as plain ones
# reads the two alike, and its points lie this far left of the labels (registration.py measures it; the pupils say the same). So a
# mirrored picture cannot simply take mirrored labels.
LABELS_RIGHT = {"helen": 1.0, "ytf": 1.7}

# The six points that thermal6 annotates, as means over iBUG points (data README).
SIX = [list(range(36, 42)), list(range(42, 48)), [30], [48], [54], [8]]
SIX_NAMES = ["eye_r", "eye_l", "nose", "mouth_r", "mouth_l", "chin"]


def shared():
    """The folder that holds data/: TF_SHARED, else ../shared beside the source tree."""
    return Path(os.environ.get("TF_SHARED", HERE.parent.parent / "shared"))


@dataclass
class Faces:
    images: np.ndarray   # [N, H, W] uint8
    masks: np.ndarray    # [N, H, W] uint8: 255 on the face (jaw to an extrapolated hairline)
    points: np.ndarray   # [N, 68, 2] float32
    source: np.ndarray   # [N] str

    def __len__(self):
        return len(self.images)

    def take(self, index):
        return Faces(self.images[index], self.masks[index], self.points[index], self.source[index])


def face_polygon(p, forehead=0.42):
    """Jaw line closed over the forehead: the brows moved up by a share of the brow-to-chin height."""
    up = p[17:27].mean(0) - p[8]
    brow = p[17:27] + forehead * up
    # The temples lean outwards so that the contour is round rather than a box.
    brow = brow.mean(0) + (brow - brow.mean(0)) * [[0.95]]
    temple_r, temple_l = p[0] + 0.35 * up, p[16] + 0.35 * up
    return np.vstack([p[0:17], temple_l, brow[::-1], temple_r])


def face_mask(p, height, width):
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.round(face_polygon(p) * 8).astype(np.int32)], 255, cv2.LINE_AA, shift=3)
    return cv2.GaussianBlur(mask, (0, 0), 2.0)


def visible68(split, root=None, limit=None):
    """The gray 224 x 224 crops of visible68; `split` is train, val or test."""
    root = Path(root) if root else shared() / "data" / "visible68"
    with open(root / f"{split}.csv") as f:
        rows = list(csv.DictReader(f))[:limit]
    other = "" if root == shared() / "data" / "visible68" else f"-{zlib.crc32(str(root).encode()):08x}"
    cache = CACHE / f"visible68{other}-{split}-{len(rows)}.npz"
    if cache.exists():
        z = np.load(cache)
        return Faces(z["images"], z["masks"], z["points"], z["source"])
    images = np.stack([cv2.imread(str(root / "images" / r["file"]), cv2.IMREAD_GRAYSCALE) for r in rows])
    points = np.array([[[float(r[f"x{i}"] or "nan"), float(r[f"y{i}"] or "nan")] for i in range(68)] for r in rows],
                      np.float32)
    masks = np.stack([face_mask(p, *images.shape[1:]) for p in points])
    faces = Faces(images, masks, points, np.array([r["source"] for r in rows]))
    CACHE.mkdir(parents=True, exist_ok=True)
    np.savez(cache, images=images, masks=masks, points=points, source=faces.source)
    return faces


def labels_right(source):
    """LABELS_RIGHT of each row [N] float32; 0 for what is not measured."""
    return np.array([LABELS_RIGHT.get(s, 0.0) for s in source], np.float32)


def tight_box(points):
    """[N, 68, 2] → left, top, right, bottom [N, 4]."""
    return np.concatenate([np.nanmin(points, -2), np.nanmax(points, -2)], -1)


@dataclass
class Annotation:
    """One hand-placed face of thermal6."""
    rec: str
    frame: int
    person: str
    box: np.ndarray      # hairline to chin, ear to ear
    six: np.ndarray      # [6, 2], order of SIX_NAMES
    mask: bool
    glasses: bool


class Thermal6:
    """The thermal recordings, upright (rotated 90 degrees clockwise), in camera counts (centikelvin)."""

    def __init__(self, root=None):
        self.root = Path(root) if root else shared() / "data" / "thermal6"
        with open(self.root / "index.csv") as f:
            self.names = [r["rec"] for r in csv.DictReader(f)]
        self._frames = {}

    def frames(self, rec):
        """[n, 160, 120] uint16."""
        if rec not in self._frames:
            cache = CACHE / "thermal6" / f"{rec}.npy"
            if not cache.exists():
                raw = subprocess.run(
                    ["ffmpeg", "-v", "error", "-i", str(self.root / "recordings" / f"{rec}.mkv"),
                     "-f", "rawvideo", "-pix_fmt", "gray16le", "-"], check=True, capture_output=True).stdout
                upright = np.rot90(np.frombuffer(raw, "<u2").reshape(-1, 120, 160), -1, (1, 2))
                cache.parent.mkdir(parents=True, exist_ok=True)
                np.save(cache, np.ascontiguousarray(upright))
            self._frames[rec] = np.load(cache)
        return self._frames[rec]

    def annotations(self):
        with open(self.root / "dev.csv") as f:
            rows = list(csv.DictReader(f))
        return [Annotation(r["rec"], int(r["frame"]), r["person"],
                           np.array([float(r[k]) for k in ("x0", "y0", "x1", "y1")]),
                           np.array([[float(r[f"{k}_x"]), float(r[f"{k}_y"])] for k in SIX_NAMES]),
                           r["mask"] == "1", r["glasses"] == "1") for r in rows]

    def negatives(self):
        """(rec, first, last) stretches with nobody in view."""
        with open(self.root / "negative.csv") as f:
            return [(r["rec"], int(r["first_frame"]), int(r["last_frame"])) for r in csv.DictReader(f)]

    def negative_frames(self, recs=None):
        """All frames of the empty stretches [n, 160, 120] uint16, of the named recordings or of all."""
        parts = [self.frames(r)[a:b + 1] for r, a, b in self.negatives() if recs is None or r in recs]
        return np.concatenate(parts)
