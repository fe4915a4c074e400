#!/usr/bin/python3
"""A lab's afternoon: frames annotated through the page's API, fine-tuning, judging by the C engine. Writes TAP.

    test_finetune.py THERMOFACE SOURCE
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

THERMOFACE, SOURCE = sys.argv[1], Path(sys.argv[2]).resolve()
tap.skip_without(("numpy", "torch", "cv2", "onnx", "matplotlib"))
folder = tempfile.TemporaryDirectory(prefix="tf-finetune-")
HOME = Path(folder.name)
sys.path[:0] = [str(Path(__file__).resolve().parent), str(SOURCE / "tests" / "cli"), str(SOURCE / "training")]
sys.dont_write_bytecode = True

import madeup  # noqa: E402
from tap import check  # noqa: E402
from test_annotate import Page  # noqa: E402


def thermoface(*arguments):
    done = subprocess.run([THERMOFACE, *map(str, arguments)], capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stderr)
    return done.stdout


def command(*arguments):
    return [sys.executable, str(SOURCE / "training" / "finetune.py"), *map(str, arguments), "--threads", "1", "--thermoface", THERMOFACE]


def finetune(*arguments, shared="nowhere", status=0):
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, env=environment(shared))
    check(done.returncode == status, done.stderr + done.stdout)
    return done.stdout if status == 0 else done.stderr.strip()


def environment(shared):
    return {**os.environ, "TF_SHARED": str(HOME / shared), "TF_TRAINING_OUT": str(HOME / "out"), "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_WAIT_POLICY": "PASSIVE"}


def annotated():
    """twenty frames of four persons' recordings, placed through the page's API"""
    names = []
    for seed in range(1, 5):
        names.append(HOME / f"sub-0{seed}_a.mkv")
        thermoface("sample", names[-1], "--seconds", "3", "--source", f"synthetic:seed={seed},glasses={seed % 2}")
    with Page(*names, "--format", "lepton3-y16", "--rotate", "90", "--frames", "5", "--output", HOME / "own" / "points.csv") as page:
        items = page.get("/api/state")["items"]
        check(len(items) == 20 and {i["person"] for i in items} == {f"sub-0{k}" for k in range(1, 5)}, items)
        for i in items:
            points = page.get(f"/api/items/{i['id']}")["start"]
            check(points, "no face is seen")
            # A hand that always puts the chin somewhat lower: what there is to learn.
            points[5][1] += 3
            page.put(i["id"], points=[p if k != 3 or i["id"] % 4 else None for k, p in enumerate(points)], glasses=i["person"] in ("sub-01", "sub-03"))


def without_any_shared_data():
    """train --quick on them, judge, and the service's file: weights, metadata and licence"""
    said = finetune(HOME / "own", "--quick", "--out", HOME / "alone", "--output", HOME / "models" / "landmarks68.onnx")
    for words in ("learns from: 10 faces", "says when to stop: 5 faces", "only judged: 5 faces", "own: only judged", "wrote"):
        check(words in said, f"'{words}' is not in {said}")
    check("thermal6" not in said and "visible68" not in said.split("int8, C engine")[1].split("\n", 1)[1], said)
    (HOME / "models" / "finder.onnx").symlink_to(SOURCE / "models" / "finder.onnx")
    scores = json.loads(thermoface("eval", "stills", HOME / "own" / "points.csv", "--images", HOME / "own" / "images", "--models", HOME / "models", "--json"))
    check(scores["faces"] == 20 and scores["found"] == 100 and scores["nme"] < 12, scores)
    meta, before = (json.loads(thermoface("model", m, "--json"))["metadata"] for m in (HOME / "models" / "landmarks68.onnx", SOURCE / "models" / "landmarks68.onnx"))
    check("the lab's own recordings" in meta["tf.licence"] and before["tf.licence"] in meta["tf.licence"], meta)
    check("10 hand-placed faces of 2 persons" in meta["tf.data"] and meta["tf.decode"] == before["tf.decode"], meta)
    log = json.loads((HOME / "alone" / "log.json").read_text())
    check([r["step"] for r in log] == [0, 3, 6] and all("own" in r for r in log) and (HOME / "alone" / "curves.png").stat().st_size > 1000, log)
    records = thermoface("run", HOME / "sub-01_a.mkv", "--format", "lepton3-y16", "--rotate", "90", "--models", HOME / "models", "--ndjson", "-", "--quiet",
                         "--limit", "3")
    check(all(json.loads(r)["faces"] for r in records.splitlines()), "the service's way sees no face with it")


def learns_what_the_hand_says():
    """some steps take the error of persons it has not seen down"""
    said = finetune(HOME / "own", "--steps", "24", "--every", "8", "--batch", "12", "--lr", "1e-3", "--out", HOME / "learnt", "--judge", "sub-04", "--stop", "sub-03")
    rows = [r for r in said.splitlines() if r.startswith("own: only judged ")]
    before, after = (float(v) for v in rows[0].split()[4:7:2])
    check(after < before - 0.5, said)


def broken_off_and_gone_on():
    """with rehearsed sets, killed and started again: the same file, bit by bit"""
    madeup.visible68(HOME / "shared/data/visible68", {"train": 40, "val": 16})
    madeup.thermal6(HOME / "shared/data/thermal6")
    # Chosen so that it takes some looks: the picture of what it knew of made-up sets is poor.
    options = [HOME / "own", "--steps", "8", "--every", "2", "--batch", "8", "--patience", "9", "--stop", "sub-03", "--judge", "sub-04"]
    finetune(*options, "--out", HOME / "whole", shared="shared")
    out = HOME / "broken"
    p = subprocess.Popen(command(*options, "--out", out), env=environment("shared"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 300
    while not (out / "last.pt").exists() and p.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    p.send_signal(signal.SIGKILL)
    p.wait()
    said = finetune(*options, "--out", out, shared="shared")
    check("resumed at step" in said and "rehearsed thermal" in said and "photographs" in said, said)
    check((out / "landmarks68.onnx").read_bytes() == (HOME / "whole" / "landmarks68.onnx").read_bytes(), "another file")


def what_does_not_work_is_said():
    """one line for what is wrong with table, persons, files"""
    table = (HOME / "own" / "points.csv").read_text().splitlines()
    (HOME / "own" / "poor.csv").write_text("\n".join([table[0], *[r.replace(",good,", ",poor,") for r in table[1:]]]) + "\n")
    (HOME / "own" / "bad.csv").write_text("\n".join([*table[:3], table[3].replace(",good,", ",good,x")]) + "\n")
    (HOME / "bad.onnx").write_bytes(b"no model")
    for arguments, words, status in (((HOME / "gone",), "there is no such table", 1), ((HOME / "own" / "poor.csv",), "no face with both eyes", 1),
                                     ((HOME / "own" / "bad.csv",), "bad.csv:4: eye_r_x: 'x", 1),
                                     ((HOME / "own", "--stop", "nobody"), "--stop nobody: no person of this name", 1),
                                     ((HOME / "own", "--stop", "sub-01", "--judge", "sub-01"), "both name sub-01", 1),
                                     ((HOME / "own", "--stop", "sub-01", "sub-02", "--judge", "sub-03", "sub-04"), "no person is left", 1),
                                     ((HOME / "own", "--model", HOME / "bad.onnx"), "bad.onnx", 1),
                                     ((HOME / "own", "--model", SOURCE / "models" / "finder.onnx"), "another network", 1), ((HOME / "own", "--own", "2"), "--own", 2)):
        said = finetune(*arguments, "--quick", status=status)
        check(words in said.splitlines()[-1] and (status == 2 or "\n" not in said), f"{arguments}: {said}")
    (HOME / "own" / "one.csv").write_text("\n".join([r for r in table if "sub-01" in r or r == table[0]]) + "\n")
    said = finetune(HOME / "own" / "one.csv", "--quick", "--out", HOME / "one")
    check("one person alone" in said and "taken: step 6" in said, said)


if __name__ == "__main__":
    status = tap.run([annotated, without_any_shared_data, learns_what_the_hand_says, broken_off_and_gone_on, what_does_not_work_is_said])
    folder.cleanup()
    sys.exit(status)
