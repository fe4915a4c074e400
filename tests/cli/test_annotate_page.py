#!/usr/bin/env python3
"""The annotating page in Chromium: mouse, keys, undo, zoom; what it saves. Skipped where there is no Chromium. Writes TAP.

    test_annotate_page.py THERMOFACE
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

if not (shutil.which("chromium") and shutil.which("chromedriver")):
    print("1..0 # SKIP chromium and chromedriver are not installed")
    sys.exit(0)

from test_annotate import HOME, Page, check, path, table, thermoface  # noqa: E402

UNDO = "\ue009z"


class Browser:
    """A page in headless Chromium, by the WebDriver protocol."""

    def __init__(self, url, width, height):
        self.log = open(path("driver.log"), "w+", encoding="utf-8")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=self.log, stderr=subprocess.STDOUT)
        found = self.until(lambda: re.search(r"successfully on port (\d+)", open(path("driver.log"), encoding="utf-8").read()), "chromedriver does not start")
        self.root = f"http://127.0.0.1:{found[1]}"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={width},{height}", f"--user-data-dir={path('profile')}"]
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:loggingPrefs": {"browser": "ALL"}, "goog:chromeOptions": {"args": arguments}}}})
        self.root += f"/session/{made['sessionId']}"
        self.call("POST", "/url", {"url": url})

    def call(self, method, where, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.root + where, data, {"Content-Type": "application/json"}, method=method), timeout=120) as answer:
            return json.load(answer)["value"]

    @staticmethod
    def until(condition, why):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            got = condition()
            if got:
                return got
            time.sleep(0.1)
        raise AssertionError(why() if callable(why) else why)

    def js(self, code, *arguments):
        return self.call("POST", "/execute/sync", {"script": code, "args": list(arguments)})

    def text(self, name):
        return self.js("return document.getElementById(arguments[0]).textContent", name)

    def keys(self, text):
        """A key after the other; what follows the Control key (E009) with it."""
        held, actions = text.startswith("\ue009"), []
        for k in text.lstrip("\ue009"):
            actions += [{"type": "keyDown", "value": k}, {"type": "keyUp", "value": k}]
        control = [{"type": "keyDown", "value": "\ue009"}], [{"type": "keyUp", "value": "\ue009"}]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": control[0] + actions + control[1] if held else actions}]})

    def drag(self, *places, button=0):
        steps = [{"type": "pointerMove", "x": int(places[0][0]), "y": int(places[0][1]), "duration": 0}, {"type": "pointerDown", "button": button}]
        steps += [{"type": "pointerMove", "x": int(x), "y": int(y), "duration": 50} for x, y in places[1:]] + [{"type": "pointerUp", "button": button}]
        self.call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}]})

    def close(self):
        try:
            self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(30)
            self.log.close()


def row(i, file="page.csv"):
    """The saved points of a row: six pairs of texts."""
    r = table(path(file))[i]
    return [(r[f"{n}_x"], r[f"{n}_y"]) for n in ("eye_r", "eye_l", "nose", "mouth_r", "mouth_l", "chin")]


def saved(browser, i, what, why):
    browser.until(lambda: os.path.exists(path("page.csv")) and len(table(path("page.csv"))) > i and what(row(i)),
                  lambda: f"{why}: {row(i) if os.path.exists(path('page.csv')) else 'nothing saved'}; {browser.text('what')}")


def by_mouse_and_keys(page):
    browser = Browser(f"http://127.0.0.1:{page.port}/?token={page.token}", 1300, 850)
    try:
        browser.until(lambda: browser.js("return document.querySelectorAll('#points button').length") == 6, "the page shows no points")
        check(browser.text("progress") == "0 of 3 labelled", browser.text("progress"))
        box = browser.js("const b = document.getElementById('view').getBoundingClientRect(); return [b.x, b.y, b.width, b.height]")
        item = page.get("/api/items/0")
        k = 0.95 * min(box[2] / 120, box[3] / 160)
        at = lambda x, y: (box[0] + (box[2] - 120 * k) / 2 + (x + 0.5) * k, box[1] + (box[3] - 160 * k) / 2 + (y + 0.5) * k)
        eye = item["start"][0]
        browser.drag(at(*eye), at(eye[0] + 4, eye[1] - 3))
        saved(browser, 0, lambda p: abs(float(p[0][0]) - eye[0] - 4) < 0.7 and abs(float(p[0][1]) - eye[1] + 3) < 0.7, "the eye was not dragged")
        check(all(abs(float(a) - b) < 0.01 for q, s in zip(row(0)[1:], item["start"][1:]) for a, b in zip(q, s)), "other points moved")
        browser.keys("2x")
        saved(browser, 0, lambda p: p[1] == ("", ""), "x does not take a point out")
        browser.keys(UNDO)
        saved(browser, 0, lambda p: p[1] != ("", ""), "nothing was undone")
        before = row(0)[5]
        browser.keys("6\ue015\ue015\ue012")          # down, down, left
        saved(browser, 0, lambda p: abs(float(p[5][1]) - float(before[1]) - 0.5) < 0.02 and abs(float(p[5][0]) - float(before[0]) + 0.25) < 0.02, "arrows")
        browser.js("const p = document.getElementById('person'); p.value = 'p7'; p.dispatchEvent(new Event('change'))")
        browser.until(lambda: table(path("page.csv"))[0]["person"] == "p7", "the person was not saved")
        kept = row(0)
        browser.keys("+++")
        browser.drag(at(60, 80), at(70, 80), button=2)
        check(row(0) == kept and len(table(path("page.csv"))) == 1, "zoom and pan change points")
        browser.js("document.getElementById('view').focus()")
        browser.keys("\ue007")
        here = lambda i: f"page.mkv {page.get('/api/items/' + str(i))['frame']} (" in browser.js("return document.querySelector('#list [aria-current=true]').textContent")
        browser.until(lambda: here(1), "Enter does not go on")
        browser.keys("\ue007\ue007")                # a second one before the first has been saved skips no frame
        browser.until(lambda: here(2), "Enter does not go on")
        browser.until(lambda: browser.text("progress") == "2 of 3 labelled", lambda: browser.text("progress"))
        check(all(abs(float(a) - b) < 0.01 for q, s in zip(row(1), page.get("/api/items/1")["start"]) for a, b in zip(q, s)), "the network's points were not taken")
        errors = [e["message"] for e in browser.call("POST", "/se/log", {"type": "browser"}) if e["level"] == "SEVERE"]
        check(not errors, errors)
        unnamed = browser.js("return [...document.querySelectorAll('button,input,select')].filter(e => !e.textContent.trim() && !e.closest('label')).length")
        check(unnamed == 0, f"{unnamed} controls have no name")
        wide = browser.js("return document.documentElement.scrollWidth <= innerWidth")
        check(wide, "the page is wider than the window")
    finally:
        browser.close()


def main():
    print("1..1", flush=True)
    name = "points are dragged, taken out, undone and nudged, and saved at once; Enter goes on; no error on the console"
    try:
        thermoface("sample", path("page.mkv"), "--seconds", 2)
        with Page(path("page.mkv"), "--format", "lepton3-y16", "--rotate", 90, "--output", path("page.csv"), "--frames", 3) as page:
            by_mouse_and_keys(page)
        print(f"ok 1 - {name}")
        status = 0
    except (AssertionError, OSError, KeyError, ValueError, urllib.error.URLError) as e:
        print(f"not ok 1 - {name}\n# {type(e).__name__}: {e}")
        status = 1
    HOME.cleanup()
    sys.exit(status)


if __name__ == "__main__":
    main()
