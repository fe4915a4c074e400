#!/usr/bin/env python3
"""What x264's presets cost and give on real thermal pictures: time a picture, bits, SSIM.

    bench/picture/presets.py [--thermoface build/cli/thermoface] [--recordings FOLDER] [--frames 300] [--presets A,B,C]

Draws recordings of TF_SHARED's thermal6 (or all .mkv of a folder, lepton3-y16, on their side) with every mark, nearly
without loss, and encodes them as the service does: zerolatency, one thread, one slice, quality 23. The time is the
processor's, less what decoding alone takes, and is the delay too: each picture's packet comes out before the next goes in.
SSIM is FFmpeg's, of all planes, against the drawing. Not a test: the figures are the machine's.
"""
import argparse
import glob
import os
import re
import resource
import subprocess
import sys
import tempfile

PARAMETERS = "sliced-threads=0:bframes=0:rc-lookahead=0:sync-lookahead=0"


def ffmpeg(*arguments):
    """The processor time it took, and what it said."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(["ffmpeg", "-hide_banner", "-nostats", "-y", *arguments], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stderr[-600:])
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--thermoface", default="build/cli/thermoface")
    parser.add_argument("--recordings", default=os.path.join(os.environ.get("TF_SHARED", "../shared"), "data/thermal6/recordings"))
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--most", type=int, default=4, help="recordings")
    parser.add_argument("--presets", default="ultrafast,superfast,veryfast")
    options = parser.parse_args()
    files = sorted(glob.glob(os.path.join(options.recordings, "*.mkv")))[:options.most]
    if not files:
        sys.exit(f"{options.recordings}: no recordings")
    sums = {preset: [0.0, 0, 0.0, 0] for preset in options.presets.split(",")}
    with tempfile.TemporaryDirectory() as folder:
        drawn, raw, out = (os.path.join(folder, name) for name in ("drawn.mkv", "drawn.y4m", "out.mkv"))
        for file in files:
            subprocess.run([options.thermoface, "run", file, "--format", "lepton3-y16", "--rotate", "90", "--video", drawn,
                            "--overwrite", "--quality", "1", "--preset", "ultrafast", "--limit", str(options.frames),
                            "--quiet"], check=True)
            ffmpeg("-i", drawn, "-pix_fmt", "yuv420p", raw)
            idle, said = ffmpeg("-threads", "1", "-i", raw, "-f", "rawvideo", "/dev/null")
            frames = int(re.findall(r"frame=\s*(\d+)", said)[-1])
            for preset, s in sums.items():
                time, _ = ffmpeg("-threads", "1", "-i", raw, "-c:v", "libx264", "-threads", "1", "-preset", preset, "-tune",
                                 "zerolatency", "-crf", "23", "-g", "18", "-x264-params", PARAMETERS, out)
                _, said = ffmpeg("-i", out, "-i", raw, "-lavfi", "ssim", "-f", "null", "-")
                s[0] += time - idle
                s[1] += os.path.getsize(out)
                s[2] += float(re.findall(r"All:([\d.]+)", said)[-1]) * frames
                s[3] += frames
    print(f"{'preset':10} {'ms a picture':>13} {'bytes a picture':>16} {'SSIM':>8}   ({len(files)} recordings)")
    for preset, (time, size, ssim, frames) in sums.items():
        print(f"{preset:10} {time / frames * 1e3:13.2f} {size / frames:16.0f} {ssim / frames:8.4f}")


if __name__ == "__main__":
    main()
