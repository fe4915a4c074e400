"""Lab Streaming Layer through the daemon, on a stand-in for liblsl (lsl_stand_in.c): what it is called with, and what
becomes of other programs' markers. test_lsl_real.py does it with the real one."""
import collections
import contextlib
import csv
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import DAEMON, MODELS, SLOW, Daemon, Records, check, config, run_tests, wait_for  # noqa: E402
from test_session import place, post, start  # noqa: E402

LIBRARY = os.environ["TF_LSL_LIBRARY"]
SMALL = "width=160\nheight=120\nfps=30"
AHEAD = 1000.25  # the stand-in's clock
HOST = os.uname().nodename[:55]


class StandIn:
    """Its folder, and a daemon on it."""

    def __init__(self, lsl="", sections="", more=SMALL, ready=True):
        self.folder = tempfile.TemporaryDirectory(prefix="tf-stand-in-")
        self.write("clock", f"{AHEAD}")
        self.text = config(more=more, sections=f"{sections}\n[lsl]\nenabled=yes\nlibrary={LIBRARY}\n{lsl}")
        self.daemon = Daemon(self.text, environment={"TF_LSL_STAND_IN": self.folder.name}, wait_ready=ready)

    def __enter__(self):
        self.daemon.__enter__()
        return self

    def __exit__(self, *what):
        self.daemon.__exit__(*what)
        self.folder.cleanup()

    def path(self, name):
        return f"{self.folder.name}/{name}"

    def write(self, name, text):
        with open(self.path(name) + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.path(name) + ".new", self.path(name))

    def remove(self, name):
        os.remove(self.path(name))

    def calls(self, what=None):
        with open(self.path("calls"), encoding="utf-8", errors="replace") as file:
            all_of = [json.loads(line) for line in file.read().split("\n")[:-1]]
        return [c for c in all_of if not what or c[0] == what]

    def pushed(self, stream):
        return [(c[2], c[3]) for c in self.calls("push") if c[1] == stream]

    def streams(self, *streams):
        """(uid, name, source id, host, channels, rate, correction)"""
        self.write("streams", "".join("\t".join(map(str, s)) + "\n" for s in streams))

    def send(self, uid, *markers):
        """(stamp by the stand-in's clock, channels as bytes)"""
        with open(self.path(f"markers-{uid}"), "a", encoding="ascii") as file:
            for stamp, *channels in markers:
                file.write(f"{stamp:.9f} " + " ".join(c.hex() or "-" for c in channels) + "\n")

    def state(self):
        return json.loads(self.daemon.get("/state"))["lsl"]

    def stream(self, name, place=0):
        found = [s for s in self.state()["markers"] if s["name"] == name]
        return found[place] if len(found) > place else collections.defaultdict(lambda: 0, state="", name=name)

    def connected(self, name, times=1):
        wait_for(lambda: self.stream(name)["state"] == "connected" and self.stream(name)["connected"] == times, 10,
                 f"{name} is connected")

    def metrics(self):
        return self.daemon.get("/metrics").decode()


def now():
    return time.monotonic() + AHEAD


def stream(uid, name="stimuli", channels=1, rate=0, correction=0.0, source_id=None, host="lab"):
    return uid, name, source_id or name, host, channels, rate, correction


def events(folder):
    with open(glob.glob(f"{folder}/sub-07/ses-2/beh/*_events.tsv")[0], encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def recorded(folder):
    return f"[recording]\ndirectory={folder}\nfree-space-min=1"


def what_is_sent():
    """Each frame is a sample of each stream, stamped with its record's time, NaN where a region is not valid"""
    own = "[region spot]\nshape=circle 20,20,5\n[region brow]\ncoordinates=face\nshape=circle 0,-0.8,0.05"
    with StandIn("landmarks=yes", own) as it:
        records = Records(it.daemon)
        wait_for(lambda: len(records.records) > 40, 20, "40 records")
        time.sleep(0.3)
        check(it.daemon.stop()[0] == 0, "status")
        infos = {c[1]: c[2:] for c in it.calls("info")}
        check(infos == {f"thermoface_marks@{HOST}": ["Markers", "1 0 3"],
                        f"thermoface_cam_regions@{HOST}": ["Temperature", "18 0 1"],
                        f"thermoface_cam_landmarks@{HOST}": ["Landmarks", "204 0 1"],
                        f"thermoface_cam_frames@{HOST}": ["Frames", "5 0 2"]}, infos)
        values = it.calls("value")
        labels = [c[3] for c in values if c[1:3] == ["thermoface_cam_regions/desc/channels/channel", "label"]]
        check(labels[0] == "forehead" and labels[11:] == ["mouth", "brow", "spot", "face", "score", "state", "flags"], labels)
        region = "thermoface_cam_regions/desc/channels/channel/region"
        points = [c[3] for c in values if c[1:3] == [region, "landmarks"]]
        rules = [c[3] for c in values if c[1:3] == [region, "rule"]]
        check(len(points) == 12 and points[5] == "30" and len(rules) == 14, (points, rules))
        check("radius 0.12 eye distances" in rules[5] and rules[12:] == ["circle 0,-0.8,0.05", "circle 20,20,5"], rules)
        units = [c[3] for c in values if c[1:3] == ["thermoface_cam_regions/desc/channels/channel", "unit"]]
        check(units[:14] == ["celsius"] * 14, units)
        pushed = {what: it.pushed(f"thermoface_cam_{what}") for what in ("regions", "landmarks", "frames")}
        by_frame = {int(v[0]): (stamp, v) for stamp, v in pushed["frames"]}
        compared = invalid = 0
        for record in records.records:
            stamp, frame = by_frame[record["frame"]]
            check(abs(stamp - AHEAD - record["t_mono_ns"] / 1e9) < 1e-4, f"{stamp} is not {record['t_mono_ns']}")
            check(frame[1] == record["sequence"] and frame[2] is None, frame)
            at = [v for s, v in pushed["regions"] if s == stamp]
            check(len(at) == 1, f"{len(at)} samples of a frame")
            face = record["faces"][0] if record["faces"] else None
            for label, value in zip(labels[:12], at[0]):
                good = face and face["regions"][label]["valid"]
                invalid += not good
                check((value is not None) == bool(good), f"{label}: {value}")
                check(not good or abs(value - face["regions"][label]["mean"]) < 1e-3, f"{label}: {value}")
                compared += 1
            check(abs(at[0][13] - record["areas"]["spot"]["mean"]) < 1e-3, "own region")
            check(at[0][14] == (face["id"] if face else None), "face")
            if face:
                point = next(v for s, v in pushed["landmarks"] if s == stamp)
                check(abs(point[90] - face["points"][30][0]) < 0.01, "landmark 30")
        check(compared > 400 and set(by_frame) >= {r["frame"] for r in records.records}, f"{compared} compared")
        stamps = [stamp for stamp, _ in pushed["frames"]]
        check(stamps == sorted(stamps) and sorted(by_frame) == list(range(min(by_frame), max(by_frame) + 1)), "holes")
        check({c[1] for c in it.calls("end")} == {c[1] for c in it.calls("outlet")}, "streams were left open")


def marks_and_markers():
    """Marks and the session go out; markers of two programs come in at their time, and are not sent again"""
    with place() as folder, StandIn("", recorded(folder)) as it:
        it.streams(stream("u1", "stimuli", correction=-3.5), stream("u2", "box", 3),
                   ("u0", "thermoface_marks", f"thermoface_marks@{HOST}", HOST, 1, 0, 0))
        it.connected("stimuli")
        it.connected("box")
        it.send("u1", (now() + 3.5, b"nobody records"))
        wait_for(lambda: it.stream("stimuli")["unrecorded"] == 1, 10, "a marker without a session is counted")
        start(it.daemon)
        t = now()
        it.send("u1", (t + 3.5 - 100, b"before"), (t + 3.5, b"congruent"), (t + 3.5 + 0.01, "größe 😀 \"q\"".encode()))
        it.send("u2", (t, b"key", b"7", b"down"), (t + 0.02, b"", b"8", b""))
        wait_for(lambda: it.stream("stimuli")["markers"] == 2 and it.stream("box")["markers"] == 2, 10, "they are written")
        post(it.daemon, "/mark", {"text": "operator", "value": "x=1"})
        status = json.loads(it.daemon.get("/record"))
        check(status["marks"] == 5 and status["recent_marks"][0]["t_from"] == "sender", status)
        post(it.daemon, "/record/stop", {})
        rows = {row["trial_type"]: row for row in events(folder)}
        check(set(rows) == {"congruent", "größe 😀 \"q\"", "key", "box", "operator"}, rows)
        for text, late in (("congruent", 0), ("größe 😀 \"q\"", 0.01), ("key", 0), ("box", 0.02)):
            off = int(rows[text]["t_mono_ns"]) / 1e9 - (t - AHEAD + late)
            check(abs(off) < 1e-4, f"{text}: {off * 1e3:.3f} ms")
        check(rows["key"]["value"] == "7,down" and rows["box"]["value"] == "8,", rows)
        check((rows["key"]["source"], rows["key"]["t_from"]) == ("lsl box (lab)", "sender"), rows["key"])
        check(it.stream("stimuli")["unrecorded"] == 2, "a marker of before the session")
        check(sorted(it.calls("inlet")) == [["inlet", "u1"], ["inlet", "u2"]], it.calls("inlet"))
        wait_for(lambda: len(it.pushed("thermoface_marks")) == 3, 10, "marks are sent")
        sent = it.pushed("thermoface_marks")
        stem = os.path.basename(glob.glob(f"{folder}/sub-07/ses-2/beh/*_events.tsv")[0])[:-len("_events.tsv")]
        check([v[0] for _, v in sent] == [f"session_start {stem}", "operator=x=1", f"session_stop {stem}"], sent)
        check(abs(sent[1][0] - AHEAD - int(rows["operator"]["t_mono_ns"]) / 1e9) < 1e-4, "the mark's stamp")
        check('thermoface_lsl_markers_total{place="0",stream="stimuli",host="lab",fate="recorded"} 2' in it.metrics(), "metrics")


def lost_and_found():
    """A stream that goes is said and looked for: its program's end, a new run, silence; a clock that moves is followed"""
    with place() as folder, StandIn("", recorded(folder)) as it:
        start(it.daemon)
        it.streams(stream("u1"))
        it.connected("stimuli")
        it.send("u1", (now(), b"one"))
        wait_for(lambda: it.stream("stimuli")["markers"] == 1, 10, "one")
        it.write("lost-u1", "")
        it.streams()
        wait_for(lambda: it.stream("stimuli")["state"] == "gone", 10, "gone")
        check("thermoface_lsl_markers_connected{place=\"0\",stream=\"stimuli\",host=\"lab\"} 0" in it.metrics(), "metrics")
        # The old run is still answered for when the new one is there.
        it.streams(stream("u1"), stream("u2"))
        it.connected("stimuli", 2)
        it.streams(stream("u2"))
        it.send("u2", (now(), b"two"))
        wait_for(lambda: it.stream("stimuli")["markers"] == 2, 10, "two")
        it.streams()
        wait_for(lambda: it.stream("stimuli")["state"] == "gone", 10, "it no longer answers")
        it.streams(stream("u2"))
        wait_for(lambda: it.stream("stimuli")["state"] == "connected", 10, "it answers again")
        it.send("u2", (now(), b"three"))
        wait_for(lambda: it.stream("stimuli")["markers"] == 3, 10, "three")
        check(len(it.state()["markers"]) == 1, it.state()["markers"])
        post(it.daemon, "/record/stop", {})
        check([row["trial_type"] for row in events(folder)] == ["one", "two", "three"], events(folder))
        log = it.daemon.log()
        check(log.count("markers of stimuli (lab) are connected\n") == 1, log)
        check(log.count("markers of stimuli (lab) are connected again") == 2, log)
        check(log.count("markers of stimuli (lab) are gone") == 2, log)
        # The next measuring follows within ten seconds.
        it.write("clock", f"{AHEAD + 2}")
        wait_for(lambda: re.search(r"liblsl's clock has moved by \+(1999\.9|2000\.0)", it.daemon.log()), 20,
                 "the clock's step is said")
        check(abs(it.state()["clock_offset_ns"] / 1e9 - AHEAD - 2) < 1e-3, it.state()["clock_offset_ns"])


def bad_senders():
    """Limits hold: texts, stamps, clocks, channels, rates, floods, too many streams; and each is said"""
    with place() as folder, StandIn("", recorded(folder)) as it:
        start(it.daemon)
        it.write("deaf-u3", "")
        many = [stream(f"m{i}", f"many{i}") for i in range(16)]
        it.streams(stream("u1"), stream("u2", "wide", 9), stream("u3", "deaf"), stream("u4", "signal", 1, 512),
                   stream("u5", 'evil"\\\x01name\x7f' + "x" * 110, host="h\x02"), *many)
        it.connected("stimuli")
        wait_for(lambda: it.stream("wide")["state"] == "refused" and it.stream("signal")["state"] == "refused", 10, "refused")
        check("9 channels" in it.stream("wide")["reason"] and "512" in it.stream("signal")["reason"], it.state())
        wait_for(lambda: it.state()["ignored"] == 5, 10, "streams beyond sixteen")
        check(len(it.state()["markers"]) == 16, it.state())
        evil = [s for s in it.state()["markers"] if s["name"].startswith("evil")]
        check(len(evil) == 1 and len(evil[0]["name"].encode()) < 96 and "\x01" not in evil[0]["name"], evil)
        for line in it.metrics().splitlines():
            check(line.startswith("#") or re.fullmatch(r'[a-z_]+(\{([a-z_]+="([^"\\]|\\["\\n])*",?)+\})? \S+', line), line)
        t = now()
        it.send("u1", (t, b"a\tb\nc\x00d\x7f"), (t, b"\xff\xfe bytes"), (t, b"x" * 5000), (t, "é".encode() * 600), (t, b""),
                (t, b" \t "), (time.time() + 1e6, b"future"), (1.0, b"past"), (1e300, b"far"))
        wait_for(lambda: it.stream("stimuli")["markers"] == 7, 10, "odd texts")
        told = it.stream("stimuli")
        check((told["refused"], told["cut"], told["arrival"]) == (2, 2, 3), told)
        rows = events(folder)
        check([row["trial_type"] for row in rows] == ["a b c d", "?? bytes", "x" * 1000, "é" * 500, "future", "past", "far"], rows)
        check([row["t_from"] for row in rows] == ["sender"] * 4 + ["arrival"] * 3, rows)
        check(all(abs(int(row["t_mono_ns"]) / 1e9 + AHEAD - t) < 10 * SLOW for row in rows), rows)
        it.send("u3", (now(), b"heard"))
        wait_for(lambda: it.stream("deaf")["markers"] == 1, 20, "a sender without a clock")
        check(events(folder)[-1]["t_from"] == "arrival" and it.stream("deaf")["correction_us"] is None, it.stream("deaf"))
        it.send("u1", *[(now(), b"flood")] * 3000)
        wait_for(lambda: it.stream("stimuli")["refused"] + it.stream("stimuli")["markers"] == 3009, 30, "a flood passes")
        check(it.stream("stimuli")["markers"] < 2200 * SLOW and it.stream("stimuli")["lost"] == 0, it.stream("stimuli"))
        check(post(it.daemon, "/mark", {"text": "operator"})[0] == 200, "a mark after a flood")
        log = it.daemon.log()
        for text in ("stamps of another clock", "does not answer about its clock", "more than 100 markers/s",
                     "16 streams are read already", "9 channels", "states 512 markers/s"):
            check(log.count(text) == 1, f"{text}: {log}")
        check(it.daemon.stop()[0] == 0, "status")


def nobody_waits():
    """A library that hangs holds nothing up: records go on, samples are counted as dropped"""
    with StandIn("landmarks=yes\nmarkers=no") as it:
        wait_for(lambda: it.pushed("thermoface_cam_frames"), 10, "samples")
        it.write("hang", "")
        records = Records(it.daemon)
        wait_for(lambda: it.state()["dropped"] > 10, 30, "samples are dropped")
        began = time.monotonic()
        before = len(records.records)
        time.sleep(2)
        rate = (len(records.records) - before) / (time.monotonic() - began)
        check(rate > 15 / SLOW, f"{rate:.1f} records a second")
        records.check_whole()
        camera = it.daemon.camera()
        check(not any(camera["dropped"][at] for at in ("driver", "capture")) or SLOW > 1, camera["dropped"])
        check(re.search(r"thermoface_lsl_dropped_total [1-9]", it.metrics()), "metrics")
        it.remove("hang")
        n = len(it.pushed("thermoface_cam_frames"))
        wait_for(lambda: len(it.pushed("thermoface_cam_frames")) > n + 140, 20, "samples again")
        # Nor does the end wait for it.
        it.write("hang", "")
        time.sleep(0.2)
        check(it.daemon.stop(limit=2.5)[0] == 0, "status")
        check("liblsl does not answer" in it.daemon.log(), it.daemon.log())


def own_regions_change():
    """Own regions set while nobody reads become channels; while somebody does, the channels stay"""
    def put(names):
        body = json.dumps({"regions": [{"name": n, "circle": [20 + 9 * i, 20, 5]} for i, n in enumerate(names)]})
        request = urllib.request.Request(it.daemon.http() + "/regions", data=body.encode(), method="PUT",
                                         headers={"Content-Type": "application/json"})
        with contextlib.closing(urllib.request.urlopen(request, timeout=10 * SLOW)) as answer:
            check(answer.status == 200, answer)

    def width():
        return len(it.pushed("thermoface_cam_regions")[-1][1])

    with StandIn("markers=no") as it:
        wait_for(lambda: it.pushed("thermoface_cam_regions") and width() == 16, 10, "twelve regions and four")
        put(["a"])
        wait_for(lambda: width() == 17 and any(len(v) == 17 and v[12] for _, v in it.pushed("thermoface_cam_regions")), 10, "one more")
        it.write("readers", "")
        wait_for(lambda: all(o["read"] for o in it.state()["outlets"]), 10, "readers")
        put(["b", "a"])
        wait_for(lambda: "keep their channels" in it.daemon.log(), 10, "it is said")
        # Frames that a busy machine skips have no values.
        n = len(it.pushed("thermoface_cam_regions"))
        wait_for(lambda: any(v[12] for _, v in it.pushed("thermoface_cam_regions")[n:]), 10, "a is measured on")
        check(width() == 17, width())
        put(["b"])
        wait_for(lambda: [v[12] for _, v in it.pushed("thermoface_cam_regions")[-10:]] == [None] * 10, 10, "one that is gone is NaN")
        it.remove("readers")
        put(["b", "a"])
        wait_for(lambda: width() == 18, 10, "two more")
        labels = [c[3] for c in it.calls("value") if c[1:3] == ["thermoface_cam_regions/desc/channels/channel", "label"]]
        check(labels[-6:-4] == ["b", "a"], labels)
        check([o["channels"] for o in it.state()["outlets"]] == [1, 18, 5], it.state()["outlets"])


def several_faces():
    """With faces=2 there are two streams of regions and landmarks; the second is empty without a second face"""
    with StandIn("faces=2\nlandmarks=yes\nframes=no\nmarks=no\nmarkers=no") as it:
        wait_for(lambda: any(v[12] for _, v in it.pushed("thermoface_cam_regions")[20:]), 20, "samples of a face")
        check({c[1] for c in it.calls("outlet")} == {f"thermoface_cam_{w}{n}" for w in ("regions", "landmarks") for n in ("", "_2")},
              it.calls("outlet"))
        second, first = it.pushed("thermoface_cam_regions_2"), it.pushed("thermoface_cam_regions")
        check({v[12] for _, v in first} - {None}, first[-1])
        check({s for s, _ in second[:-1]} <= {s for s, _ in first}, "both have every frame")
        check(all(v[:14] == [None] * 14 and v[14] is not None for _, v in second), second[-1])
        check(not it.calls("resolver"), "markers=no looks for none")


def check_config(text, folder):
    with open(f"{folder}/x.conf", "w", encoding="utf-8") as file:
        file.write(text)
    return subprocess.run([DAEMON, "--config", f"{folder}/x.conf", "--check-config"], capture_output=True, text=True,
                          timeout=30 * SLOW, check=False)


def without_the_library():
    """A library that is not there, or is none, is said with what to do; the service runs on unless it is required"""
    with tempfile.TemporaryDirectory() as folder:
        text = f"{folder}/text.so"
        with open(text, "w", encoding="utf-8") as file:
            file.write("no library")
        for library, words in ((f"{folder}/none.so", "is not there: install"), (text, "liblsl cannot be used"),
                               ("libm.so.6", "it has no lsl_library_version")):
            conf = config(more=SMALL, sections=f"[lsl]\nenabled=yes\nlibrary={library}\n")
            done = check_config(conf, folder)
            check(done.returncode == 0 and words in done.stderr and "x.conf:14: " in done.stderr and "all right" in done.stdout, done)
            done = check_config(conf + "required=yes\n", folder)
            check(done.returncode == 1 and words in done.stderr and "all right" not in done.stdout, done)
        with Daemon(conf) as daemon:
            check("lsl: no streams: libm.so.6 is no liblsl" in daemon.log(), daemon.log())
            lsl = json.loads(daemon.get("/state"))["lsl"]
            check(not lsl["there"] and "libm.so.6" in lsl["message"], lsl)
            check("\nthermoface_lsl_up 0\n" in daemon.get("/metrics").decode(), "metrics")
            wait_for(lambda: daemon.camera()["frames"] > 5, 10, "it runs on")
            check(daemon.stop()[0] == 0, "status")
        ended = Daemon(conf + "required=yes\n", wait_ready=False)
        with ended:
            check(ended.process.wait(20 * SLOW) == 1, "it started")
        for line, words in (("markers=type='Markers", "' is not closed"), ("markers=type)=1", "closes nothing"),
                            ("markers=Markers", "expected an XPath predicate"), ("faces=9", "1 to 8"),
                            ("faces=8", "[inference] follows 4"), ("name=" + "x" * 33, "longer than 32"),
                            ("name=a b", "name"), ("marker=no", "marker")):
            done = check_config(config(sections=f"[lsl]\nenabled=yes\nlibrary={LIBRARY}\n{line}\n"), folder)
            check(done.returncode == 1 and words in done.stderr and re.search(r"x\.conf:\d+: ", done.stderr), (line, done))


def off_is_nothing():
    """Without [lsl] no library is opened, no thread made, and nothing told"""
    with Daemon(config(more=SMALL)) as daemon:
        check(json.loads(daemon.get("/state"))["lsl"] is None, "state")
        check("thermoface_lsl" not in daemon.get("/metrics").decode(), "metrics")
        threads = []
        for task in os.listdir(f"/proc/{daemon.process.pid}/task"):
            with open(f"/proc/{daemon.process.pid}/task/{task}/comm", encoding="ascii") as file:
                threads.append(file.read().strip())
        check(not [t for t in threads if t.startswith("tf-lsl")], threads)
        with open(f"/proc/{daemon.process.pid}/maps", encoding="utf-8") as file:
            check("liblsl" not in file.read(), "a library is open")


if __name__ == "__main__":
    check(MODELS, "no models")
    run_tests([what_is_sent, marks_and_markers, lost_and_found, bad_senders, nobody_waits, own_regions_change, several_faces,
               without_the_library, off_is_nothing])
