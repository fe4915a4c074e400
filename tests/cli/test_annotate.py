#!/usr/bin/env python3
"""thermoface annotate through the API that its page uses: frames, points, the table, who may ask. Writes TAP.

    test_annotate.py THERMOFACE
"""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback
import urllib.error
import urllib.request
import zlib

THERMOFACE = sys.argv[1]
HOME = tempfile.TemporaryDirectory(prefix="tf-annotate-")
SIX = ["eye_r", "eye_l", "nose", "mouth_r", "mouth_l", "chin"]


def path(*parts):
    return os.path.join(HOME.name, *parts)


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def thermoface(*arguments, status=0):
    done = subprocess.run([THERMOFACE, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)
    check(done.returncode == status, f"{arguments}: {done.returncode}: {done.stderr}")
    return done.stdout if status == 0 else done.stderr


class Page:
    """The command, and its page's API."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([THERMOFACE, "annotate", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=([0-9a-f]{32})\n", line)
        check(found, f"'{line}' {self.process.stderr.read() if not line else ''}")
        self.port, self.token = int(found[1]), found[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.said = self.process.communicate(timeout=60)[1]
        if self.process.returncode not in (0, -signal.SIGKILL):
            raise AssertionError(f"ended with {self.process.returncode}: {self.said}")

    def ask(self, where, method="GET", body=None, headers=None):
        """Status and body."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{where}", data=data, method=method,
                                       headers={"Authorization": f"Bearer {self.token}", **(headers or {})})
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()

    def get(self, where):
        status, body = self.ask(where)
        check(status == 200, f"{where}: {status} {body[:200]}")
        return json.loads(body)

    def put(self, i, **label):
        status, body = self.ask(f"/api/items/{i}", "PUT", label)
        check(status == 200, f"{i}: {status} {body}")
        return json.loads(body)


def table(file):
    with open(file, encoding="utf-8") as f:
        head, *rows = [line.rstrip("\n").split(",") for line in f]
    return [dict(zip(head, r)) for r in rows]


def png(file):
    """Width, height, bits and values of a gray PNG."""
    with open(file, "rb") as f:
        data = f.read()
    check(data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG")
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, bits, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
            check(colour == 0, "not gray")
        packed += data[at + 8:at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    raw, step, values = zlib.decompress(packed), bits // 8, []
    above = bytes(width * step)
    for y in range(height):
        kind, line = raw[y * (width * step + 1)], bytearray(raw[y * (width * step + 1) + 1:(y + 1) * (width * step + 1)])
        for x in range(len(line)):
            a = line[x - step] if x >= step else 0
            b, c = above[x], above[x - step] if x >= step else 0
            p = a + b - c
            paeth = min((a, b, c), key=lambda v: abs(p - v)) if kind == 4 else 0
            line[x] = (line[x] + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
        above = bytes(line)
        values += struct.unpack(f">{width}{'H' if bits == 16 else 'B'}", above)
    return width, height, bits, values


def twenty_frames():
    """twenty frames of a recording labelled through the API: spread over it, the network's points as a start, judged by eval stills"""
    thermoface("sample", path("rec.mkv"), "--seconds", 8)
    with Page(path("rec.mkv"), "--format", "lepton3-y16", "--rotate", 90, "--output", path("own.csv")) as page:
        state = page.get("/api/state")
        check(state["points"] == 6 and state["names"] == SIX and len(state["items"]) == 20 and state["labelled"] == 0, state)
        numbers = [i["frame"] for i in state["items"]]
        gaps = [b - a for a, b in zip(numbers, numbers[1:])]
        check(numbers == sorted(numbers) and max(gaps) - min(gaps) <= 1, numbers)
        check(not os.path.exists(path("own.csv")), "a table before a point was placed")
        for i in state["items"]:
            item = page.get(f"/api/items/{i['id']}")
            check(item["start"] and item["width"] == 120 and item["height"] == 160, item)
            got = page.put(i["id"], points=item["start"], person="p1", glasses=i["id"] % 2 == 0)
            check(got["points"] == item["start"] and got["labelled"], got)
            check(len(table(path("own.csv"))) == i["id"] + 1, "not saved at once")
        status, pixels = page.ask("/api/items/3/pixels")
        width, height, bits, values = png(path("images", table(path("own.csv"))[3]["file"]))
        check((width, height, bits) == (120, 160, 16) and struct.unpack(f"<{120 * 160}H", pixels) == tuple(values), "the picture has other values")
        check(min(values) > 20000 and status == 200, "not what the camera gave")
    check("20 of 20 frames labelled" in page.said, page.said)
    scores = json.loads(thermoface("eval", "stills", path("own.csv"), "--images", path("images"), "--json"))
    check(scores["faces"] == 20 and scores["found"] == 100 and scores["nme"] < 5 and set(scores["by_glasses"]) == {"0", "1"}, scores)
    scores = json.loads(thermoface("eval", "thermal6", path("own.csv"), "--recordings", HOME.name, "--json"))
    check(scores["faces"] == 20 and scores["found"] == 100 and scores["nme"] < 12, scores)


def goes_on_where_it_was():
    """what was labelled is there again, with the same frames; rows of other recordings stay; a kill loses nothing"""
    thermoface("sample", path("two.mkv"), "--seconds", 2)
    before = table(path("own.csv"))
    with Page(path("two.mkv"), "--format", "lepton3-y16", "--rotate", 90, "--output", path("own.csv"), "--frames", 3) as page:
        state = page.get("/api/state")
        check(state["kept"] == 20 and len(state["items"]) == 3, state)
        item = page.get("/api/items/1")
        page.put(1, points=[*item["start"][:3], None, None, item["start"][5]], person="p2", mask=True, yaw="quarter", quality="fair")
        page.process.kill()
    rows = table(path("own.csv"))
    check(rows[:20] == before and len(rows) == 21, rows)
    check(rows[20]["mouth_r_x"] == "" and rows[20]["mask"] == "1" and rows[20]["yaw"] == "quarter" and rows[20]["rotate"] == "90", rows[20])
    with Page(path("rec.mkv"), path("two.mkv"), "--format", "lepton3-y16", "--rotate", 90, "--output", path("own.csv"), "--frames", 5) as page:
        state = page.get("/api/state")
        check(state["labelled"] == 21 and state["kept"] == 0, state)
        there = [i for i in state["items"] if i["labelled"]]
        check(len(there) == 21 and [i for i in there if i["recording"] == "two.mkv"][0]["person"] == "p2", there)
        two = [i["id"] for i in there if i["recording"] == "two.mkv"][0]
        item = page.get(f"/api/items/{two}")
        check(item["points"][3] is None and item["mask"] and item["points"][0], item)
        status, _ = page.ask(f"/api/items/{two}", "DELETE")
        check(status == 200 and len(table(path("own.csv"))) == 20, "a face was not taken back")
    check(not [f for f in os.listdir(HOME.name) if f.endswith(".part")], os.listdir(HOME.name))


def any_input():
    """other sizes and turns, 8 bits, stills, headerless files, and where the network is least sure"""
    thermoface("sample", path("big.mkv"), "--seconds", 2, "--format", "y16", "--rotate", 270, "--source", "synthetic:size=320x256")
    with Page(path("big.mkv"), "--format", "y16", "--rotate", 270, "--output", path("big.csv"), "--choose", "doubtful", "--frames", 4) as page:
        items = page.get("/api/state")["items"]
        check(len(items) == 4 and all((i["width"], i["height"]) == (256, 320) for i in items), items)
        check(any(i["confidence"] for i in items), "no face is seen: another turn?")
        page.put(0, points=[[100, 100], [150, 100], [125, 130], [105, 160], [145, 160], [125, 190]])
    thermoface("eval", "thermal6", path("big.csv"), "--recordings", HOME.name, "--format", "y16", "--rotate", 270, "--json")
    file = table(path("big.csv"))[0]["file"]
    check(png(path("images", file))[:3] == (256, 320, 16), file)
    with Page(path("images", file), "--output", path("still.csv")) as page:
        item = page.get("/api/items/0")
        check((item["width"], item["height"], item["frame"]) == (256, 320, 0) and len(page.get("/api/state")["items"]) == 1, item)
        page.put(0, points=[[100, 100], [150, 100], None, None, None, None])
    check(png(path("images", table(path("still.csv"))[0]["file"]))[3] == png(path("images", file))[3], "a still's values changed")
    with open(path("plain.gray"), "wb") as f:
        f.write(bytes(range(256)) * (96 * 64 * 3 // 256))
    with Page(path("plain.gray"), "--raw", "96x64:gray@9", "--output", path("plain.csv")) as page:
        items = page.get("/api/state")["items"]
        check(len(items) == 3 and items[0]["confidence"] is None and page.get("/api/items/0")["bits"] == 8, items)
        check(page.ask("/api/items/0/pixels")[1][:6] == b"\0\0\1\0\2\0", "values")
        page.put(0, points=[[10, 10], [30, 10], None, None, None, None])
    check(png(path("images", table(path("plain.csv"))[0]["file"]))[2] == 8, "8 bits became more")


def recorded_sessions():
    """a folder of recorded sessions, and one of its videos: turn and person are the recording's own"""
    stem = path("study", "sub-07", "beh", "sub-07_task-x_run-1_recording-thermal")
    os.makedirs(os.path.dirname(stem))
    thermoface("sample", f"{stem}.mkv", "--seconds", 2)
    thermoface("run", f"{stem}.mkv", "--format", "lepton3-y16", "--rotate", 90, "--output", os.path.dirname(stem), "--no-video", "--quiet")
    os.rename(f"{stem}.mkv", f"{stem}_video.mkv")
    with open(f"{stem}_video.json", "w", encoding="utf-8") as f:
        json.dump({"Camera": "thermal", "RotateClockwise": 90, "FlipHorizontally": True, "PixelFormat": "gray16le", "Unit": "celsius",
                   "CelsiusScale": 0.01, "CelsiusOffset": -273.15}, f)
    for name in (path("study"), f"{stem}_video.mkv"):
        with Page(name, "--output", path("new", "study.csv"), "--frames", 3) as page:
            items = page.get("/api/state")["items"]
            check(len(items) == 3 and items[0]["person"] == "sub-07" and all((i["width"], i["height"]) == (120, 160) for i in items), items)
            check(sum(i["confidence"] is not None for i in items) == 3, items)
            page.put(0, points=page.get("/api/items/0")["start"])
    check([r["rec"] for r in table(path("new", "study.csv"))] == [os.path.basename(stem) + "_video.mkv"], "another row")


def sixty_eight():
    """68 points, in the form that eval visible68 reads"""
    with Page(path("rec.mkv"), "--format", "lepton3-y16", "--rotate", 90, "--output", path("all.csv"), "--points", 68, "--frames", 3) as page:
        check(page.get("/api/state")["points"] == 68, "not 68")
        for i in range(3):
            start = page.get(f"/api/items/{i}")["start"]
            page.put(i, points=[None if i == 1 and k < 17 or i == 2 and k == 36 else p for k, p in enumerate(start)], person="p1")
    scores = json.loads(thermoface("eval", "visible68", path("all.csv"), "--images", path("images"), "--json"))
    check(scores["images"] == 2 and scores["left_out"] == 1 and scores["nme"] < 8 and scores["by_part"]["jaw"] < 10, scores)
    said = thermoface("annotate", path("rec.mkv"), "--output", path("all.csv"), status=1)
    check("a table of 68 points; say --points 68" in said, said)


def who_may_ask():
    """no token, another site's name or page, another method, and what is too much"""
    with Page(path("two.mkv"), "--format", "lepton3-y16", "--rotate", 90, "--output", path("who.csv"), "--frames", 1) as page:
        for headers in ({"Authorization": "Bearer " + "0" * 32}, {"Authorization": "x"}):
            check(page.ask("/api/state", headers=headers)[0] == 401, headers)
        check(page.ask(f"/api/state?token={page.token}", headers={"Authorization": ""})[0] == 200, "the token in the address")
        for headers in ({"Host": "evil.example"}, {"Host": "127.0.0.1:1"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
            check(page.ask("/api/state", headers=headers)[0] == 403, headers)
            check(page.ask("/", headers=headers)[0] == 403, headers)
        for where, method, status in (("/api/items/1", "GET", 404), ("/api/items/0x", "GET", 404), ("/api/items/-1", "GET", 404),
                                      ("/../etc/passwd", "GET", 404), ("/api/state", "POST", 405), ("/api/items/0", "POST", 405), ("/", "PUT", 405)):
            check(page.ask(where, method, {} if method != "GET" else None)[0] == status, (where, method))
        good = page.get("/api/items/0")["start"]
        bad = ({}, [], {"points": good[:5]}, {"points": [None] * 6}, {"points": [good[0], good[0], *good[2:]]}, {"points": [[1e9, 1], *good[1:]]},
               {"points": [["a", 1], *good[1:]]}, {"points": [[1], *good[1:]]}, {"points": good, "person": "a,b"}, {"points": good, "person": ""},
               {"points": good, "person": "x" * 64}, {"points": good, "yaw": "up"}, {"points": good, "mask": 1}, {"points": good, "else": 1})
        for body in bad:
            status, said = page.ask("/api/items/0", "PUT", body)
            check(status == 422 and json.loads(said)["error"], (body, status, said))
        check(page.ask("/api/items/0", "PUT", b"{half")[0] == 400 and page.ask("/api/items/0", "PUT", b" " * 70000)[0] == 413, "no JSON, too much")
        check(not os.path.exists(path("who.csv")), "something bad was saved")
        for file in ("/", "/annotate.js", "/annotate.css"):
            check(page.ask(file)[0] == 200, file)
        html = page.ask("/")[1].decode() + page.ask("/annotate.js")[1].decode() + page.ask("/annotate.css")[1].decode()
        check(not re.search(r"https?://", html), "the page asks for something elsewhere")
        with socket.socket() as s:
            check(s.connect_ex(("127.0.0.2", page.port)) != 0, "listens beyond 127.0.0.1")
        os.chmod(HOME.name, 0o500)
        try:
            if os.geteuid() != 0:
                check(page.ask("/api/items/0", "PUT", {"points": good})[0] == 500 and not page.get("/api/items/0")["labelled"], "a lost save was hidden")
        finally:
            os.chmod(HOME.name, 0o700)


def bad_starts():
    """what cannot be annotated is said in one line"""
    with open(path("bad.csv"), "w", encoding="utf-8") as f:
        f.write("file,rec,frame,rotate,person,source,glasses,mask,yaw,quality," + ",".join(f"{n}_{a}" for n in SIX for a in "xy") + "\n")
        f.write("x.png,rec.mkv,1,90,p,own,0,0,frontal,good,1,2,3,oops,5,6,7,8,9,10,11,12\n")
    with open(path("far.csv"), "w", encoding="utf-8") as f:
        f.write(open(path("bad.csv"), encoding="utf-8").read().replace("oops", "4").replace("rec.mkv,1,", "rec.mkv,9999,"))
    with open(path("other.csv"), "w", encoding="utf-8") as f:
        f.write("a,b\n1,2\n")
    with open(path("no.mkv"), "wb") as f:
        f.write(b"no video")
    os.makedirs(path("empty"))
    os.makedirs(path("x"))
    os.link(path("two.mkv"), path("x", "two.mkv"))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        cases = [((path("gone.mkv"),), "gone.mkv: No such file"), ((path("no.mkv"),), "no.mkv"), ((path("empty"),), "no recorded session"),
                 ((path("rec.mkv"), "--output", path("bad.csv")), "bad.csv:2: eye_l_y: 'oops' is not a number"),
                 ((path("rec.mkv"), "--format", "lepton3-y16", "--output", path("far.csv")), "has no frame 9999"),
                 ((path("rec.mkv"), "--output", path("other.csv")), "other.csv:1: column 'file' is missing"),
                 ((path("two.mkv"), path("x", "two.mkv")), "two recordings are called two.mkv"),
                 ((path("two.mkv"), "--format", "lepton3-y16", "--port", s.getsockname()[1], "--output", path("port.csv")), "say another --port")]
        for arguments, words in cases:
            said = thermoface("annotate", *arguments, status=1)
            said = said.replace("\r", "\n").splitlines()[-1]
            check(words in said and said.startswith("thermoface annotate: "), (arguments, said))
    said = thermoface("annotate", path("rec.mkv"), "--points", "5", status=2)
    check("6" in said and "68" in said, said)


def main():
    tests = [twenty_frames, goes_on_where_it_was, any_input, recorded_sessions, sixty_eight, who_may_ask, bad_starts]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for i, test in enumerate(tests, 1):
        try:
            test()
            print(f"ok {i} - {test.__doc__}", flush=True)
        except Exception:  # a test may fail in any way
            failed += 1
            print(f"not ok {i} - {test.__doc__}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
    HOME.cleanup()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
