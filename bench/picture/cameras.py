#!/usr/bin/env python3
"""Four cameras of 640x512 at 60 frames/s, each watched and recorded, on two cores: does every frame have its row?

    bench/picture/cameras.py [--daemon build/daemon/thermofaced] [--models FOLDER] [--cameras 4] [--fps 60] [--seconds 60]

Runs the service on rendered cameras, one RTSP viewer each (ffmpeg, which throws the packets away) and a session, on the
first two processors. Checks for each camera that the frames which it made are, to the frame, rows of the session plus drops
that the rows count, and prints one JSON object: that sum, processor time, memory, the delay from capture to record.
Exit status 1 when a frame is missing. Not a test: what is dropped depends on the machine.
"""
import argparse
import csv
import glob
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url, method="GET", data=None):
    headers = {"Content-Type": "application/json"} if data else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        sys.exit(f"{url}: {error.code} {error.read().decode(errors='replace')}")


def usage(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        rss = int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), rss


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else None


def account(path):
    """Frames by their sequence, rows, and drops that rows count, from the first row to the last."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    first, last = rows[0], rows[-1]
    made = int(last["sequence"]) - int(first["sequence"]) + 1
    drops = {name: int(last[name]) - int(first[name]) for name in ("dropped_driver", "dropped_capture")}
    delays = [int(row["latency_us"]) / 1000 for row in rows if row.get("latency_us")]
    return {"made": made, "rows": len(rows), **drops, "missing": made - len(rows) - sum(drops.values()),
            "skipped": sum(row["state"] == "skipped" for row in rows),
            "delay_ms": {f"p{p}": percentile(delays, p / 100) for p in (50, 95, 99)}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--daemon", default="build/daemon/thermofaced")
    parser.add_argument("--models", default="models")
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--fps", type=int, default=60)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    with tempfile.TemporaryDirectory() as folder:
        rtsp, http = free_port(), free_port()
        os.mkdir(f"{folder}/sessions")
        text = "".join(f"[camera c{i}]\nsource=synthetic:size=640x512,fps={options.fps},seed={i + 1}\n"
                       for i in range(options.cameras))
        text += (f"[inference]\nmodels={os.path.abspath(options.models)}\n[rtsp]\nport={rtsp}\n[http]\nport={http}\n"
                 f"[recording]\ndirectory={folder}/sessions\n")
        with open(f"{folder}/service.conf", "w", encoding="ascii") as file:
            file.write(text)
        service = subprocess.Popen([options.daemon, "--config", f"{folder}/service.conf"], stderr=subprocess.PIPE, text=True)
        viewers = []
        try:
            for _ in range(100):
                try:
                    get(f"http://127.0.0.1:{http}/state")
                    break
                except urllib.error.URLError:
                    time.sleep(0.1)
            time.sleep(3)
            viewers = [subprocess.Popen(["ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", f"rtsp://127.0.0.1:{rtsp}/c{i}",
                                         "-c", "copy", "-f", "null", "-"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                       for i in range(options.cameras)]
            get(f"http://127.0.0.1:{http}/record/start", "POST", b'{"subject":"1","task":"bench"}')
            before, begun = usage(service.pid)[0], time.monotonic()
            time.sleep(options.seconds)
            cpu, rss = usage(service.pid)
            took = time.monotonic() - begun
            watching = sum(viewer.poll() is None for viewer in viewers)
            get(f"http://127.0.0.1:{http}/record/stop", "POST", b"{}")
        finally:
            for viewer in viewers:
                viewer.kill()
                viewer.wait()
            service.send_signal(signal.SIGTERM)
            log = service.communicate(timeout=120)[1]
        tables = sorted(glob.glob(f"{folder}/sessions/**/*_frames.csv", recursive=True))
        if len(tables) != options.cameras:
            sys.exit(f"{len(tables)} tables of {options.cameras} cameras\n{log[-2000:]}")
        cameras = {os.path.basename(path): account(path) for path in tables}
    print(json.dumps({"cores": 2, "cpu_cores": round((cpu - before) / took, 2), "peak_mb": round(rss / 1024, 1),
                      "viewers": watching, "cameras": cameras}, indent=1))
    if any(camera["missing"] for camera in cameras.values()):
        sys.exit("a frame has neither a row nor a count")


if __name__ == "__main__":
    main()
