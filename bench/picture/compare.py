#!/usr/bin/env python3
"""CPU per frame of the annotated picture beside GStreamer's, on the same raw frames.

    bench/picture/compare.py [--thermoface build/cli/thermoface] [--before OTHER/thermoface] [--frames 900] [--rounds 5]
                             [--levels best,avx2] [--models FOLDER]

Input: rendered frames of 640x512, 16 bits, as raw video in NUT (ours) and without a header (GStreamer's). Ours finds the
faces, measures the regions, draws and encodes (thermoface run --video, --mirror no, --threads 1); the peers only encode
(gray), or colour and encode: neither finds a face. Each program runs on many and on few frames, in turns; the difference
of the CPU times (user and system, of all threads) over the difference of the frames is free of its start. The median of
the rounds counts. Not a test: the figures are the machine's; the ratios, of one run, are what is compared.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

WIDTH, HEIGHT, FPS = 640, 512, 60
FORMAT = "boson-y16-tlinear"
FEW = 60
ENCODE = ("x264enc speed-preset=superfast tune=zerolatency threads=1 key-int-max=120 pass=qual quantizer=23 "
          "sliced-threads=false ! rtph264pay ! fakesink")
PEERS = {"gray": "videoconvert", "coloured": "videoconvert ! coloreffects preset=heat ! videoconvert"}


def cpu(command, env=None):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr.decode(errors='replace')[-600:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make_input(thermoface, folder, frames, rotate):
    """NUT and headerless files of many and of few frames of a camera that is mounted so."""
    sample = os.path.join(folder, "sample.mkv")
    subprocess.run([thermoface, "sample", sample, "--format", FORMAT, "--rotate", str(rotate), "--seconds", str(frames // FPS),
                    "--source", f"synthetic:size={WIDTH}x{HEIGHT},fps={FPS}"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    raw = ["-f", "rawvideo", "-pix_fmt", "gray16le"]
    for name, n in (("many", frames), ("few", FEW)):
        path = os.path.join(folder, f"{name}-{rotate}")
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", sample, "-frames:v", str(n), *raw, path + ".raw"], check=True)
        subprocess.run(["ffmpeg", "-v", "error", "-y", *raw, "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", path + ".raw",
                        "-c:v", "rawvideo", path + ".nut"], check=True)
    os.unlink(sample)


def peer(folder, name, chain):
    return ["gst-launch-1.0", "-q", "filesrc", f"location={folder}/{name}-0.raw", "!", "rawvideoparse", "format=gray16-le",
            f"width={WIDTH}", f"height={HEIGHT}", f"framerate={FPS}/1", "!", *f"{chain} ! {ENCODE}".split()]


def ours(thermoface, folder, name, rotate, level, models):
    command = [thermoface, "run", f"{folder}/{name}-{rotate}.nut", "--format", FORMAT, "--rotate", str(rotate), "--ndjson",
               f"{folder}/records.ndjson", "--video", f"{folder}/video.mkv", "--overwrite", "--mirror", "no",
               "--threads", "1", "--quiet"]
    return command + (["--cpu", level] if level != "best" else []) + (["--models", models] if models else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--thermoface", default="build/cli/thermoface")
    parser.add_argument("--before", help="another build, run in the same turns")
    parser.add_argument("--models", help="folder of the networks")
    parser.add_argument("--frames", type=int, default=900)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--levels", default="best,avx2")
    options = parser.parse_args()
    if options.frames <= FEW:
        parser.error(f"--frames: more than {FEW}")
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        for rotate in (0, 90):
            make_input(options.thermoface, folder, options.frames, rotate)
        runs = {f"GStreamer {name}": lambda n, c=chain: peer(folder, n, c) for name, chain in PEERS.items()}
        builds = [("", options.thermoface)] + ([("before, ", options.before)] if options.before else [])
        for label, program in builds:
            for level in options.levels.split(","):
                for rotate in (0, 90):
                    runs[f"{label}{level}, rotate {rotate}"] = (
                        lambda n, p=program, r=rotate, v=level: ours(p, folder, n, r, v, options.models))
        times = {name: [] for name in runs}
        for _ in range(options.rounds):
            for name, command in runs.items():
                many, few = cpu(command("many")), cpu(command("few"))
                times[name].append((many - few) / (options.frames - FEW) * 1e3)
    ms = {name: statistics.median(values) for name, values in times.items()}
    print(f"{'CPU per frame at 640x512':34} {'ms':>7} {'spread':>15} {'coloured':>9} {'gray':>7}")
    for name, values in times.items():
        print(f"{name:34} {ms[name]:7.3f} {min(values):7.3f}-{max(values):7.3f} "
              f"{ms[name] / ms['GStreamer coloured']:8.2f}x {ms[name] / ms['GStreamer gray']:6.2f}x")
    print(json.dumps({"ms": {k: round(v, 4) for k, v in ms.items()}, "rounds": options.rounds, "frames": options.frames}))


if __name__ == "__main__":
    main()
