"""The console as a page: weight, headers, sizes, keyboard, labels, contrast, views, pairs."""
import gzip
import http.client
import json
import os
import sys
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser  # noqa: E402
from house import SLOW, Daemon, check, config, run_tests, wait_for  # noqa: E402

SOURCE = "synthetic:fps=10,size=320x256,ffc=20"
# Text and what lies behind it, for all that is shown; relative luminance as WCAG 2.1 has it.
CONTRAST = """
const lum = c => { const f = c.map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
const parse = text => { const m = text.match(/[\\d.]+/g).map(Number); return {c: m.slice(0, 3), a: m.length > 3 ? m[3] : 1}; };
const behind = e => { for (; e; e = e.parentElement) { const b = parse(getComputedStyle(e).backgroundColor); if (b.a > .99) return b.c; } return parse(getComputedStyle(document.documentElement).backgroundColor).c; };
const bad = [];
for (const e of document.querySelectorAll('body *')) {
  if (!e.checkVisibility() || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
  if (e.closest('.veil, :disabled, .skip, .hidden')) continue;
  const style = getComputedStyle(e), a = lum(parse(style.color).c), b = lum(behind(e));
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05), large = parseFloat(style.fontSize) >= 24;
  if (ratio < (large ? 3 : 4.5)) bad.push(`${e.tagName} "${e.textContent.trim().slice(0, 30)}" ${ratio.toFixed(2)}`);
}
return bad;
"""
LABELS = """
const bad = [];
for (const e of document.querySelectorAll('button, input, a[href], canvas[role], video')) {
  const name = (e.getAttribute('aria-label') || (e.labels && e.labels.length && e.labels[0].textContent) || e.textContent || '').trim();
  if (!name) bad.push(e.outerHTML.slice(0, 80));
}
for (const e of document.querySelectorAll('section, aside, nav')) if (!e.hasAttribute('aria-label') && !e.hasAttribute('aria-labelledby')) bad.push(e.outerHTML.slice(0, 80));
for (const e of document.querySelectorAll('[aria-labelledby]')) if (!document.getElementById(e.getAttribute('aria-labelledby'))) bad.push(e.outerHTML.slice(0, 80));
if (document.documentElement.lang !== 'en' || !document.title || document.querySelectorAll('main').length !== 1) bad.push('document');
const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
if (new Set(ids).size !== ids.length) bad.push('an id twice');
return bad;
"""


def fetch(daemon, path, headers=None, method="GET"):
    connection = http.client.HTTPConnection(daemon.http().split("//")[1], timeout=10 * SLOW)
    connection.request(method, path, headers=headers or {})
    answer = connection.getresponse()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def test_files():
    """Files: types, digests, gzip, a strict policy, under 150 kB altogether"""
    with Daemon(config(SOURCE)) as daemon:
        _, _, page = fetch(daemon, "/")
        names = ["/"] + [f"/web/{n}" for n in ("console.css", "icon.svg", "console.js", "api.js", "live.js", "mp4.js", "curves.js", "records.js", "regions.js", "draw.js", "shapes.js", "session.js", "health.js")]
        whole = packed = 0
        for name in names:
            status, headers, body = fetch(daemon, name)
            check(status == 200 and body, f"{name}: {status}")
            policy = headers["content-security-policy"]
            check("default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy, policy)
            check(headers["x-content-type-options"] == "nosniff" and headers["cross-origin-resource-policy"] == "same-origin", f"{headers}")
            check(headers["content-type"].startswith({"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}.get(name.rsplit(".", 1)[-1], "text/html")), f"{name}: {headers['content-type']}")
            status, zipped, small = fetch(daemon, name, {"Accept-Encoding": "br, gzip;q=0.8"})
            check(zipped["content-encoding"] == "gzip" and gzip.decompress(small) == body, f"{name}: gzip")
            check("content-encoding" not in fetch(daemon, name, {"Accept-Encoding": "gzip;q=0"})[1], f"{name}: gzip that was refused")
            status, _, nothing = fetch(daemon, name, {"If-None-Match": headers["etag"]})
            check(status == 304 and not nothing, f"{name}: {status} for what is known")
            check(fetch(daemon, name, method="HEAD")[0] == 200 and fetch(daemon, name, method="POST")[0] == 405, f"{name}: HEAD, POST")
            whole += len(body)
            packed += len(small)
        print(f"# {whole} bytes, {packed} packed")
        check(whole < 150000, f"the page weighs {whole} bytes")
        check(b"<script>" not in page and b"style=" not in page and b"onclick" not in page and b"http" not in page.replace(b"http-equiv", b""), "inline or foreign things in the page")
        check(fetch(daemon, "/web/../etc/passwd")[0] == 404 and fetch(daemon, "/web/")[0] == 404, "what is no file")
        check(fetch(daemon, "/", {"Host": "evil.example"})[0] == 403, "another name for this server (DNS rebinding)")


def test_video():
    """/video.mp4 and /mjpeg for programs: what is wrong is said, places are limited, others are not slowed"""
    with Daemon(config(SOURCE, http="port=0\nviewers=2")) as daemon:
        wait_for(lambda: daemon.camera()["frames"] > 5, 20, "frames")
        status, headers, _ = fetch(daemon, "/video.mp4?camera=cam", method="HEAD")
        check(status == 200 and headers["content-type"] == "video/mp4", f"HEAD: {status} {headers}")
        for path in ("/video.mp4?camera=attic", "/video.mp4?pair=rig", "/mjpeg?camera=attic", "/mjpeg?pair=rig",
                     "/mjpeg?pair=cam", "/snapshot.png?pair=cam"):
            check(fetch(daemon, path)[0] == 404, f"{path}: what is not there")
        first = urllib.request.urlopen(daemon.http() + "/video.mp4", timeout=10 * SLOW)
        second = urllib.request.urlopen(daemon.http() + "/mjpeg?camera=cam", timeout=10 * SLOW)
        check(first.read(8)[4:] == b"ftyp", "no MP4")
        check(b"Content-Type: image/jpeg" in second.read(200), "no JPEG")
        status, _, body = fetch(daemon, "/mjpeg")
        check(status == 503 and b"all 2 places" in body, f"a third viewer: {status} {body}")
        # Neither reads on: nothing waits for them.
        before = daemon.camera()
        time.sleep(4)
        after = daemon.camera()
        check(after["frames"] - before["frames"] > 20 / SLOW, "frames are lost for the sake of a viewer")
        check(after["dropped"]["inference"] == before["dropped"]["inference"] or SLOW > 1, "analyses are lost")
        first.close()
        second.close()
        wait_for(lambda: daemon.camera()["http_viewers"] == 0, 10, "their places are free")
        metrics = daemon.get("/metrics").decode()
        check('thermoface_http_viewers{camera="cam"} 0' in metrics and 'thermoface_dropped_total{camera="cam",place="video"}' in metrics, "metrics")


def look(browser, name):
    bad = browser.js(CONTRAST)
    check(not bad, f"{name}: contrast is too low: {bad[:5]}")
    bad = browser.js(LABELS)
    check(not bad, f"{name}: without a name: {bad[:5]}")
    wide = browser.js("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    check(wide <= 0, f"{name}: {wide} pixels wider than the screen")
    browser.shot(name)


def views(dark, size, word):
    with Daemon(config(SOURCE)) as daemon, Browser(daemon.http() + "/", size=size, dark=dark) as browser:
        browser.wait_picture()
        browser.wait(lambda: browser.js("return thermoface.data.records > 20 && thermoface.figures.draws > 3"), 15, "curves")
        look(browser, f"{word}-live")
        for view in ("health", "help"):
            browser.js(f"location.hash = '#{view}'")
            browser.wait(lambda: browser.shown(f"#view-{view}"), 5, view)
            if view == "health":
                browser.wait(lambda: "frames/s" in browser.text("#health-cameras") and browser.text("#log"), 10, "health and log")
            look(browser, f"{word}-{view}")
        browser.check_quiet()


def test_light():
    """Desk, light: every view, labels, contrast"""
    views(False, (1400, 1000), "light")


def test_dark():
    """Phone of 360 pixels, dark: every view, labels, contrast"""
    views(True, (360, 740), "phone")


def test_wall():
    """Wall screen: every view"""
    views(True, (2560, 1440), "wall")


def test_keyboard():
    """By keyboard alone: the order of Tab, a focus that is seen, keys for the views"""
    with Daemon(config(SOURCE)) as daemon, Browser(daemon.http() + "/") as browser:
        browser.wait_picture()
        order = []
        for _ in range(40):
            browser.key("\ue004")
            order.append(browser.js("const e = document.activeElement, s = getComputedStyle(e.matches('.segments input, .chips input') ? e.nextElementSibling : e);"
                                    "if (e === document.body) return ['BODY', true, false]; return [e.id || e.name || e.textContent.trim() || e.tagName, parseFloat(s.outlineWidth) >= 2 && s.outlineStyle !== 'none', e.getBoundingClientRect().width > 0]"))
        names = [name for name, _, _ in order]
        for earlier, later in (("Live", "Health"), ("Health", "Help"), ("hold", "subject"), ("subject", "task"), ("task", "start")):
            check(earlier in names and later in names and names.index(earlier) < names.index(later), f"{earlier} is not before {later}: {names}")
        unseen = [name for name, seen, there in order if there and not seen and name != "BODY"]
        check(not unseen, f"a focus that cannot be seen: {unseen}")
        browser.js("document.activeElement.blur()")
        for key, view in (("e", "health"), ("?", "help"), ("l", "live")):
            browser.key(key)
            browser.wait(lambda: browser.shown(f"#view-{view}"), 5, f"{key} shows {view}")
        browser.key("h")
        browser.wait(lambda: browser.js("return document.getElementById('hold').getAttribute('aria-pressed')") == "true", 5, "curves are held")


def test_curves():
    """Curves: values, a gap where a value is not valid, marks of the shutter, sixty curves beside a picture"""
    with Daemon(config("synthetic:fps=10,size=320x256,ffc=6")) as daemon, Browser(daemon.http() + "/") as browser:
        browser.wait_picture()
        browser.wait(lambda: browser.js("return thermoface.data.shutters.length > 0"), 20, "a shutter time")
        browser.wait(lambda: browser.js("return Number.isFinite(thermoface.data.series.get('cam/nose_tip')?.value)"), 15, "a value")
        value = browser.wait(lambda: (lambda v: v if v[0] is not None and v[1] > 20 else None)(browser.js("const s = thermoface.data.series.get('cam/nose_tip'); return [s.value, s.levels[0].high.filter(v => v === v).length]")), 15, "a curve")
        check(20 < value[0] < 40 and value[1] > 20, f"the nose tip's curve: {value}")
        browser.wait(lambda: "nose tip" in browser.text("#values") and "°C" in browser.text("#values"), 10, "the table of values")
        # What is not to be trusted leaves a gap, and is not drawn as a number.
        gap = browser.js("""const s = thermoface.data.series.get('cam/chin'), level = s.levels[0], t = s.t;
          s.add(t + 20, NaN); s.add(t + 21, 33); const at = n => Math.floor(n / level.bucket) % level.size;
          return [level.high[at(t + 10)], level.high[at(t + 20)], level.high[at(t + 21)]]""")
        check(gap[0] is None and gap[1] is None and gap[2] == 33, f"no gap: {gap}")
        browser.js("document.querySelectorAll('#regions input:not(:checked)').forEach(box => box.click())")
        # Twelve regions of five cameras, each curve full; the page is told of the other cameras until its next question.
        browser.js("""const d = thermoface.data, real = [...d.series.entries()];
          for (const [key, s] of real) for (const level of s.levels) for (let i = 0; i < level.size; i++) {
            level.low[i] = 30 + Math.sin(i / 9 + key.length); level.high[i] = level.low[i] + 0.2; }
          for (let i = 1; i < 5; i++) for (const [key, s] of real) d.series.set(key.replace('cam/', `cam${i}/`), s);
          window.tell = () => { thermoface.now.state = {...thermoface.now.state, cameras: Array.from({length: 5}, (_, i) => ({...thermoface.now.state.cameras[0], camera: i ? `cam${i}` : 'cam'}))}; };
          tell(); thermoface.figures.draws = thermoface.figures.ms = 0;""")
        found = []
        for _ in range(12):
            browser.js("tell()")
            time.sleep(0.3)
            found.append(browser.js("return +document.querySelector('[data-camera=cam]').dataset.age"))
        draws, ms = browser.js("return [thermoface.figures.draws, thermoface.figures.ms]")
        check(draws >= 2, "nothing was drawn")
        age = sorted(found)[len(found) // 2]
        print(f"# sixty curves: {ms / draws:.1f} ms a drawing, the picture is {age:.2f} s old")
        check(age < 0.5 * SLOW, f"beside sixty curves the picture is {found} s old")
        browser.shot("curves")


def test_pair():
    """A pair: three pictures on the page, that of the pair moves"""
    text = (config("synthetic:seed=3,clock=1,fps=8,size=160x120", camera="cam")
            + "[camera webcam]\nsource=synthetic:kind=visible,seed=3,clock=1,fps=8,size=320x240\n[pair rig]\nthermal=cam\nvisible=webcam\n")
    with Daemon(text) as daemon, Browser(daemon.http() + "/") as browser:
        check(json.loads(daemon.get("/state"))["pairs"] == ["rig"], "/state names no pair")
        for name in ("cam", "webcam", "rig"):
            browser.wait(lambda: browser.js("return document.querySelector(`[data-camera=${arguments[0]}]`)?.dataset.kind === 'mp4' && +document.querySelector(`[data-camera=${arguments[0]}]`).dataset.pictures > 5", name), 20, f"pictures of {name}")
        browser.wait(lambda: "°C" in browser.text("#values"), 10, "values")
        check("webcam" not in browser.text("#values"), "counts of the visible camera are among temperatures")
        browser.shot("pair")
        browser.check_quiet()


if __name__ == "__main__":
    run_tests([test_files, test_video, test_light, test_dark, test_wall, test_keyboard, test_curves, test_pair])
