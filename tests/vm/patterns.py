"""Patterns for the pixel-exact checks: frames of numbers that differ in every pixel, row and frame.

usage: patterns.py FOLDER      writes FOLDER/*.raw, *.expect and FOLDER/../formats, a line for each check:
       VIA ROW FOURCC WIDTH HEIGHT FRAME_BYTES PATTERN EXPECT STRIDE WANT
VIA is vivid (its output looped to its input) or loopback (v4l2loopback); WANT what vm-grab has to print, "-": nothing more.
"""
import array
import os
import subprocess
import sys

FRAMES = 4


def words(w, h, swap=False, first=0):
    out = []
    for i in range(FRAMES):
        a = array.array("H", [(i * 257 + y * 64 + x * 3 + 1 + first) & 65535 for y in range(h) for x in range(w)])
        if swap:
            a.byteswap()
        out.append(a.tobytes())
    return out


def octets(n):
    return [bytes((x * 7 + x // 251 + 31 * i) & 255 for x in range(n)) for i in range(FRAMES)]


# Each a counter and the shutter's state (0 open, 1 imminent, 2 closed): the third frame is the second again, two are lost
# before the fourth.
TELEMETRY = [(1000, 0), (1001, 1), (1001, 0), (1004, 2)]


def telemetry(rows, counter, shutter):
    """Rows A, B and C of a Lepton: revision 14, 31.25 °C, TLinear in hundredths of a kelvin."""
    w = array.array("H", [0] * (80 * (4 if rows == 2 else 3)))
    w[0] = 14
    w[3] = shutter << 4
    w[20], w[21] = counter & 65535, counter >> 16
    w[24] = round((31.25 + 273.15) * 100)
    w[160 + 48], w[160 + 49] = 1, 1
    return w.tobytes()


def main(folder):
    lines = []

    def put(via, row, fourcc, w, h, frames, expect=None, stride=0, want="-"):
        name = f"{via}-{row}-{fourcc}-{w}x{h}.raw".replace("/", "-")
        with open(f"{folder}/{name}", "wb") as f:
            f.write(b"".join(frames))
        if expect is not None:
            with open(f"{folder}/{name}.expect", "wb") as f:
                f.write(b"".join(expect))
        lines.append(f"{via} {row} {fourcc} {w} {h} {len(frames[0])} {name} {name + ('.expect' if expect else '')} {stride} {want}")

    put("vivid", "y16", "Y16_", 640, 512, words(640, 512))
    put("vivid", "y16", "Y16_", 384, 288, words(384, 288), stride=1024)
    # Lines with padding that we asked for: HEIGHT/BYTES.
    put("vivid", "y16", "Y16_", 384, "288/1024", words(384, 288))
    put("vivid", "visible", "YUYV", 320, "240/768", octets(320 * 240 * 2))
    put("vivid", "grey", "GREY", 320, "240/512", octets(320 * 240))
    put("vivid", "boson-y16", "Y16_", 640, 512, words(640, 512))
    put("vivid", "lepton3-y16", "Y16_", 160, 120, words(160, 120))
    for row, w, h, lines_of in (("lepton3-y16-telemetry", 160, 120, 2), ("lepton2-y16-telemetry", 80, 60, 3)):
        picture = words(w, h)
        rows = [telemetry(lines_of, *t) for t in TELEMETRY]
        put("loopback", row, "Y16_", w, h + lines_of, [p + t for p, t in zip(picture, rows)], picture, want="telemetry")
        put("loopback", row + "-header", "Y16_", w, h + lines_of, [t + p for p, t in zip(picture, rows)], picture,
            want="telemetry")
    put("loopback", "lepton2-y16", "Y16_", 80, 60, words(80, 60))
    put("loopback", "boson-320-y16", "Y16_", 320, 256, words(320, 256))
    for row in ("boson-y16-tlinear", "centikelvin", "decikelvin", "optris"):
        put("loopback", row, "Y16_", 640, 512, words(640, 512))
    upper, lower = octets(256 * 192 * 2), words(256, 192)
    put("loopback", "infiray-256", "YUYV", 256, 384, [u + v for u, v in zip(upper, lower)], lower)
    put("loopback", "grey", "GREY", 320, 240, octets(320 * 240))
    put("loopback", "visible", "YUYV", 320, 240, octets(320 * 240 * 2))
    put("loopback", "visible", "UYVY", 320, 240, octets(320 * 240 * 2))
    put("loopback", "visible", "NV12", 320, 240, octets(320 * 240 * 3 // 2))
    put("loopback", "visible", "YU12", 320, 240, octets(320 * 240 * 3 // 2))
    # One picture, and what FFmpeg's program makes of it.
    jpeg = f"{folder}/picture.jpg"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x240", "-frames:v", "1", "-pix_fmt",
                    "yuvj420p", "-q:v", "3", jpeg], check=True, stdin=subprocess.DEVNULL)
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", jpeg, "-f", "rawvideo", "-pix_fmt", "yuvj420p", "-"], check=True,
                         stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout
    with open(jpeg, "rb") as f:
        put("loopback", "visible", "MJPG", 320, 240, [f.read()], [raw])
    os.remove(jpeg)
    with open(f"{folder}/../formats", "w") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
