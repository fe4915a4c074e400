"""Trigger inputs through the real daemon: a serial port that is a pseudo-terminal. Keys and GPIO lines are tests/vm's."""
import csv
import glob
import json
import os
import pty
import re
import subprocess
import sys
import tempfile
import time
import tty
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import DAEMON, MODELS, SLOW, Daemon, check, config, run_tests, wait_for  # noqa: E402

SMALL = "width=160\nheight=120\nfps=30\nanalyse=no"


class Port:
    """A serial port behind a path that survives unplugging, as /dev/serial/by-id has them."""

    def __init__(self, folder, name="ttl"):
        self.path = f"{folder}/{name}"
        self.master = None
        self.plug()

    def plug(self):
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        os.symlink(os.ttyname(slave), self.path)
        self.slave = slave

    def unplug(self):
        os.unlink(self.path)
        os.close(self.slave)
        os.close(self.master)
        self.master = None

    def send(self, data):
        os.write(self.master, data)

    def close(self):
        if self.master is not None:
            self.unplug()


class Lab:
    """A daemon with one serial trigger, and its recordings' folder."""

    def __init__(self, more="", sections=""):
        self.folder = tempfile.TemporaryDirectory(prefix="tf-trigger-")
        self.port = Port(self.folder.name)
        text = config(more=SMALL, sections=f"[recording]\ndirectory={self.folder.name}\nannotated=no\nfree-space-min=1\n"
                      f"[trigger ttl]\nkind=serial\ndevice={self.port.path}\n{more}\n{sections}")
        self.daemon = Daemon(text)

    def __enter__(self):
        self.daemon.__enter__()
        wait_for(lambda: self.told()["state"] == "running", 5, "the port is open")
        return self

    def __exit__(self, *why):
        self.daemon.__exit__(*why)
        self.port.close()
        self.folder.cleanup()

    def told(self, number=0):
        return json.loads(self.daemon.get("/state"))["triggers"][number]

    def post(self, path, **body):
        request = urllib.request.Request(self.daemon.http() + path, data=json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30 * SLOW) as answer:
            return json.load(answer)

    def start(self):
        return self.post("/record/start", subject="07", task="stroop")

    def events(self):
        path = sorted(glob.glob(f"{self.folder.name}/sub-07/beh/*_events.tsv"))[-1]
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, delimiter="\t"))

    def marks(self, count, seconds=10):
        return wait_for(lambda: len(self.events()) >= count and self.events(), seconds, f"{count} marks")


def bytes_become_marks():
    """A byte is a mark with the trigger's name, its number, the moment of its reading, and in the session's answer"""
    with Lab() as lab:
        lab.start()
        before = time.monotonic_ns()
        lab.port.send(b"A")
        row = lab.marks(1)[0]
        after = time.monotonic_ns()
        check((row["trial_type"], row["value"], row["source"], row["t_from"]) == ("ttl", "65", "trigger ttl", "arrival"), row)
        check(before < int(row["t_mono_ns"]) < after, (before, row, after))
        lab.port.send(b"\x00\xff")
        check([r["value"] for r in lab.marks(3)] == ["65", "0", "255"], lab.events())
        mark = json.loads(lab.daemon.get("/record"))["recent_marks"][0]
        check((mark["text"], mark["value"], mark["source"]) == ("ttl", "65", "trigger ttl"), mark)
        told = lab.told()
        check((told["events"], told["marks"], told["t_from"], told["kind"]) == (3, 3, "arrival", "serial"), told)
        check(lab.post("/record/stop")["marks"] == 3, "marks of the session")


def templates_and_selection():
    """Text and value are as their templates say; bytes that are not named are no marks"""
    with Lab("key=1 0x41 66\ntext=%n: %c of 100%%\nvalue=%k/%e") as lab:
        lab.start()
        lab.port.send(b"A\x02\x01CB")
        rows = [(r["trial_type"], r["value"]) for r in lab.marks(3)]
        check(rows == [("ttl: A of 100%", "65/byte"), ("ttl: \\x01 of 100%", "1/byte"), ("ttl: B of 100%", "66/byte")], rows)
        check(lab.told()["events"] == 3, lab.told())


def lines_of_text():
    """With split=line a text is one mark; what is no printable ASCII is written so, what has no end is cut and counted"""
    with Lab("split=line\ntext=%k\nvalue=%e") as lab:
        lab.start()
        lab.port.send(b"trial 12\r\n\n")
        lab.port.send(b"half")
        time.sleep(0.2)
        lab.port.send(b" a \xe4\tb\n" + b"x" * 5000 + b"\n")
        rows = [r["trial_type"] for r in lab.marks(3)]
        check(rows[:2] == ["trial 12", "half a \\xe4\\x09b"], rows)
        check(rows[2] == "x" * 127, rows[2])
        check(lab.told()["left_out"]["missed"] == 1, lab.told())


def chatter_is_held():
    """A port that chatters makes rate marks a second; the rest is counted in /state and /metrics, and said once"""
    with Lab("rate=5") as lab:
        lab.start()
        began = time.monotonic()
        for _ in range(20):
            lab.port.send(b"Z" * 100)
            time.sleep(0.05)
        wait_for(lambda: lab.told()["events"] + lab.told()["left_out"]["limited"] == 2000, 10, "all bytes")
        seconds = time.monotonic() - began
        told = lab.told()
        wait_for(lambda: lab.told()["marks"] == told["events"], 5, "marks")
        check(5 <= len(lab.events()) <= 5 + 5 * seconds + 1, f"{len(lab.events())} marks in {seconds:.1f} s")
        check(len(lab.events()) + told["left_out"]["limited"] == 2000, told)
        metrics = lab.daemon.get("/metrics").decode()
        limited = re.search(r'thermoface_trigger_left_out_total{trigger="ttl",reason="limited"} (\d+)', metrics)
        check(limited and int(limited.group(1)) == told["left_out"]["limited"], metrics)
        wait_for(lambda: "faster than rate=5" in lab.daemon.log(), 5, "the drop is said")
        time.sleep(1.5)
        check(lab.daemon.log().count("faster than rate=5") == 1, lab.daemon.log())


def debounce_leaves_out():
    """The same byte again within debounce is left out and counted, another byte is not"""
    with Lab("debounce=5s") as lab:
        lab.start()
        lab.port.send(b"AABABA")
        wait_for(lambda: lab.told()["left_out"]["bounced"] == 4, 5, "bounces")
        check([r["value"] for r in lab.marks(2)] == ["65", "66"], lab.events())


def unplug_and_replug():
    """A port that goes is said once and opened again when it is back; marks go on"""
    with Lab() as lab:
        lab.start()
        lab.port.send(b"1")
        lab.marks(1)
        lab.port.unplug()
        wait_for(lambda: lab.told()["state"] == "lost", 5, "it is gone")
        check("not there" in wait_for(lambda: "not there" in lab.told()["message"] and lab.told()["message"], 5, "why"), "")
        time.sleep(2)
        log = lab.daemon.log()
        check(log.count("ttl: not there") == 1, log)
        check('thermoface_trigger_up{trigger="ttl"} 0' in lab.daemon.get("/metrics").decode(), "metrics")
        lab.port.plug()
        wait_for(lambda: lab.told()["state"] == "running", 8, "it is back")
        check(lab.told()["reopened"] == 1, lab.told())
        lab.port.send(b"2")
        check([r["value"] for r in lab.marks(2)] == ["49", "50"], lab.events())


def without_a_session():
    """What comes while nothing is recorded is counted, and is in no table of a later session"""
    with Lab() as lab:
        lab.port.send(b"x")
        wait_for(lambda: lab.told()["unrecorded"] == 1, 5, "unrecorded")
        lab.start()
        lab.port.send(b"y")
        check([r["value"] for r in lab.marks(1)] == ["121"], lab.events())
        lab.post("/record/stop")
        lab.port.send(b"z")
        wait_for(lambda: lab.told()["unrecorded"] == 2, 5, "unrecorded")


def a_trigger_is_no_reason_to_wait():
    """The service is ready without the device, and ends within 2 s while it waits for it"""
    text = config(more=SMALL, sections="[trigger away]\ndevice=/dev/input/by-id/no-such\n"
                  "[trigger line]\nkind=serial-line\ndevice=/dev/no-such-tty\nline=cts\n"
                  "[trigger off]\nenabled=no\nkind=serial\ndevice=/dev/no-such-tty\n")
    with Daemon(text) as daemon:
        triggers = json.loads(daemon.get("/state"))["triggers"]
        check([t["name"] for t in triggers] == ["away", "line"], triggers)
        wait_for(lambda: "no-such: not there" in daemon.log(), 5, "it is said")
        code, _ = daemon.stop()
        check(code == 0, daemon.log())


def wrong_devices():
    """A device of another kind is said to be one"""
    with tempfile.TemporaryDirectory() as folder:
        port = Port(folder)
        text = config(more=SMALL, sections=f"[trigger key]\ndevice={port.path}\n"
                      f"[trigger file]\nkind=serial\ndevice={folder}/a-file\n"
                      "[trigger zero]\nkind=serial-line\nline=cts\ndevice=/dev/null\n")
        with open(f"{folder}/a-file", "w", encoding="utf-8"):
            pass
        with Daemon(text) as daemon:
            wait_for(lambda: len(re.findall("trigger (key|file|zero): ", daemon.log())) == 3, 5, "three lines")
            log = daemon.log()
            for part in (f"{port.path}: no input device", "a-file: no serial port", "/dev/null: no serial port"):
                check(part in log, f"{part!r} is not in: {log}")
        port.close()


def configurations():
    """--check-config says what no trigger can be, with file and line"""
    base = config(more=SMALL).rstrip() + "\n"
    first = base.count("\n") + 1
    cases = (
        ("[trigger a]\nkind=serial\ndevice=/dev/ttyS0\n[trigger b]\nkind=serial-line\nline=cts\ndevice=/dev/ttyS0\n", 7,
         "[trigger a] and [trigger b] name one device"),
        ("[trigger a]\ndevice=/dev/input/event0\nkey=KEY_SPAEC\n", 3, "did you mean KEY_SPACE;"),
        ("[trigger a]\nkind=serial\ndevice=/dev/ttyS0\nkey=300\n", 4, "no byte"),
        ("[trigger a]\nkind=serial\ndevice=/dev/ttyS0\nbaud=9601\n", 4, "no baud rate"),
        ("[trigger a]\nkind=serial-line\ndevice=/dev/ttyS0\nline=rts\n", 4, "no control line"),
        ("[trigger a]\nkind=serial-line\ndevice=/dev/ttyS0\n", 1, "has no line"),
        ("[trigger a]\ndevice=/dev/input/event0\nbaud=9600\n", 3, "baud is not for kind=evdev"),
        ("[trigger a]\nkind=serial\ndevice=/dev/ttyS0\ntext=%x\n", 4, "percent sign"),
        ("[trigger a]\nkind=serial\n", 1, "has no device"),
        ("[trigger]\n", 1, "write [trigger NAME]"),
        ("[trigger a]\ndevice=/dev/tty0\n[trigger b]\ndevice=/dev/link\n", 4, "are one device"),
    )
    with tempfile.TemporaryDirectory() as folder:
        os.symlink("/dev/null", f"{folder}/link")
        for text, line, part in cases:
            text = text.replace("/dev/tty0", "/dev/null").replace("/dev/link", f"{folder}/link")
            path = f"{folder}/test.conf"
            with open(path, "w", encoding="utf-8") as file:
                file.write(base + text)
            done = subprocess.run([DAEMON, "--config", path, "--check-config"], capture_output=True, text=True, check=False,
                                  timeout=30 * SLOW, env=dict(os.environ, TF_MODELS=MODELS))
            check(done.returncode == 1 and f"{path}:{first + line - 1}: " in done.stderr and part in done.stderr,
                  f"{text}: {done.stderr}")


if __name__ == "__main__":
    run_tests([bytes_become_marks, templates_and_selection, lines_of_text, chatter_is_held, debounce_leaves_out,
               unplug_and_replug, without_a_session, a_trigger_is_no_reason_to_wait, wrong_devices, configurations])
