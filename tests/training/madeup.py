"""Made-up faces and data sets in the layouts that training/adapters.py reads. No person's picture is needed."""
import csv
import json
import subprocess

import cv2
import numpy as np

# A frontal face in distances of the outer eye corners, iBUG order (as tests/inference/face/test_regions.c).
SHAPE = np.array([
    (-.78, 0), (-.77, .2), (-.74, .4), (-.7, .6), (-.62, .8), (-.5, .96), (-.34, 1.1), (-.18, 1.2), (0, 1.23), (.18, 1.2),
    (.34, 1.1), (.5, .96), (.62, .8), (.7, .6), (.74, .4), (.77, .2), (.78, 0), (-.62, -.2), (-.53, -.28), (-.4, -.3),
    (-.26, -.28), (-.14, -.22), (.14, -.22), (.26, -.28), (.4, -.3), (.53, -.28), (.62, -.2), (0, 0), (0, .13), (0, .26),
    (0, .4), (-.16, .48), (-.08, .51), (0, .53), (.08, .51), (.16, .48), (-.5, 0), (-.4, -.06), (-.28, -.06), (-.18, .01),
    (-.28, .04), (-.4, .04), (.18, .01), (.28, -.06), (.4, -.06), (.5, 0), (.4, .04), (.28, .04), (-.3, .8), (-.19, .74),
    (-.08, .7), (0, .72), (.08, .7), (.19, .74), (.3, .8), (.19, .89), (.08, .93), (0, .94), (-.08, .93), (-.19, .89),
    (-.26, .8), (-.08, .77), (0, .78), (.08, .77), (.26, .8), (.08, .84), (0, .85), (-.08, .84)], np.float32)


def points(rng, width, height, eyes):
    """68 points of a face somewhere in the middle of a picture."""
    a = rng.normal(0, 0.1)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    centre = np.array([width / 2, height * 0.42]) + rng.normal(0, 0.03 * eyes, 2)
    return ((SHAPE * eyes * rng.uniform(0.85, 1.15)) @ turn.T + centre).astype(np.float32)


def picture(p, width, height, rng):
    """A gray face, 0 to 1: bright skin, dark brows and eyes, a shaded nose, a mouth."""
    im = np.full((height, width), 0.25 + 0.1 * rng.random(), np.float32)
    q = lambda i: [np.rint(p[i] * 8).astype(np.int32)]
    up = p[17:27].mean(0) - p[8]
    cv2.fillPoly(im, [np.rint(np.vstack([p[0:17], p[26:16:-1] + 0.3 * up]) * 8).astype(np.int32)], 0.8, cv2.LINE_AA, shift=3)
    thick = max(1, int(np.linalg.norm(p[36] - p[45]) * 0.06))
    for a, b in ((17, 22), (22, 27), (27, 31)):
        cv2.polylines(im, q(range(a, b)), False, 0.5 if a < 27 else 0.65, thick, cv2.LINE_AA, shift=3)
    for a, b, v in ((36, 42, 0.35), (42, 48, 0.35), (30, 36, 0.6), (48, 60, 0.45)):
        cv2.fillPoly(im, q(range(a, b)), v, cv2.LINE_AA, shift=3)
    return np.clip(im + rng.normal(0, 0.01, im.shape), 0, 1)


def visible68(folder, counts, missing=False):
    """../shared/data/README.md; counts: {split: faces}."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(3)
    for split, n in counts.items():
        with open(folder / f"{split}.csv", "w", newline="") as f:
            w = csv.writer(f)
            w.writerow(["file", "subject", "source"] + [f"{a}{k}" for k in range(68) for a in "xy"])
            for i in range(n):
                p = points(rng, 224, 224, 66)
                name = f"{split}{i}.png"
                cv2.imwrite(str(folder / "images" / name), (picture(p, 224, 224, rng) * 255).astype(np.uint8))
                row = [f"{v:.3f}" for v in p.ravel()]
                if missing and i == 0:
                    row[10] = row[11] = ""
                w.writerow([name, f"s{i}", "helen" if i % 2 else "ytf"] + row)
    return folder


def thermal6(folder):
    """Two short recordings, lying on their side as the camera did."""
    (folder / "recordings").mkdir(parents=True)
    rng = np.random.default_rng(4)
    index, dev, negative = [], [], []
    for rec in ("a", "b"):
        frames = []
        for k in range(6):
            p = points(rng, 120, 160, 34)
            frames.append((30000 + 600 * picture(p, 120, 160, rng)).astype("<u2"))
            if k == 3:
                six = [p[36:42].mean(0), p[42:48].mean(0), p[30], p[48], p[54], p[8]]
                box = [p[:, 0].min(), p[:, 1].min() - 10, p[:, 0].max(), p[8, 1]]
                dev.append([rec, k, f"p{rec}", *box, *np.ravel(six), 0, int(rec == "b"), "frontal", "good"])
        frames[5][:] = 29500
        negative.append([rec, 5, 5])
        index.append([rec, 6, 8.77, 29500, 30600])
        lying = np.rot90(np.stack(frames), 1, (1, 2))
        subprocess.run(["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "gray16le", "-s", "160x120", "-r", "8.77", "-i", "-",
                        "-c:v", "ffv1", str(folder / "recordings" / f"{rec}.mkv")], input=np.ascontiguousarray(lying).tobytes(), check=True)
    names = ("eye_r", "eye_l", "nose", "mouth_r", "mouth_l", "chin")
    table(folder / "index.csv", "rec,frames,fps,min_cK,max_cK", index)
    table(folder / "dev.csv", "rec,frame,person,x0,y0,x1,y1," + ",".join(f"{n}_{a}" for n in names for a in "xy")
          + ",glasses,mask,yaw,quality", dev)
    table(folder / "negative.csv", "rec,first_frame,last_frame", negative)
    return folder


def table(path, header, rows):
    path.write_text(header + "\n" + "".join(",".join(map(str, r)) + "\n" for r in rows))


def kaggle(folder, columns, convert):
    """training.csv with some cells empty: in row 0 the left eye's outer corner, in row 2 all but the four big ones."""
    folder.mkdir()
    rng = np.random.default_rng(5)
    rows = []
    for i in range(30):
        p = points(rng, 96, 96, 38)
        k = convert(p[None])[0]
        cells = [f"{v:.4f}" for v in k.ravel()]
        if i == 0:
            cells[6] = cells[7] = ""
        if i == 2:
            cells[4:20] = [""] * 16
        rows.append(cells + [" ".join(map(str, (picture(p, 96, 96, rng) * 255).astype(np.uint8).ravel()))])
    table(folder / "training.csv", ",".join(f"{c}_{a}" for c in columns for a in "xy") + ",Image", rows)
    return folder


def tfl(folder, subjects=12):
    """menpo's landmark files beside temperatures."""
    folder.mkdir()
    rng = np.random.default_rng(6)
    for s in range(subjects):
        p = points(rng, 320, 240, 70)
        np.save(folder / f"snap_{s:03d}_a.npy", (22 + 12 * picture(p, 320, 240, rng)).astype(np.float32))
        yx = [[float(y), float(x)] for x, y in p]
        if s == 0:
            yx[30] = [None, None]
        (folder / f"snap_{s:03d}_a.ljson").write_text(json.dumps({"version": 2, "labels": [], "landmarks": {"points": yx}}))
    return folder


def sftl54(folder):
    rng = np.random.default_rng(7)
    for split in ("train", "val", "test"):
        (folder / split / "json").mkdir(parents=True)
        (folder / split / "images").mkdir()
        for i in range(2):
            p = points(rng, 200, 200, 60)
            q = np.vstack([p[:48], p[[48, 51, 54, 57, 66, 62]]])
            cv2.imwrite(str(folder / split / "images" / f"{i}_1.png"), (picture(p, 200, 200, rng) * 255).astype(np.uint8))
            shapes = [{"label": "face", "points": [[1, 2], [150, 160]]}] + [
                {"label": name, "points": q[a:b].tolist()} for name, a, b in (("chin", 0, 17), ("rest", 17, 54))]
            (folder / split / "json" / f"{i}_1.json").write_text(json.dumps({"shapes": shapes}))
    return folder


def wflw(folder, to_68):
    """98 points whose counterparts among the 68 are a made-up face's; the others lie between neighbours."""
    lists = folder / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    lists.mkdir(parents=True)
    rng = np.random.default_rng(8)
    for split, n in (("train", 24), ("test", 3)):
        lines = []
        for i in range(n):
            p = points(rng, 300, 280, 90)
            q = np.zeros((98, 2), np.float32)
            q[:] = p[30]
            q[to_68] = p
            name = f"{i % 5}--Event/{split}{i}.png"
            (folder / "WFLW_images" / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / "WFLW_images" / name), (picture(p, 300, 280, rng) * 255).astype(np.uint8))
            box = [int(p[:, 0].min()), int(p[:, 1].min()), int(p[:, 0].max()), int(p[:, 1].max())]
            lines.append(" ".join(f"{v:.6f}" for v in q.ravel()) + " " + " ".join(map(str, box + [0] * 6)) + " " + name)
        (lists / f"list_98pt_rect_attr_{split}.txt").write_text("\n".join(lines) + "\n")
    return folder


def charlotte(folder):
    folder.mkdir()
    rng = np.random.default_rng(9)
    rows = []
    for i in range(12):
        p = points(rng, 320, 256, 70)
        q = np.vstack([p, p[:4] - 3])
        cv2.imwrite(str(folder / f"f{i}.tiff"), (29800 + 700 * picture(p, 320, 256, rng)).astype(np.uint16))
        cells = [f"{v:.3f}" for v in q.ravel()]
        if i == 0:
            cells[2] = cells[3] = ""
        rows.append([f"f{i}.tiff", f"S{i}"] + cells)
    table(folder / "landmarks.csv", "file,subject," + ",".join(f"{a}{k}" for k in range(72) for a in "xy"), rows)
    return folder
