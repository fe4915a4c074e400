#!/usr/bin/env python3
"""Cameras that are mounted the wrong way: rotate=auto, and the warning where a turn was given."""
import contextlib
import glob
import json
import os
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import MODELS, SLOW, TOOLS, Daemon, Records, Skip, check, have_models, need, run_tests, wait_for  # noqa: E402

CLI = os.environ["TF_THERMOFACE"]
SIZE = (160, 120)
AMBER = bytes((0xf5, 0xa5, 0x24))


def needed():
    if not have_models():
        raise Skip("the networks are not there")


def cameras(*sections, more=""):
    text = ""
    for name, url, keys in sections:
        text += f"[camera {name}]\nsource={url}\nwidth={SIZE[0]}\nheight={SIZE[1]}\nfps=30\n{keys}\n"
    return f"{text}[inference]\nmodels={MODELS}\n[rtsp]\nport=0\n[http]\nport=0\n{more}\n"


def turn(daemon, name):
    return daemon.camera(name)["turn"]


def run(url, *options, quiet=False):
    """Records and what was said."""
    done = subprocess.run([CLI, "run", url, "--models", MODELS, "--limit", "60", "--ndjson", "-",
                           *(["--quiet"] if quiet else []), *options], capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def offline_finds_the_turn():
    """run --rotate auto: every frame in the right turn, from the first one on, and it is said"""
    needed()
    for mounted in (0, 90, 180, 270):
        url = f"synthetic:size=160x120,mounted={mounted},seed={3 + mounted // 90}"
        records, said = run(url, "--rotate", "auto")
        check(f"upright with --rotate {mounted}" in said, said)
        check({r["rotate"] for r in records} == {mounted}, f"{mounted}: {[r['rotate'] for r in records]}")
        check(sum(r["state"] == "ok" for r in records) >= 57, f"{mounted}: too few faces")
        # The same as with the turn given.
        given, said = run(url, "--rotate", str(mounted))
        check([r["faces"] for r in given] == [r["faces"] for r in records], f"{mounted}: not what the turn itself gives")
        check("warning" not in said, said)


def offline_warns():
    """run --rotate N: said once in the summary when another turn fits clearly better, and not when it is right"""
    needed()
    for mounted, given in ((180, 0), (0, 180), (90, 270), (270, 0), (0, 90)):
        _, said = run(f"synthetic:size=160x120,mounted={mounted}", "--rotate", str(given))
        check(said.count("warning") == 1 and f"--rotate {mounted} fits clearly better" in said, f"{mounted} as {given}: {said}")
    _, said = run("synthetic:size=160x120,mirrored=1", "--rotate", "0")
    check("warning" not in said, said)
    _, said = run("synthetic:size=160x120,mounted=180", quiet=True)
    check(said == "", said)


def nobody_tells_nothing():
    """run --rotate auto on an empty room stays at 0 and says that it could not tell"""
    needed()
    records, said = run("synthetic:size=160x120,empty=1", "--rotate", "auto")
    check("no face told the turn" in said and {r["rotate"] for r in records} == {0}, said)
    _, said = run("synthetic:size=160x120,empty=1", "--rotate", "90")
    check("warning" not in said, said)


def live_each_camera_by_itself():
    """Live: each camera is turned when somebody is there, kept, said in journal, record and /state"""
    needed()
    with Daemon(cameras(("a", "synthetic:mounted=270", "rotate=auto"), ("b", "synthetic:mounted=0,seed=2", "rotate=auto"),
                        ("c", "synthetic:empty=1", "rotate=auto"))) as daemon:
        records = Records(daemon, "a")
        wait_for(lambda: turn(daemon, "a")["state"] == "decided" and turn(daemon, "b")["state"] == "decided", 30, "decided")
        wait_for(lambda: turn(daemon, "a")["rotate"] == 270, 5, "turned")
        check(turn(daemon, "b") == {"state": "decided", "rotate": 0, "flip": False, "better": None}, str(turn(daemon, "b")))
        check(turn(daemon, "c")["state"] == "undecided", str(turn(daemon, "c")))
        camera = daemon.camera("a")
        check((camera["width"], camera["height"]) == (120, 160), f"{camera['width']}x{camera['height']}")
        n = len(records.records)
        wait_for(lambda: len(records.records) > n + 60, 20, "60 records more")
        rotations = [r["rotate"] for r in records.records]
        check(rotations[0] == 0 and rotations[-1] == 270 and rotations == sorted(rotations), "turned more than once")
        check(all(r["state"] in ("ok", "skipped") for r in records.records[-50:]), "no face in the upright picture")
        picture = daemon.get("/snapshot.png?camera=a", 20)
        check(picture[:4] == b"\x89PNG", "no snapshot after the turn")
        log = daemon.log()
        check(log.count("stand upright with rotate=270") == 1 and log.count("stand upright with rotate=0") == 1, log)
        daemon.stop()


def banner(daemon, camera):
    """Whether the picture has an amber banner at its top."""
    need("ffmpeg")
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", "-", "-vf", "crop=2:4:1:4", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                         input=daemon.get(f"/snapshot.png?camera={camera}", 20), capture_output=True, check=True).stdout
    return all(abs(a - b) < 40 for a, b in zip(raw, AMBER * (len(raw) // 3)))


def live_warns_once():
    """Live: a turn that was given and is wrong is said once in the journal, in /state, and in the picture's banner"""
    needed()
    with Daemon(cameras(("wrong", "synthetic:mounted=180", "rotate=0"), ("right", "synthetic:mounted=90", "rotate=90"))) as daemon:
        wait_for(lambda: turn(daemon, "wrong")["state"] == "wrong", 40, "the warning")
        check(turn(daemon, "wrong")["better"] == 180 and turn(daemon, "wrong")["rotate"] == 0, str(turn(daemon, "wrong")))
        wait_for(lambda: daemon.camera("right")["frames"] > 200, 30, "200 frames")
        check(turn(daemon, "right")["state"] == "configured", str(turn(daemon, "right")))
        check(banner(daemon, "wrong") and not banner(daemon, "right"), "the banner does not say it")
        log = daemon.log()
        check(log.count("rotate=180 fits clearly better") == 1 and log.count("clearly better") == 1, log)
        daemon.stop()


def post(daemon, path, body):
    request = urllib.request.Request(daemon.http() + path, data=json.dumps(body).encode(), method="POST",
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30 * SLOW) as answer:
        return json.load(answer)


def a_recording_keeps_its_turn():
    """A recording that begins undecided keeps its turn to its end; the next one has the turn that was found, and both
    replay to the same bytes"""
    needed()
    need("ffprobe")
    with tempfile.TemporaryDirectory(prefix="tf-turn-") as folder:
        # Nobody is decided on before the recording begins: it is asked for with the first frame.
        text = cameras(("cam", "synthetic:mounted=90", "rotate=auto"),
                       more=f"[recording]\ndirectory={folder}\nfree-space-min=1")
        with Daemon(text) as daemon:
            wait_for(lambda: daemon.camera()["frames"] > 0, 20, "a frame")
            post(daemon, "/record/start", {"subject": "1", "task": "t"})
            before = turn(daemon, "cam")
            wait_for(lambda: turn(daemon, "cam")["state"] == "decided", 30, "decided")
            frames = daemon.camera()["frames"]
            wait_for(lambda: daemon.camera()["frames"] > frames + 40, 20, "40 frames more")
            if before["state"] == "undecided":
                check(turn(daemon, "cam")["rotate"] == 0, "turned inside a recording")
            post(daemon, "/record/stop", {})
            wait_for(lambda: turn(daemon, "cam")["rotate"] == 90, 10, "turned after it")
            post(daemon, "/record/start", {"subject": "2", "task": "t"})
            frames = daemon.camera()["frames"]
            wait_for(lambda: daemon.camera()["frames"] > frames + 40, 20, "40 frames more")
            post(daemon, "/record/stop", {})
            log = daemon.log()
            daemon.stop()
        sidecars = sorted(glob.glob(f"{folder}/**/*_video.json", recursive=True))
        check(len(sidecars) == 2, str(sidecars))
        for path, rotate, told in zip(sidecars, (before["rotate"], 90), (before["state"], "decided")):
            with open(path, encoding="utf-8") as file:
                sidecar = json.load(file)
            check(sidecar["RotateClockwise"] == rotate and sidecar["FlipHorizontally"] is False, str(sidecar))
            check(sidecar["RotateFrom"] == ("faces" if told == "decided" else "undecided"), sidecar["RotateFrom"])
            with open(path.replace("_video.json", "_frames.ndjson"), encoding="utf-8") as file:
                rotations = {json.loads(line)["rotate"] for line in file}
            check(rotations == {rotate}, f"{path}: {rotations}")
        if before["state"] == "undecided":
            check("when the recording has ended" in log, log)
        done = subprocess.run([CLI, "run", folder, "--models", MODELS, "--no-video", "--jobs", "1", "--output",
                               f"{folder}-again"], capture_output=True, text=True, check=False)
        check(done.returncode == 0, done.stderr)
        if before["state"] == "undecided":
            check("--rotate 90 fits clearly better" in done.stderr, done.stderr)
        for path in sidecars:
            for ending in ("_frames.csv", "_frames.ndjson", "_signals.tsv"):
                name = os.path.basename(path).replace("_video.json", ending)
                one = glob.glob(f"{folder}/**/{name}", recursive=True)
                two = glob.glob(f"{folder}-again/**/{name}", recursive=True)
                check(len(one) == 1 and len(two) == 1, f"{name}: {one} {two}")
                with open(one[0], "rb") as a, open(two[0], "rb") as b:
                    check(a.read() == b.read(), f"{name}: not the same bytes again")
        with contextlib.suppress(OSError):
            subprocess.run(["rm", "-r", f"{folder}-again"], check=False)


def wrong_configurations():
    """rotate=auto without faces to tell it from is refused, and says what to do"""
    needed()
    daemon = os.environ["TF_DAEMON"]
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(cameras(("cam", "synthetic", "rotate=auto\nanalyse=no")))
        file.flush()
        done = subprocess.run([daemon, "--config", file.name], capture_output=True, text=True, check=False, timeout=20 * SLOW)
        check(done.returncode != 0 and "rotate=auto" in done.stderr and "analyse" in done.stderr, done.stderr)
    done = subprocess.run([CLI, "run", "synthetic", "--rotate", "45"], capture_output=True, text=True, check=False)
    check(done.returncode == 2 and "auto, 0, 90, 180 or 270" in done.stderr, done.stderr)


if __name__ == "__main__":
    run_tests([offline_finds_the_turn, offline_warns, nobody_tells_nothing, live_each_camera_by_itself, live_warns_once,
               a_recording_keeps_its_turn, wrong_configurations])
