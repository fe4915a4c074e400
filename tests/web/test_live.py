"""The console's pictures: how old they are, and that they come back."""
import json
import os
import signal
import socket
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser  # noqa: E402
from house import SLOW, Daemon, Records, check, config, run_tests, wait_for  # noqa: E402

SMALL = "width=160\nheight=120"
AWAY = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "net::ERR", "503")


def ages(browser, records, count=15):
    """Seconds from capture to when a test has read the number off the screen, which is later than it was shown."""
    found, numbers = [], []
    end = time.monotonic() + 20 * SLOW
    while len(found) < count and time.monotonic() < end:
        number = browser.number()
        now = time.clock_gettime(time.CLOCK_MONOTONIC)
        times = {r["frame"]: r["t_mono_ns"] / 1e9 for r in list(records.records)[-300:]}
        if number in times:
            found.append(now - times[number])
            numbers.append(number)
        time.sleep(0.1)
    check(len(found) >= count // 2, f"only {len(found)} pictures could be read")
    check(len(set(numbers)) > 3 and numbers == sorted(numbers), f"the picture does not move on: {numbers}")
    return found


def watch(query, kind, name):
    with Daemon(config("synthetic:fps=15,size=320x256", more="")) as daemon:
        records = Records(daemon)
        with Browser(daemon.http() + "/" + query) as browser:
            browser.wait_picture()
            time.sleep(2)
            found = ages(browser, records)
            median = statistics.median(found)
            print(f"# {kind}: read off the screen {median:.3f} s after capture, at most {max(found):.3f} s")
            check(median <= 0.4 * SLOW, f"pictures are {median:.3f} s old: {[round(a, 3) for a in found]}")
            check(browser.js("return document.querySelector('[data-camera=cam]').dataset.kind") == kind, f"the page shows no {kind}")
            said = float(browser.js("return document.querySelector('[data-camera=cam]').dataset.age"))
            check(-0.05 < said < 1 * SLOW, f"the page says {said} s")
            browser.shot(name)
            browser.check_quiet()
            if kind == "mp4":
                check(daemon.camera()["http_viewers"] == 1, "/state counts no viewer")


def test_mp4():
    """The picture moves and is at most 0.4 s old (MP4)"""
    watch("", "mp4", "live")


def test_jpeg():
    """The picture moves and is at most 0.4 s old (JPEG, forced)"""
    watch("?pictures=jpeg", "jpeg", "live-jpeg")


def test_once():
    """Two pages: the encoder runs once, and not at all without a page"""
    with Daemon(config("synthetic:fps=15,size=320x256")) as daemon:
        time.sleep(1)
        idle = daemon.camera()["encoded"]
        check(idle == 0, f"{idle} pictures are encoded although nobody watches")
        with Browser(daemon.http() + "/") as one, Browser(daemon.http() + "/") as two:
            one.wait_picture()
            two.wait_picture()
            a, began = daemon.camera(), time.monotonic()
            time.sleep(3)
            b = daemon.camera()
            check(b["http_viewers"] == 2, f"{b['http_viewers']} viewers")
            frames, encoded = b["frames"] - a["frames"], b["encoded"] - a["encoded"]
            check(encoded <= frames + 2, f"{encoded} pictures were encoded of {frames} frames")
            check(encoded > 0.5 * frames / SLOW, f"only {encoded} pictures of {frames} frames in {time.monotonic() - began:.1f} s")
            one.check_quiet()
            two.check_quiet()
        wait_for(lambda: daemon.camera()["http_viewers"] == 0, 5, "viewers are gone")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_restart():
    """The service is killed and started again while the page is open"""
    port = free_port()
    text = config("synthetic:fps=15,size=320x256", http=f"port={port}")
    with Daemon(text) as daemon, Browser(daemon.http() + "/", expected=AWAY) as browser:
        browser.wait_picture()
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        browser.wait(lambda: browser.shown("#lost"), 10, "the page says that the service is away")
        browser.shot("away")
        with Daemon(text) as again:
            browser.wait(lambda: not browser.shown("#lost"), 20, "the page sees the service again")
            # Its frames count from 0 again: what is shown is new.
            browser.wait(lambda: (browser.number() or 10 ** 9) <= again.camera()["frames"] + 5, 20, "pictures of the new service")
            first = browser.wait(lambda: browser.number(), 10, "a picture")
            browser.wait(lambda: (browser.number() or 0) > first, 10, "pictures that move")
            browser.wait(lambda: browser.js("return thermoface.data.connected"), 20, "records")
            browser.check_quiet()


def test_camera():
    """A camera that is gone and comes back"""
    with Daemon(config("synthetic:fps=15,size=320x256,gone=6")) as daemon, Browser(daemon.http() + "/", expected=AWAY) as browser:
        browser.wait_picture()
        wait_for(lambda: daemon.camera()["reopened"] >= 1, 30, "the camera has gone and is back")
        frames = daemon.camera()["frames"]
        browser.wait(lambda: (browser.number() or 0) >= frames, 15, "pictures after it came back")
        browser.check_quiet()


if __name__ == "__main__":
    run_tests([test_mp4, test_jpeg, test_once, test_restart, test_camera])
