"""Sessions recorded for real: names, marks, refusals, a killed service, a full disk."""
import contextlib
import csv
import glob
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import SLOW, Daemon, Skip, check, config, need, run_tests, wait_for  # noqa: E402

CLI = os.environ["TF_THERMOFACE"]
KILLS = int(os.environ.get("TF_KILLS", "5"))
SMALL = "width=160\nheight=120\nfps=30\nanalyse=no"


def place():
    return tempfile.TemporaryDirectory(prefix="tf-record-")


def recording(folder, free=1, more=SMALL, extra=""):
    return config(more=more, sections=f"[recording]\ndirectory={folder}\nfree-space-min={free}\n{extra}")


def post(daemon, path, body, kind="application/json"):
    """Status and answer."""
    request = urllib.request.Request(daemon.http() + path, data=json.dumps(body).encode(), method="POST",
                                     headers={"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=30 * SLOW) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def start(daemon, subject="07", session="2", task="stroop", **more):
    status, answer = post(daemon, "/record/start", dict(subject=subject, session=session, task=task, **more))
    check(status == 200, f"not started: {answer}")
    return answer


def frames(daemon):
    return json.loads(daemon.get("/record"))["cameras"][0]["frames"]


def probe(path):
    done = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries",
                           "stream=codec_name,pix_fmt,nb_read_frames:format_tags", "-of", "json", path],
                          capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stderr)
    return json.loads(done.stdout)


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def thermoface(*arguments):
    return subprocess.run([CLI, *arguments], capture_output=True, text=True, timeout=60 * SLOW, check=False)


def a_session_from_the_command_line():
    """record start, mark, status, stop: BIDS names, a row for each frame, verify agrees"""
    need("ffprobe")
    with place() as folder, Daemon(recording(folder)) as daemon:
        url = ["--url", daemon.http()]
        done = thermoface("record", "status", *url)
        check(done.returncode == 0 and done.stdout == "idle\n", done)
        done = thermoface("record", "start", "--subject", "07", "--session", "2", "--task", "stroop", "--note",
                          "lamp off", "--emissivity", "0.98", "--room", "22.5", *url)
        check(done.returncode == 0 and "recording" in done.stdout, done)
        wait_for(lambda: frames(daemon) > 20, 20, "20 frames")
        before = time.monotonic_ns()
        done = thermoface("mark", "stimulus onset", "--value", "3", "--json", *url)
        after = time.monotonic_ns()
        check(done.returncode == 0, done)
        stamp = json.loads(done.stdout)["t_mono_ns"]
        check(before <= stamp <= after, f"{stamp} is not between {before} and {after}")
        check(0 <= json.loads(done.stdout)["latency_us"] <= (after - before) / 1000, done.stdout)
        wait_for(lambda: frames(daemon) > 50, 20, "50 frames")
        done = thermoface("record", "stop", "--json", *url)
        answer = json.loads(done.stdout)
        # A busy machine may have had no time for a picture: that is said, and the rest is whole all the same.
        lost = sum(answer["cameras"][0][key] for key in ("annotated_lost", "lost_driver", "lost_capture"))
        check(done.returncode == (1 if lost else 0), done)
        check(answer["state"] == "complete" and answer["marks"] == 1, answer)
        stem = f"{folder}/sub-07/ses-2/beh/sub-07_ses-2_task-stroop_run-1"
        camera = f"{stem}_recording-cam"
        video = probe(f"{camera}_video.mkv")
        stream = video["streams"][0]
        n = int(stream["nb_read_frames"])
        check((stream["codec_name"], stream["pix_fmt"]) == ("ffv1", "gray16le"), stream)
        tags = video["format"]["tags"]
        check(tags["EMISSIVITY"] == "0.98" and float(tags["CELSIUS_OFFSET"]) == -273.149994, tags)
        table = rows(f"{camera}_frames.csv")
        check([row["video_frame"] for row in table] == [str(i) for i in range(n)], f"{n} frames, {len(table)} rows")
        with open(f"{camera}_frames.ndjson", encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        check([line["video_frame"] for line in lines] == list(range(n)), "NDJSON differs from the CSV")
        check([line["t_mono_ns"] for line in lines] == [int(row["t_mono_ns"]) for row in table], "stamps differ")
        with open(f"{camera}_video.json", encoding="utf-8") as file:
            about = json.load(file)
        check(about["VideoFrameCount"] == n and about["Complete"] and about["RefusedFrameCount"] == 0, about)
        check(about["ThermalParameters"]["AtmosphericTemperature"] == 22.5 and about["Note"] == "lamp off", about)
        start_ns = about["SessionStartMonotonicNs"] + round(about["StartTime"] * 1e9)
        check(abs(start_ns - lines[0]["t_mono_ns"]) < 1000, f"{start_ns} is not {lines[0]['t_mono_ns']}")
        with open(f"{stem}_events.tsv", encoding="utf-8", newline="") as file:
            events = list(csv.DictReader(file, delimiter="\t"))
        check(len(events) == 1 and events[0]["trial_type"] == "stimulus onset" and events[0]["value"] == "3", events)
        check((events[0]["source"], events[0]["t_from"]) == ("http", "arrival"), events)
        check(lines[0]["t_mono_ns"] < int(events[0]["t_mono_ns"]) < lines[-1]["t_mono_ns"], "the mark is elsewhere")
        annotated = probe(f"{camera}_desc-annotated_video.mkv")["streams"][0]
        check(annotated["codec_name"] == "h264" and int(annotated["nb_read_frames"]) == about["AnnotatedPictureCount"],
              annotated)
        for name in ("dataset_description.json", "participants.tsv", "README", ".bidsignore"):
            check(os.path.exists(f"{folder}/{name}"), f"no {name}")
        with open(f"{folder}/participants.tsv", encoding="utf-8") as file:
            check(file.read() == "participant_id\nsub-07\n", "participants.tsv")
        done = thermoface("verify", folder)
        check(done.returncode == 0 and "all right" in done.stdout, done)
        # What verify is there for:
        with open(f"{camera}_frames.csv", "a", encoding="utf-8") as file:
            file.write("cam,99999,12")
        done = thermoface("verify", folder)
        check(done.returncode == 1 and "has no end" in done.stdout, done)
        done = thermoface("verify", "--trim", folder)
        check(done.returncode == 0 and thermoface("verify", folder).returncode == 0, done)
        with open(f"{camera}_video.mkv", "r+b") as file:
            file.seek(os.path.getsize(file.name) // 2)
            file.write(b"\0" * 64)
        done = thermoface("verify", folder)
        check(done.returncode == 1 and "_video.mkv" in done.stdout, done)


def nothing_is_overwritten():
    """A second recording of the same name gets the next run number and one participant stays one"""
    with place() as folder, Daemon(recording(folder)) as daemon:
        for run in (1, 2, 3):
            answer = start(daemon)
            check(answer["run"] == run, answer)
            check(post(daemon, "/record/start", {"subject": "07", "task": "stroop"})[0] == 409, "two at once")
            wait_for(lambda: frames(daemon) > 3, 20, "frames")
            status, answer = post(daemon, "/record/stop", {})
            check(status == 200 and answer["state"] == "complete", answer)
        with open(f"{folder}/participants.tsv", encoding="utf-8") as file:
            check(file.read() == "participant_id\nsub-07\n", "participants.tsv")
        check(len(glob.glob(f"{folder}/sub-07/ses-2/beh/*_recording-cam_video.mkv")) == 3, "three videos")
        check(post(daemon, "/record/stop", {})[0] == 409, "stopped twice")
        check(post(daemon, "/mark", {"text": "late"})[0] == 409, "a mark without a session")


def bad_requests():
    """Labels with slashes, dots or 10,000 characters, wrong types, other pages' forms: refused, nothing made"""
    with place() as folder, Daemon(recording(folder)) as daemon:
        def refuse(status, part, path="/record/start", kind="application/json", **body):
            got, answer = post(daemon, path, body, kind)
            check(got == status and part in answer["error"], f"{body}: {got} {answer}")

        for label in ("../x", "a/b", "..", "", "a b", "ä", "a_b", "-"):
            refuse(400, "label" if label else "label", subject=label, task="t")
            refuse(400, "label", subject="1", task=label)
            refuse(400, "label", subject="1", session=label, task="t")
        refuse(400, "longer than", subject="1", task="t" * 10000)
        refuse(400, "subject and a task", subject="1")
        refuse(400, "string", subject=7, task="t")
        refuse(400, "not understood", subject="1", task="t", speed=3)
        refuse(400, "from 0.01 to 1", subject="1", task="t", emissivity=98)
        refuse(400, "control character", subject="1", task="t", note="a\tb")
        refuse(413, "longer", subject="1", task="t", note="n" * 20000)
        refuse(415, "JSON", kind="text/plain", subject="1", task="t")
        check(os.listdir(folder) == [], f"made: {os.listdir(folder)}")
        start(daemon)
        refuse(400, "control character", path="/mark", text="a\nb")
        refuse(400, "no text", path="/mark")
        refuse(400, "longer", path="/mark", text="m" * 2000)
        done = thermoface("record", "start", "--subject", "1", "--task", "a/b", "--url", daemon.http())
        check(done.returncode == 1, done)
        for path in ("/record/start", "/mark"):
            try:
                daemon.get(path)
                check(False, f"GET {path} was answered")
            except urllib.error.HTTPError as error:
                check(error.code == 405 and error.headers["Allow"] == "POST", f"{error.code}")
        check(post(daemon, "/record/stop", {})[1]["state"] == "complete", "not complete")


def bad_folders():
    """No folder, a folder that cannot be written to, a disk with too little room: said, and the service goes on"""
    with place() as folder:
        for directory, free, status, part in ((f"{folder}/missing", 1, 500, "make the folder"),
                                              ("/proc/self", 1, 500, "cannot be made"),
                                              (folder, 16777216, 507, "free-space-min")):
            with Daemon(recording(directory, free)) as daemon:
                got, answer = post(daemon, "/record/start", {"subject": "1", "task": "t"})
                check(got == status and part in answer["error"], f"{directory}: {got} {answer}")
                check(json.loads(daemon.get("/record"))["state"] == "idle", "not idle")
                code, _ = daemon.stop()
                check(code == 0, f"status {code}")
        with Daemon(config(more=SMALL)) as daemon:
            got, answer = post(daemon, "/record/start", {"subject": "1", "task": "t"})
            check(got == 409 and "directory" in answer["error"], answer)


def credentials():
    """With a password nobody records without it"""
    with place() as folder, place() as other:
        with open(f"{other}/secret", "w", encoding="utf-8") as file:
            file.write("lab:pass\n")
        text = recording(folder).replace("[http]\nport=0", f"[http]\nport=0\ncredentials={other}/secret")
        with Daemon(text) as daemon:
            request = urllib.request.Request(daemon.http() + "/record/start", data=b'{"subject":"1","task":"t"}',
                                             headers={"Content-Type": "application/json"})
            try:
                urllib.request.urlopen(request, timeout=10 * SLOW)
                check(False, "recorded without a password")
            except urllib.error.HTTPError as error:
                check(error.code == 401, f"{error.code}")
            done = thermoface("record", "start", "--subject", "1", "--task", "t", "--url", daemon.http())
            check(done.returncode == 1 and "credentials" in done.stderr, done)
            done = thermoface("record", "start", "--subject", "1", "--task", "t", "--url", daemon.http(),
                              "--credentials", f"{other}/secret")
            check(done.returncode == 0, done)


def tokens():
    """--token FILE: looks and does not control; not in the clear to another machine, not beside a password, not from a bad file"""
    with place() as folder, place() as other:
        for name, text in (("secret", "lab:pass\n"), ("tokens", f"# of the wall display\n{'w' * 32}\n"), ("wrong", f"{'x' * 32}\n"),
                           ("short", "abc\n")):
            with open(f"{other}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
        text = recording(folder).replace("[http]\nport=0", f"[http]\nport=0\ncredentials={other}/secret\ntokens={other}/tokens")
        with Daemon(text) as daemon:
            url, token = ["--url", daemon.http()], ["--token", f"{other}/tokens"]
            done = thermoface("watch", *url, *token, "--seconds", "2", "--json")
            check(done.returncode == 0 and len(done.stdout.splitlines()) > 2, done)
            done = thermoface("record", "status", *url, *token)
            check(done.returncode == 0, done)
            done = thermoface("record", "start", "--subject", "1", "--task", "t", *url, *token)
            check(done.returncode == 1 and "may look, not control" in done.stderr, done)
            for more, status, part in (([*url, "--token", f"{other}/wrong"], 1, "wanted"), ([*url, "--token", f"{other}/short"], 1, "short:1"),
                                       ([*url, "--token", f"{other}/none"], 1, "No such file"),
                                       ([*url, *token, "--credentials", f"{other}/secret"], 1, "one of them"),
                                       (["--url", "http://192.0.2.1:8080", *token], 1, "in the clear"),
                                       (["--url", "http://127.0.0.1.evil.example:8080", *token], 1, "in the clear")):
                done = thermoface("watch", *more, "--seconds", "2")
                check(done.returncode == status and part in done.stderr, f"{more}: {done}")
                check("w" * 8 not in done.stderr and "x" * 8 not in done.stderr and "abc" not in done.stderr, done)


def end_of_the_service():
    """SIGTERM while it records leaves whole files"""
    with place() as folder, Daemon(recording(folder)) as daemon:
        start(daemon)
        wait_for(lambda: frames(daemon) > 20, 20, "20 frames")
        code, _ = daemon.stop(limit=4)
        check(code == 0, f"status {code}: {daemon.log()}")
        done = thermoface("verify", folder)
        check(done.returncode == 0, done)


def killed():
    """SIGKILL at any moment leaves videos and tables that read up to the last second"""
    need("ffprobe")
    moments = random.Random(4)
    for kill in range(KILLS):
        with place() as folder, Daemon(recording(folder)) as daemon:
            start(daemon)
            wait_for(lambda: frames(daemon) > 0, 20, "a frame")
            time.sleep(moments.uniform(0.5, 3))
            began = time.monotonic_ns()
            status, mark = post(daemon, "/mark", {"text": "last words"})
            check(status == 200, mark)
            daemon.process.kill()
            daemon.process.wait()
            stem = f"{folder}/sub-07/ses-2/beh/sub-07_ses-2_task-stroop_run-1"
            thermoface("verify", "--trim", folder)
            table = rows(f"{stem}_recording-cam_frames.csv")
            n = int(probe(f"{stem}_recording-cam_video.mkv")["streams"][0]["nb_read_frames"])
            check(n > 0 and len(table) > 0, f"kill {kill}: {n} frames, {len(table)} rows")
            last = int(table[min(n, len(table)) - 1]["t_mono_ns"])
            lost = (began - last) / 1e9
            print(f"# kill {kill + 1}: {n} frames, {len(table)} rows, {lost:.2f} s lost")
            check(lost < 1 * SLOW, f"kill {kill}: the last {lost:.2f} s are lost")
            with open(f"{stem}_events.tsv", encoding="utf-8") as file:
                check("last words" in file.read(), "the mark is lost")


def full_disk():
    """A disk that is full, or nearly, ends the recording with an error; frames go on; files are valid"""
    need("ffprobe", "mount")
    for free in (0, 16):
        with place() as folder:
            if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder],
                                                   capture_output=True, check=False).returncode != 0:
                raise Skip("a file system of 64 MiB cannot be mounted here")
            try:
                big = "width=640\nheight=512\nfps=30\nanalyse=no"
                with Daemon(recording(folder, free, big, "annotated=no\n")) as daemon:
                    start(daemon)
                    # On a busy machine the recording may have filled the disk by itself already.
                    with contextlib.suppress(OSError), open(f"{folder}/filler", "wb", buffering=0) as file:
                        for _ in range(40):
                            file.write(b"\0" * (1 << 20))
                    wait_for(lambda: json.loads(daemon.get("/record"))["state"] == "failed", 90, "an error")
                    wait_for(lambda: "RECORDING STOPPED" in daemon.log(), 5, "the error in the log")
                    before = daemon.camera()["frames"]
                    wait_for(lambda: daemon.camera()["frames"] > before + 10, 20, "frames go on")
                    status, answer = post(daemon, "/record/stop", {})
                    check(status == 200 and answer["state"] == "failed", answer)
                    stem = f"{folder}/sub-07/ses-2/beh/sub-07_ses-2_task-stroop_run-1_recording-cam"
                    n = int(probe(f"{stem}_video.mkv")["streams"][0]["nb_read_frames"])
                    table = [row for row in rows(f"{stem}_frames.csv") if row["video_frame"]]
                    check(n > 0, "no frame")
                    if free:
                        check(n == len(table), f"{n} frames, {len(table)} rows")
                    for name in (f"{stem}_frames.csv", f"{stem}_frames.ndjson"):
                        with open(name, "rb") as file:
                            check(file.read().endswith(b"\n"), f"{name} ends in half a line")
                    code, _ = daemon.stop(limit=4)
                    check(code == 0, f"status {code}")
            finally:
                subprocess.run(["umount", "-l", folder], check=False)


if __name__ == "__main__":
    run_tests([a_session_from_the_command_line, nothing_is_overwritten, bad_requests, bad_folders, credentials, tokens,
               end_of_the_service, killed, full_disk])
