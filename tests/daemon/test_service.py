"""The service as systemd sees it: notifications, signals, exit statuses, messages. No camera and no network is needed."""
import glob
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
from house import DAEMON, MODELS, SLOW, Daemon, check, config, run_tests, wait_for  # noqa: E402

SMALL = "width=160\nheight=120\nfps=30\nanalyse=no"


def command(*arguments, environment=None):
    return subprocess.run([DAEMON, *arguments], capture_output=True, text=True, timeout=30 * SLOW, check=False,
                          env=dict(os.environ, **(environment or {})))


def refused(text, *parts, path="test.conf"):
    """The daemon ends with status 1 and says why."""
    with Daemon(text, wait_ready=False) as daemon:
        code = daemon.process.wait(20 * SLOW)
        log = daemon.log()
        check(code == 1, f"status {code}: {log}")
        for part in parts:
            check(part in log, f"{part!r} is not in: {log}")
        check(not daemon.notified("READY=1"), "it said that it was ready")


def ready_status_and_end():
    """READY once frames come, STATUS with rate and faces, an end within 2 s"""
    with Daemon(config(more=SMALL)) as daemon:
        check(len(daemon.notified("READY=1")) == 1, "READY=1 was not said once")
        wait_for(lambda: any("frames/s, 0 faces" in m for _, m in daemon.messages[1:]), 5, "a status line")
        code, _ = daemon.stop()
        check(code == 0, f"status {code}: {daemon.log()}")
        check(daemon.notified("STOPPING=1"), "STOPPING=1 was not said")


def interrupt_ends_it():
    """SIGINT ends it as SIGTERM does"""
    with Daemon(config(more=SMALL)) as daemon:
        code, _ = daemon.stop(signal.SIGINT)
        check(code == 0, f"status {code}: {daemon.log()}")


def end_while_a_camera_is_absent():
    """SIGTERM ends it within 2 s while it waits for a camera and serves others"""
    text = config(more=SMALL) + "[camera away]\nsource=/dev/video-away\n"
    with Daemon(text, wait_ready=False) as daemon:
        wait_for(lambda: "not there" in daemon.log(), 5, "the absence in the log")
        code, _ = daemon.stop()
        check(code == 0, f"status {code}: {daemon.log()}")


def absent_camera_does_not_hold_ready_up():
    """An absent camera is reported after 10 s, and the service is ready"""
    text = config(more=SMALL) + "[camera away]\nsource=/dev/video-away\n"
    with Daemon(text) as daemon:
        t = daemon.notified("READY=1")[0][0] - daemon.began
        check(9.5 < t < 10 + 4 * SLOW, f"ready after {t:.1f} s")
        log = daemon.log()
        check("away: absent: no frame within 10 s" in log, log)
        check(log.count("not there") == 1, "its absence was said more than once")
        check("away lost" in daemon.notified("READY=1")[0][1], daemon.notified("READY=1")[0][1])


def watchdog_is_fed():
    """WATCHDOG=1 comes at least twice as often as systemd asks, also while a camera is away"""
    for url in ("synthetic", "synthetic:gone=0.5"):
        with Daemon(config(url, more=SMALL), environment={"WATCHDOG_USEC": "1000000"}) as daemon:
            time.sleep(3)
            times = [t for t, _ in daemon.notified("WATCHDOG=1")]
            gaps = [b - a for a, b in zip(times, times[1:])]
            check(len(times) >= 5 and max(gaps) < 0.9 * max(1, SLOW / 2), f"{url}: {len(times)} pings, gaps {gaps}")


def no_watchdog_unless_asked():
    """WATCHDOG=1 is not said to a systemd that did not ask"""
    with Daemon(config(more=SMALL)) as daemon:
        time.sleep(1.5)
        check(not daemon.notified("WATCHDOG=1"), "it was said")


def reload_takes_what_can_change():
    """SIGHUP takes the palette, says what needs a restart, and says RELOADING with its time"""
    text = config(more=SMALL, sections="[overlay]\npalette=iron\n")
    with Daemon(text) as daemon:
        before = daemon.get("/snapshot.png?camera=cam")
        daemon.write(text.replace("palette=iron", "palette=white-hot").replace("fps=30", "fps=20"))
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "restart" in daemon.log(), 5, "what needs a restart")
        log = daemon.log()
        check('"iron" becomes "white-hot"' in log, log)
        check('fps: "30" becomes "20": takes effect after a restart' in log, log)
        reloading = wait_for(lambda: daemon.notified("RELOADING=1"), 3, "RELOADING=1")
        check("MONOTONIC_USEC=" in reloading[0][1], reloading[0][1])
        ready = wait_for(lambda: len(daemon.notified("READY=1")) == 2 and daemon.notified("READY=1"), 3, "READY=1 again")
        check(ready[1][0] >= reloading[0][0], "READY came before RELOADING")
        check(before != daemon.get("/snapshot.png?camera=cam"), "the picture did not change")
        check(daemon.camera()["clock"]["nominal_hz"] == 30, f"the rate changed: {daemon.camera()}")


def shutter(daemon, body, camera="cam"):
    """Status and answer of POST /camera/NAME/ffc."""
    request = urllib.request.Request(f"{daemon.http()}/camera/{camera}/ffc", data=body.encode(), method="POST",
                                     headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20 * SLOW) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def shutter_is_moved():
    """POST /camera/NAME/ffc calibrates: ffc, then ffc_settling in /state; refusals say why"""
    text = config("synthetic:telemetry=0", more=SMALL + "\nsettle=600s")
    text += "[camera away]\nsource=/dev/video-away\n"
    with Daemon(text, wait_ready=False) as daemon:
        wait_for(lambda: daemon.camera()["frames"] > 5, 20, "frames")
        check(daemon.camera()["flags"] == [], str(daemon.camera()))
        check(daemon.camera()["shutter"] == {"trigger": True, "hold": True, "release": True}, "what it can")
        code, answer = shutter(daemon, "")
        check((code, answer) == (200, {"camera": "cam", "action": "trigger"}), f"{code} {answer}")
        # The picture stands for a second; without telemetry that is how it is known.
        wait_for(lambda: "ffc_settling" in daemon.camera()["flags"], 20, "settling")
        check(daemon.camera()["states"]["stale"] > 3, str(daemon.camera()["states"]))
        for action in ("hold", "release"):
            check(shutter(daemon, json.dumps({"action": action}))[0] == 200, action)
        for body, camera, want, part in (("{", "cam", 400, "JSON"), ('{"action":"open"}', "cam", 400, "trigger"),
                                         ('{"act":1}', "cam", 400, "only"), ("{}", "nobody", 404, "nobody"),
                                         ("{}", "away", 503, "not there")):
            code, answer = shutter(daemon, body, camera)
            check(code == want and part in answer["error"], f"{body} {camera}: {code} {answer}")
        check("shutter: calibration asked for" in daemon.log(), daemon.log())


def clock_is_measured():
    """The camera's rate by our clock, its drift and the stamp's source, in /state and /metrics"""
    with Daemon(config(more=SMALL)) as daemon:
        check(daemon.camera()["clock"]["nominal_hz"] == 30, str(daemon.camera()["clock"]))
        clock = wait_for(lambda: daemon.camera()["clock"]["rate_hz"] and daemon.camera()["clock"], 30, "a rate")
        # The synthetic camera stamps frames with the time at which they were due: it has our clock.
        check(abs(clock["rate_hz"] - 30) < 0.003 and abs(clock["drift_ppm"]) < 100, str(clock))
        check(clock["error_ppm"] < 100 and clock["t_from"] == "driver-eof", str(clock))
        metrics = daemon.get("/metrics").decode()
        check('thermoface_camera_drift_ppm{camera="cam"}' in metrics, metrics)
        check('thermoface_shutter_closed{camera="cam"} 0' in metrics, metrics)


def bad_reload_changes_nothing():
    """SIGHUP with a broken file leaves everything as it was and names the line"""
    text = config(more=SMALL)
    with Daemon(text) as daemon:
        daemon.write(text + "[overlay]\ncolour=green\n")
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "the running configuration stays" in daemon.log(), 5, "the error")
        check("colour" in daemon.log() and f"test.conf:{len(text.splitlines()) + 2}" in daemon.log(), daemon.log())
        frames = daemon.camera()["frames"]
        wait_for(lambda: daemon.camera()["frames"] > frames, 3, "frames go on")
        code, _ = daemon.stop()
        check(code == 0, f"status {code}")


def port_in_use():
    """A port in use is an error with the line that sets it"""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(config(more=SMALL, http=f"port={port}"), str(port), "in use", "test.conf:")
        refused(config(more=SMALL, rtsp=f"port={port}"), str(port), "in use", "test.conf:")


def bad_sources():
    """A wrong source, format row, model or recording path ends the start with status 1"""
    refused(config("/nowhere/at/all.mkv"), "/nowhere/at/all.mkv")
    refused(config("synthetic:nonsense=1"), "nonsense")
    refused(config(more="format=no-such-row"), "no-such-row", "test.conf:3")
    refused(config(__file__), __file__)
    refused(config().replace(MODELS, "/nowhere/models"), "/nowhere/models")
    refused(config(more=SMALL, sections="[recording]\ncsv=/nowhere/at/all/%n.csv\n"), "/nowhere/at/all/cam.csv")
    refused(config(more=SMALL, sections="[overlay]\npalette=mauve\n"), "mauve", "test.conf:")
    refused(config(more=SMALL, rtsp="port=0\ncodec=no-such-encoder"), "no-such-encoder", "test.conf:")
    refused(config(more=SMALL, sections="[video]\npreset=hasty\n"), '"hasty"', "veryfast", "test.conf:")


def encoder_hardware():
    """Hardware that is not there ends the start with what is missing; --check-config does not look for it"""
    encoders = subprocess.run(["ffmpeg", "-v", "error", "-encoders"], capture_output=True, text=True, check=False).stdout
    tried = 0
    for codec, device, words in (("h264_vaapi", "/dev/dri/none", "/dev/dri/none is not there"),
                                 ("h264_v4l2m2m", "", "/dev/video"), ("h264_nvenc", "", "NVIDIA")):
        if f" {codec} " not in encoders or (codec == "h264_nvenc" and os.path.exists("/dev/nvidia0")):
            continue
        if codec == "h264_v4l2m2m" and glob.glob("/dev/video*"):
            continue
        section = f"[video]\ncodec={codec}\n" + (f"device={device}\n" if device else "")
        refused(config(more=SMALL, sections=section), codec, words, "libx264" if not device else codec, "test.conf:")
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(config(more=SMALL, sections=section))
            file.flush()
            check = subprocess.run([DAEMON, "--config", file.name, "--check-config"], capture_output=True, text=True,
                                   check=False)
            assert check.returncode == 0, check.stderr
        tried += 1
    if not tried:
        print("# no hardware encoder is known to this libavcodec")


def credentials():
    """Listening beyond this machine needs readable credentials"""
    refused(config(more=SMALL, http="port=0\naddress=0.0.0.0"), "credentials", "test.conf:")
    refused(config(more=SMALL, http="port=0\ncredentials=/nowhere/secret"), "/nowhere/secret", "test.conf:")


def command_line():
    """--check-config, --help-config, --version and wrong usage"""
    with Daemon(config(more=SMALL)) as daemon:
        path = daemon.config
        done = command("--config", path, "--check-config")
        check(done.returncode == 0 and "all right" in done.stdout, done)
        daemon.write("[camera a]\nsource=synthetic\nrotate=45\n")
        done = command("--config", path, "--check-config")
        check(done.returncode == 1 and f"{path}:3:" in done.stderr, done)
    done = command("--config", "/nowhere/at/all.conf")
    check(done.returncode == 1 and "/nowhere/at/all.conf" in done.stderr, done)
    check(command().returncode == 2, "no configuration")
    check(command("--nonsense").returncode == 2, "unknown option")
    check(command("--config", "a", "b").returncode == 2, "one argument too many")
    check(command("--version").stdout.startswith("thermofaced "), "--version")
    done = command("--help-config")
    check(done.returncode == 0 and "palette" in done.stdout and "source" in done.stdout, done)


def recordings_are_written():
    """[recording] writes every record; an end of all recordings ends the service with status 0"""
    text = config("synthetic", more=SMALL, sections="[recording]\nndjson=%%FOLDER/%n.ndjson\ncsv=%%FOLDER/%n.csv\n")
    with Daemon("", wait_ready=False) as place:
        place.process.wait()
        with Daemon(text.replace("%%FOLDER", place.folder)) as daemon:
            wait_for(lambda: daemon.camera()["frames"] > 30, 5, "30 frames")
            code, _ = daemon.stop()
            check(code == 0, f"status {code}: {daemon.log()}")
        with open(f"{place.folder}/cam.ndjson", encoding="utf-8") as file:
            lines = file.readlines()
        with open(f"{place.folder}/cam.csv", encoding="utf-8") as file:
            rows = file.readlines()
        check(len(lines) > 30 and len(rows) == len(lines) + 1, f"{len(lines)} lines, {len(rows)} rows")
        # Never overwritten:
        refused(text.replace("%%FOLDER", place.folder), "cam.ndjson", "exist")


if __name__ == "__main__":
    run_tests([command_line, ready_status_and_end, interrupt_ends_it, end_while_a_camera_is_absent,
               absent_camera_does_not_hold_ready_up, watchdog_is_fed, no_watchdog_unless_asked,
               reload_takes_what_can_change, shutter_is_moved, clock_is_measured, bad_reload_changes_nothing, port_in_use, bad_sources, encoder_hardware, credentials,
               recordings_are_written])
