#!/usr/bin/python3
"""From a byte on a serial line to its mark's stamp, through the real service: latency and jitter.

A pseudo-terminal stands in for the port, so that what is measured is the service's part and the kernel's way to
it: no UART, no USB. Usage: bench/triggers.py [BUILD] [COUNT]    (build, 500)
"""
import csv
import glob
import json
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
import tty
import urllib.request


def ask(url, path, body=None):
    request = urllib.request.Request(url + path, data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def wait(what, text):
    end = time.monotonic() + 60
    while not what():
        if time.monotonic() > end:
            sys.exit(f"bench/triggers.py: {text} does not come")
        time.sleep(0.05)


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    master, slave = pty.openpty()
    tty.setraw(slave)
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/conf", "w", encoding="utf-8") as file:
            file.write("[camera cam]\nsource=synthetic\nwidth=160\nheight=120\nfps=9\nanalyse=no\npictures=no\n"
                       "[rtsp]\nenabled=no\n[http]\nport=0\n"
                       f"[recording]\ndirectory={folder}\nannotated=no\ntables=no\nfree-space-min=1\n"
                       f"[trigger ttl]\nkind=serial\ndevice={os.ttyname(slave)}\nrate=1000\n")
        with open(f"{folder}/log", "w+", encoding="utf-8") as log:
            service = subprocess.Popen([f"{build}/daemon/thermofaced", "--config", f"{folder}/conf"], stderr=log)
            try:
                def said(text):
                    with open(f"{folder}/log", encoding="utf-8") as file:
                        return [line for line in file if text in line]
                wait(lambda: said("ready:") and said("is open"), "the service")
                url = said("console, records")[0].split()[-1].rstrip("/")
                ask(url, "/record/start", {"subject": "1", "task": "bench"})
                sent = []
                for n in range(count):
                    sent.append(time.monotonic_ns())
                    os.write(master, bytes([n % 256]))
                    time.sleep(0.02)
                wait(lambda: ask(url, "/state")["triggers"][0]["marks"] == count, f"{count} marks")
                ask(url, "/record/stop", {})
            finally:
                service.terminate()
                service.wait()
        with open(glob.glob(f"{folder}/sub-1/beh/*_events.tsv")[0], encoding="utf-8", newline="") as file:
            stamps = [int(row["t_mono_ns"]) for row in csv.DictReader(file, delimiter="\t")]
    late = sorted((stamp - at) / 1000 for stamp, at in zip(stamps, sent))
    print(f"{len(late)} bytes, from the write to the stamp: median {statistics.median(late):.0f} us, "
          f"p95 {late[int(len(late) * 0.95)]:.0f} us, p99 {late[int(len(late) * 0.99)]:.0f} us, "
          f"max {late[-1]:.0f} us, sd {statistics.stdev(late):.0f} us; load {os.getloadavg()[0]:.1f} "
          f"on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
