#!/usr/bin/env python3
"""What [mqtt] costs the service: its processor time a frame, off and on, in turn.

Usage: bench/mqtt/cost.py BUILD [--seconds N] [--rounds N] [--size WxH] [--fps N]

Runs thermofaced on the synthetic subject three ways: without [mqtt], with a broker that takes everything (mosquitto on a port
of its own, interval=1s, discovery=yes), with one that is not there. Prints processor time a frame (user and system, all
threads) from the second second on, the median over the rounds, and that of the two threads of MQTT alone.
"""
import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request



def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def nanoseconds(pid, names=None):
    """Processor time of a process, or of its threads of these names, by the scheduler."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8") as file:
            if names and file.read().strip() not in names:
                continue
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="utf-8") as file:
            total += int(file.read().split()[0])
    return total


def frames(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("thermoface_frames_total"):
                return int(line.split()[-1])
    return 0


def run(args, folder, mqtt):
    http = free_port()
    path = f"{folder}/bench.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"[camera thermal]\nsource=synthetic:size={args.size},fps={args.fps}\npictures=no\n[rtsp]\nenabled=no\n"
                   f"[http]\nport={http}\n[inference]\nmodels={args.models}\n{mqtt}\n")
    service = subprocess.Popen([f"{args.build}/daemon/thermofaced", "--config", path], stderr=subprocess.DEVNULL)
    try:
        time.sleep(2)
        began, first, own = nanoseconds(service.pid), frames(http), nanoseconds(service.pid, ("tf-mqtt", "tf-mqtt-net"))
        time.sleep(args.seconds)
        count = frames(http) - first
        return ((nanoseconds(service.pid) - began) / count / 1e3, (nanoseconds(service.pid, ("tf-mqtt", "tf-mqtt-net")) - own) / count / 1e3)
    finally:
        service.terminate()
        service.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", default="640x512")
    parser.add_argument("--fps", default="30")
    args = parser.parse_args()
    args.models = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../models")
    mosquitto = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not os.access(mosquitto, os.X_OK):
        sys.exit("bench/mqtt/cost.py: mosquitto is not installed")
    port = free_port()
    ways = {"off": "", "on": f"[mqtt]\nhost=127.0.0.1\nport={port}\ndiscovery=yes\n",
            "no broker": f"[mqtt]\nhost=127.0.0.1\nport={free_port()}\n"}
    took = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/broker.conf", "w", encoding="utf-8") as file:
            file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        os.chmod(folder, 0o755)
        broker = subprocess.Popen([mosquitto, "-c", f"{folder}/broker.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(args.rounds):
                for way, mqtt in ways.items():
                    took[way].append(run(args, folder, mqtt))
        finally:
            broker.terminate()
            broker.wait()
    for way, values in took.items():
        print(f"{way:10} {statistics.median(v[0] for v in values):8.0f} us a frame, of which the two threads of MQTT "
              f"{statistics.median(v[1] for v in values):6.1f}   ({', '.join(f'{v[0]:.0f}' for v in values)})")


if __name__ == "__main__":
    main()
