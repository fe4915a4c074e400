"""What a recording loses, and that every machine that asks is told: deleted files, full and silent disks, pictures."""
import contextlib
import glob
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import SLOW, Daemon, Skip, check, config, have_models, need, run_tests, wait_for  # noqa: E402
from test_session import SMALL, frames, place, post, probe, recording, rows, start, thermoface  # noqa: E402


def healthz(daemon):
    """Status and text."""
    try:
        return 200, daemon.get("/healthz").decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metric(daemon, name, **labels):
    """The sum of a metric's lines that have these labels."""
    found = [line for line in daemon.get("/metrics").decode().splitlines() if re.match(rf"{name}[{{ ]", line)
             and all(f'{key}="{value}"' in line for key, value in labels.items())]
    check(found, f"no {name} {labels}")
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)


def about(stem):
    with open(f"{stem}_video.json", encoding="utf-8") as file:
        return json.load(file)


@contextlib.contextmanager
def small_disk(megabytes):
    """A file system of its own, in memory."""
    with place() as folder:
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder],
                                               capture_output=True, check=False).returncode != 0:
            raise Skip("no file system can be mounted here")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", folder], check=False)


def told(daemon, part, seconds=2.0):
    """Status, health, state, metrics and journal all say so, within two seconds."""
    began = time.monotonic()
    wait_for(lambda: json.loads(daemon.get("/record"))["state"] == "failed", 2, f"{part}: /record says failed", 0.02)
    wait_for(lambda: healthz(daemon)[0] == 503, 2, f"{part}: /healthz says so", 0.02)
    took = time.monotonic() - began
    check(took < seconds * SLOW, f"{part}: noticed after {took:.1f} s")
    code, text = healthz(daemon)
    check(code == 503 and part in text, f"{code} {text}")
    wait_for(lambda: re.search(rf"RECORDING (DAMAGED|STOPPED): .*{re.escape(part)}", daemon.log()), 2,
             f"{part}: in the journal")
    return text


def gone(daemon, folder, what, change, keeps=()):
    """One session, one change to its files, and what is said of it."""
    session = start(daemon)
    stem = f"{session['folder']}/{session['name']}"
    wait_for(lambda: frames(daemon) > 3, 20, "frames")
    check(healthz(daemon)[0] == 200, "ill before anything happened")
    change(stem, session)
    told(daemon, what)
    before = frames(daemon)
    wait_for(lambda: frames(daemon) > before + 3, 20, "frames go on")
    done = thermoface("record", "status", "--url", daemon.http())
    check(done.returncode == 1 and what in done.stdout + done.stderr, done)
    done = thermoface("record", "stop", "--url", daemon.http())
    check(done.returncode == 1 and done.stdout.startswith("failed") and what in done.stdout + done.stderr, done)
    check(healthz(daemon)[0] == 200, "still ill after the end")
    for ending in keeps:
        check(os.path.exists(f"{stem}{ending}"), f"{what}: {ending} is not there")
    for path in glob.glob(f"{folder}/sub-07/ses-2/beh/{session['name']}_*_video.json"):
        if "events" not in what and "clock" not in what:
            check(not about(path[:-len("_video.json")])["Complete"], f"{what}: {path} says that it is complete")
    done = thermoface("verify", folder)
    check(done.returncode == 1, f"{what}: verify says {done.stdout}")
    shutil.rmtree(f"{folder}/sub-07", ignore_errors=True)
    shutil.rmtree(f"{folder}/sub-away", ignore_errors=True)


def files_that_go_away():
    """Each file of a session, deleted, replaced or renamed while it is recorded, is noticed within two seconds"""
    def replace(path):
        shutil.copy(path, path + ".new")
        os.rename(path + ".new", path)

    cam = "_recording-cam"
    with place() as folder, Daemon(recording(folder, extra="segment=600ms\n")) as daemon:
        for ending in (f"{cam}_split-0001_video.mkv", f"{cam}_frames.csv", f"{cam}_frames.ndjson", f"{cam}_signals.tsv",
                       f"{cam}_signals.json", f"{cam}_physio.tsv.gz", f"{cam}_desc-annotated_video.mkv",
                       f"{cam}_video.json", "_events.tsv", "_clock.tsv"):
            gone(daemon, folder, ending, lambda stem, session, e=ending: os.remove(stem + e))
        for ending in (f"{cam}_frames.csv", "_events.tsv", f"{cam}_split-0001_video.mkv"):
            gone(daemon, folder, f"{ending} was replaced", lambda stem, session, e=ending: replace(stem + e))
        gone(daemon, folder, "motion.tsv", lambda stem, session: os.remove(
            glob.glob(f"{folder}/sub-07/ses-2/motion/*_motion.tsv")[0]))
        gone(daemon, folder, "was deleted or renamed", lambda stem, session: shutil.rmtree(session["folder"]))
        gone(daemon, folder, "was deleted or renamed",
             lambda stem, session: os.rename(f"{folder}/sub-07", f"{folder}/sub-away"))
        check(metric(daemon, "thermoface_recordings_failed_total") >= 14, "failures are not counted")
        start(daemon)
        wait_for(lambda: frames(daemon) > 20, 20, "frames")
        check(healthz(daemon) == (200, "ok\n"), healthz(daemon))
        check(post(daemon, "/record/stop", {})[1]["state"] == "complete", "the next session is not complete")
        check(thermoface("verify", folder).returncode == 0, "verify")


def a_mark_without_its_table():
    """A mark whose table was deleted is refused, not taken and lost"""
    with place() as folder, Daemon(recording(folder)) as daemon:
        session = start(daemon)
        os.remove(f"{session['folder']}/{session['name']}_events.tsv")
        status, answer = post(daemon, "/mark", {"text": "lost"})
        check(status == 500 and "lost" in answer["error"] and "deleted" in answer["error"], f"{status} {answer}")


def pictures_are_counted():
    """Each frame has its picture in the annotated video or a place where that was lost; stop's status says so"""
    need("ffprobe", "taskset")
    for more, limit, lossy in (("width=1280\nheight=1024\nfps=60\nanalyse=no", "", True), (SMALL, "fps-max=5\n", False)):
        with place() as folder:
            text = recording(folder, more=more).replace("[rtsp]\n", f"[rtsp]\n{limit}")
            with Daemon(text) as daemon:
                if lossy:  # one core cannot draw and encode so many
                    subprocess.run(["taskset", "-a", "-p", "1", str(daemon.process.pid)], capture_output=True, check=True)
                start(daemon)
                wait_for(lambda: frames(daemon) > 90, 60, "90 frames")
                done = thermoface("record", "stop", "--json", "--url", daemon.http())
                answer = json.loads(done.stdout)
                camera = answer["cameras"][0]
                lost = camera["annotated_lost"]
                check(camera["annotated"] + lost + camera["annotated_left_out"] == camera["rows"], camera)
                check(sum(camera["annotated_lost_by"].values()) == lost, camera)
                if lossy:
                    check(lost > 0 and answer["state"] == "complete" and "pictures are missing" in done.stderr, done)
                else:
                    check(camera["annotated_left_out"] > lost, camera)
                check(done.returncode == (1 if lost + camera["lost_driver"] + camera["lost_capture"] else 0), done)
                check(metric(daemon, "thermoface_recording_lost_total", camera="cam") >= lost, "metrics say less")
                stem = f"{answer['folder']}/{answer['name']}_recording-cam"
                told_of = about(stem)
                stream = probe(f"{stem}_desc-annotated_video.mkv")["streams"][0]
                check(int(stream["nb_read_frames"]) == told_of["AnnotatedPictureCount"] == camera["annotated"], told_of)
                check(told_of["AnnotatedPicturesLost"] == lost == sum(told_of["AnnotatedPicturesLostBy"].values()), told_of)
                check(told_of["AnnotatedPicturesLeftOut"] == camera["annotated_left_out"], told_of)


def frames_before_the_recording():
    """Frames that no processor had time for never reach the recording: they are in its JSON and in stop's status"""
    need("taskset")
    with place() as folder, Daemon(recording(folder, more="width=1280\nheight=1024\nfps=60\nanalyse=no",
                                             extra="annotated=no\n")) as daemon:
        session = start(daemon)
        wait_for(lambda: frames(daemon) > 10, 30, "frames")
        os.kill(daemon.process.pid, signal.SIGSTOP)  # as a machine that does something else
        time.sleep(1.5)
        os.kill(daemon.process.pid, signal.SIGCONT)
        before = frames(daemon)
        wait_for(lambda: frames(daemon) > before + 20, 30, "frames")
        done = thermoface("record", "stop", "--json", "--url", daemon.http())
        answer = json.loads(done.stdout)
        camera = answer["cameras"][0]
        table = rows(f"{session['folder']}/{session['name']}_recording-cam_frames.csv")
        holes = sum(int(b["sequence"]) - int(a["sequence"]) - 1 for a, b in zip(table, table[1:]))
        kept = about(f"{session['folder']}/{session['name']}_recording-cam")
        check(holes > 10, f"nothing was lost: {camera}")
        check(camera["lost_driver"] + camera["lost_capture"] == holes, f"{holes} holes: {camera}")
        check(kept["DriverLostFrameCount"] + kept["CaptureLostFrameCount"] == holes, f"{holes} holes: {kept}")
        check(done.returncode == 1 and f"{holes} frames were lost before" in done.stderr, done)
        check(f"{holes} frames were lost before it" in daemon.log(), "not in the journal")


def counts_of_a_failed_recording():
    """Descriptors used up: not complete, no segment that was never made, and the counts are those of the disk"""
    need("ffprobe")
    with place() as folder, Daemon(recording(folder, extra="segment=500ms\n")) as daemon:
        session = start(daemon)
        stem = f"{session['folder']}/{session['name']}_recording-cam"
        wait_for(lambda: os.path.exists(f"{stem}_split-0003_video.mkv"), 20, "three segments")
        limits = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        wait_for(lambda: "RECORDING STOPPED" in daemon.log(), 10, "the error")
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, limits)
        told(daemon, "cannot be made")
        status, answer = post(daemon, "/record/stop", {})
        check(status == 200 and answer["state"] == "failed" and answer["cameras"][0]["state"] == "failed", answer)
        kept = about(stem)
        files = sorted(glob.glob(f"{stem}_split-*_video.mkv"))
        counts = [int(probe(path)["streams"][0]["nb_read_frames"]) for path in files]
        check(not kept["Complete"] and kept["Error"], kept)
        check([s["File"] for s in kept["Segments"]] == [os.path.basename(path) for path in files], kept["Segments"])
        check([s["FrameCount"] for s in kept["Segments"]] == counts, f"{kept['Segments']}: {counts}")
        check(kept["VideoFrameCount"] == sum(counts) == answer["cameras"][0]["frames"], f"{kept}: {counts}")
        check(kept["RowCount"] == len(rows(f"{stem}_frames.csv")), kept)
        check(thermoface("verify", folder).returncode == 1, "verify")


def full_disk_is_told():
    """A full disk: /healthz, /state and /metrics say so; JSON and files agree; the next session begins well"""
    need("ffprobe")
    for free in (0, 16):
        with small_disk(48) as folder:
            with Daemon(recording(folder, free, "width=640\nheight=512\nfps=30\nanalyse=no", "annotated=no\n")) as daemon:
                session = start(daemon)
                check(metric(daemon, "thermoface_recording") == 1, "not recorded")
                check(0 < metric(daemon, "thermoface_recording_free_bytes") <= 48 << 20, "free bytes")
                with contextlib.suppress(OSError), open(f"{folder}/filler", "wb", buffering=0) as file:
                    for _ in range(28):
                        file.write(b"\0" * (1 << 20))
                wait_for(lambda: json.loads(daemon.get("/record"))["state"] == "failed", 60, "an error")
                told(daemon, "free-space-min" if free else "No space left")
                camera = daemon.camera()["recording"]
                check(camera["state"] == "failed" and camera["error"] and camera["free_bytes"] < 20 << 20, camera)
                check(metric(daemon, "thermoface_recording_failed") == 1, "no failure")
                check(metric(daemon, "thermoface_recordings_failed_total") == 1, "no failure")
                status, answer = post(daemon, "/record/stop", {})
                check(status == 200 and answer["state"] == "failed", answer)
                check(metric(daemon, "thermoface_recording_failed") == 0, "it has been stopped")
                check(metric(daemon, "thermoface_recordings_failed_total") == 1, "it was")
                stem = f"{session['folder']}/{session['name']}_recording-cam"
                kept = about(stem) if os.path.getsize(f"{stem}_video.json") else {}
                n = int(probe(f"{stem}_video.mkv")["streams"][0]["nb_read_frames"])
                if free:
                    check(not kept["Complete"] and "free-space-min" in kept["Error"], kept)
                    check(kept["VideoFrameCount"] == n == answer["cameras"][0]["frames"], f"{n} frames, {kept}")
                check(answer["cameras"][0]["frames"] == n, f"{n} frames on the disk, {answer}")
                check(not kept.get("Complete"), kept)
                os.remove(f"{folder}/filler")
                os.remove(f"{stem}_video.mkv")
                check(healthz(daemon)[0] == 200, healthz(daemon))
                start(daemon)
                wait_for(lambda: frames(daemon) > 3, 20, "frames")
                check(post(daemon, "/record/stop", {})[1]["state"] == "complete", "not complete")


def records_that_files_lose():
    """NDJSON, CSV and the plain video on a full disk: what each lost is counted, and with what is there it is all"""
    with small_disk(1) as folder:
        text = config(more=SMALL, sections=f"[recording]\nndjson={folder}/r.ndjson\ncsv={folder}/r.csv\n")
        with Daemon(text) as daemon:
            with contextlib.suppress(OSError), open(f"{folder}/filler", "wb", buffering=0) as file:
                while file.write(b"\0" * 4096):
                    pass
            wait_for(lambda: all(daemon.camera()["sinks_lost"][name] > 5 for name in ("ndjson", "csv")), 20, "losses")
            os.remove(f"{folder}/filler")
            lost = daemon.camera()["sinks_lost"]
            wait_for(lambda: daemon.camera()["frames"] > 40 + max(lost.values()), 20, "frames")
            lost, before = daemon.camera()["sinks_lost"], daemon.camera()["frames"]
            for name in ("ndjson", "csv"):
                check(metric(daemon, "thermoface_sink_lost_total", sink=name) >= lost[name], f"{name} in /metrics")
            code, _ = daemon.stop()
            check(code == 1 and "records are missing" in daemon.log(), f"status {code}")
            numbers = []
            with open(f"{folder}/r.ndjson", encoding="utf-8") as file:
                numbers.append([json.loads(line)["frame"] for line in file])
            numbers.append([int(row["frame"]) for row in rows(f"{folder}/r.csv")])
            for name, got in zip(("ndjson", "csv"), numbers):
                check(got == sorted(set(got)) and got[-1] >= before - 1, f"{name}: {got[-5:]}")
                check(len(got) + lost[name] == got[-1] + 1, f"{name}: {len(got)} rows, {lost[name]} lost of {got[-1] + 1}")


def no_session_after_the_end():
    """A session that is asked for while the service ends is refused; none is left open"""
    # Inference that is behind takes its time to end: that is the time in which a session could begin.
    slow = "width=1280\nheight=1024\nfps=60\n" + ("" if have_models() else "analyse=no\n")
    for more in (SMALL, slow, slow):
        with place() as folder, Daemon(recording(folder, more=more)) as daemon:
            url, answers = daemon.http(), []
            wait_for(lambda: daemon.camera()["frames"] > 3, 20, "frames")

            def ask():
                with contextlib.suppress(OSError, ValueError):
                    while True:
                        answers.append(post(daemon, "/record/start", {"subject": "1", "task": "t"}))

            asking = [threading.Thread(target=ask) for _ in range(3)]
            for thread in asking:
                thread.start()
            wait_for(lambda: len(answers) > 100 and any(status == 200 for status, _ in answers), 30, f"a session at {url}")
            daemon.stop(limit=8)
            for thread in asking:
                thread.join()
            begun, ended = (len(re.findall(part, daemon.log())) for part in ("notice: recording /", "notice: recording ended"))
            check(begun == ended, f"{begun} sessions have begun, {ended} have ended\n{daemon.log()}")
            for path in glob.glob(f"{folder}/sub-1/beh/*_video.json"):
                check(about(path[:-len("_video.json")])["Complete"], f"{path} was left open\n{daemon.log()}")
            for status, answer in answers:
                check(status in (200, 409) or (status == 503 and "ending" in answer["error"]), f"{status} {answer}")


def a_disk_that_does_not_answer():
    """A file system that stalls (frozen): frames, /state and /healthz go on and say so; a mark is kept; all is there"""
    need("mkfs.ext4", "fsfreeze", "mount", "losetup")
    with place() as folder, place() as images:
        image = f"{images}/disk"
        with open(image, "wb") as file:
            file.truncate(256 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True, capture_output=True)
        if os.geteuid() != 0 or subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True,
                                               check=False).returncode != 0:
            raise Skip("no image can be mounted here")
        try:
            with Daemon(recording(folder)) as daemon:
                session = start(daemon)
                wait_for(lambda: frames(daemon) > 10, 20, "frames")
                subprocess.run(["fsfreeze", "-f", folder], check=True)
                try:
                    before = daemon.camera()["frames"]
                    began = time.monotonic()
                    status, answer = post(daemon, "/mark", {"text": "while it was silent"})
                    check(status == 504 and "kept" in answer["error"] and time.monotonic() - began < 6 * SLOW, answer)
                    wait_for(lambda: healthz(daemon)[0] == 503 and "not answered" in healthz(daemon)[1], 10, "health")
                    check(metric(daemon, "thermoface_recording_stalled_seconds") > 1, "no stall in /metrics")
                    wait_for(lambda: "has not answered" in daemon.log(), 5, "the journal")
                    wait_for(lambda: daemon.camera()["frames"] > before + 60, 20, "frames go on")
                    check(json.loads(daemon.get("/record"))["cameras"][0]["refused"] == 0, "frames were refused")
                finally:
                    subprocess.run(["fsfreeze", "-u", folder], check=True)
                wait_for(lambda: healthz(daemon)[0] == 200, 10, "health is back")
                status, answer = post(daemon, "/record/stop", {})
                check(status == 200 and answer["state"] == "complete", answer)
                with open(f"{session['folder']}/{session['name']}_events.tsv", encoding="utf-8") as file:
                    check("while it was silent" in file.read(), "the mark is lost")
                done = thermoface("verify", folder)
                check(done.returncode == 0, done)
        finally:
            subprocess.run(["umount", "-l", folder], check=False)


if __name__ == "__main__":
    run_tests([files_that_go_away, a_mark_without_its_table, pictures_are_counted, frames_before_the_recording, counts_of_a_failed_recording,
               full_disk_is_told, records_that_files_lose, no_session_after_the_end, a_disk_that_does_not_answer])
