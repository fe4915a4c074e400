"""Hand-placed points of thermal faces: the one reader of the tables that docs/training.md describes.

A table has a row a face: six points (or 68), in pixels of the upright picture, blank where a point cannot be seen; the picture is
`file`, or frame `frame` of the recording `rec` (or `file`). Pictures and recordings may have any size. Which turn makes one upright says the
row's `rotate`, else the recording's sidecar (STEM_video.json), else the caller. Pictures stand upright as they are.

Whatever is wrong is a ValueError that names the table and its row.
"""

import csv
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SIX_NAMES = ["eye_r", "eye_l", "nose", "mouth_r", "mouth_l", "chin"]
BOX_NAMES = ["x0", "y0", "x1", "y1"]
VIDEOS = {".mkv", ".avi", ".mov", ".mp4", ".nut"}
OUTSIDE = 0.25               # a point may lie so far outside its picture, in sides of it: a chin below the edge
PATCH = 256                  # longest side of the piece that training keeps of a large picture


@dataclass
class Face:
    """One labelled face."""
    row: str                 # "dev.csv:12", for messages
    rec: str                 # the recording's or the picture's name: what folds keep together
    frame: int               # counted from 0; 0 of a picture
    person: str
    source: str
    box: np.ndarray          # hairline to chin, ear to ear; guessed from the points where the table has none
    six: np.ndarray          # [6, 2], order of SIX_NAMES; NaN: cannot be seen
    all68: np.ndarray        # [68, 2] of a table of 68 points, else None
    mask: bool
    glasses: bool
    quality: str
    path: Path
    rotate: int
    flip: bool

    def seen(self):
        """Which of the six count [6]: there, and not under a mask."""
        ok = np.isfinite(self.six).all(1)
        ok[3:] &= not self.mask
        return ok


def complete(path):
    """Whether a JPEG or PNG file has its end: decoders fill what is missing with gray."""
    with open(path, "rb") as f:
        head = f.read(8)
        f.seek(0, os.SEEK_END)
        f.seek(max(0, f.tell() - 4096))
        tail = f.read()
    if head[:2] == b"\xff\xd8":
        return b"\xff\xd9" in tail
    return b"IEND" in tail if head == b"\x89PNG\r\n\x1a\n" else True


def still(path, row=None):
    """A picture as it was stored, [h, w] u8 or u16; colours as gray."""
    at = f"{row}: " if row else ""
    if not Path(path).is_file():
        raise ValueError(f"{at}{path}: there is no such picture")
    if not os.path.getsize(path) or not complete(path):
        raise ValueError(f"{at}{path}: truncated; copy it again, or take its row out")
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError(f"{at}{path}: not a picture that can be read")
    return cv2.cvtColor(image[:, :, :3], cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image


def signature(path):
    """Changes whenever a file does: of its path, size and time."""
    s = os.stat(path)
    return hashlib.sha256(f"{Path(path).resolve()} {s.st_size} {s.st_mtime_ns}".encode()).hexdigest()[:16]


def probe(path, row=None):
    """Width, height, whether 16 bits, of a recording."""
    at = f"{row}: " if row else ""
    if not Path(path).is_file():
        raise ValueError(f"{at}{path}: there is no such recording")
    done = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height,pix_fmt", "-of", "json",
                           str(path)], capture_output=True, text=True, check=False)
    streams = json.loads(done.stdout or "{}").get("streams") or []
    if done.returncode != 0 or not streams or "width" not in streams[0]:
        said = (done.stderr.strip().splitlines() or ["no video in it"])[-1]
        raise ValueError(f"{at}{path}: cannot be read as a video: {said}")
    s = streams[0]
    return s["width"], s["height"], any(k in s.get("pix_fmt", "") for k in ("16", "14", "12", "10"))


def upright(frames, rotate, flip=False):
    """[n, h, w] turned clockwise, then mirrored."""
    out = np.rot90(frames, -(rotate // 90), (1, 2))
    return np.ascontiguousarray(out[:, :, ::-1] if flip else out)


def decode(path, numbers=None, row=None):
    """Frames of a recording as they lie in it, [n, h, w] u8 or u16: all of them, or those numbered (sorted). A recording that ends sooner
    gives fewer; one that breaks off inside is an error."""
    w, h, deep = probe(path, row)
    pick = [] if numbers is None else ["-vf", "select='" + "+".join(f"eq(n\\,{k})" for k in numbers) + "'", "-vsync", "0"]
    done = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), "-map", "0:v:0", *pick, "-f", "rawvideo",
                           "-pix_fmt", "gray16le" if deep else "gray", "-"], capture_output=True, check=False)
    if done.returncode != 0 or done.stderr.strip():
        said = (done.stderr.decode(errors="replace").strip().splitlines() or ["unknown"])[-1]
        raise ValueError(f"{row + ': ' if row else ''}{path}: damaged: {said}")
    raw = np.frombuffer(done.stdout, "<u2" if deep else np.uint8)
    return raw[:len(raw) // (w * h) * w * h].reshape(-1, h, w)


def sidecar(path):
    """The turn and mirroring that STEM_video.json says of a recording, or None."""
    name = Path(path).name
    if not name.endswith("_video.mkv"):
        return None
    stem = name[:-len("_video.mkv")]
    if "_split-" in stem:
        stem = stem[:stem.rindex("_split-")]
    beside = Path(path).with_name(stem + "_video.json")
    if not beside.is_file():
        return None
    try:
        d = json.loads(beside.read_text())
        rotate = int(d.get("RotateClockwise", 0))
    except (ValueError, TypeError, AttributeError) as e:
        raise ValueError(f"{beside}: not a sidecar: {e}") from None
    if rotate not in (0, 90, 180, 270):
        raise ValueError(f"{beside}: RotateClockwise {rotate} is not one of 0, 90, 180, 270")
    return rotate, bool(d.get("FlipHorizontally", False))


def rows_of(path, needed):
    """(text for messages, row) of a table; ValueError where it is not one."""
    path = Path(path)
    try:
        with open(path, newline="", encoding="utf-8-sig") as f:
            reader = csv.DictReader(f)
            names = reader.fieldnames or []
            for name in needed:
                if name not in names:
                    raise ValueError(f"{path}:1: column '{name}' is missing")
            out = []
            for r in reader:
                where = f"{path}:{reader.line_num}"
                if None in r or None in r.values():
                    raise ValueError(f"{where}: {len([v for k, v in r.items() if k and v is not None])} fields, the header has {len(names)}")
                out.append((where, r))
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such table") from None
    except (UnicodeDecodeError, csv.Error) as e:
        raise ValueError(f"{path}: not a table of text: {e}") from None
    return out


def number(where, r, name, low=-65536.0, high=65536.0):
    text = (r.get(name) or "").strip()
    try:
        v = float(text)
    except ValueError:
        raise ValueError(f"{where}: {name}: '{text[:40]}' is not a number") from None
    if not low <= v <= high:
        raise ValueError(f"{where}: {name}: {v:g} is not between {low:g} and {high:g}")
    return v


def point(where, r, x, y):
    """A pair of coordinates; NaN where both are blank."""
    if not (r.get(x) or "").strip() and not (r.get(y) or "").strip():
        return [np.nan, np.nan]
    return [number(where, r, x), number(where, r, y)]


def guessed_box(six):
    """Hairline to chin, ear to ear, from the points that are there; NaN without both eyes."""
    eye = six[:2].mean(0)
    d = np.linalg.norm(six[1] - six[0])
    chin = six[5] if np.isfinite(six[5]).all() else eye + [0, 1.25 * d]
    return np.array([eye[0] - 1.05 * d, eye[1] - 0.9 * d, eye[0] + 1.05 * d, chin[1]])


class Table:
    """The faces of a table, and their pictures. `folder` holds images/ and recordings/ (default: the table's); `rotate` is the turn
    of recordings that do not say theirs."""

    def __init__(self, path, folder=None, rotate=0, cache=None, limit=None):
        self.path, self.folder = Path(path), Path(folder or Path(path).parent)
        self.rotate, self.cache = rotate, cache
        self.faces, self._frames = [], {}
        rows = rows_of(path, [])
        if not rows:
            raise ValueError(f"{path}: no rows below the header")
        names = rows[0][1]
        self.count = 68 if "x67" in names else 6
        for name in [] if self.count == 68 else [f"{k}_{a}" for k in SIX_NAMES for a in "xy"]:
            if name not in names:
                raise ValueError(f"{path}:1: column '{name}' is missing")
        if "file" not in names and not {"rec", "frame"} <= set(names):
            raise ValueError(f"{path}:1: column 'file' is missing, or 'rec' and 'frame'")
        for where, r in rows[:limit]:
            self.faces.append(self.read(where, r))

    def read(self, where, r):
        all68 = None
        if self.count == 68:
            all68 = np.array([point(where, r, f"x{k}", f"y{k}") for k in range(68)])
            six = np.stack([all68[36:42].mean(0), all68[42:48].mean(0), all68[30], all68[48], all68[54], all68[8]])
        else:
            six = np.array([point(where, r, f"{k}_x", f"{k}_y") for k in SIX_NAMES])
        if np.isfinite(six[:2]).all() and not np.linalg.norm(six[0] - six[1]) > 0:
            raise ValueError(f"{where}: both eyes are one point")
        box = np.full(4, np.nan)
        if self.count == 6 and any((r.get(k) or "").strip() for k in BOX_NAMES):
            box = np.array([number(where, r, k) for k in BOX_NAMES])
            if not (box[2] > box[0] and box[3] > box[1]):
                raise ValueError(f"{where}: x0, y0, x1, y1: not a box")
        elif np.isfinite(six[:2]).all():
            box = guessed_box(six)
        path, frame = self.place(where, r)
        rotate, flip = 0, False
        if path.suffix.lower() in VIDEOS:
            rotate, flip = sidecar(path) or (self.rotate, False)
            if (r.get("rotate") or "").strip():
                rotate = number(where, r, "rotate", 0, 270)
                if rotate not in (0, 90, 180, 270):
                    raise ValueError(f"{where}: rotate: {rotate:g} is not one of 0, 90, 180, 270")
        rec = (r.get("rec") or r.get("file") or "").strip()
        flag = lambda name: (r.get(name) or "").strip() in ("1", "yes", "true")
        return Face(where, rec, frame, (r.get("person") or r.get("subject") or rec).strip() or rec, (r.get("source") or "").strip(), box, six, all68,
                    flag("mask"), flag("glasses"), (r.get("quality") or "").strip(), path, int(rotate), flip)

    def place(self, where, r):
        """The picture or recording of a row, and the frame in it."""
        file = (r.get("file") or "").strip()
        rec = (r.get("rec") or "").strip()
        name = file or rec
        if not name or name.startswith("/") or ".." in Path(name).parts:
            raise ValueError(f"{where}: {'file' if file else 'rec'}: '{name[:40]}' is not a name inside the folder")
        options = [self.folder / "images" / name, self.folder / name] if file else []
        if not file or Path(name).suffix.lower() in VIDEOS:
            full = name if Path(name).suffix.lower() in VIDEOS else name + ".mkv"
            options += [self.folder / "recordings" / full, self.folder / full]
        path = next((o for o in options if o.is_file()), options[0])
        if not path.is_file():
            raise ValueError(f"{where}: {path}: there is no such {'recording' if path.suffix.lower() in VIDEOS else 'picture'}")
        return path, int(number(where, r, "frame", 0, 2 ** 31)) if path.suffix.lower() in VIDEOS else 0

    def picture(self, face):
        """[h, w] upright, u8 or u16. ValueError where a point lies far outside it: another size, or another turn."""
        key = str(face.path), face.frame
        if key not in self._frames:
            self.load([f for f in self.faces if f.path == face.path])
        image = self._frames[key]
        h, w = image.shape
        p = (face.six if face.all68 is None else face.all68) / [w, h]
        if np.nanmin(p, initial=0) < -OUTSIDE or np.nanmax(p, initial=1) > 1 + OUTSIDE:
            raise ValueError(f"{face.row}: a point lies outside the upright picture of {w} x {h}: another size or turn ('rotate') than the table's?")
        return image

    def load(self, faces, around=0):
        """Reads the frames of these faces, and `around` of each; frames() has them then."""
        wanted = {}
        for f in faces:
            if f.path.suffix.lower() not in VIDEOS:
                image = still(f.path, f.row)
                self._frames[str(f.path), 0] = image
                continue
            wanted.setdefault(f.path, (f, set()))[1].update(range(max(0, f.frame - around), f.frame + around + 1))
        for path, (f, numbers) in wanted.items():
            got = self.cached(path, sorted(numbers), f)
            for k, image in got.items():
                self._frames[str(path), k] = image
        for f in faces:
            if (str(f.path), f.frame) not in self._frames:
                raise ValueError(f"{f.row}: {f.path} has no frame {f.frame}")

    def cached(self, path, numbers, f):
        """{number: upright frame}; decoding again would cost more than an epoch."""
        key = None
        if self.cache:
            text = f"{signature(path)} {numbers} {f.rotate} {f.flip}"
            key = Path(self.cache) / "frames" / f"{path.stem}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npy"
            if key.exists():
                return dict(zip(numbers, np.load(key)))
        frames = upright(decode(path, numbers, f.row), f.rotate, f.flip)
        if key:
            save(key, lambda part: np.save(part, frames))
        return dict(zip(numbers, frames))

    def frame(self, face, number):
        """A frame that load() has read, or None where the recording has none of this number."""
        return self._frames.get((str(face.path), number))


def save(path, write):
    """A file whole or not at all; `write` gets an open file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as f:
            write(f)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def patch(image, points, box):
    """Of a large picture the piece around a face, made small enough to keep: image and points in it."""
    h, w = image.shape
    if max(h, w) <= PATCH:
        return image, points
    side = 2.2 * max(box[2] - box[0], box[3] - box[1])
    centre = (box[:2] + box[2:]) / 2
    x0, y0 = np.maximum(0, np.floor(centre - side)).astype(int)
    x1, y1 = np.minimum([w, h], np.ceil(centre + side)).astype(int)
    x0, y0 = min(x0, w - 8), min(y0, h - 8)
    x1, y1 = max(x1, x0 + 8), max(y1, y0 + 8)
    piece = image[y0:y1, x0:x1]
    k = min(1.0, PATCH / max(piece.shape))
    if k < 1:
        size = max(8, round(piece.shape[1] * k)), max(8, round(piece.shape[0] * k))
        kx, ky = size[0] / piece.shape[1], size[1] / piece.shape[0]
        piece = cv2.resize(piece, size, interpolation=cv2.INTER_AREA)
    else:
        kx = ky = 1.0
    # Pixel centres (docs/models.md).
    return piece, (points - [x0, y0] + 0.5) * [kx, ky] - 0.5


def stacked(images):
    """Pictures of any sizes on one canvas each, their last lines repeated: [n, H, W] int32, and width and height of what is real [n, 2]."""
    h, w = max(i.shape[0] for i in images), max(i.shape[1] for i in images)
    out = np.stack([np.pad(i.astype(np.int32), ((0, h - i.shape[0]), (0, w - i.shape[1])), mode="edge") for i in images])
    return out, np.array([i.shape[::-1] for i in images], np.float32)
