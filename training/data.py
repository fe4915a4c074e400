"""Data adapters: what the training reads, as plain arrays.

Every annotated set becomes a `Faces`: images as one uint8 array, 68 points in iBUG order (NaN where a label is
missing), a mask of the face, the source of each row. Decoded images are cached under training/out/cache, because
decoding them again costs more than an epoch.

Coordinates are pixels, origin at the centre of the top left pixel (docs/models.md).
"""

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

import labels

# NumPy asks for this once, and would complain of it where denormals are flushed (all programs here do).
str(np.finfo(np.float64)), str(np.finfo(np.float32))

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
SIX_NAMES = labels.SIX_NAMES


def shared():
    """The folder that holds data/: TF_SHARED, else ../shared beside the source tree."""
    return Path(os.environ.get("TF_SHARED", HERE.parent.parent / "shared"))


# What may be done with a network that has seen a data set, in the set's own terms; a file's tf.licence says all of them.
LICENCES = {
    "visible68": "research and evaluation only (iBUG annotations, YouTube Faces; models/LICENSE)",
    "thermal6": "internal research only (thermal recordings without a statement of consent; models/LICENSE)",
    "thermalfaces": "internal research only (empty thermal clips of several publishers)",
    "kaggle": "Kaggle's rules of the Facial Keypoints Detection competition",
    "tfl": "as the Thermal Face Database's authors granted it",
    "sftl54": "as SF-TL54's authors publish it",
    "wflw": "research only (WFLW)",
    "charlotte": "as Charlotte-ThermalFace's authors publish it",
    "own": "the lab's own recordings: as their subjects consented",
}


def licence(sets, before=()):
    """tf.licence of what has seen the data sets named, and of the files that it started from."""
    parts = []
    for text in [*before, *[LICENCES[k] for k in sorted(set(sets))]]:
        parts += [p for p in text.split("; ") if p not in parts]
    return "; ".join(parts)


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
    table = root / f"{split}.csv"
    names = [f"{a}{k}" for k in range(68) for a in "xy"]
    rows = labels.rows_of(table, ["file", "source", *names])[:limit]
    if not rows:
        raise ValueError(f"{table}: no rows below the header")
    # Pictures that were changed under the same table are told by their times.
    key = hashlib.sha256(labels.signature(table).encode())
    for where, r in rows:
        try:
            key.update(labels.signature(root / "images" / r["file"]).encode())
        except OSError:
            raise ValueError(f"{where}: {root / 'images' / r['file']}: there is no such picture") from None
    cache = CACHE / f"visible68-{split}-{len(rows)}-{key.hexdigest()[:16]}.npz"
    if cache.exists():
        z = np.load(cache)
        return Faces(z["images"], z["masks"], z["points"], z["source"])
    images = []
    for where, r in rows:
        image = labels.still(root / "images" / r["file"], where)
        if images and image.shape != images[0].shape:
            raise ValueError(f"{where}: {r['file']}: {image.shape[1]} x {image.shape[0]}, the others are "
                             f"{images[0].shape[1]} x {images[0].shape[0]}")
        images.append(image)
    images = np.stack(images)
    points = np.array([[labels.point(w, r, f"x{i}", f"y{i}") for i in range(68)] for w, r in rows], np.float32)
    masks = np.stack([face_mask(p, *images.shape[1:]) for p in points])
    faces = Faces(images, masks, points, np.array([r["source"] for _, r in rows]))
    labels.save(cache, lambda f: np.savez(f, images=images, masks=masks, points=points, source=faces.source))
    return faces


def labels_right(source):
    """LABELS_RIGHT of each row [N] float32; 0 for what is not measured."""
    return np.array([LABELS_RIGHT.get(s, 0.0) for s in source], np.float32)


def tight_box(points):
    """[N, 68, 2] → left, top, right, bottom [N, 4]."""
    return np.concatenate([np.nanmin(points, -2), np.nanmax(points, -2)], -1)


class Thermal6:
    """Thermal recordings and their hand-placed points, upright, in camera counts: a folder laid out as ../shared/data/thermal6. A
    recording without a sidecar is turned by `rotate` (90: the kiosk's camera lay on its side)."""

    def __init__(self, root=None, rotate=90):
        self.root = Path(root) if root else shared() / "data" / "thermal6"
        self.rotate = rotate
        self.names = [r["rec"] for _, r in labels.rows_of(self.root / "index.csv", ["rec"])]
        self._frames, self._table = {}, None

    def frames(self, rec):
        """[n, h, w] u8 or u16."""
        if rec not in self._frames:
            path = self.root / "recordings" / f"{rec}.mkv"
            if not path.is_file():
                raise ValueError(f"{path}: there is no such recording")
            rotate, flip = labels.sidecar(path) or (self.rotate, False)
            cache = CACHE / "recordings" / f"{rec}-{labels.signature(path)}-{rotate}{'f' if flip else ''}.npy"
            if not cache.exists():
                upright = labels.upright(labels.decode(path), rotate, flip)
                labels.save(cache, lambda f: np.save(f, upright))
            self._frames[rec] = np.load(cache)
        return self._frames[rec]

    def table(self):
        if self._table is None:
            self._table = labels.Table(self.root / "dev.csv", self.root, self.rotate, CACHE)
            for f in self._table.faces:
                frames = self.frames(f.rec)
                if f.frame >= len(frames):
                    raise ValueError(f"{f.row}: {f.path} has no frame {f.frame}: it has {len(frames)}")
                self._table._frames[str(f.path), f.frame] = frames[f.frame]
                self._table.picture(f)
        return self._table

    def annotations(self):
        """[labels.Face]; a row without both eyes has no size, and is left out."""
        return [f for f in self.table().faces if f.seen()[:2].all()]

    def negatives(self):
        """(rec, first, last) stretches with nobody in view."""
        path, out = self.root / "negative.csv", []
        for where, r in labels.rows_of(path, ["rec", "first_frame", "last_frame"]):
            first, last = (int(labels.number(where, r, k, 0, 2 ** 31)) for k in ("first_frame", "last_frame"))
            if r["rec"] not in self.names:
                raise ValueError(f"{where}: rec: '{r['rec']}' is not in {self.root / 'index.csv'}")
            if last < first:
                raise ValueError(f"{where}: last_frame is before first_frame")
            out.append((r["rec"], first, last))
        return out

    def negative_frames(self, recs=None):
        """All frames of the empty stretches [n, H, W] int32, of the named recordings or of all, and their real sizes [n, 2]."""
        parts = [self.frames(r)[a:b + 1] for r, a, b in self.negatives() if recs is None or r in recs]
        return labels.stacked([frame for p in parts for frame in p])


def tidy(main, *arguments):
    """Runs a program; what is wrong with its input is one line, not a traceback."""
    try:
        main(*arguments)
    except (ValueError, OSError) as e:
        if os.environ.get("TF_TRAINING_TRACE"):
            raise
        text = " ".join(str(e).split())
        sys.exit(f"{Path(sys.argv[0]).name}: {text}")
    except KeyboardInterrupt:
        sys.exit(130)
