"""The review page in a real browser: the list, a session's video with curves and marks in step, hostile texts."""
import json
import os
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser  # noqa: E402
from house import Daemon, check, config, run_tests  # noqa: E402

HOSTILE = "<img src=x onerror=alert(1)>\"'"
VIDEO = "const v = document.getElementById('video'); return [v.readyState, v.currentTime, v.duration, v.buffered.length]"


def tenths(text):
    """Tenths of seconds of the M:SS.T that a text begins with."""
    minutes, seconds = text.split()[0].split(":")
    return int(minutes) * 600 + round(float(seconds) * 10)


def post(daemon, path, body):
    request = urllib.request.Request(daemon.http() + path, data=json.dumps(body).encode(), method="POST",
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def a_session_is_reviewed():
    """review: the list, the video plays, a mark and a click in the curves go to their moments"""
    with tempfile.TemporaryDirectory(prefix="tf-review-") as folder:
        text = config(url="synthetic:seed=3,clock=1,size=160x120,fps=9", sections=f"[recording]\ndirectory={folder}\nfree-space-min=1\n")
        with Daemon(text) as daemon:
            time.sleep(1)
            name = post(daemon, "/record/start", {"subject": "07", "task": "stroop"})["name"]
            time.sleep(3)
            post(daemon, "/mark", {"text": HOSTILE, "value": "3"})
            time.sleep(3)
            post(daemon, "/record/stop", {})
            with Browser(daemon.http() + "/web/review.html") as page:
                page.url = daemon.http()
                page.wait(lambda: page.shown("#sessions button"), 10, "the list")
                check(name in page.text("#sessions") and "complete" in page.text("#sessions"), page.text("#sessions"))
                page.find("#sessions button").click()
                page.wait(lambda: page.js(VIDEO)[0] >= 3, 15, "a picture of the video")
                check(4 < page.js(VIDEO)[2] < 20, f"{page.js(VIDEO)}")
                check("nose_tip" in page.text("#regions") and name in page.text("#files"), "regions and files")
                check(HOSTILE in page.text("#marks") and "= 3" in page.text("#marks"), page.text("#marks"))
                check(not page.js("return document.querySelectorAll('#marks img').length"), "a mark's text is HTML")
                # On a busy machine the mark and the video's begin come later; what holds is that the page stands at the mark.
                there = tenths(page.text("#marks button").split(": ", 1)[1])
                check(25 < there, page.text("#marks"))
                page.find("#marks button").click()
                page.wait(lambda: page.js(VIDEO)[1] > 0 and page.js(VIDEO)[0] >= 2 and abs(tenths(page.text("#at")) - there) <= 2, 20,
                          "the mark's moment")
                check("nose_tip" in page.text("#at"), page.text("#at"))
                page.js("const c = document.getElementById('curves'), w = c.clientWidth; c.dispatchEvent(new MouseEvent('click', "
                        "{clientX: c.getBoundingClientRect().left + 44 + 0.8 * (w - 52), clientY: c.getBoundingClientRect().top + 9}))")
                page.wait(lambda: page.js(VIDEO)[1] > 4, 10, "the place that was clicked")
                page.js("document.getElementById('video').currentTime = 0; document.getElementById('video').play()")
                page.wait(lambda: page.js(VIDEO)[1] > 1 and page.js(VIDEO)[0] >= 2, 20, "it plays")
                drawn = page.js("const c = document.getElementById('curves'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
                                "let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n")
                check(drawn > 500, f"{drawn} pixels of curves")
                page.shot("review")
                page.size(360, 740)
                check(page.js("return document.documentElement.scrollWidth <= innerWidth"), "wider than a telephone")
                page.check_quiet()


run_tests([a_session_is_reviewed])
