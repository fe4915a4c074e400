#!/usr/bin/env python3
"""Load on RTSP: many viewers over TCP and UDP, some stopped, some killed and replaced each second, for so long.

    bench/rtsp/load.py --daemon build/daemon/thermofaced [--viewers 64] [--stopped 16] [--churn 16] [--seconds 300]

Runs the service on a synthetic camera with a recording, and prints one JSON object: what the viewers that stay have lost
(packets by their numbers), what the processes used at the begin and at the end, and what capture and recording lost.
The viewers are connections of this one process, which reads all of them; a stopped one is never read. Not a test: the
figures are the machine's.
"""
import argparse
import json
import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/house"))
from rtsp_client import Client, packet  # noqa: E402


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        text = file.read()
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return {"rss_mb": round(int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024, 1),
            "threads": int(re.search(r"Threads:\s+(\d+)", text).group(1)),
            "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "cpu_s": round((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), 1)}


class Viewers:
    """Those that stay: read by one thread, packets counted."""

    def __init__(self):
        self.selector, self.lock = selectors.DefaultSelector(), threading.Lock()
        self.lost = self.packets = self.ended = 0
        self.last, self.running = {}, True
        threading.Thread(target=self._run, daemon=True).start()

    def add(self, client):
        source = client.udp[0] if client.udp else client.socket
        source.setblocking(False)
        for item in client.packets:
            if item[0] == client.channel:
                self._see(client, item[1])
        with self.lock:
            self.selector.register(source, selectors.EVENT_READ, client)

    def _see(self, client, data):
        seq = packet(data)["seq"]
        before = self.last.get(client)
        if before is not None:
            self.lost += (seq - before - 1) & 0xFFFF
        self.last[client] = seq
        self.packets += 1

    def _read(self, client, source):
        try:
            if client.udp:
                while True:
                    self._see(client, source.recv(65536))
            data = source.recv(1 << 20)
            if not data:
                raise EOFError
            client.rest += data
            while client.rest[:1] == b"$" and len(client.rest) >= 4:
                size = int.from_bytes(client.rest[2:4], "big")
                if len(client.rest) < 4 + size:
                    break
                if client.rest[1] == client.channel:
                    self._see(client, client.rest[4:4 + size])
                client.rest = client.rest[4 + size:]
        except BlockingIOError:
            pass
        except (OSError, EOFError):
            self.ended += 1
            self.selector.unregister(source)

    def _run(self):
        while self.running:
            with self.lock:
                ready = self.selector.select(0.02)
            for key, _ in ready:
                self._read(key.data, key.fileobj)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--daemon", required=True)
    parser.add_argument("--viewers", type=int, default=64)
    parser.add_argument("--stopped", type=int, default=16)
    parser.add_argument("--churn", type=int, default=16, help="killed and replaced each second")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--fps", type=int, default=30)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="tf-load-")
    config = f"{folder}/load.conf"
    with open(config, "w", encoding="ascii") as file:
        file.write(f"[camera cam]\nsource=synthetic:size=320x240,fps={options.fps},noise=60\nanalyse=no\n"
                   f"[overlay]\nlines=240\n[rtsp]\nport=0\nclients={options.viewers + options.churn}\nbitrate=1M\n"
                   f"[http]\nport=0\n[recording]\ndirectory={folder}/study\nfree-space-min=1\n")
    os.mkdir(f"{folder}/study")
    with open(f"{folder}/log", "wb") as log:
        daemon = subprocess.Popen([options.daemon, "--config", config], stdout=log, stderr=log)

    def text():
        with open(f"{folder}/log", encoding="utf-8") as file:
            return file.read()
    while "ready" not in text():
        time.sleep(0.1)
    url = re.search(r"rtsp://\S+", text()).group(0)
    web = re.search(r"http://[^/\s]+", text()).group(0)
    worker = int(subprocess.run(["pgrep", "-P", str(daemon.pid), "-f", "rtsp-process"], capture_output=True, text=True,
                                check=True).stdout)

    def post(action, body):
        request = urllib.request.Request(f"{web}/record/{action}", body, {"Content-Type": "application/json"})
        return json.loads(urllib.request.urlopen(request, timeout=10).read())
    post("start", b'{"subject":"1","task":"load"}')

    def viewer(number, buffer=None):
        client = Client(url)
        if buffer:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        info = client.play(udp=number % 2 == 1)
        if not isinstance(info, tuple):
            raise RuntimeError(f"refused: {info}")
        return client
    good = Viewers()
    staying = options.viewers - options.stopped - options.churn
    for number in range(staying):
        good.add(viewer(number))
    begin = {"service": status(daemon.pid), "rtsp": status(worker)}
    short, refused, replaced, stopped = [], 0, 0, []
    end = time.monotonic() + options.seconds
    second, middle = time.monotonic(), None
    while time.monotonic() < end:
        # Who is stopped is ended after five seconds; another comes in its place.
        try:
            stopped = [s for s in stopped if alive(s)]
            if len(stopped) < options.stopped:
                stopped.append(viewer(0, 4096))
            elif len(short) < options.churn:
                short.append(viewer(replaced))
                replaced += 1
        except (RuntimeError, OSError, EOFError):
            refused += 1
        if time.monotonic() > second + 1:
            second += 1
            for one in short:
                one.reset()
            short = []
        if middle is None and time.monotonic() > end - options.seconds / 2:
            middle = {"service": status(daemon.pid), "rtsp": status(worker)}
        time.sleep(0.005)
    final = {"service": status(daemon.pid), "rtsp": status(worker)}
    good.running = False
    recording = post("stop", b"{}")
    camera = json.loads(urllib.request.urlopen(f"{web}/state", timeout=10).read())["cameras"][0]
    daemon.terminate()
    daemon.wait()
    print(json.dumps({"seconds": options.seconds, "viewers": options.viewers, "stayed": staying, "packets": good.packets,
                      "packets_lost": good.lost, "ended": good.ended, "killed_and_replaced": replaced,
                      "refused": refused, "begin": begin, "middle": middle, "end": final,
                      "capture_dropped": camera["dropped"], "recording": recording["cameras"],
                      "log": [line for line in text().splitlines() if "warning" in line or "error" in line]},
                     indent=1))


def alive(client):
    """Nothing is read; whether the other side has ended it shows all the same."""
    state = client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    if state != 1:
        client.close()
    return state == 1


if __name__ == "__main__":
    main()
