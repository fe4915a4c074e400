"""Own regions on the live picture: drawn with mouse, finger and keys, saved, measured; what is refused."""
import base64
import json
import math
import os
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser  # noqa: E402
from house import SLOW, Daemon, Records, check, config, run_tests, wait_for  # noqa: E402
from test_page import look  # noqa: E402

SOURCE = "synthetic:seed=5,clock=1,size=160x120,fps=9"
TAB, ENTER, ESCAPE, DELETE, RIGHT, DOWN, HOME = "\ue004", "\ue007", "\ue00c", "\ue017", "\ue014", "\ue015", "\ue011"
SHIFT = "\ue008"
WALL = "[region wall]\nshape=rectangle 2,3,20,10\n"


def regions(daemon, login=None):
    request = urllib.request.Request(daemon.http() + "/regions")
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    with urllib.request.urlopen(request, timeout=10 * SLOW) as answer:
        return json.loads(answer.read())


class Picture:
    """Camera pixels on the screen, from /state and the place of the video alone."""

    def __init__(self, browser, daemon, camera="cam"):
        self.driver = browser.driver
        told = wait_for(lambda: daemon.camera(camera)["picture"], 10, "the picture in /state")
        x, y, w, h, vw, vh = browser.js("""const e = document.querySelector('[data-camera="' + arguments[0] + '"] :is(video, canvas)'), b = e.getBoundingClientRect();
            return [b.left, b.top, b.width, b.height, e.videoWidth || e.width, e.videoHeight || e.height]""", camera)
        check((vw, vh) == (told["width"], told["height"]), f"/state says {told}, the video has {vw}x{vh}")
        scale = min(w / vw, h / vh)
        self.left, self.top, self.scale = x + (w - vw * scale) / 2, y + (h - vh * scale) / 2, scale * told["factor"]

    def screen(self, x, y):
        """Of a point as records have them: a pixel's centre is a whole number."""
        return self.left + (x + 0.5) * self.scale, self.top + (y + 0.5) * self.scale

    def mouse(self, kind, x, y):
        x, y = self.screen(x, y)
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "clickCount": 1, **(
            {"button": "left", "buttons": 1} if kind != "mouseReleased" else {"button": "left"})})

    def drag(self, *points):
        self.mouse("mousePressed", *points[0])
        for point in points[1:]:
            self.mouse("mouseMoved", *point)
        self.mouse("mouseReleased", *points[-1])

    def touch(self, *points):
        for i, point in enumerate([*points, None]):
            at = [dict(zip("xy", self.screen(*point)))] if point else []
            self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart" if i == 0 else "touchMove" if point else "touchEnd", "touchPoints": at})


def tool(browser, name, coordinates="pixels"):
    browser.js("const s = document.getElementById('own-coordinates'); s.value = arguments[0]; s.dispatchEvent(new Event('change', {bubbles: true}))", coordinates)
    browser.find(f"[data-tool={name}]").click()
    browser.js("scrollTo(0, 0)")
    browser.wait(lambda: browser.shown("svg.draw.armed"), 5, "the picture can be drawn on")
    # What a finger may do is settled with the next frame.
    browser.driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50)))")


def rename(browser, name):
    browser.wait(lambda: browser.js("return document.activeElement.name") == "own-name", 5, "the name is asked for")
    browser.fill("own-name", name)


def save(browser, word="Saved"):
    browser.find("#own-save").click()
    browser.wait(lambda: word in browser.text("#own-message"), 10, f"it says {word}")


def edit(browser):
    browser.wait_picture()
    browser.wait(lambda: browser.shown("#own-edit"), 10, "the card of own regions")
    browser.find("#own-edit").click()
    browser.js("scrollTo(0, 0)")
    browser.wait(lambda: browser.shown("svg.draw"), 10, "regions over the picture")


def near(found, expected, limit, text):
    flat = [n for p in found for n in p] if isinstance(found[0], list) else found
    check(len(flat) == len(expected) and all(abs(a - b) <= limit for a, b in zip(flat, expected)), f"{text}: {found} instead of {expected}")


def test_drawn():
    """Mouse and finger on a turned camera: a rectangle, a polygon, a circle; moved, sized, deleted; records have the values"""
    with Daemon(config(SOURCE, more="rotate=90")) as daemon, Browser(daemon.http() + "/") as browser:
        records = Records(daemon)
        edit(browser)
        check((daemon.camera()["width"], daemon.camera()["height"]) == (120, 160), "the upright picture")
        tool(browser, "rectangle")
        picture = Picture(browser, daemon)
        # Edges of pixels: from before the 10th to behind the 39th.
        picture.drag((9.5, 19.5), (20, 30), (39.5, 49.5))
        rename(browser, "patch")
        save(browser)
        check(regions(daemon)["regions"] == [{"name": "patch", "coordinates": "pixels", "rectangle": [10, 20, 30, 30]}], f"{regions(daemon)}")
        area = wait_for(lambda: records.records and records.records[-1].get("areas", {}).get("patch"), 10, "the area in records")
        check(area["n"] + area["excluded"] == 900 and 10 < area["mean"] < 45, f"{area}")
        browser.wait(lambda: "°C" in browser.text("#own-table"), 10, "its temperature beside it")
        said = float(browser.text("#own-table tbody td:last-child").split()[0])
        check(abs(said - records.records[-1]["areas"]["patch"]["mean"]) < 1, f"the page says {said}, the record {records.records[-1]['areas']['patch']}")
        check("shape=rectangle 10,20,30,30" in browser.js("return document.getElementById('own-configuration').value"), "the text for the configuration")

        tool(browser, "polygon")
        picture = Picture(browser, daemon)
        for corner in ((60, 60), (90, 60), (90, 100), (60, 60)):
            picture.drag(corner)
        rename(browser, "corner")
        tool(browser, "circle")
        Picture(browser, daemon).touch((40, 120), (45, 120), (52, 120))
        rename(browser, "spot")
        save(browser)
        found = {r["name"]: r for r in regions(daemon)["regions"]}
        near(found["corner"]["polygon"], [60, 60, 90, 60, 90, 100], 0.6, "polygon")
        near(found["spot"]["circle"], [40, 120, 12], 0.8, "circle")
        # Moved by its inside, sized by its lower right corner.
        browser.js("scrollTo(0, 0)")
        picture = Picture(browser, daemon)
        picture.drag((25, 35), (30, 40), (35, 45))
        browser.wait(lambda: browser.js("return document.querySelectorAll('.grip').length") == 4, 5, "its corners")
        picture.drag((49.5, 59.5), (55, 60), (59.5, 64.5))
        browser.shot("regions")
        browser.find("#own-table tbody tr:nth-child(2) button").click()
        browser.find("#own-delete").click()
        save(browser)
        found = regions(daemon)["regions"]
        check([r["name"] for r in found] == ["patch", "spot"], f"{found}")
        near(found[0]["rectangle"], [20, 30, 40, 35], 1, "moved and sized")
        wait_for(lambda: list(records.records[-1]["areas"]) == ["patch", "spot"], 10, "records have what is left")

        # A click is no rectangle; Escape ends drawing.
        tool(browser, "rectangle")
        picture.drag((70, 70))
        browser.wait(lambda: "drag" in browser.text("#own-message"), 5, "what to do")
        browser.key(ESCAPE)
        browser.wait(lambda: browser.js("return document.querySelector('[data-tool=rectangle]').getAttribute('aria-pressed')") == "false", 5, "the end of drawing")
        browser.check_quiet()


def test_face():
    """In face coordinates: a circle drawn over the face is where its points say, and is measured with it"""
    with Daemon(config(SOURCE + ",still=1", more="rotate=0")) as daemon, Browser(daemon.http() + "/") as browser:
        records = Records(daemon)
        edit(browser)
        tool(browser, "circle", "face")
        picture = Picture(browser, daemon)
        points = wait_for(lambda: records.records and records.records[-1]["faces"], 20, "a face")[0]["points"]
        (ax, ay), (bx, by) = points[36][:2], points[45][:2]
        far = math.hypot(bx - ax, by - ay)
        x, y = (sum(p[i] for p in points[36:48]) / 12 for i in (0, 1))
        # Below the eyes by half an eye distance, along the face's own axes; a fifth wide.
        x, y = x - 0.5 * (by - ay), y + 0.5 * (bx - ax)
        picture.drag((x, y), (x + 0.1 * far, y), (x + 0.2 * far, y))
        rename(browser, "bridge")
        save(browser)
        found = regions(daemon)["regions"][0]
        check(found["coordinates"] == "face", f"{found}")
        near(found["circle"], [0, 0.5, 0.2], 0.06, "circle in eye distances")
        wait_for(lambda: any(f["regions"].get("bridge", {}).get("mean") for f in records.records[-1]["faces"]), 10, "the region in the face's records")
        browser.wait(lambda: "°C" in browser.text("#own-table"), 10, "its temperature")
        # A disc over the nose, drawn in pixels, has the nose's temperature: two kelvins below what lies around it.
        tool(browser, "circle")
        picture = Picture(browser, daemon)
        nose = records.records[-1]["faces"][0]["points"][30]
        picture.drag(nose[:2], (nose[0] + 1, nose[1]), (nose[0] + 0.12 * far, nose[1]))
        rename(browser, "nose_disc")
        browser.shot("regions-face")
        save(browser)

        def told():
            record = next((r for r in reversed(records.records) if r["faces"] and "nose_disc" in r.get("areas", {})), None)
            return record and [record["areas"]["nose_disc"]["mean"], *(record["faces"][0]["regions"][n]["mean"] for n in ("nose_tip", "cheek_right"))]
        disc, tip, cheek = wait_for(told, 10, "the disc in records")
        check(abs(disc - tip) < 0.5 * abs(cheek - tip), f"the disc has {disc}, the nose tip {tip}, the cheek {cheek}")
        # The same place in pixels, and back.
        browser.find("#own-table button").click()
        for kind in ("pixels", "face"):
            browser.js("const s = document.querySelector('[name=own-in]'); s.value = arguments[0]; s.dispatchEvent(new Event('input', {bubbles: true}))", kind)
            save(browser)
            browser.wait(lambda: regions(daemon)["regions"][0]["coordinates"] == kind, 5, kind)
        near(regions(daemon)["regions"][0]["circle"], [0, 0.5, 0.2], 0.08, "and back")
        browser.check_quiet()


def test_two():
    """Two cameras, pictures as JPEG: a region in pixels is of the camera that it was drawn on"""
    text = config(SOURCE, more="rotate=0") + "[camera webcam]\nsource=synthetic:kind=visible,seed=3,clock=1,fps=8,size=320x240\n"
    with Daemon(text) as daemon, Browser(daemon.http() + "/?pictures=jpeg") as browser:
        records = Records(daemon, "webcam")
        edit(browser)
        browser.wait(lambda: browser.js("return [...document.querySelectorAll('svg.draw')].filter(e => e.checkVisibility()).length") == 2, 15, "both pictures can be drawn on")
        tool(browser, "rectangle")
        Picture(browser, daemon, "webcam").drag((99.5, 49.5), (110, 60), (149.5, 79.5))
        rename(browser, "poster")
        save(browser)
        check(regions(daemon)["regions"] == [{"name": "poster", "camera": "webcam", "coordinates": "pixels", "rectangle": [100, 50, 50, 30]}], f"{regions(daemon)}")
        wait_for(lambda: records.records[-1].get("areas", {}).get("poster", {}).get("n") == 1500, 10, "the area in its camera's records")
        browser.wait(lambda: "counts" in browser.text("#own-table"), 10, "its value, which is no temperature")
        browser.check_quiet()


def tab(browser, selector, most=80):
    for _ in range(most):
        if browser.js("return document.activeElement.matches(arguments[0])", selector):
            return
        browser.key(TAB)
    raise AssertionError(f"Tab does not come to {selector}")


def test_keyboard():
    """By keyboard alone: added, named, moved, sized, saved, deleted; no letter of a name is a key of the page"""
    with Daemon(config(SOURCE, more="rotate=0")) as daemon, Browser(daemon.http() + "/") as browser:
        browser.wait_picture()
        browser.wait(lambda: browser.shown("#own-edit"), 10, "the card of own regions")
        tab(browser, "#own-edit")
        browser.key(ENTER)
        tab(browser, "#own-coordinates")
        browser.key("p")  # of the choice: pixels
        tab(browser, "[data-tool=rectangle]")
        browser.key(ENTER)
        tab(browser, "#own-place")
        browser.key(ENTER)
        browser.wait(lambda: browser.js("return document.activeElement.name") == "own-name", 5, "the name has the focus")
        browser.key("hello_1")  # what stood there is marked
        tab(browser, "svg .over")
        browser.key(RIGHT)
        browser.key(RIGHT)
        browser.key(DOWN)
        browser.key("+")
        tab(browser, "svg .grip:nth-child(3)")
        browser.key(RIGHT)
        check(browser.js("return location.hash") in ("", "#live"), "a letter of the name changed the view")
        tab(browser, "#own-save")
        browser.key(ENTER)
        browser.wait(lambda: "Saved" in browser.text("#own-message"), 10, "saved")
        check(regions(daemon)["regions"] == [{"name": "hello_1", "coordinates": "pixels", "rectangle": [70, 49, 26, 25]}], f"{regions(daemon)}")
        check(browser.js("return document.activeElement.id") == "own-save", "the focus is lost by saving")
        tab(browser, "svg .over")
        browser.key(DELETE)
        tab(browser, "#own-save")
        browser.key(ENTER)
        wait_for(lambda: regions(daemon)["regions"] == [], 10, "deleted")
        browser.check_quiet()


def test_refused():
    """Refusals in words: a name that is taken, a session, somebody else's changes; nothing is lost or changed"""
    with tempfile.TemporaryDirectory() as folder:
        text = config(SOURCE, more="rotate=0", sections=f"[recording]\ndirectory={folder}\nfree-space-min=0\ntables=no\n{WALL}")
        with Daemon(text) as daemon, Browser(daemon.http() + "/", expected=("400", "409")) as browser:
            def post(path, body, method="POST"):
                request = urllib.request.Request(daemon.http() + path, data=json.dumps(body).encode(), method=method, headers={"Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=20 * SLOW) as answer:
                    return json.loads(answer.read())
            before = regions(daemon)["regions"]
            edit(browser)
            look(browser, "regions-edit")
            browser.find("#own-table button").click()
            look(browser, "regions-form")
            for name, words in (("mouth", "already"), ("Nose", "a-z"), ("a b", "a-z")):
                browser.fill("own-name", name)
                save(browser, words)
                check(browser.text("#own-message").startswith("Not saved."), browser.text("#own-message"))
            browser.fill("own-name", "wall")
            browser.fill("own-numbers", "2,3,0,5")
            check(not browser.js("return document.querySelector('[name=own-numbers]').checkValidity()"), "a rectangle without an inside")
            browser.fill("own-numbers", "5000,3,20,10")
            save(browser, "4096")
            browser.fill("own-numbers", "2, 3, 21, 10")
            check(regions(daemon)["regions"] == before, "something refused was taken")
            post("/record/start", {"subject": "1", "task": "t"})
            save(browser, "session")
            check(regions(daemon)["regions"] == before, "changed while a session is recorded")
            post("/record/stop", {})
            post("/regions", {"regions": []}, "PUT")
            save(browser, "Somebody else")
            check(regions(daemon)["regions"] == [], "somebody else's change is overwritten unasked")
            save(browser)
            check(regions(daemon)["regions"][0]["rectangle"] == [2, 3, 21, 10], f"{regions(daemon)}")
            # What is changed while a slow service saves is not lost.
            browser.js("const f = window.fetch; window.fetch = (u, o) => o?.method === 'PUT' ? new Promise(d => setTimeout(d, 1500)).then(() => f(u, o)) : f(u, o)")
            browser.fill("own-numbers", "2,3,22,10")
            browser.find("#own-save").click()
            wait_for(lambda: browser.text("#own-message") == "", 5, "it saves")
            browser.fill("own-numbers", "2,3,23,10")
            browser.wait(lambda: "Saved" in browser.text("#own-message"), 10, "saved")
            check("not saved" in browser.text("#own-table"), "a change while it saved is lost")
            save(browser)
            browser.wait(lambda: regions(daemon)["regions"][0]["rectangle"] == [2, 3, 23, 10], 10, "the later change is saved")
            browser.check_quiet()


def test_watch():
    """Who may only look sees regions and values, and no way to change them; phone, dark"""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("lab", "lab:secret"), ("eye", "eye:look")):
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                file.write(text + "\n")
            os.chmod(f"{folder}/{name}", 0o600)
        text = config(SOURCE, more="rotate=0", http=f"port=0\ncredentials={folder}/lab\nwatch-credentials={folder}/eye", sections=WALL + "[region temple]\ncoordinates=face\nshape=circle -0.7,-0.1,0.2\n")
        with Daemon(text) as daemon:
            for login, may in (("eye:look", False), ("lab:secret", True)):
                with Browser(daemon.http().replace("//", f"//{login}@") + "/", size=(360, 740), dark=True) as browser:
                    browser.url = daemon.http()
                    browser.wait_picture()
                    browser.wait(lambda: "°C" in browser.text("#own-table"), 10, "the region's temperature")
                    check(browser.shown("#own-edit") == may and browser.shown("#own-role") != may, "the button to change")
                    check(not browser.shown("svg.draw"), "something can be drawn")
                    if may:
                        edit(browser)
                        places = set()
                        browser.wait(lambda: places.add(browser.js("return document.querySelector('svg .over[aria-label^=temple]').getAttribute('points')")) or len(places) > 2, 10, "a region that follows the face")
                        browser.find("#own-table button").click()
                    look(browser, f"regions-phone-{'edit' if may else 'watch'}")


if __name__ == "__main__":
    run_tests([test_drawn, test_face, test_two, test_keyboard, test_refused, test_watch])
