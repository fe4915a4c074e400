"""Lab Streaming Layer with the real liblsl, where this machine has one: what a recorder receives, and what a
stimulus program sends. TF_LIBLSL may name the library's file."""
import contextlib
import csv
import ctypes
import glob
import json
import os
import statistics
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from ctypes import c_char_p, c_double, c_float, c_int32, c_void_p

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import SLOW, Daemon, Records, Skip, check, config, run_tests, wait_for  # noqa: E402
from test_session import place, post, start  # noqa: E402

SMALL = "width=160\nheight=120\nfps=30"
# Our own streams only, on this machine: other services of the laboratory, and other tests, are left alone.
LOCAL = "[multicast]\nResolveScope = machine\n[lab]\nKnownPeers = {127.0.0.1}\n[log]\nlevel = -2\n"


class Library:
    """The functions that are used, with their types."""
    made = None

    def __init__(self):
        names = [os.environ["TF_LIBLSL"]] if "TF_LIBLSL" in os.environ else ["liblsl.so.2", "liblsl.so"]
        self.path = None
        for name in names:
            with contextlib.suppress(OSError):
                self.api = ctypes.CDLL(name)
                self.path = name
                break
        if not self.path:
            raise Skip("liblsl is not installed")
        self.folder = tempfile.TemporaryDirectory(prefix="tf-lsl-")
        self.settings = f"{self.folder.name}/lsl_api.cfg"
        with open(self.settings, "w", encoding="utf-8") as file:
            file.write(LOCAL)
        os.environ["LSLAPICFG"] = self.settings  # the daemon's, too
        for result, name in [(c_double, "local_clock"), (c_void_p, "create_streaminfo"), (c_void_p, "create_outlet"),
                             (c_void_p, "create_inlet"), (c_void_p, "get_fullinfo"), (c_void_p, "get_xml"),
                             (c_int32, "resolve_bypred"), (c_double, "pull_sample_f"), (c_double, "pull_sample_d"),
                             (c_double, "pull_sample_str"), (c_double, "time_correction")]:
            getattr(self.api, "lsl_" + name).restype = result

    @classmethod
    def get(cls):
        cls.made = cls.made or cls()
        return cls.made

    def clock(self):
        return self.api.lsl_local_clock()

    def outlet(self, name, source_id, channels=1, kind=3):
        info = self.api.lsl_create_streaminfo(name.encode(), b"Markers", c_int32(channels), c_double(0), c_int32(kind),
                                              source_id.encode())
        outlet = self.api.lsl_create_outlet(c_void_p(info), c_int32(0), c_int32(360))
        check(outlet, "no outlet")
        return c_void_p(outlet)

    def close(self, outlet):
        self.api.lsl_destroy_outlet(outlet)

    def mark(self, outlet, text, stamp):
        data = (c_char_p * 1)(text.encode())
        check(self.api.lsl_push_sample_strtp(outlet, data, c_double(stamp), c_int32(1)) == 0, "not pushed")

    def inlet(self, predicate):
        infos = (c_void_p * 4)()
        n = self.api.lsl_resolve_bypred(infos, c_int32(4), predicate.encode(), c_int32(1), c_double(10 * SLOW))
        check(n == 1, f"{n} streams for {predicate}")
        return c_void_p(self.api.lsl_create_inlet(c_void_p(infos[0]), c_int32(360), c_int32(0), c_int32(0)))

    def description(self, inlet):
        error = c_int32(0)
        info = self.api.lsl_get_fullinfo(inlet, c_double(10 * SLOW), ctypes.byref(error))
        check(info and not error.value, "no description")
        return ElementTree.fromstring(ctypes.string_at(self.api.lsl_get_xml(c_void_p(info))).decode())

    def pull(self, inlet, channels, kind, seconds):
        """(stamp, values) of what comes until then."""
        name, element = {"f": ("lsl_pull_sample_f", c_float), "d": ("lsl_pull_sample_d", c_double),
                         "s": ("lsl_pull_sample_str", c_char_p)}[kind]
        data, error, got = (element * channels)(), c_int32(0), []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            stamp = getattr(self.api, name)(inlet, data, c_int32(channels), c_double(0.2), ctypes.byref(error))
            check(not error.value, f"error {error.value}")
            if stamp:
                got.append((stamp, list(data)))
        return got


def service(library, folder, more="", lsl=""):
    return Daemon(config(more=SMALL, sections=f"[recording]\ndirectory={folder}\nfree-space-min=1\n{more}\n[lsl]\n"
                         f"enabled=yes\nlibrary={library.path}\nname=tf{os.getpid()}\n{lsl}"),
                  environment={"LSLAPICFG": library.settings})


def a_recorder():
    """A recorder reads regions, landmarks, frames and marks; stamps are the records', values too"""
    library = Library.get()
    name = f"tf{os.getpid()}"
    own = "[region spot]\nshape=circle 20,20,5\n"
    with place() as folder, service(library, folder, own, "landmarks=yes\nmarkers=no") as daemon:
        records = Records(daemon)
        inlets = {what: library.inlet(f"name='{name}_cam_{what}'") for what in ("regions", "landmarks", "frames")}
        inlets["marks"] = library.inlet(f"name='{name}_marks'")
        about = library.description(inlets["regions"])
        labels = [c.findtext("label") for c in about.findall("desc/channels/channel")]
        check(labels[0] == "forehead" and labels[12:] == ["spot", "face", "score", "state", "flags"], labels)
        check(about.findtext("nominal_srate").startswith("0.0"), "not irregular")
        nose = about.find("desc/channels/channel[label='nose_tip']")
        check((nose.findtext("unit"), nose.findtext("region/landmarks")) == ("celsius", "30"), "nose_tip")
        check(about.findtext("desc/camera/name") == "cam" and about.findtext("desc/face/index") == "1", "camera, face")
        sizes = {"regions": (len(labels), "f"), "landmarks": (204, "f"), "frames": (5, "d"), "marks": (1, "s")}
        for what, inlet in inlets.items():
            library.api.lsl_open_stream(inlet, c_double(10 * SLOW), ctypes.byref(c_int32(0)))
        start(daemon)
        before = time.monotonic_ns()
        post(daemon, "/mark", {"text": "stimulus", "value": "3"})
        after = time.monotonic_ns()
        time.sleep(2)
        post(daemon, "/record/stop", {})
        got = {what: library.pull(inlets[what], *sizes[what], 1.0) for what in inlets}
        by_stamp = {r["t_mono_ns"]: r for r in list(records.records)}
        frame_of = {int(values[0]): (stamp, values) for stamp, values in got["frames"]}
        worst, compared = 0, 0
        for record in by_stamp.values():
            if record["frame"] not in frame_of:
                continue
            stamp, values = frame_of[record["frame"]]
            worst = max(worst, abs(stamp - record["t_mono_ns"] / 1e9))
            check(values[1] == record["sequence"], "sequence")
            compared += 1
        check(compared > 20, f"{compared} frames in common")
        regions = {round(stamp * 1e9 / 1000): values for stamp, values in got["regions"]}
        points = {round(stamp * 1e9 / 1000): values for stamp, values in got["landmarks"]}
        valid = 0
        for record in by_stamp.values():
            at = [regions.get(round(record["t_mono_ns"] / 1000) + d) for d in (-1, 0, 1)]
            values = next((v for v in at if v), None)
            if not values or not record["faces"]:
                continue
            face = record["faces"][0]
            for label, value in zip(labels[:12], values):
                region = face["regions"][label]
                if region["valid"]:
                    check(abs(value - region["mean"]) < 1e-3, f"{label}: {value} is not {region['mean']}")
                    valid += 1
                else:
                    check(value != value, f"{label}: {value} is not valid")
            check(abs(values[12] - record["areas"]["spot"]["mean"]) < 1e-3, "own region")
            at = [points.get(round(record["t_mono_ns"] / 1000) + d) for d in (-1, 0, 1)]
            point = next((v for v in at if v), None)
            if point:
                check(abs(point[3 * 30] - face["points"][30][0]) < 0.01, "landmark 30")
        check(valid > 100, f"{valid} values compared")
        marks = [(stamp, values[0].decode()) for stamp, values in got["marks"]]
        check([text.split()[0] for _, text in marks] == ["session_start", "stimulus=3", "session_stop"], marks)
        check(before - 1000 <= marks[1][0] * 1e9 <= after + 1000, "the mark's time")
        print(f"# {compared} frames: stamps differ by at most {worst * 1e6:.3f} µs; {valid} temperatures are equal")
        check(worst < 1e-3, f"{worst * 1e3:.3f} ms")


def markers():
    """A stimulus program's markers are in events.tsv with their time, also after it began anew"""
    library = Library.get()
    name = f"stimuli{os.getpid()}"
    with place() as folder, service(library, folder, lsl=f"markers=name='{name}'") as daemon:
        def state():
            return (json.loads(daemon.get("/state"))["lsl"]["markers"] or [{"state": "", "connected": 0}])[0]

        outlet = library.outlet(name, name)
        wait_for(lambda: state()["state"] == "connected" and state()["correction_us"] is not None, 20, "connected")
        start(daemon)
        sent = []
        for i in range(40):
            stamp = library.clock()
            library.mark(outlet, f"trial {i}", stamp)
            sent.append((f"trial {i}", stamp))
            time.sleep(0.025)
        library.close(outlet)
        wait_for(lambda: state()["state"] == "gone", 20, "gone")
        outlet = library.outlet(name, name)
        wait_for(lambda: state()["state"] == "connected" and state()["connected"] == 2, 20, "found again")
        stamp = library.clock()
        library.mark(outlet, "again", stamp)
        sent.append(("again", stamp))
        wait_for(lambda: state()["markers"] == len(sent), 10, "all are written")
        check(post(daemon, "/record/stop", {})[1]["marks"] == len(sent), "marks")
        library.close(outlet)
        with open(glob.glob(f"{folder}/sub-07/ses-2/beh/*_events.tsv")[0], encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        check([row["trial_type"] for row in rows] == [text for text, _ in sent], rows)
        check({row["t_from"] for row in rows} == {"sender"} and rows[0]["source"].startswith(f"lsl {name} ("), rows[0])
        errors = [abs(int(row["t_mono_ns"]) / 1e9 - stamp) for row, (_, stamp) in zip(rows, sent)]
        print(f"# {len(errors)} markers: error {statistics.median(errors) * 1e6:.1f} µs in the middle, "
              f"{max(errors) * 1e6:.1f} µs at most")
        check(max(errors) < 1e-3, f"{max(errors) * 1e3:.3f} ms")


def numbers():
    """Numeric markers of several channels are text and value"""
    library = Library.get()
    name = f"codes{os.getpid()}"
    with place() as folder, service(library, folder, lsl=f"markers=name='{name}'") as daemon:
        outlet = library.outlet(name, name, 2, 4)
        wait_for(lambda: b"\"connected\",\"reason\"" in daemon.get("/state"), 20, "connected")
        start(daemon)
        library.api.lsl_push_sample_itp(outlet, (c_int32 * 2)(17, -3), c_double(library.clock()), c_int32(1))
        wait_for(lambda: b"\"markers\":1," in daemon.get("/state"), 10, "written")
        post(daemon, "/record/stop", {})
        library.close(outlet)
        with open(glob.glob(f"{folder}/sub-07/ses-2/beh/*_events.tsv")[0], encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        check([(row["trial_type"], row["value"]) for row in rows] == [("17", "-3")], rows)


if __name__ == "__main__":
    run_tests([a_recorder, markers, numbers])
