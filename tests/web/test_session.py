"""The console's session: start, marks, undo, stop; what the recording says of it; who may."""
import base64
import csv
import glob
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser  # noqa: E402
from house import SLOW, Daemon, check, config, run_tests, wait_for  # noqa: E402

# Far away: a face whose canthus has few pixels.
SOURCE = "synthetic:fps=10,size=320x256"


def settings(folder, source=SOURCE, more=""):
    return config(source, sections=f"[recording]\ndirectory={folder}\nfree-space-min=0\ntables=no\n", http=f"port=0{more}")


def ask(daemon, path, body=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(daemon.http() + path, data=data, headers={"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=20 * SLOW) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read() or b"{}")


def events(folder):
    path = wait_for(lambda: glob.glob(f"{folder}/sub-07/**/*_events.tsv", recursive=True), 10, "the events' table")[0]
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_session():
    """Start, marks by key and by value, undo, stop, verify"""
    with tempfile.TemporaryDirectory() as folder, Daemon(settings(folder)) as daemon:
        with Browser(daemon.http() + "/", expected=("409",)) as browser:
            browser.wait_picture()
            browser.wait(lambda: browser.text("#forecast"), 10, "a forecast of the disk")
            browser.fill("subject", "07")
            browser.fill("task", "stroop")
            browser.find("#start").click()
            browser.wait(lambda: browser.shown("#running") or browser.shown("#overrule"), 10, "an answer to start")
            if browser.shown("#overrule"):  # a small disk, say: whatever it warns of can be overruled
                browser.find("#overrule").click()
            browser.wait(lambda: browser.shown("#running"), 10, "the session runs")
            browser.js("document.activeElement.blur()")
            browser.key("2")
            browser.wait(lambda: "response" in browser.text("#mark-list"), 10, "the mark is listed")
            browser.fill("text", "pain")
            browser.fill("value", "7.5")
            browser.find("#mark-form button").click()
            browser.wait(lambda: "pain = 7.5" in browser.text("#mark-list"), 10, "the mark with a value")
            browser.js("document.activeElement.blur()")
            browser.key("1")
            browser.wait(lambda: "stimulus" in browser.text("#mark-list"), 10, "the third mark")
            browser.key("u")
            browser.wait(lambda: browser.shown("#mark-list li.undone"), 10, "it is taken back")
            time.sleep(1)
            check(browser.text("#run-time") != "0:00:00", "the time does not run")
            browser.shot("session")
            browser.find("#stop").click()
            browser.wait(lambda: browser.shown("#ask"), 5, "it asks before it stops")
            browser.find("#ask-yes").click()
            browser.wait(lambda: "Complete" in browser.text("#session-message"), 30, "it says what became of it")
            browser.shot("stopped")
            browser.check_quiet()
        rows = [(row["trial_type"], row["value"]) for row in events(folder)]
        check(rows == [("response", "n/a"), ("pain", "7.5"), ("stimulus", "n/a"), ("undone: stimulus", "n/a")], f"the table has {rows}")
        told = events(folder)
        check(told[2]["t_mono_ns"] == told[3]["t_mono_ns"], "the further row is of another moment")
        wait_for(lambda: ask(daemon, "/record")[1] == {"state": "idle"}, 20, "sealed")
        result = subprocess.run([os.environ["TF_THERMOFACE"], "verify", folder], capture_output=True, text=True, timeout=120 * SLOW)
        check(result.returncode == 0, f"verify says: {result.stdout}{result.stderr}")


def test_warnings():
    """A face that is too small is said before the start, refuses a checked one and can be overruled"""
    with tempfile.TemporaryDirectory() as folder, Daemon(settings(folder, "synthetic:fps=10,size=160x120,scale=0.7")) as daemon:
        wait_for(lambda: daemon.camera()["frames"] > 10, 20, "frames")
        codes = wait_for(lambda: [w["code"] for w in ask(daemon, "/record/check")[1]["warnings"]], 10, "warnings")
        check({"face_small", "no_face"} & set(codes), f"nothing of the face: {codes}")
        status, answer = ask(daemon, "/record/start", {"subject": "07", "task": "rest", "check": True})
        check(status == 409 and answer["warnings"] and "not started" in answer["error"], f"{status} {answer}")
        check(ask(daemon, "/record")[1]["state"] == "idle", "it was started all the same")
        with Browser(daemon.http() + "/", expected=("409",)) as browser:
            browser.wait(lambda: browser.shown("#warnings li"), 10, "warnings on the page")
            browser.fill("subject", "07")
            browser.fill("task", "rest")
            browser.find("#start").click()
            browser.wait(lambda: browser.shown("#overrule"), 10, "it can be overruled")
            browser.shot("warnings")
            browser.find("#overrule").click()
            browser.wait(lambda: browser.shown("#running"), 10, "the session runs")
            browser.check_quiet()
        status, answer = ask(daemon, "/record/start", {"subject": "07", "task": "rest", "check": True})
        check(status == 409 and "being recorded" in answer["error"], f"{status} {answer}")
        check(ask(daemon, "/record/stop", {})[0] == 200, "stop")


def test_checks():
    """/record/check names what makes recording impossible; a wrong member is said"""
    with Daemon(config(SOURCE)) as daemon:
        wait_for(lambda: daemon.camera()["frames"] > 5, 20, "frames")
        warnings = ask(daemon, "/record/check")[1]["warnings"]
        check([w["code"] for w in warnings if w["refuses"]] == ["no_directory"], f"{warnings}")
        for body in ({"subject": "1", "task": "a", "check": "yes"}, {"subject": "1", "task": "a", "chek": True}):
            status, answer = ask(daemon, "/record/start", body)
            check(status == 400, f"{body}: {status} {answer}")
        check(ask(daemon, "/mark/undo", {"mark": 1})[0] == 409, "an undo without a session")
    with tempfile.TemporaryDirectory() as folder:
        with Daemon(settings(folder, "synthetic:fps=10,size=160x120,ffc=5")) as daemon:
            wait_for(lambda: "shutter" in [w["code"] for w in ask(daemon, "/record/check")[1]["warnings"]], 20, "a shutter")


def test_undo():
    """An undo writes a further row, with the right text where one is given; once only"""
    with tempfile.TemporaryDirectory() as folder, Daemon(settings(folder)) as daemon:
        wait_for(lambda: daemon.camera()["frames"] > 5, 20, "frames")
        check(ask(daemon, "/record/start", {"subject": "07", "task": "a"})[0] == 200, "start")
        first = ask(daemon, "/mark", {"text": "pain", "value": 3})[1]
        check(first["mark"] == 1, f"{first}")
        for wrong in ({"text": "a\tb"}, {"text": ""}, {"text": "x" * 1001}, {"text": "itch", "value": "a\nb"}):
            check(ask(daemon, "/mark/undo", {"mark": 1, **wrong})[0] == 400, f"{wrong}: and the old mark is gone with it")
        status, answer = ask(daemon, "/mark/undo", {"mark": 1, "text": "itch"})
        check(status == 200 and answer["new"]["mark"] == 3 and answer["t_mono_ns"] == first["t_mono_ns"], f"{answer}")
        check(ask(daemon, "/mark/undo", {"mark": 1})[0] == 409, "twice")
        check(ask(daemon, "/mark/undo", {"mark": 77})[0] == 404, "one that is not")
        check(ask(daemon, "/mark/undo", {"mark": "1"})[0] == 400, "a string")
        long = ask(daemon, "/mark", {"text": "x" * 1000})[1]
        check(ask(daemon, "/mark/undo", {"mark": long["mark"]})[0] == 400, "a text that leaves no room")
        for i in range(70):
            ask(daemon, "/mark", {"text": f"m{i}"})
        told = ask(daemon, "/record")[1]
        check(len(told["recent_marks"]) == 64 and told["recent_marks"][-1]["text"] == "m69", "the last 64 marks")
        check(ask(daemon, "/record/stop", {})[0] == 200, "stop")
        rows = [(r["trial_type"], r["value"]) for r in events(folder)][:3]
        check(rows == [("pain", "3"), ("undone: pain", "3"), ("itch", "3")], f"{rows}")


def test_roles():
    """Who may only look has no buttons and no log; pages elsewhere can send nothing"""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("lab", "lab:secret"), ("eye", "eye:look")):
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                file.write(text + "\n")
            os.chmod(f"{folder}/{name}", 0o600)
        secrets = f"\ncredentials={folder}/lab\nwatch-credentials={folder}/eye"
        os.mkdir(f"{folder}/data")
        with Daemon(settings(f"{folder}/data", more=secrets)) as daemon:
            login = {"Authorization": "Basic " + base64.b64encode(b"eye:look").decode()}
            lab = {"Authorization": "Basic " + base64.b64encode(b"lab:secret").decode()}
            check(ask(daemon, "/access")[0] == 401, "no login")
            check(ask(daemon, "/access", headers=login)[1] == {"role": "watch", "login": True}, "who watches")
            check(ask(daemon, "/access", headers=lab)[1] == {"role": "control", "login": True}, "who controls")
            check(ask(daemon, "/log", headers=login)[0] == 403 and ask(daemon, "/log", headers=lab)[0] == 200, "the log")
            check(ask(daemon, "/record/start", {"subject": "1", "task": "a"}, login)[0] == 403, "a start")
            for header in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
                for path in ("/record/start", "/mark", "/mark/undo", "/record/stop"):
                    check(ask(daemon, path, {}, {**lab, **header})[0] == 403, f"{path} with {header}")
            with Browser(daemon.http().replace("//", "//eye:look@") + "/") as browser:
                browser.url = daemon.http()
                browser.wait_picture()
                browser.wait(lambda: browser.shown("#session-role"), 10, "it says what may be done")
                for selector in ("#start", "#stop", "#mark-form", "#shutters"):
                    check(not browser.shown(selector), f"{selector} is shown to who may only look")
                check(browser.js("return [...document.querySelectorAll('#keys button')].every(b => b.disabled)"), "keys can be pressed")
                browser.shot("watch")


if __name__ == "__main__":
    run_tests([test_session, test_warnings, test_checks, test_undo, test_roles])
