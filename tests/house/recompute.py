"""Region statistics from raw pixels and a record's outlines alone, with numpy: an arithmetic of its own.

As a program: recompute.py RECORDING RECORDS.ndjson ROTATE SCALE OFFSET [MIN MAX [FRAMES]] compares the records of
`thermoface run RECORDING --rotate ROTATE --outlines --ndjson RECORDS.ndjson` with it (16-bit recordings).
"""
import json
import subprocess
import sys

import numpy

STATISTICS = ("mean", "median", "min", "max", "sd")


def decode(path):
    """Frames as uint16[n, height, width], by ffmpeg."""
    size = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height",
                           "-of", "csv=p=0", path], check=True, capture_output=True, text=True).stdout.split(",")
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-fps_mode", "passthrough", "-f", "rawvideo",
                          "-pix_fmt", "gray16le", "-"], check=True, capture_output=True).stdout
    return numpy.frombuffer(raw, "<u2").reshape(-1, int(size[1]), int(size[0]))


def upright(frame, rotate, flip=False):
    """Turned clockwise, then mirrored."""
    turned = numpy.rot90(frame, -rotate // 90)
    return turned[:, ::-1] if flip else turned


def inside(outline, height, width):
    """Pixels whose centre lies in the polygon: even-odd, an edge belongs to what is right of it and below."""
    mask = numpy.zeros((height, width), bool)
    y = numpy.arange(height)[:, None]
    x = numpy.arange(width)[None, :]
    for (ax, ay), (bx, by) in zip(outline, outline[1:] + outline[:1]):
        if ay == by:
            continue
        crossed = (ay <= y) != (by <= y)
        mask ^= crossed & (x >= ax + (y - ay) * (bx - ax) / (by - ay))
    return mask


def statistics(values):
    values = numpy.asarray(values, float)
    return dict(zip(STATISTICS, (values.mean(), numpy.median(values), values.min(), values.max(), values.std())))


def compare(frame, region, scale, offset, low=1, high=65534, dead=()):
    """What differs between a record's region and the recomputed one, as texts; `frame` is upright."""
    mask = inside(region["outline"], *frame.shape)
    counted = mask & (frame >= low) & (frame <= high)
    for x, y in dead:
        counted[y, x] = False
    wrong = []
    if region["n"] != counted.sum():
        wrong.append(f"n {region['n']}, recomputed {counted.sum()}")
    if region["excluded"] != mask.sum() - counted.sum():
        wrong.append(f"excluded {region['excluded']}, recomputed {mask.sum() - counted.sum()}")
    if counted.any():
        for name, value in statistics(frame[counted] * scale + offset).items():
            if abs(value - region[name]) > 0.001:
                wrong.append(f"{name} {region[name]}, recomputed {value:.4f}")
    elif any(region[name] is not None for name in STATISTICS):
        wrong.append("values without a pixel")
    return wrong


def main(recording, records, rotate, scale, offset, low=1, high=65534, frames=20):
    pictures = decode(recording)
    with open(records, encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["faces"]]
    chosen = [rows[i] for i in sorted({int(i) for i in numpy.linspace(0, len(rows) - 1, int(frames))})] if rows else []
    regions, wrong = 0, []
    for row in chosen:
        picture = upright(pictures[row["frame"]], int(rotate))
        for face in row["faces"]:
            for name, region in face["regions"].items():
                regions += 1
                for text in compare(picture, region, float(scale), float(offset), int(low), int(high)):
                    wrong.append(f"frame {row['frame']} {name}: {text}")
    print(f"{recording}: {len(chosen)} frames, {regions} regions, {len(wrong)} differences")
    print("\n".join(wrong[:20]), end="\n" if wrong else "")
    return bool(wrong) or not chosen


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
