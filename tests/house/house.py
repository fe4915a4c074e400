"""What the house tests share: the daemon for real, its addresses, its clients, and TAP."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request

DAEMON = os.environ["TF_DAEMON"]
MODELS = os.environ["TF_HOUSE_MODELS"]
TOOLS = os.environ.get("TF_HOUSE_TOOLS", "")
SLOW = float(os.environ.get("TF_HOUSE_PATIENCE", "1"))  # sanitizers and busy machines: longer limits, same claims


def have_models():
    return all(os.access(f"{MODELS}/{name}", os.R_OK) for name in ("landmarks68.onnx", "finder.onnx"))


class Skip(Exception):
    pass


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")


def ended_itself(done):
    """
    Whether gst-launch-1.0 ended a stream by itself. It sends PAUSE and TEARDOWN from two threads; where the second
    interrupts the first (one time in a hundred on a busy machine) it says that PAUSE failed and exits with 1.
    """
    return done.returncode == 0 or (done.returncode == 1 and "gst_rtspsrc_pause ()" in done.stdout + done.stderr)


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def wait_for(what, seconds, text, every=0.05):
    """Polls until `what` returns something true and returns it."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = what()
        if value:
            return value
        check(time.monotonic() < end, f"after {seconds * SLOW:g} s still not: {text}")
        time.sleep(every)


class Daemon:
    """thermofaced on a configuration, with its own notify socket, folder and ports."""

    def __init__(self, config, arguments=(), environment=None, wait_ready=True):
        self.folder = tempfile.mkdtemp(prefix="tf-house-")
        self.config = f"{self.folder}/test.conf"
        self.write(config)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(f"{self.folder}/notify")
        self.notify.settimeout(0.05)
        self.messages = []  # (monotonic time, text)
        self.listening = True
        self.log_path = f"{self.folder}/log"
        env = dict(os.environ, NOTIFY_SOCKET=f"{self.folder}/notify", TF_MODELS=MODELS, **(environment or {}))
        env.pop("JOURNAL_STREAM", None)
        self.began = time.monotonic()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([DAEMON, "--config", self.config, *arguments], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=env)
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        if wait_ready:
            wait_for(lambda: self.notified("READY=1") or self.process.poll() is not None, 20, "ready")
            check(self.process.poll() is None, f"the daemon ended:\n{self.log()}")

    def write(self, config):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(config)

    def _listen(self):
        while self.listening:
            with contextlib.suppress(socket.timeout):
                text = self.notify.recv(4096).decode()
                self.messages.append((time.monotonic(), text))

    def notified(self, part):
        return [(t, m) for t, m in list(self.messages) if part in m]

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def address(self, scheme):
        match = wait_for(lambda: re.search(rf"{scheme}://[^/\s]+", self.log()), 5, f"an address {scheme}://")
        return match.group(0)

    def http(self):
        return self.address("http")

    def rtsp(self, camera="cam"):
        return f"{self.address('rtsp')}/{camera}"

    def get(self, path, timeout=5):
        with urllib.request.urlopen(self.http() + path, timeout=timeout * SLOW) as answer:
            return answer.read()

    def camera(self, name="cam"):
        for camera in json.loads(self.get("/state"))["cameras"]:
            if camera["camera"] == name:
                return camera
        raise AssertionError(f"/state does not name {name}")

    def stop(self, number=signal.SIGTERM, limit=2.0):
        """Ends it; returns status and seconds."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(20 * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the daemon does not end:\n{self.log()}") from None
        seconds = time.monotonic() - began
        check(seconds < limit * SLOW, f"the end took {seconds:.2f} s")
        return code, seconds

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.listening = False
        self.listener.join()
        self.notify.close()
        if kind and not issubclass(kind, Skip):
            print("# " + self.log().replace("\n", "\n# "))
        shutil.rmtree(self.folder, ignore_errors=True)


class Records(threading.Thread):
    """A landmark client: reads /landmarks in the background, as curl would."""

    def __init__(self, daemon, camera="cam"):
        super().__init__(daemon=True)
        self.records = []
        self.ended = False
        self.answer = urllib.request.urlopen(f"{daemon.http()}/landmarks?camera={camera}", timeout=20 * SLOW)
        self.start()

    def run(self):
        with contextlib.suppress(OSError, ValueError, AttributeError, urllib.error.URLError):
            for line in self.answer:
                self.records.append(json.loads(line))
        self.ended = True

    def numbers(self):
        return [record["frame"] for record in list(self.records)]

    def check_whole(self):
        numbers = self.numbers()
        holes = [(a, b) for a, b in zip(numbers, numbers[1:]) if b != a + 1]
        check(not holes, f"records are missing: {holes[:5]}")
        return len(numbers)


def config(url="synthetic", camera="cam", more="", rtsp="port=0", http="port=0", sections=""):
    return (f"[camera {camera}]\nsource={url}\n{more}\n[inference]\nmodels={MODELS}\n"
            f"[rtsp]\n{rtsp}\n[http]\n{http}\n{sections}\n")


def run_tests(tests):
    """Runs functions as TAP; the first line of a function's doc string is the test's name."""
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        name = (test.__doc__ or test.__name__).strip().split("\n")[0]
        try:
            test()
            print(f"ok {number} - {name}", flush=True)
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}", flush=True)
        except Exception:  # each failure is shown, and the next test still runs
            failed += 1
            print("# " + traceback.format_exc().replace("\n", "\n# "))
            print(f"not ok {number} - {name}", flush=True)
    sys.exit(1 if failed else 0)
