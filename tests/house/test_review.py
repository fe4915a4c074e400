"""Recorded sessions over HTTP: the list, files and parts of them, video for browsers, who may, and names that lie."""
import base64
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import SLOW, Daemon, check, config, need, run_tests  # noqa: E402

LAB, GUEST = "lab:secret secret", "guest:looking"


def ask(daemon, path, login=LAB, method="GET", body=None, headers=None):
    """Status, fields, body; the path goes as it is."""
    host = daemon.http().split("//")[1]
    connection = http.client.HTTPConnection(host, timeout=30 * SLOW)
    fields = dict(headers or {})
    if login:
        fields["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    if body is not None:
        fields["Content-Type"] = "application/json"
    connection.request(method, path, None if body is None else json.dumps(body), fields)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, data


def service(folder, more=""):
    for name, login in (("control", LAB), ("watch", GUEST)):
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(login + "\n")
        os.chmod(f"{folder}/{name}", 0o600)
    os.makedirs(f"{folder}/data", exist_ok=True)
    return config(url="synthetic:seed=3,clock=1,size=160x120,fps=9", http=f"port=0\ncredentials={folder}/control\nwatch-credentials={folder}/watch\n{more}",
                  sections=f"[recording]\ndirectory={folder}/data\nfree-space-min=1\n")


def record(daemon, seconds, **labels):
    status, _, data = ask(daemon, "/record/start", method="POST", body={"subject": "07", "task": "stroop", **labels})
    check(status == 200, data)
    time.sleep(seconds)
    return json.loads(data)["name"]


def stop(daemon):
    status, _, data = ask(daemon, "/record/stop", method="POST", body={})
    check(status == 200, data)


def listed(daemon, login=LAB):
    status, _, data = ask(daemon, "/sessions", login)
    check(status == 200, f"{status} {data}")
    return json.loads(data)["sessions"]


def sessions_and_their_files():
    """the list, a session that runs, its files, whole and in parts"""
    with tempfile.TemporaryDirectory(prefix="tf-review-") as folder:
        with Daemon(service(folder)) as daemon:
            time.sleep(0.5)
            check(listed(daemon) == [], "nothing was recorded")
            name = record(daemon, 2, session="2")
            now = listed(daemon)
            check([s["id"] for s in now] == [name] and now[0]["state"] == "recording" and now[0]["session"] == "2", f"{now}")
            stop(daemon)
            record(daemon, 1)
            stop(daemon)
            now = listed(daemon)
            check([(s["subject"], s["session"], s["task"], s["run"], s["state"], s["cameras"]) for s in now] ==
                  [("07", None, "stroop", 1, "complete", ["cam"]), ("07", "2", "stroop", 1, "complete", ["cam"])]
                  or len(now) == 2 and {s["state"] for s in now} == {"complete"}, f"{now}")
            status, _, data = ask(daemon, f"/sessions/{name}")
            told = json.loads(data)
            there = f"{folder}/data/sub-07/ses-2/beh"
            check({f["name"]: f["bytes"] for f in told["files"]} == {n: os.path.getsize(f"{there}/{n}") for n in os.listdir(there)}, f"{told}")
            for file in told["files"]:
                status, fields, data = ask(daemon, f"/sessions/{name}/{file['name']}")
                with open(f"{there}/{file['name']}", "rb") as original:
                    check(status == 200 and data == original.read(), f"{file}: {status}")
                check(fields["accept-ranges"] == "bytes" and fields["x-content-type-options"] == "nosniff", f"{fields}")
            raw = f"{name}_recording-cam_video.mkv"
            with open(f"{there}/{raw}", "rb") as original:
                whole = original.read()
            n = len(whole)
            for text, part in ((f"bytes=0-99", whole[:100]), ("bytes=100-", whole[100:]), ("bytes=-7", whole[-7:]), (f"bytes={n - 1}-{n + 99}", whole[-1:]),
                               (f"bytes=-{n + 5}", whole), ("bytes=5-5", whole[5:6])):
                status, fields, data = ask(daemon, f"/sessions/{name}/{raw}", headers={"Range": text})
                at = whole.find(part) if len(part) > 50 else n - len(part) if text != "bytes=5-5" else 5
                check(status == 206 and data == part, f"{text}: {status} {len(data)}")
                check(fields["content-range"] == f"bytes {at}-{at + len(part) - 1}/{n}", f"{text}: {fields}")
            for text in (f"bytes={n}-", f"bytes={n + 10}-{n + 20}", "bytes=-0"):
                status, fields, _ = ask(daemon, f"/sessions/{name}/{raw}", headers={"Range": text})
                check(status == 416 and fields["content-range"] == f"bytes */{n}", f"{text}: {status} {fields}")
            for text in ("bytes=9-3", "bytes=0-1,5-6", "bytes=a-b", "lines=0-3", "bytes=", "bytes=99999999999999999999-"):
                status, _, data = ask(daemon, f"/sessions/{name}/{raw}", headers={"Range": text})
                check(status == 200 and data == whole, f"{text}: {status}")
            status, fields, data = ask(daemon, f"/sessions/{name}/{raw}", method="HEAD")
            check(status == 200 and int(fields["content-length"]) == n and not data, f"{fields}")
            # Larger than what is read at once.
            large = f"{there}/{name}_large.bin"
            with open(large, "wb") as file:
                file.write(os.urandom(1 << 20) * 20)
            status, fields, data = ask(daemon, f"/sessions/{name}/{os.path.basename(large)}")
            with open(large, "rb") as file:
                check(status == 200 and data == file.read(), "a large file")
            status, fields, data = ask(daemon, f"/sessions/{name}/{os.path.basename(large)}", headers={"Range": "bytes=1-"})
            check(status == 206 and len(data) == 8 << 20 and fields["content-range"] == f"bytes 1-{8 << 20}/{20 << 20}", f"{fields}")
            check(daemon.process.poll() is None, "the service ended")


def many_and_slow_downloads():
    """files that are sent at once: sixteen, all whole, other answers meanwhile; one that becomes shorter is cut off"""
    with tempfile.TemporaryDirectory(prefix="tf-review-") as folder:
        with Daemon(service(folder)) as daemon:
            name = record(daemon, 1)
            stop(daemon)
            large = f"{folder}/data/sub-07/beh/{name}_large.bin"
            with open(large, "wb") as file:
                file.write(os.urandom(1 << 20) * 20)
            host = daemon.http().split("//")[1]

            def begin():
                connection = http.client.HTTPConnection(host, timeout=30 * SLOW)
                connection.request("GET", f"/sessions/{name}/{name}_large.bin",
                                   headers={"Authorization": "Basic " + base64.b64encode(LAB.encode()).decode()})
                return connection, connection.getresponse()
            there = [begin() for _ in range(16)]
            check([r.status for _, r in there] == [200] * 16, f"{[r.status for _, r in there]}")
            connection, response = begin()
            check(response.status == 503, f"a seventeenth: {response.status}")
            connection.close()
            check(ask(daemon, "/record")[0] == 200, "sessions wait for downloads")
            with open(large, "rb") as file:
                whole = file.read()
            for connection, response in there[1:]:
                check(response.read() == whole, "a file arrived otherwise")
                connection.close()
            os.truncate(large, 1 << 20)
            try:
                got = len(there[0][1].read())
            except http.client.IncompleteRead as error:
                got = len(error.partial)
            check(1 << 20 <= got < len(whole), f"{got} bytes of a file that became shorter")
            there[0][0].close()
            check(ask(daemon, f"/sessions/{name}/{name}_large.bin")[0] == 200 and daemon.process.poll() is None, "the service ended")


def long_labels():
    """labels as long as a session may have: its files are found by their whole names"""
    with tempfile.TemporaryDirectory(prefix="tf-review-") as folder:
        with Daemon(service(folder)) as daemon:
            name = record(daemon, 1, subject="s" * 64, session="n" * 64, task="t" * 64)
            stop(daemon)
            status, _, data = ask(daemon, f"/sessions/{name}")
            files = json.loads(data)["files"]
            check(status == 200 and len(files) > 3, f"{status} {data}")
            for file in files:
                status, _, data = ask(daemon, f"/sessions/{name}/{file['name']}")
                check(status == 200 and len(data) == file["bytes"], f"{file}: {status}")
            check(ask(daemon, f"/sessions/{name}/video.mp4")[0] == 200, "no video")


def video_for_browsers():
    """the annotated video as MP4: from a time on, whole pictures, what the file has"""
    need("ffprobe")
    with tempfile.TemporaryDirectory(prefix="tf-review-") as folder:
        with Daemon(service(folder)) as daemon:
            time.sleep(0.5)
            name = record(daemon, 5)
            stop(daemon)
            path = f"/sessions/{name}/video.mp4"
            film = f"{folder}/data/sub-07/beh/{name}_recording-cam_desc-annotated_video.mkv"

            def stamps(file):
                done = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=codec_name:frame=pts_time",
                                       "-of", "json", file], capture_output=True, text=True, check=True)
                told = json.loads(done.stdout)
                check(told["streams"][0]["codec_name"] == "h264", done.stdout)
                return [float(f["pts_time"]) for f in told["frames"]]

            def piece(query):
                status, fields, data = ask(daemon, path + query)
                check(status == 200 and fields["content-type"] == "video/mp4", f"{query}: {status} {data[:200]}")
                with open(f"{folder}/piece.mp4", "wb") as file:
                    file.write(data)
                return stamps(f"{folder}/piece.mp4")
            whole = stamps(film)
            check(len(whole) > 30, f"{whole}")
            got = piece("?seconds=60")
            check(len(got) == len(whole) and all(abs(a - b) < 0.002 for a, b in zip(got, whole)), f"{got[:5]} {whole[:5]}")
            got = piece("?from=3&seconds=1&camera=cam")
            check(got[0] <= 3 and got[-1] < 4.001 and got[-1] > 3.7 and got[0] > 0.5, f"{got}")
            for query, expected in (("?from=900", 416), ("?from=-1", 400), ("?from=x", 400), ("?from=nan", 400), ("?from=1e400", 400),
                                    ("?seconds=0", 400), ("?seconds=61", 400), ("?camera=other", 404), ("?camera=../cam", 404),
                                    ("?from=1&from=2", 400), ("?from=", 400)):
                status, _, data = ask(daemon, path + query)
                check(status == expected and json.loads(data)["error"], f"{query}: {status} {data[:100]}")
            with open(film, "r+b") as file:
                file.write(os.urandom(3000))
            check(ask(daemon, path)[0] == 500, "a damaged video")
            with open(film, "wb") as file:
                pass
            check(ask(daemon, path)[0] in (416, 500), "an empty video")
            os.unlink(film)
            check(ask(daemon, path)[0] == 404, "no video")
            check(json.loads(ask(daemon, "/healthz")[2] or b"1") if False else daemon.process.poll() is None, "the service ended")


def who_may():
    """recordings are for who controls, unless recordings=watch"""
    for more, expected in (("", 403), ("recordings=watch", 200)):
        with tempfile.TemporaryDirectory(prefix="tf-review-") as folder:
            with Daemon(service(folder, more)) as daemon:
                time.sleep(0.5)
                name = record(daemon, 1)
                stop(daemon)
                paths = ["/sessions", f"/sessions/{name}", f"/sessions/{name}/{name}_events.tsv", f"/sessions/{name}/video.mp4"]
                for path in paths:
                    check(ask(daemon, path, None)[0] == 401, f"{path} without a login")
                    check(ask(daemon, path, GUEST)[0] == expected, f"{path} {more}")
                    check(ask(daemon, path)[0] == 200, f"{path} of the lab")
                    check(ask(daemon, path, method="POST", body={})[0] == 405, f"POST {path}")
    with Daemon(config(url="synthetic:clock=1,size=160x120,fps=9")) as daemon:
        check(ask(daemon, "/sessions", None)[0] == 501, "no directory is set")


def names_that_lie():
    """nothing outside of a session's folder, whatever names and links say"""
    with tempfile.TemporaryDirectory(prefix="tf-review-") as folder:
        with Daemon(service(folder)) as daemon:
            time.sleep(0.5)
            name = record(daemon, 1)
            stop(daemon)
            data = f"{folder}/data"
            beh = f"{data}/sub-07/beh"
            with open(f"{folder}/secret", "w", encoding="utf-8") as file:
                file.write("SECRET")
            os.makedirs(f"{folder}/outside/beh")
            with open(f"{folder}/outside/beh/sub-9_task-t_run-1_events.tsv", "w", encoding="utf-8") as file:
                file.write("SECRET")
            os.symlink(f"{folder}/secret", f"{beh}/{name}_link.tsv")
            os.symlink(f"{folder}/outside", f"{data}/sub-9")
            os.symlink(f"{folder}/outside/beh", f"{data}/sub-07/ses-9")
            os.mkfifo(f"{beh}/{name}_pipe.tsv")
            os.makedirs(f"{beh}/{name}_folder.tsv")
            os.makedirs(f"{data}/sub-<script>/beh")
            with open(f"{data}/sub-<script>/beh/sub-<script>_task-t_run-1_events.tsv", "w", encoding="utf-8") as file:
                file.write("x")
            with open(f"{beh}/{name}_<b>.tsv", "w", encoding="utf-8") as file:
                file.write("x")
            for path in (f"/sessions/{name}/../../../../secret", f"/sessions/{name}/..%2f..%2f..%2fsecret", f"/sessions/{name}/%2e%2e",
                         "/sessions/..", "/sessions/../secret", "/sessions//", "/sessions/", f"/sessions//{name}", f"/sessions/{name}/",
                         f"/sessions/{name}/{name}_link.tsv", f"/sessions/{name}/{name}_pipe.tsv", f"/sessions/{name}/{name}_folder.tsv",
                         f"/sessions/{name}/{name}_none.tsv", f"/sessions/{name}/dataset_description.json", f"/sessions/{name}/{name}_events.tsv/x",
                         "/sessions/sub-9_task-t_run-1", "/sessions/sub-9_task-t_run-1/sub-9_task-t_run-1_events.tsv",
                         "/sessions/sub-07_ses-9_task-t_run-1", "/sessions/sub-07_task-t_run-99999999999", "/sessions/sub-..%2f_task-t_run-1",
                         "/sessions/sub-%3Cscript%3E_task-t_run-1", f"/sessions/{name}%00", f"/sessions/{name}/{name}_%3Cb%3E.tsv",
                         "/sessions/" + "a" * 5000, f"/sessions/{name}/" + "b" * 5000, f"/sessions/{name}/{name}_" + "c" * 200,
                         "/sessions/%ff", f"/sessions/{name}/%0a", "/sessions/README", "/sessions/participants.tsv"):
                status, _, body = ask(daemon, path)
                check(status in (400, 404, 414, 431) and b"SECRET" not in body, f"{path[:120]}: {status} {body[:100]}")
            now = listed(daemon)
            check([s["id"] for s in now] == [name], f"{[s['id'] for s in now]}")
            files = [f["name"] for f in json.loads(ask(daemon, f"/sessions/{name}")[2])["files"]]
            check(not [f for f in files if "link" in f or "pipe" in f or "<" in f or "folder" in f], f"{files}")
            for i in range(300):
                os.makedirs(f"{data}/sub-x{i}/beh")
                for run in range(8):
                    with open(f"{data}/sub-x{i}/beh/sub-x{i}_task-t_run-{run}_events.tsv", "w", encoding="utf-8"):
                        pass
            began = time.monotonic()
            status, _, body = ask(daemon, "/sessions")
            told = json.loads(body)
            check(status == 200 and len(told["sessions"]) == 2000 and told["more"] is True, f"{status} {len(told['sessions'])}")
            check({s["state"] for s in told["sessions"]} == {"complete", "incomplete"}, "states")
            print(f"# 2,000 sessions listed in {time.monotonic() - began:.2f} s")
            check(daemon.process.poll() is None, "the service ended")


run_tests([sessions_and_their_files, many_and_slow_downloads, long_labels, video_for_browsers, who_may, names_that_lie])
