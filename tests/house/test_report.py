"""thermoface report and plot: whole pages from recordings and results, hostile texts, damage."""
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import xml.etree.ElementTree as tree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import SLOW, Daemon, check, config, need, run_tests  # noqa: E402

CLI = os.environ["TF_THERMOFACE"]
MODELS = os.environ["TF_HOUSE_MODELS"]
HOSTILE = "<script>alert(1)</script>\"'&amp;</td>"
STEM = "sub-07_task-stroop_run-1_recording-cam"
XHTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"


def thermoface(*arguments, status=0, cwd=None):
    done = subprocess.run([CLI, *arguments], capture_output=True, text=True, timeout=120 * SLOW, check=False, cwd=cwd,
                          env=dict(os.environ, TF_MODELS=MODELS))
    check(done.returncode == status, f"{arguments}: {done.returncode}: {done.stderr}")
    return done


def post(daemon, path, body):
    request = urllib.request.Request(daemon.http() + path, data=json.dumps(body).encode(), method="POST",
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30 * SLOW) as answer:
        return json.load(answer)


def record(folder):
    """A session with shutter, marks and a region of its own."""
    text = config(url="synthetic:seed=3,clock=1,size=160x120,fps=9,ffc=5", sections=f"[recording]\ndirectory={folder}\n"
                  "free-space-min=1\n[region wall]\nshape=rectangle 2,2,20,10\n")
    with Daemon(text) as daemon:
        time.sleep(1)
        post(daemon, "/record/start", {"subject": "07", "task": "stroop", "note": HOSTILE})
        time.sleep(2.5)
        post(daemon, "/mark", {"text": HOSTILE, "value": "'\"<b>"})
        time.sleep(1.5)
        post(daemon, "/mark", {"text": "ünïcode ✓ " + "x" * 900})
        time.sleep(1.5)
        post(daemon, "/record/stop", {})
        daemon.stop()


def page(path):
    """The page, checked to be well-formed, alone and without scripts."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    root = tree.fromstring(text.split("\n", 1)[1])
    check(root.tag == XHTML + "html" and root.get("lang") == "en", root.tag)
    for element in root.iter():
        name = element.tag.split("}")[-1]
        check(name not in ("script", "iframe", "object", "link", "form"), f"<{name}>")
        for key, value in element.attrib.items():
            check(not key.lower().startswith("on"), f"{name} {key}")
            check(key not in ("src", "href") or value.startswith("data:image/jpeg;base64,"), f"{key}={value[:80]}")
    check("default-src 'none'" in text and not re.search(r"url\(|@import", text), "something from elsewhere")
    return root, text


def texts(root):
    return "".join(root.itertext())


def contrast(a, b):
    def light(rgb):
        parts = [int(rgb[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    x, y = sorted((light(a), light(b)))
    return (y + 0.05) / (x + 0.05)


study = None


def a_page_of_a_session():
    """report: curves, valid shares, losses, shutter, marks with pictures, settings, models, verdict"""
    global study
    study = tempfile.mkdtemp(prefix="tf-report-")
    os.makedirs(study + "/data")
    record(study + "/data")
    done = thermoface("report", f"{study}/data", "--output", f"{study}/r.html")
    check(done.stdout.strip() == f"{study}/r.html", done.stdout)
    root, text = page(f"{study}/r.html")
    said = texts(root)
    for words in ("thermoface verify: all right", STEM, "Losses by place", "Shutter", "Valid frames by region", HOSTILE,
                  f"1: ", "ünïcode ✓", "SoftwareVersions", "with a face"):
        check(words in said, f"{words!r} is not in the page")
    curves = [e.get("aria-label") for e in root.iter(SVG + "svg")]
    check(len(curves) >= 14 and "wall over time" in curves and "nose_minus_forehead over time" in curves, f"{curves}")
    labels = [t.text for t in root.iter(SVG + "text")]
    check("wall" in "".join(l or "" for l in labels) and any(l and l.endswith(" s") for l in labels), "text in SVG")
    pictures = [e for e in root.iter(XHTML + "img")]
    check(len(pictures) == 2 and all(len(e.get("src")) > 2000 and e.get("alt") for e in pictures), f"{len(pictures)} pictures")
    for name in ("landmarks68.onnx", "finder.onnx"):
        with open(f"{MODELS}/{name}", "rb") as file:
            check(hashlib.sha256(file.read()).hexdigest() in said, f"digest of {name}")
    with open(glob.glob(f"{study}/data/sub-07/beh/{STEM}_signals.tsv")[0], encoding="utf-8") as file:
        head, *rows = [line.rstrip("\n").split("\t") for line in file]
    at, state = head.index("nose_tip_valid"), head.index("state")
    share = 100 * sum(r[at] == "1" for r in rows) / len(rows)
    check(f"nose_tip{share:.1f} %" in said, f"share of valid frames {share:.1f}")
    closed = [r for r in rows if "ffc" in r[head.index("flags")].split() or "ffc_settling" in r[head.index("flags")].split()]
    check(f"{float(closed[0][0]):.2f}" in said, "shutter times")
    check(any(r[state] == "stale" for r in rows), "the shutter moved")
    for ink, paper in re.findall(r"color:(#[0-9a-f]{6});background:(#[0-9a-f]{3,6})", text):
        paper = paper if len(paper) == 7 else "#" + "".join(2 * c for c in paper[1:])
        check(contrast(ink, paper) >= 4.5, f"{ink} on {paper}")
    for line in ("#0b4a8f", "#7a2e00"):
        check(contrast(line, "#dddddd") >= 3, f"{line} on the shutter's gray")


def pages_are_not_replaced():
    """report: a page that exists stays; --overwrite; nothing half written is left"""
    with open(f"{study}/r.html", "rb") as file:
        before = file.read()
    said = thermoface("report", f"{study}/data", "--output", f"{study}/r.html", status=1).stderr
    check("exists" in said, said)
    with open(f"{study}/r.html", "rb") as file:
        check(file.read() == before, "replaced")
    thermoface("report", f"{study}/data", "--output", f"{study}/r.html", "--overwrite", "--no-verify", "--no-pictures")
    root, text = page(f"{study}/r.html")
    check("Not verified" in texts(root) and not list(root.iter(XHTML + "img")), "without")
    said = thermoface("report", f"{study}/data", "--output", f"{study}/none/r.html", status=1).stderr
    check("none/r.html" in said, said)
    check(not glob.glob(f"{study}/*.part"), "a part is left")
    os.makedirs(f"{study}/empty")
    check("no recording" in thermoface("report", f"{study}/empty", status=1).stderr, "empty")
    check("Not a directory" in thermoface("report", f"{study}/r.html", status=1).stderr, "file")


def results_of_run():
    """report and plot: folders that `run --output` made, of sessions and of videos"""
    thermoface("run", f"{study}/data", "--quiet")
    again = f"{study}/data/derivatives/thermoface"
    thermoface("report", again, "--output", f"{study}/again.html")
    root, _ = page(f"{study}/again.html")
    said = texts(root)
    check(STEM in said and HOSTILE in said and "Nothing to verify" in said and "What is missing" not in said, said[:3000])
    check(len(list(root.iter(XHTML + "img"))) == 2, "marks of the session that the results are of")
    thermoface("sample", f"{study}/s.mkv", "--seconds", "2")
    thermoface("sample", f"{study}/t.mkv", "--seconds", "2")
    thermoface("run", f"{study}/s.mkv", f"{study}/t.mkv", "--format", "lepton3-y16", "--rotate", "90", "--output",
               f"{study}/results", "--quiet")
    thermoface("report", f"{study}/results", "--output", f"{study}/results.html")
    said = texts(page(f"{study}/results.html")[0])
    check("2 recordings" in said and "leaves no description" in said, said[:2000])
    for folder, name in ((f"{study}/results", "s"), (again, STEM), (f"{study}/data", STEM)):
        thermoface("plot", folder, "--recording", name, "--regions", "nose_tip,forehead", "--output", f"{study}/p.svg", "--overwrite")
        with open(f"{study}/p.svg", encoding="utf-8") as file:
            check("<svg" in file.read(), "svg")
    thermoface("plot", f"{study}/data", "--regions", "wall", "--output", f"{study}/w.png")
    said = thermoface("plot", f"{study}/data", "--regions", "ear", "--output", f"{study}/x.png", status=2).stderr
    check("no region 'ear'" in said, said)


def damage_is_said():
    """report: whatever is missing, cut or made up gives a page that says so"""
    beh = "sub-07/beh"
    def without(folder, *endings):
        for ending in endings:
            for path in glob.glob(f"{folder}/{beh}/*{ending}"):
                os.unlink(path)

    def change(folder, ending, new):
        path = f"{folder}/{beh}/{STEM}{ending}"
        with open(path, "rb") as file:
            old = file.read()
        with open(path, "wb") as file:
            file.write(new(old))

    cases = [
        ("without a description", lambda f: without(f, "_video.json"), "settings and losses are not known"),
        ("without signals", lambda f: without(f, "_signals.tsv"), "…_signals.tsv"),
        ("without any table", lambda f: without(f, "_signals.tsv", "_frames.csv"), "There are no curves"),
        ("without videos", lambda f: without(f, ".mkv"), "the raw video"),
        ("without marks", lambda f: without(f, "_events.tsv"), "…_events.tsv"),
        ("a description that is none", lambda f: change(f, "_video.json", lambda b: b[:200]), "cannot be read"),
        ("a description of another kind", lambda f: change(f, "_video.json", lambda b: b"[1,2]"), "not a JSON object"),
        ("rows cut", lambda f: change(f, "_signals.tsv", lambda b: b[:-30]), "rows that are damaged"),
        ("a table of something else", lambda f: change(f, "_signals.tsv", lambda b: b"a\tb\n1\t2\n"), "not a table"),
        ("an empty table", lambda f: change(f, "_signals.tsv", lambda b: b""), "no table is in it"),
        ("zeros", lambda f: change(f, "_signals.tsv", lambda b: bytes(5000)), "There are no curves"),
        ("hostile columns", lambda f: change(f, "_signals.tsv", lambda b: b.replace(b"wall_", b"<script>\"_")), "<script>\""),
        ("hostile times", lambda f: change(f, "_signals.tsv", lambda b: b.replace(b"\n0.", b"\n1e400\xff.")), STEM),
        ("a video of noise", lambda f: change(f, "_desc-annotated_video.mkv", lambda b: os.urandom(20000)), "1: "),
        ("bytes that are no text", lambda f: change(f, "_signals.tsv", lambda b: b.replace(b"ok", b"\xff\x01\xc0")), "of an unknown state"),
    ]
    for name, damage, words in cases:
        folder = f"{study}/damaged"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(f"{study}/data", folder, ignore=shutil.ignore_patterns("derivatives"))
        damage(folder)
        thermoface("report", folder, "--output", f"{study}/d.html", "--overwrite")
        said = texts(page(f"{study}/d.html")[0])
        check(words in said, f"{name}: {words!r} is not in: {said[:4000]}")
        check("thermoface verify: all right" not in said or name in ("without signals",), f"{name}: verify finds nothing")


def names_of_files_are_texts():
    """report: names of folders and recordings that are HTML"""
    folder = f"{study}/<img src=x onerror=alert(1)>&\"'"
    os.makedirs(folder)
    shutil.copy(glob.glob(f"{study}/results/s_signals.tsv")[0], f"{folder}/<b>&\"'x_signals.tsv")
    with open(f"{folder}/bad_signals.tsv", "wb") as file:
        file.write(b"onset\tstate\tflags\tx_mean\tx_valid\n" + b"1\tok\tn/a\t" + b"9" * 5000 + b"\t1\n")
    thermoface("report", folder, "--output", f"{study}/n.html")
    said = texts(page(f"{study}/n.html")[0])
    check("<b>&\"'x" in said and "onerror" in said, said[:500])
    shutil.rmtree(study)


need("ffmpeg")
run_tests([a_page_of_a_session, pages_are_not_replaced, results_of_run, damage_is_said, names_of_files_are_texts])
