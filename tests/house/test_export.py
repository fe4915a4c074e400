"""Recordings in other programs' formats, read back by those programs: values equal to the bit."""
import array
import collections
import csv
import fnmatch
import glob
import gzip
import hashlib
import json
import math
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import SLOW, Daemon, Skip, check, config, have_models, need, run_tests, wait_for  # noqa: E402
from test_session import frames, place, post, start, thermoface  # noqa: E402

EDF_READ = os.environ.get("TF_EDF_READ", "")
HAVE_MATIO = os.environ.get("TF_HAVE_MATIO", "1") == "1"
PYTHON = "/usr/bin/python3"
CLI = os.environ["TF_THERMOFACE"]
STEM = "sub-07_ses-2_task-stroop_run-1_recording-cam"
LONG = "a mark of more than forty bytes, \"quoted\", with ünï and a tail that must not be cut 0123456789"


class Session:
    """Recorded once: two faces, marks, and one that was killed."""
    made = None

    def __init__(self):
        if not have_models():
            raise Skip("no networks")
        self.place = place()
        self.folder = f"{self.place.name}/study"
        self.killed = f"{self.place.name}/killed"
        for folder, kill in ((self.folder, False), (self.killed, True)):
            os.mkdir(folder)
            camera = "width=160\nheight=120\nfps=30\nblack-body=2,2,8,6\nblack-body-temperature=25"
            with Daemon(config("synthetic:faces=2", more=camera,
                               sections=f"[recording]\ndirectory={folder}\nfree-space-min=1\n")) as daemon:
                start(daemon)
                wait_for(lambda: frames(daemon) > 30, 30, "30 frames")
                check(post(daemon, "/mark", {"text": LONG, "value": 3})[0] == 200, "a mark")
                wait_for(lambda: frames(daemon) > 60, 30, "60 frames")
                check(post(daemon, "/mark", {"text": "end"})[0] == 200, "a mark")
                if kill:
                    time.sleep(1.2)  # what is older than a second is on the disk
                    daemon.process.kill()
                    daemon.process.wait()
                else:
                    status, answer = post(daemon, "/record/stop", {})
                    check(status == 200 and answer["state"] == "complete", answer)
        self.beh = f"{self.folder}/sub-07/ses-2/beh"
        self.table = rows(f"{self.beh}/{STEM}_frames.csv")
        with open(f"{self.beh}/{STEM}_video.json", encoding="utf-8") as file:
            self.about = json.load(file)
        with open(f"{self.beh}/{STEM}_events.tsv".replace("_recording-cam", ""), encoding="utf-8", newline="") as file:
            self.events = list(csv.DictReader(file, delimiter="\t"))

    @classmethod
    def get(cls):
        cls.made = cls.made or cls()
        return cls.made

    def pixels(self, path=None):
        """The raw video's frames by FFmpeg, one hash each, and all of them."""
        need("ffmpeg")
        raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path or f"{self.beh}/{STEM}_video.mkv", "-fps_mode",
                              "passthrough", "-f", "rawvideo", "-pix_fmt", "gray16le", "-"],
                             capture_output=True, check=True, timeout=60 * SLOW).stdout
        return raw


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def export(*arguments, status=0):
    done = thermoface("export", *arguments)
    check(done.returncode == status, f"{arguments}: {done}")
    return done.stderr


def python(text, *modules):
    if subprocess.run([PYTHON, "-c", "import " + ",".join(modules)], capture_output=True, check=False).returncode:
        raise Skip(f"{' or '.join(modules)} is not installed for {PYTHON}")
    done = subprocess.run([PYTHON, "-c", text], capture_output=True, text=True, check=False, timeout=60 * SLOW)
    check(done.returncode == 0, done.stderr)
    return done.stdout


def sha(data):
    return hashlib.sha256(data).hexdigest()


def left(folder):
    """Files that an export left, hidden ones too."""
    return sorted(os.listdir(folder))


def npy():
    """NumPy reads the frames bit for bit, maps them, and their times; °C are those of the scale"""
    session = Session.get()
    with place() as out:
        export(session.folder, "--to", "npy", "--output", out, "--quiet")
        check(left(out) == [f"{STEM}.json", f"{STEM}.npy", f"{STEM}_times.npy"], left(out))
        export(f"{session.beh}/{STEM}", "--to", "npy", "--output", f"{out}/c.npy", "--celsius", "--frames", "10:19")
        said = python(f"""
import numpy as np, hashlib, json
a = np.load("{out}/{STEM}.npy", mmap_mode="r"); t = np.load("{out}/{STEM}_times.npy")
about = json.load(open("{out}/{STEM}.json"))
c = np.load("{out}/c.npy"); ct = np.load("{out}/c_times.npy")
want = a[10:20].astype(np.float32) * np.float32(about["CelsiusScale"]) + np.float32(about["CelsiusOffset"])
print(json.dumps([a.dtype.str, a.shape, hashlib.sha256(a.tobytes()).hexdigest(), t.tolist(), about, c.dtype.str,
                  bool((c == want).all()), ct[:, 1].tolist()]))
""", "numpy")
        kind, shape, digest, times, about, ckind, same, numbers = json.loads(said)
        raw = session.pixels()
        check(kind == "<u2" and shape == [len(session.table), 120, 160] and digest == sha(raw), (kind, shape))
        check([t[0] for t in times] == [int(row["t_mono_ns"]) for row in session.table], "times")
        check(ckind == "<f4" and same and numbers == list(range(10, 20)), (ckind, same, numbers))
        check(about["StartMonotonicNs"] == session.about["SessionStartMonotonicNs"], about)
        check((about["CelsiusScale"], about["FrameCount"]) == (session.about["CelsiusScale"], len(times)), about)
        # A part by time.
        seconds = [(int(row["t_mono_ns"]) - about["StartMonotonicNs"]) / 1e9 for row in session.table]
        export(f"{session.beh}/{STEM}_video.mkv", "--to", "npy", "--output", f"{out}/t.npy", "--from",
               f"{seconds[5] - 0.001}", "--until", f"{seconds[7] + 0.001}")
        said = python(f"import numpy as np; print(np.load('{out}/t_times.npy')[:, 1].tolist())", "numpy")
        check(json.loads(said) == [5, 6, 7], said)


def tiff():
    """OpenCV and libtiff read the stack bit for bit; every page says its stamps"""
    session = Session.get()
    with place() as out:
        export(session.folder, "--to", "tiff", "--output", f"{out}/a.tif")
        export(session.folder, "--to", "tiff", "--output", f"{out}/c.tif", "--celsius", "--frames", ":4")
        raw = session.pixels()
        said = python(f"""
import cv2, hashlib, numpy as np, json
ok, pages = cv2.imreadmulti("{out}/a.tif", flags=cv2.IMREAD_UNCHANGED)
ok, warm = cv2.imreadmulti("{out}/c.tif", flags=cv2.IMREAD_UNCHANGED)
raw = np.stack(pages[:5]).astype(np.float32)
want = raw * np.float32({session.about["CelsiusScale"]}) + np.float32({session.about["CelsiusOffset"]})
print(json.dumps([len(pages), str(pages[0].dtype), hashlib.sha256(np.stack(pages).tobytes()).hexdigest(),
                  len(warm), bool((np.stack(warm) == want).all())]))
""", "cv2", "numpy")
        count, kind, digest, warm, same = json.loads(said)
        check((count, kind, digest) == (len(session.table), "uint16", sha(raw)), said)
        check((warm, same) == (5, True), said)
        need("ffprobe")
        # Our own reader, and what a page says, by a program that knows the tags.
        with open(f"{out}/a.tif", "rb") as file:
            data = file.read()
        pages = [json.loads(part.split(b"}\0")[0] + b"}") for part in data.split(b'{"Frame":')[1:]
                 for part in [b'{"Frame":' + part]]
        check([page["MonotonicNs"] for page in pages] == [int(row["t_mono_ns"]) for row in session.table], "stamps")
        check([page["Flags"] for page in pages] == [row["flags"] for row in session.table], "flags")
        check(pages[0]["CelsiusScale"] == session.about["CelsiusScale"] and "Unit" not in pages[1], pages[:2])
        done = thermoface("run", f"{out}/a.tif", "--format", "lepton3-y16", "--csv", f"{out}/a.csv")
        check(done.returncode == 0 and len(rows(f"{out}/a.csv")) == len(session.table), done)


def mat_check(path, loader, modules):
    """Values of a .mat or .h5 file against the tables."""
    session = Session.get()
    said = json.loads(python(loader, *modules))
    table = session.table
    start_ns = session.about["SessionStartMonotonicNs"]
    check(said["stamps"] == [int(row["t_mono_ns"]) for row in table], "records.t_mono_ns")
    check(max(abs(a - (int(row["t_mono_ns"]) - start_ns) / 1e9) for a, row in zip(said["time"], table)) < 1e-9, "time")
    for name in ("mean", "median", "sd", "n", "valid", "mean_corrected"):
        want = [float(row[f"nose_tip_{name}"]) if row[f"nose_tip_{name}"] else None for row in table]
        check(said[name] == want, f"{path}: nose_tip.{name}: {said[name][:4]} {want[:4]}")
    check(said["state"] == [row["state"] for row in table], said["state"])
    for got, row in zip(said["point"], table):
        # A busy machine may have had no time to look at a frame.
        check(abs(got[0] - float(row["p30_x"])) < 1e-4 and abs(got[1] - float(row["p30_y"])) < 1e-4
              if row["p30_x"] else got[0] != got[0], "points")
    check(said["type"] == [LONG, "end"] and said["value"] == ["3", ""], said)
    check([f"{onset:.6f}" for onset in said["onset"]] == [f"{float(e['onset']):.6f}" for e in session.events], said)
    check(said["frames"] == sha(session.pixels()) and said["shape"] == [len(table), 120, 160], said["shape"])


class Mat5:
    """A reader of MATLAB's files of version 5, by the format's description ("MAT-File Format", MathWorks)."""
    FORMATS = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q"}

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        check(self.data[124:128] == b"\x00\x01IM", "not version 5, little endian")
        self.variables = {}
        at = 128
        while at < len(self.data):
            kind, body, at = self.element(self.data, at)
            name, value = self.matrix(zlib.decompress(body)[8:] if kind == 15 else body)
            self.variables[name] = value

    @staticmethod
    def element(data, at):
        kind, size = struct.unpack_from("<II", data, at)
        if kind >> 16:  # a small one
            return kind & 0xffff, data[at + 4:at + 4 + (kind >> 16)], at + 8
        end = at + 8 + size
        return kind, data[at + 8:end], end + (-size % 8 if kind != 15 else 0)

    def matrix(self, data):
        """Name and value: numbers in column order with their size, texts, lists of cells, structures."""
        _, flags, at = self.element(data, 0)
        _, dims, at = self.element(data, at)
        _, name, at = self.element(data, at)
        dims, kind = struct.unpack(f"<{len(dims) // 4}i", dims), flags[0]
        name = name.decode()
        if kind == 1:  # cells
            cells = []
            for _ in range(math.prod(dims)):
                _, body, at = self.element(data, at)
                cells.append(self.matrix(body)[1])
            return name, cells
        if kind == 2:  # a structure
            _, length, at = self.element(data, at)
            _, names, at = self.element(data, at)
            n, value = struct.unpack("<i", length)[0], {}
            for i in range(len(names) // n):
                _, body, at = self.element(data, at)
                value[names[i * n:(i + 1) * n].split(b"\0")[0].decode()] = self.matrix(body)[1]
            return name, value
        form, body, _ = self.element(data, at) if at < len(data) else (2, b"", 0)
        if kind == 4:  # a text
            return name, body.decode({16: "utf-8", 17: "utf-16le", 4: "utf-16le"}[form] if body else "utf-8")
        return name, (dims, array.array(self.FORMATS[form], body), kind)


def mat_by_description():
    """The .mat by the format's own description: sizes, kinds, every value, marks, frames"""
    if not HAVE_MATIO:
        raise Skip("built without matio")
    session = Session.get()
    with place() as out:
        export(session.folder, "--to", "mat", "--with-frames", "--output", f"{out}/a.mat", "--quiet")
        got = Mat5(f"{out}/a.mat").variables
        n = len(session.table)
        dims, frames_, kind = got["frames"]
        check(dims == (120, 160, n) and kind == 11, f"frames: {dims}, class {kind}")  # mxUINT16_CLASS
        size, turned = 160 * 120, array.array("H")
        for k in range(n):
            one = frames_[k * size:(k + 1) * size]
            for row in range(120):
                turned.extend(one[row::120])
        check(turned.tobytes() == session.pixels(), "frames: other pixels")
        check(got["events"]["trial_type"] == [LONG, "end"] and got["events"]["value"] == ["3", ""], got["events"])
        for name in session.table[0]:
            if re.fullmatch(r"p[fv]?\d+_\w+", name):
                continue
            region = max((r for r in got["regions"] if name.startswith(f"{r}_")), key=len, default=None)
            group = got["regions"][region] if region else got["records"]
            field = name[len(region) + 1:] if region else name
            want, (dims, values, kind) = [row[name] for row in session.table], group[field]
            check(dims == (n, 1), f"{name}: {dims}")
            if f"{field}_names" in group:
                words = [""] + group[f"{field}_names"]
                check([words[v] for v in values] == want, name)
            elif name != "t_utc":
                check(all(v == (int(w) if kind == 14 else float(w)) if w else v == -1 or v != v
                          for v, w in zip(values, want)), f"{name}: {values[:3]} {want[:3]}")
        for name, prefix in (("points", "p"), ("points_filtered", "pf"), ("points_visible", "pv")):
            dims, values, _ = got[name]
            check(dims == (n, 68, 3), f"{name}: {dims}")
            for p in (0, 30, 67):
                for part, end in enumerate(("x", "y", "confidence")):
                    for i, row in enumerate(session.table):
                        v, w = values[(part * 68 + p) * n + i], row[f"{prefix}{p}_{end}"]
                        check(abs(v - float(w)) < 1e-4 if w else v != v, f"{name} {p} {end}: {v}, not {w}")


def mat():
    """SciPy and Octave read the .mat: tables, points, marks, frames"""
    if not HAVE_MATIO:
        raise Skip("built without matio")
    session = Session.get()
    with place() as out:
        export(session.folder, "--to", "mat", "--with-frames", "--output", f"{out}/a.mat", "--quiet")
        if shutil.which("octave"):
            done = subprocess.run(["octave", "--no-gui", "--quiet", "--eval", f"""
m = load('{out}/a.mat');
printf('%s\\n', class(m.frames)); printf('%d ', size(m.frames)); printf('\\n');
f = permute(m.frames, [2 1 3]); printf('%d ', sum(double(f(:)))); printf('\\n');
printf('%.3f ', m.regions.nose_tip.mean(1:3)); printf('\\n');
printf('%s|', m.events.trial_type{{:}}); printf('\\n'); printf('%d\\n', m.records.t_mono_ns(1));
"""], capture_output=True, text=True, check=False, timeout=120 * SLOW)
            lines = done.stdout.split("\n")
            raw = session.pixels()
            total = sum(raw[0::2]) + 256 * sum(raw[1::2])
            check(lines[:3] == ["uint16", f"120 160 {len(session.table)} ", f"{total} "], done)
            check(lines[3].split() == [f"{float(row['nose_tip_mean']):.3f}" for row in session.table[:3]], lines)
            check(lines[4] == f"{LONG}|end|" and lines[5] == session.table[0]["t_mono_ns"], lines)
        mat_check("a.mat", f"""
import scipy.io, numpy as np, json, hashlib
m = scipy.io.loadmat("{out}/a.mat", squeeze_me=True, struct_as_record=False)
tip, r, e = m["regions"].nose_tip, m["records"], m["events"]
some = lambda v: [None if np.isnan(x) else float(x) for x in np.atleast_1d(v).astype(float)]
names = np.atleast_1d(r.state_names)
print(json.dumps(dict(stamps=r.t_mono_ns.tolist(), time=m["time"].tolist(), mean=some(tip.mean),
    median=some(tip.median), sd=some(tip.sd), n=some(tip.n), valid=some(tip.valid),
    mean_corrected=some(tip.mean_corrected), state=[str(names[i - 1]) for i in r.state],
    point=m["points"][:, 30, :2].tolist(), type=[str(t) for t in e.trial_type],
    value=[str(v) if np.size(v) else "" for v in e.value], onset=e.onset.tolist(),
    shape=list(m["frames"].transpose(2, 0, 1).shape),
    frames=hashlib.sha256(np.ascontiguousarray(m["frames"].transpose(2, 0, 1)).tobytes()).hexdigest())))
""", ("scipy", "numpy"))


def hdf5():
    """h5py reads the HDF5 file: tables, points, marks, frames"""
    if not HAVE_MATIO:
        raise Skip("built without matio")
    session = Session.get()
    with place() as out:
        export(session.folder, "--to", "hdf5", "--with-frames", "--output", f"{out}/a.h5", "--quiet")
        mat_check("a.h5", f"""
import h5py, numpy as np, json, hashlib
m = h5py.File("{out}/a.h5")
flat = lambda name: m[name][()].reshape(-1)
some = lambda name: [None if np.isnan(x) else float(x) for x in flat("regions/nose_tip/" + name)]
def text(ref):
    d = m[ref]
    return "" if "MATLAB_empty" in d.attrs and d.attrs["MATLAB_empty"] else d[()].tobytes().decode("utf-16le")
names = [text(ref) for ref in flat("records/state_names")]
print(json.dumps(dict(stamps=flat("records/t_mono_ns").tolist(), time=flat("time").tolist(), mean=some("mean"),
    median=some("median"), sd=some("sd"), n=some("n"), valid=some("valid"), mean_corrected=some("mean_corrected"),
    state=[names[i - 1] for i in flat("records/state")], point=m["points"][:2, 30, :].T.tolist(),
    type=[text(ref) for ref in flat("events/trial_type")], value=[text(ref) for ref in flat("events/value")],
    onset=flat("events/onset").tolist(), shape=list(m["frames"][()].transpose(0, 2, 1).shape),
    frames=hashlib.sha256(np.ascontiguousarray(m["frames"][()].transpose(0, 2, 1)).tobytes()).hexdigest())))
""", ("h5py", "numpy"))


def edf():
    """EDFlib reads the EDF+: samples are the means of valid frames, marks whole, gaps said and never a number"""
    session = Session.get()
    if not EDF_READ or not os.access(EDF_READ, os.X_OK):
        raise Skip("libedf-dev was not there at build time")
    with place() as out:
        # A stretch without a face, and one with the shutter closed, in a copy.
        study = f"{out}/study"
        shutil.copytree(session.folder, study)
        path = f"{study}/sub-07/ses-2/beh/{STEM}_signals.tsv"
        with open(path, encoding="utf-8", newline="") as file:
            signals = list(csv.reader(file, delimiter="\t"))
        head = signals[0]
        for row in signals[31:43]:
            for i, name in enumerate(head):
                if name.endswith("_mean") or name == "nose_minus_forehead":
                    row[i] = "n/a"
                if name.endswith("_valid"):
                    row[i] = "0"
            row[head.index("state")] = "no_face"
        for row in signals[50:53]:
            row[head.index("flags")] = "ffc"
        # A temperature far from the others is not clipped.
        signals[20][head.index("chin_mean")] = "250.125"
        signals[20][head.index("chin_valid")] = "1"
        with open(path, "w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter="\t", lineterminator="\n").writerows(signals)
        export(study, "--to", "edf", "--rate", "10", "--output", f"{out}/a.edf")
        done = subprocess.run([EDF_READ, f"{out}/a.edf"], capture_output=True, text=True, check=False)
        check(done.returncode == 0, done)
        got = json.loads(done.stdout)
        check(got["filetype"] == 1 and (got["patient"].strip(), got["equipment"].strip()) == ("07", "thermoface cam"),
              (got["patient"], got["equipment"]))
        utc = session.about["SessionStart"]
        check("%04d-%02d-%02dT%02d:%02d:%02d" % tuple(got["start"]) == utc[:19], (got["start"], utc))
        check(abs(got["subsecond"] / 1e7 - float("0" + utc[19:-1])) < 2e-6, (got["subsecond"], utc))
        labels = [s["label"].strip() for s in got["signals"]]
        check("forehead" in labels and "periorbital_R" in labels and "nose_forehead" in labels, labels)
        data = [dict(zip(head, row)) for row in signals[1:]]
        gaps = 0
        for label, column in (("forehead", "forehead"), ("chin", "chin"), ("periorbital_R", "periorbital_right")):
            s = got["signals"][labels.index(label)]
            check(s["unit"].strip() == "degC" and s["rate"] == 10, s["unit"])
            for k, (value, digital) in enumerate(zip(s["values"], s["digital"])):
                inside = [float(row[f"{column}_mean"]) for row in data
                          if int(float(row["onset"]) * 10 + 1e-6) == k and row[f"{column}_valid"] == "1"]
                if not inside:
                    gaps += 1
                    check(digital == -32768, f"{label} {k}: {value} without a frame")
                    continue
                step = 0.01 if label == "chin" else 0.001  # chin has the far one
                check(digital > -32768 and abs(value - sum(inside) / len(inside)) <= step / 2 + 1e-6,
                      f"{label} {k}: {value}, not {sum(inside) / len(inside)}")
        check(gaps > 6, "no gap was seen")
        check(max(got["signals"][labels.index("chin")]["values"]) > 80, "the far value is clipped")
        notes = got["annotations"]
        for event, want in zip(session.events, (f"{LONG} [3]", "end")):
            check(any(text == want and abs(onset - float(event["onset"])) < 2e-6 for onset, _, text in notes),
                  f"{want}: {notes}")
        whole = [(onset, seconds) for onset, seconds, text in notes if text == "no value: all regions"]
        lost = [float(row["onset"]) for row in data[30:42]]
        check(any(onset <= lost[3] and onset + seconds >= lost[-4] for onset, seconds in whole), (whole, lost))
        closed = [note for note in notes if note[2] == "shutter closed"]
        check(len(closed) == 1 and abs(closed[0][0] - float(data[49]["onset"])) < 2e-6, closed)
        filled = (int(float(data[-1]["onset"]) * 10 + 1e-6) + 1) % 10  # the last record's rest
        check(any(text.startswith("no value: after") for *_, text in notes) == (filled != 0), notes)


def faces():
    """A row for each face, from the recording and from run: the first face's is the table's row"""
    session = Session.get()
    with place() as out:
        export(session.folder, "--to", "csv", "--output", out, "--camera", "cam")
        got = rows(f"{out}/{STEM}_faces.csv")
        with open(f"{session.beh}/{STEM}_frames.ndjson", encoding="utf-8") as file:
            records = {str(record["frame"]): record for record in map(json.loads, file)}
        check(len(got) == sum(len(record["faces"]) for record in records.values()), len(got))
        check(any(row["face"] == "1" for row in got), "no frame has two faces: this test shows nothing")
        table = {row["frame"]: row for row in session.table}
        check(list(got[0]) == list(session.table[0]) + ["face"], "columns")
        wrong = [(row["frame"], name, row[name], value) for row in got if row["face"] == "0"
                 for name, value in table[row["frame"]].items() if row[name] != value
                 # The record has the pose in degrees to 1/100.
                 and not (name.startswith("pose_") and value and abs(float(row[name]) - float(value)) < 2e-4)]
        check(not wrong, wrong[:5])
        for row in got:
            face = records[row["frame"]]["faces"][int(row["face"])]
            check(int(row["id"]) == face["id"] and float(row["p30_x"]) == face["points"][30][0], row["frame"])
            check(float(row["nose_tip_mean"]) == face["regions"]["nose_tip"]["mean"], row["frame"])
        # The same while it is made: run's rows, without the recording's last column.
        video = f"{session.beh}/{STEM}_video.mkv"
        done = thermoface("run", "synthetic:faces=2", "--limit", "20", "--csv", f"{out}/a.csv", "--csv-faces",
                          f"{out}/b.csv", "--ndjson", f"{out}/c.ndjson", "--quiet")
        check(done.returncode == 0, done)
        one, many = rows(f"{out}/a.csv"), rows(f"{out}/b.csv")
        check(list(many[0]) == list(one[0]) + ["face"] and [r["frame"] for r in many if r["face"] == "0"] ==
              [r["frame"] for r in one if int(r["faces"])], "run: rows")
        for row in many:
            if row.pop("face") == "0":
                check(row == one[int(row["frame"])], row["frame"])
        with open(f"{out}/c.ndjson", encoding="utf-8") as file:
            ids = [str(face["id"]) for line in file for face in json.loads(line)["faces"]]
        check([row["id"] for row in many] == ids and len(ids) > 30, ids)
        done = thermoface("run", video, "--csv", "-", "--csv-faces", "-")
        check(done.returncode == 2 and "only one" in done.stderr, done)


def probe(path, *entries):
    done = subprocess.run(["ffprobe", "-v", "error", "-count_packets", "-show_entries",
                           "format=duration:stream=nb_read_packets,codec_name,pix_fmt", "-of", "json", path],
                          capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


def remux():
    """A killed recording's video gets duration and index, frame for frame; the original is not touched"""
    session = Session.get()
    need("ffprobe", "ffmpeg")
    video = f"{session.killed}/sub-07/ses-2/beh/{STEM}_video.mkv"
    check("duration" not in probe(video)["format"], "a killed file has a duration already: this test shows nothing")
    with open(video, "rb") as file:
        before = file.read()
    with place() as out:
        said = export(session.killed, "--to", "remux", "--output", out)
        fresh = f"{out}/{STEM}_video.mkv"
        check("every packet compared" in said, said)
        with open(video, "rb") as file:
            check(file.read() == before, "the original was changed")
        new, old = probe(fresh), probe(video)
        count = int(new["streams"][0]["nb_read_packets"])
        check(count == int(old["streams"][0]["nb_read_packets"]) > 50 and float(new["format"]["duration"]) > 1, new)
        check(session.pixels(fresh) == session.pixels(video) != b"", "other pictures")
        if subprocess.run([PYTHON, "-c", "import cv2"], capture_output=True, check=False).returncode == 0:
            said = python(f"""
import cv2
for path in ("{video}", "{fresh}"):
    v = cv2.VideoCapture(path); print(int(v.get(cv2.CAP_PROP_FRAME_COUNT)))
v.set(cv2.CAP_PROP_POS_FRAMES, {count // 2}); print(v.read()[0])
""", "cv2").split()
            check(int(said[0]) < 0 and abs(int(said[1]) - count) <= 2 and said[2] == "True", (said, count))
        # A file that is torn in the middle of a frame; the new one ends with the last whole one.
        with open(f"{out}/torn.mkv", "wb") as file:
            file.write(before[:len(before) * 2 // 3])
        export(f"{out}/torn.mkv", "--to", "remux", "--output", f"{out}/mended.mkv")
        n = int(probe(f"{out}/mended.mkv")["streams"][0]["nb_read_packets"])
        size = 160 * 120 * 2
        check(20 < n < count and session.pixels(f"{out}/mended.mkv") == session.pixels(fresh)[:n * size], f"{n} frames")
        # Itself as the output, and no video at all.
        said = export(f"{out}/torn.mkv", "--to", "remux", "--output", f"{out}/torn.mkv", "--overwrite", status=1)
        check("original is not replaced" in said, said)
        with open(f"{out}/none.mkv", "wb") as file:
            file.write(b"no video" * 1000)
        said = export(f"{out}/none.mkv", "--to", "remux", "--output", f"{out}/x.mkv", status=1)
        check("none.mkv" in said and "cannot be read" in said and not os.path.exists(f"{out}/x.mkv"), said)
        # What is left of a killed recording goes into the other formats, too.
        for to in ("npy", "tiff", "csv", "edf") + (("mat",) if HAVE_MATIO else ()):
            export(session.killed, "--to", to, "--output", out, "--quiet")
        check(not [name for name in left(out) if name.startswith(".")], left(out))


FORMATS = ["npy", "tiff", "edf", "csv", "remux"] + (["mat", "hdf5"] if HAVE_MATIO else [])


def refusals():
    """What exists, what is not there, what is damaged, a full disk: said, and nothing is left"""
    session = Session.get()
    with place() as out:
        for to in FORMATS:
            target = f"{out}/{to}"
            with open(target, "w", encoding="utf-8") as file:
                file.write("mine")
            source = f"{session.beh}/{STEM}_desc-annotated_video.mkv" if to == "remux" else session.folder
            said = export(source, "--to", to, "--output", target, status=1)
            with open(target, encoding="utf-8") as file:
                check(f"{target} exists" in said and "--overwrite" in said and file.read() == "mine", said)
            said = export(source, "--to", to, "--output", f"{out}/none/{to}", status=1)
            check("No such file" in said and "none" in said, said)
            said = export(f"{out}/nothing", "--to", to, status=1)
            check("No such file" in said, said)
        os.mkdir(f"{out}/empty")
        for to in FORMATS:
            said = export(f"{out}/empty", "--to", to, status=1)
            check("no recording" in said, said)
        said = export(session.folder, "--to", "npy", "--camera", "other", "--output", out, status=1)
        check("no recording of a camera other" in said, said)
        said = export(session.folder, "--to", "npy", "--frames", "5000:", "--output", out, status=1)
        check("range" in said, said)
        for wrong in (("--to", "xyz"), (), ("--to", "npy", "--frames", "9"), ("--to", "npy", "--frames", "9:3"),
                      ("--to", "npy", "--frames", "-1:3"), ("--to", "npy", "--rate", "5"), ("--to", "edf", "--celsius"),
                      ("--to", "npy", "--from", "3", "--until", "2"), ("--to", "remux", "--frames", "1:2"),
                      ("--to", "tiff", "--with-frames")):
            export(session.folder, *wrong, status=2)
        check(sorted(left(out)) == sorted(FORMATS + ["empty"]), left(out))
        # Damage: each of the recording's files empty, cut or gone.
        for name in ("_video.mkv", "_frames.csv", "_frames.ndjson", "_signals.tsv", "_video.json"):
            for how in ("gone", "empty", "cut", "noise"):
                study = f"{out}/copy"
                shutil.copytree(session.folder, study)
                path = f"{study}/sub-07/ses-2/beh/{STEM}{name}"
                if how == "gone":
                    os.remove(path)
                elif how == "noise":
                    with open(path, "wb") as file:
                        file.write(b"\0\xff,\t\n" * 4000)
                else:
                    os.truncate(path, 0 if how == "empty" else os.path.getsize(path) * 2 // 3)
                os.mkdir(f"{out}/made")
                for to in FORMATS:
                    done = thermoface("export", study, "--to", to, "--output", f"{out}/made", "--quiet")
                    check(done.returncode in (0, 1), f"{name} {how} {to}: {done}")
                    check(done.returncode == 0 or STEM in done.stderr or "no recording" in done.stderr,
                          f"{name} {how} {to}: {done}")
                check(not [f for f in left(f"{out}/made") if f.startswith(".")], left(f"{out}/made"))
                shutil.rmtree(study)
                shutil.rmtree(f"{out}/made")


def limited(arguments, size):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return subprocess.run([CLI, "export", *arguments], capture_output=True, text=True, check=False,
                          preexec_fn=limit, timeout=60 * SLOW)


def no_room():
    """A disk without room at any place of the file: an error, and nothing under the final name"""
    session = Session.get()
    with place() as out:
        for to in FORMATS:
            more = ("--with-frames",) if to in ("mat", "hdf5") else ()
            for size in (0, 100, 3000, 20000, 200000):
                if to == "edf" and size > 3000:
                    continue
                done = limited([session.folder, "--to", to, "--output", out, *more], size)
                check(done.returncode == 1 and done.stderr, f"{to} {size}: {done}")
                check(left(out) == [], f"{to} {size}: {left(out)} {done.stderr}")


def interrupted():
    """Ctrl-C at any moment: half a file never stands under the final name"""
    with place() as out:
        # Enough frames that there is a middle.
        done = thermoface("sample", f"{out}/long.mkv", "--seconds", "400")
        check(done.returncode == 0, done)
        video = f"{out}/long.mkv"
        os.mkdir(f"{out}/to")
        for to in ("npy", "tiff", "remux"):
            stopped = 0
            for wait in (0, 0.02, 0.05, 0.1):
                with subprocess.Popen([CLI, "export", video, "--format", "lepton3-y16", "--to", to, "--output",
                                       f"{out}/to/x", "--quiet"], stderr=subprocess.PIPE, text=True) as process:
                    # From the moment on that it writes.
                    wait_for(lambda: left(f"{out}/to") or process.poll() is not None, 30, "it writes")
                    time.sleep(wait)
                    process.send_signal(signal.SIGINT)
                    said = process.communicate(timeout=60 * SLOW)[1]
                if process.returncode == 1:
                    stopped += 1
                    check("stopped before the end" in said and left(f"{out}/to") == [], (to, said, left(f"{out}/to")))
                for name in left(f"{out}/to"):
                    os.remove(f"{out}/to/{name}")
            check(stopped, f"{to}: none of 4 was stopped in the middle")


NAME = (r"sub-[0-9A-Za-z]+(_ses-[0-9A-Za-z]+)?_task-[0-9A-Za-z]+"
        r"((_tracksys-[0-9A-Za-z]+)?_run-[0-9]+_(motion|channels|events)|_run-[0-9]+_recording-[0-9A-Za-z]+_physio)\.(tsv|tsv\.gz|json)")


def check_bids(folder, kind):
    """What the BIDS validator looks at (its schema's rules for what we write), without it."""
    with open(f"{folder}/dataset_description.json", encoding="utf-8") as file:
        about = json.load(file)
    check(about["DatasetType"] == kind and about["BIDSVersion"] and about["Name"] and len(about["Authors"]) > 1 and
          about["License"] and about["GeneratedBy"][0]["Name"] and about["SourceDatasets"] == [], about)
    check(os.path.getsize(f"{folder}/README") > 150, "README is small")
    with open(f"{folder}/.bidsignore", encoding="utf-8") as file:
        ignored = file.read().split()
    seen = set()
    for path in glob.glob(f"{folder}/sub-*/**/*.*", recursive=True):
        name = os.path.basename(path)
        if not os.path.isfile(path) or any(fnmatch.fnmatch(name, rule) for rule in ignored if rule != "*_motion.*"):
            continue
        match = re.fullmatch(NAME, name)
        check(match, f"{name}: no name of BIDS, and not in .bidsignore")
        suffix = re.search(r"_([a-z]+)\.", name).group(1)
        seen.add(suffix)
        check(os.path.basename(os.path.dirname(path)) == ("motion" if suffix in ("motion", "channels") else "beh"), path)
        check(all(f"{part}/" in path for part in re.findall(r"^sub-[^_]+|(?<=_)ses-[^_]+", name)), f"{path}: elsewhere")
        if name.endswith(".json"):
            continue
        with open(re.sub(r"\.tsv(\.gz)?$", ".json", path), encoding="utf-8") as file:
            beside = json.load(file)
        if suffix == "events":
            with open(path, encoding="utf-8", newline="") as file:
                head = file.readline().rstrip("\n").split("\t")
            check(head[:2] == ["onset", "duration"] and all(beside[column]["Description"] for column in head), head)
            # The validator of npm: what is in there is an object, a column's.
            check(all(isinstance(value, dict) for value in beside.values()), beside)
        if suffix == "physio":
            with gzip.open(path, "rt", encoding="utf-8") as file:
                width = {len(line.split("\t")) for line in file}
            check(width == {len(beside["Columns"])} and beside["SamplingFrequency"] > 0 and "StartTime" in beside and
                  beside["TaskName"] in name and beside["PhysioType"] == "generic" and beside["Description"], beside)
            check(all(beside[column]["Description"] and (column == "frames" or beside[column]["Units"])
                      for column in beside["Columns"]), "columns are not described")
        if suffix == "motion":
            with open(path.replace("_motion.", "_channels."), encoding="utf-8", newline="") as file:
                channels = list(csv.DictReader(file, delimiter="\t"))
            with open(path, encoding="utf-8") as file:
                width = {len(line.split("\t")) for line in file}
            count = collections.Counter(channel["type"] for channel in channels)
            check(width == {len(channels)} and beside["MotionChannelCount"] == len(channels), f"{width} columns")
            check(all(beside[f"{kind}ChannelCount"] == count.get(kind, 0) for kind in
                      ("ACCEL", "ANGACCEL", "GYRO", "JNTANG", "LATENCY", "MAGN", "MISC", "ORNT", "POS", "VEL")), beside)
            check(beside["TaskName"] in name and beside["SamplingFrequency"] and beside["TrackedPointsCount"] == 68, beside)
    return seen


def bids():
    """Sessions, what run makes of them, and run --subject keep the rules of BIDS' validators"""
    session = Session.get()
    check(check_bids(session.folder, "raw") == {"events", "physio", "motion", "channels"}, "files are missing")
    with open(f"{session.folder}/participants.tsv", encoding="utf-8") as file, \
            open(f"{session.folder}/participants.json", encoding="utf-8") as beside:
        check(set(file.readline().split()) == set(json.load(beside)), "participants.json")
    check(os.path.exists(f"{session.folder}/CHANGES"), "CHANGES")
    with place() as out:
        check(thermoface("sample", f"{out}/a.mkv", "--seconds", "2").returncode == 0, "sample")
        shutil.copy(f"{out}/a.mkv", f"{out}/b.mkv")
        given = ("--format", "lepton3-y16", "--rotate", "90", "--quiet", "--no-video", "--output", f"{out}/d")
        done = thermoface("run", f"{out}/a.mkv", f"{out}/b.mkv", *given, "--subject", "09", "--session", "1", "--task",
                          "rest", "--camera", "my-cam")
        check(done.returncode == 0, done)
        check(check_bids(f"{out}/d", "derivative") == {"physio", "motion", "channels"}, "files are missing")
        beh = f"{out}/d/sub-09/ses-1/beh/sub-09_ses-1_task-rest_run"
        for run in (1, 2):
            check(len(rows(f"{beh}-{run}_recording-mycam_frames.csv")) == 18, f"run {run}")
        for wrong in (("--subject", "0-9", "--task", "rest"), ("--subject", "09"), ("--session", "1")):
            done = thermoface("run", f"{out}/a.mkv", *given, *wrong)
            check(done.returncode == 2, done)
        done = thermoface("run", session.folder, "--jobs", "1", "--no-video", "--quiet")
        check(done.returncode == 0, done)
        check(check_bids(f"{session.folder}/derivatives/thermoface", "derivative") >= {"physio", "motion"}, "run")
        shutil.rmtree(f"{session.folder}/derivatives")
        # The validator itself, where somebody has it: TF_BIDS_VALIDATOR names the program (npm's bids-validator).
        validator = os.environ.get("TF_BIDS_VALIDATOR")
        for folder in (session.folder, f"{out}/d") if validator else ():
            done = subprocess.run([validator, folder, "--json"], capture_output=True, text=True, check=False)
            issues = json.loads(done.stdout)["issues"]
            check(not issues["errors"] and not issues["warnings"], issues)


run_tests([npy, tiff, mat_by_description, mat, hdf5, edf, faces, remux, bids, refusals, no_room, interrupted])
