#!/usr/bin/python3
"""The reader of hand-placed points, and what training says of bad input: one line, with file and row. Writes TAP.

    test_labels.py THERMOFACE SOURCE
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tap

THERMOFACE, SOURCE = sys.argv[1], Path(sys.argv[2])
tap.skip_without(("numpy", "torch", "cv2", "onnx", "matplotlib"))
folder = tempfile.TemporaryDirectory(prefix="tf-labels-")
HOME = Path(folder.name)
os.environ.update(TF_TRAINING_OUT=str(HOME / "out"), TF_SHARED=str(HOME / "shared"), OMP_WAIT_POLICY="PASSIVE")
sys.path[:0] = [str(Path(__file__).resolve().parent), str(SOURCE / "training")]
sys.dont_write_bytecode = True

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

import adapters  # noqa: E402
import labels  # noqa: E402
import landmarks as LM  # noqa: E402
import madeup  # noqa: E402
from tap import check  # noqa: E402

TRAINING = SOURCE / "training"
SIX = [list(range(36, 42)), list(range(42, 48)), [30], [48], [54], [8]]
HEAD = ",".join(f"{n}_{a}" for n in labels.SIX_NAMES for a in "xy")


def six_of(p):
    return np.stack([p[i].mean(0) for i in SIX])


def recording(path, frames):
    """Frames as they lie in the file, u8 or u16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n, h, w = frames.shape
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray" if frames.dtype == np.uint8 else "gray16le", "-s", f"{w}x{h}",
                    "-r", "9", "-i", "-", "-c:v", "ffv1", str(path)], input=np.ascontiguousarray(frames).tobytes(), check=True)


def said(*command, env=None):
    """Exit status and what a program of training/ says to standard error."""
    done = subprocess.run([sys.executable, str(TRAINING / command[0]), *map(str, command[1:])], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})})
    return done.returncode, done.stderr.strip()


def refuses(text, act):
    try:
        act()
    except ValueError as e:
        check(text in str(e) and "\n" not in str(e), f"'{e}' does not say '{text}'")
        return
    raise AssertionError(f"nothing was said of {text}")


def a_table_of_everything():
    """recordings of any size, depth and turn, and pictures: the points lie on the face that was drawn"""
    root = HOME / "own"
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(1)
    rows = []
    cases = [("tall", 240, 320, 90, "", np.uint16), ("wide", 320, 240, 0, "0", np.uint16), ("turned", 200, 260, 270, "270", np.uint8),
             ("over", 160, 120, 180, "180", np.uint16)]
    for name, w, h, turn, column, kind in cases:
        faces = [madeup.points(rng, w, h, 0.27 * min(w, h)) for _ in range(5)]
        pictures = np.stack([madeup.picture(p, w, h, rng) for p in faces])
        counts = (pictures * 255).astype(np.uint8) if kind == np.uint8 else (30000 + 600 * pictures).astype(np.uint16)
        lying = np.rot90(counts, turn // 90, (1, 2))
        file = f"{name}_video.mkv" if column == "" else f"{name}.mkv"
        recording(root / "recordings" / file, lying)
        if column == "":
            (root / "recordings" / f"{name}_video.json").write_text(json.dumps({"RotateClockwise": turn, "FlipHorizontally": False}))
        rows += [[file, k, name, column, faces[k]] for k in (1, 3)]
    p = madeup.points(rng, 400, 300, 80)
    cv2.imwrite(str(root / "images" / "still.png"), (madeup.picture(p, 400, 300, rng) * 65535).astype(np.uint16))
    rows.append(["still.png", "", "s", "", p])
    text = "file,frame,person,rotate," + HEAD + ",glasses,mask\n"
    for file, k, person, rotate, p in rows:
        cells = [f"{v:.2f}" for v in six_of(p).ravel()]
        if person == "over" and k == 3:
            cells[6:10] = [""] * 4                       # the mouth cannot be seen
        text += f"{file},{k},{person},{rotate},{','.join(cells)},0,{int(person == 's')}\n"
    (root / "points.csv").write_text(text)
    for cache in (None, HOME / "cache", HOME / "cache"):
        t = labels.Table(root / "points.csv", cache=cache)
        check(len(t.faces) == 9, len(t.faces))
        for f, (_, _, person, _, p) in zip(t.faces, rows):
            im = t.picture(f).astype(np.float32)
            im = (im - im.min()) / np.ptp(im)
            eye = np.linalg.norm(f.six[1] - f.six[0])
            for x, y in f.six[:2]:                       # eyes are dark, the cheeks below them light
                check(im[int(y), int(x)] + 0.2 < im[int(y + 0.35 * eye), int(x)], f"{person}: the eyes are not where the table says")
        blank = [f for f in t.faces if f.person == "over" and f.frame == 3][0]
        check(list(blank.seen()) == [True, True, True, False, False, True] and not t.faces[-1].seen()[3:].any(), blank.six)
    code, err = said("weak.py", "--landmarks", SOURCE / "models" / "landmarks68.onnx", "--table", root / "points.csv", "--around", "1",
                     "--out", HOME / "own.npz")
    check(code == 0, err)
    z = np.load(HOME / "own.npz")
    check(len(z["frames"]) >= 9 and z["frames"].shape[0] == len(z["real"]) and np.isfinite(z["points"]).all(), z["frames"].shape)
    got = LM.thermal_batch(LM.load_labels(HOME / "own.npz", "1.0"), 32, 0.3)
    check(torch.isfinite(got[0]).all() and got[1].mean() > 0.5 and torch.isfinite(got[2]).all(), "training windows of them are no pictures")
    a = adapters.load(f"own:{root}", "train")
    check(a.order == "thermal6" and len(a) >= 2, len(a))


def nonsense_is_refused():
    """a table made for another size or turn is refused by row, never read as something else"""
    root = HOME / "own"
    text = (root / "points.csv").read_text().splitlines()
    (root / "other.csv").write_text(text[0] + "\n" + text[3].replace(",wide,0,", ",wide,90,") + "\n")
    t = labels.Table(root / "other.csv")
    t.faces[0].six[:, 0] += 120
    refuses("other.csv:2: a point lies outside the upright picture of 240 x 320", lambda: t.picture(t.faces[0]))
    lines = {"frame": (text[1].replace("_video.mkv,1,", "_video.mkv,77,"), "has no frame 77"),
             "number": (text[1].replace(",tall,,", ",tall,,abc").replace("abc", "x", 1), "eye_r_x: 'x"),
             "half": (",".join([*text[1].split(",")[:4], "", *text[1].split(",")[5:]]), "eye_r_x: '' is not a number"),
             "fields": (text[1] + ",9", "fields, the header has"), "rotate": (text[1].replace(",tall,,", ",tall,45,"), "rotate: 45 is not one of"),
             "file": (text[1].replace("tall_video", "none_video"), "there is no such recording"),
             "way out": ("../" + text[1], "is not a name inside the folder"), "picture": (text[9].replace("still", "gone"), "there is no such picture")}
    for name, (line, words) in lines.items():
        (root / "bad.csv").write_text(text[0] + "\n" + line + "\n")
        refuses("bad.csv:2: ", lambda: (lambda t: t.picture(t.faces[0]))(labels.Table(root / "bad.csv")))
        refuses(words, lambda: (lambda t: t.picture(t.faces[0]))(labels.Table(root / "bad.csv")))
    (root / "bad.csv").write_text(text[0].replace("chin_y", "chin") + "\n" + text[1] + "\n")
    refuses("bad.csv:1: column 'chin_y' is missing", lambda: labels.Table(root / "bad.csv"))
    whole = (root / "images" / "still.png").read_bytes()
    for cut in (0, 20, len(whole) // 2, len(whole) - 5):
        (root / "images" / "still.png").write_bytes(whole[:cut])
        t = labels.Table(root / "points.csv")
        refuses("points.csv:10: ", lambda: t.picture(t.faces[-1]))
        code, err = said("weak.py", "--landmarks", SOURCE / "models" / "landmarks68.onnx", "--table", root / "points.csv", "--out", HOME / "no.npz")
        check(code == 1 and err.count("\n") == 0 and "points.csv:10" in err and "truncated" in err, err)
    (root / "images" / "still.png").write_bytes(whole)
    video = root / "recordings" / "wide.mkv"
    kept = video.read_bytes()
    video.write_bytes(kept[:300])
    t = labels.Table(root / "points.csv")
    refuses("wide.mkv", lambda: [t.picture(f) for f in t.faces])
    video.write_bytes(kept)


def corrected_labels_are_noticed():
    """a label file or a picture that was changed is read again"""
    from data import visible68
    root = madeup.visible68(HOME / "v", {"train": 6})
    first = visible68("train", root)
    text = (root / "train.csv").read_text().splitlines()
    cells = text[1].split(",")
    cells[3] = "50.000"
    (root / "train.csv").write_text("\n".join([text[0], ",".join(cells), *text[2:]]) + "\n")
    check(visible68("train", root).points[0, 0, 0] == 50 and first.points[0, 0, 0] != 50, "a corrected label was not noticed")
    os.utime(root / "images" / "train2.png", ns=(1, 1))
    cv2.imwrite(str(root / "images" / "train2.png"), np.full((224, 224), 9, np.uint8))
    check((visible68("train", root).images[2] == 9).all(), "a changed picture was not noticed")


def programs_say_it_in_one_line():
    """missing data, damaged checkpoints and options that a recipe does not use: one line, and no traceback"""
    madeup.visible68(HOME / "shared/data/visible68", {"train": 40, "val": 8})
    madeup.thermal6(HOME / "shared/data/thermal6")
    bad = HOME / "bad.pt"
    bad.write_bytes(b"PK\x03\x04 half")
    torch.save({"x": 1}, HOME / "other.pt")
    table = HOME / "shared/data/visible68/train.csv"
    cases = [(("train.py", "landmarks68", "--quick", "--init", bad), 1, "bad.pt: damaged"),
             (("train.py", "landmarks68", "--quick", "--init", HOME / "other.pt"), 1, "not a checkpoint"),
             (("train.py", "landmarks68", "--quick", "--init", HOME / "none.pt"), 1, "none.pt is missing"),
             (("train.py", "landmarks68", "--quick", "--pseudo", bad), 1, "bad.pt: cannot be read as labels"),
             (("quantise.py", "landmarks68", "--quick", "--checkpoint", bad), 1, "bad.pt: damaged"),
             (("weak.py", "--landmarks", table), 1, "damaged"),
             (("train.py", "b-resnet18", "--quick", "--reshape"), 2, "b-resnet18 does not use --reshape"),
             (("train.py", "finder", "--quick", "--data", "visible68"), 2, "finder does not use --data"),
             (("train.py", "a-pretext", "--look", "0.2"), 2, "a-pretext does not use --look"),
             (("train.py", "landmarks68", "--fold", "3/3"), 2, "--fold 3/3"),
             (("train.py", "b-resnet18", "--quick", "--data", "wflw:/nowhere"), 1, "/nowhere"),
             (("train.py", "landmarks68", "--quick", "--data", "nothing:/x"), 1, "'nothing' is not known")]
    for command, status, words in cases:
        code, err = said(*command, *(("--batch", "8") if command[0] == "train.py" else ()))
        last = err.splitlines()[-1] if err else ""
        check(code == status and words in last and "Traceback" not in err and (status == 2 or "\n" not in err), f"{command}: {code}: {err}")
    rows = table.read_text().splitlines()
    table.write_text("\n".join([rows[0], rows[1], rows[2].replace(rows[2].split(",")[5], "x", 1), *rows[3:]]) + "\n")
    code, err = said("train.py", "landmarks68", "--quick", "--batch", "8")
    check(code == 1 and f"{table}:3: x1: 'x' is not a number" in err and "\n" not in err, err)
    table.write_text("\n".join(rows) + "\n")


def landmarks_learn_from_any_set():
    """landmarks68 takes --data of every adapter, with labels that are missing, and its file says whose terms it is under"""
    tfl, wflw = madeup.tfl(HOME / "t", 40), madeup.wflw(HOME / "w", __import__("orders").WFLW_TO_68)
    env = {"TF_SHARED": str(HOME / "nothing"), "TF_TRAINING_OUT": str(HOME / "out-any")}
    sets = [f"tfl:{tfl}", f"wflw:{wflw}"]
    code, err = said("train.py", "landmarks68", "--quick", "--batch", "8", "--threads", "1", "--data", *sets, env=env)
    check(code == 0, err)
    log = json.loads((HOME / "out-any/quick-landmarks68/log.json").read_text())
    check([r["epoch"] for r in log] == [0, 1, 2] and all("val_loss" in r for r in log) and log[-1]["loss"] < log[0]["loss"], log)
    code, err = said("quantise.py", "landmarks68", "--quick", "--sets", *sets, env=env)
    check(code == 0, err)
    done = subprocess.run([THERMOFACE, "model", str(HOME / "out-any/quick-landmarks68/landmarks68.onnx"), "--json"], capture_output=True, text=True, check=True)
    meta = json.loads(done.stdout)["metadata"]
    check("WFLW" in meta["tf.licence"] and "Thermal Face" in meta["tf.licence"] and "iBUG" not in meta["tf.licence"], meta)
    check("tfl" in meta["tf.data"] and "visible68" not in meta["tf.data"], meta)


def an_interrupted_run_ends_the_same():
    """a run that was killed goes on to the same weights; its helpers die with it"""
    ends = []
    for name, kill in (("whole", False), ("broken", True)):
        out = HOME / "out" / name
        command = [sys.executable, str(TRAINING / "train.py"), "landmarks68", "--batch", "16", "--epochs", "4", "--threads", "1", "--out", str(out), "--fp32"]
        if kill:
            p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            end = time.monotonic() + 300
            while not (out / "last.pt").exists() and p.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            p.send_signal(signal.SIGKILL)
            p.wait()
            check((out / "last.pt").exists(), p.stderr.read())
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        check(done.returncode == 0 and ("resumed at epoch" in done.stdout) == kill, done.stderr + done.stdout)
        ends.append(torch.load(out / "last.pt"))
    check([r["epoch"] for r in ends[1]["log"]] == [0, 1, 2, 3], ends[1]["log"])
    for k, v in ends[0]["ema"].items():
        check(torch.equal(v, ends[1]["ema"][k]), f"{k} differs")
    p = subprocess.Popen([sys.executable, str(TRAINING / "train.py"), "landmarks68", "--batch", "16", "--epochs", "400", "--threads", "1", "--processes", "2",
                          "--out", str(HOME / "out" / "two")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children, end = [], time.monotonic() + 120
    while not children and time.monotonic() < end and p.poll() is None:
        time.sleep(0.1)
        children = [int(c) for c in Path(f"/proc/{p.pid}/task/{p.pid}/children").read_text().split()
                    if "train.py" in Path(f"/proc/{c}/cmdline").read_text()]
    check(children, "no helper was started")
    time.sleep(0.5)
    p.kill()
    p.wait()
    while any(alive(c) for c in children) and time.monotonic() < end:
        time.sleep(0.1)
    check(not any(alive(c) for c in children), "a helper outlived its parent")


def alive(pid):
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def the_fused_loss_is_the_plain_one():
    """the loss in C and torch's give the same value and gradient"""
    import losses as L
    check(L.in_c() is not None, "heatloss.c was not built")
    torch.manual_seed(6)
    h = 4 * torch.randn(7, 68, 28, 28)
    u = torch.rand(7, 68, 2)
    u[0, 3] = float("nan")
    face = torch.tensor([1.0, 1, 1, 0, 1, 1, 0])
    ok, v = L.labelled(u, face, 0.01)
    share, flat = ok.float() / 60, (1 - face) / (7 * 68)
    got = []
    for kind in (L.HeatLoss, L.FusedHeatLoss):
        x = h.clone().contiguous(memory_format=torch.channels_last).requires_grad_()
        loss = 3 * kind.apply(x, v.clamp(0, 1), share, flat, 1.0, 1.0)
        loss.backward()
        got.append((loss.item(), x.grad))
    check(abs(got[0][0] - got[1][0]) < 1e-4 * abs(got[0][0]), [g[0] for g in got])
    off = (got[0][1] - got[1][1]).abs().max() / got[0][1].abs().max()
    check(off < 1e-4, off)


def scripts_can_be_run():
    """what begins with #! is executable, and nothing else in training/"""
    for f in sorted(TRAINING.glob("*.py")):
        check(os.access(f, os.X_OK) == f.read_bytes().startswith(b"#!"), f.name)


if __name__ == "__main__":
    torch.set_num_threads(1)
    status = tap.run([a_table_of_everything, nonsense_is_refused, corrected_labels_are_noticed, programs_say_it_in_one_line,
                      landmarks_learn_from_any_set, an_interrupted_run_ends_the_same, the_fused_loss_is_the_plain_one, scripts_can_be_run])
    folder.cleanup()
    sys.exit(status)
