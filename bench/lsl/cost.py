#!/usr/bin/env python3
"""What [lsl] costs the service: its processor time a frame, off and on, in turn.

Usage: bench/lsl/cost.py BUILD --library LIBLSL [--seconds N] [--rounds N] [--size WxH] [--fps N]

Runs thermofaced on the synthetic subject: without [lsl], with it while nobody reads, and while this program reads
regions, landmarks and frames. Prints processor time a frame (user and system, all threads) from the third second on, the
median over the rounds.
"""
import argparse
import ctypes
import os
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from ctypes import c_double, c_float, c_int32, c_void_p

STREAMS = ("regions", "landmarks", "frames")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def nanoseconds(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="utf-8") as file:
            total += int(file.read().split()[0])
    return total


def frames(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("thermoface_frames_total"):
                return int(line.split()[-1])
    return 0


def read(api, name, stop):
    infos, error = (c_void_p * 1)(), c_int32(0)
    if api.lsl_resolve_bypred(infos, c_int32(1), f"name='{name}'".encode(), c_int32(1), c_double(10)) != 1:
        raise SystemExit(f"{name} is not found")
    inlet = c_void_p(api.lsl_create_inlet(c_void_p(infos[0]), c_int32(60), c_int32(0), c_int32(0)))
    data = (c_float * 256)()
    count = api.lsl_get_channel_count(c_void_p(infos[0]))
    while not stop.is_set():
        api.lsl_pull_sample_f(inlet, data, c_int32(count), c_double(0.2), ctypes.byref(error))
    api.lsl_destroy_inlet(inlet)


def run(args, api, folder, lsl, readers):
    http, name, stop = free_port(), f"bench{os.getpid()}", threading.Event()
    path = f"{folder}/bench.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"[camera cam]\nsource=synthetic:size={args.size},fps={args.fps}\npictures=no\n[rtsp]\nenabled=no\n"
                   f"[http]\nport={http}\n[inference]\nmodels={args.models}\n")
        if lsl:
            file.write(f"[lsl]\nenabled=yes\nlibrary={args.library}\nname={name}\nlandmarks=yes\n")
    service = subprocess.Popen([f"{args.build}/daemon/thermofaced", "--config", path], stderr=subprocess.DEVNULL)
    threads = [threading.Thread(target=read, args=(api, f"{name}_cam_{what}", stop)) for what in STREAMS if readers]
    try:
        time.sleep(1.5)
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        began, first = nanoseconds(service.pid), frames(http)
        time.sleep(args.seconds)
        return (nanoseconds(service.pid) - began) / (frames(http) - first) / 1e3
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        service.terminate()
        service.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--library", required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", default="160x120")
    parser.add_argument("--fps", default="30")
    args = parser.parse_args()
    args.models = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../models")
    api = ctypes.CDLL(args.library)
    api.lsl_create_inlet.restype = c_void_p
    api.lsl_pull_sample_f.restype = c_double
    ways = {"off": (False, False), "on, nobody reads": (True, False), "on, all are read": (True, True)}
    took = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.rounds):
            for way, (lsl, readers) in ways.items():
                took[way].append(run(args, api, folder, lsl, readers))
    for way, values in took.items():
        print(f"{way:18} {statistics.median(values):6.0f} us a frame   ({', '.join(f'{v:.0f}' for v in values)})")


if __name__ == "__main__":
    main()
