#!/usr/bin/env python3
"""Numbers against an independent truth: region statistics recomputed with numpy from the recorded pixels and the
outlines in the record, on recordings that are made here; and pixels that are no measurements."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

from house import MODELS, TOOLS, Skip, check, have_models, need, run_tests

try:
    import numpy
    import recompute
except ImportError:
    numpy = None

THERMOFACE = os.environ["TF_THERMOFACE"]
SCALE, OFFSET = 0.01, -273.15
FOLDER = None


def needed():
    need("ffmpeg", "ffprobe")
    if numpy is None:
        raise Skip("numpy is not installed")
    if not have_models():
        raise Skip("the networks are not there")


def subject(url, width, height, frames, fps=30):
    """The synthetic subject's pictures, writable."""
    raw = subprocess.run([TOOLS, "raw", url, str(width), str(height), str(fps), str(frames)], check=True,
                         capture_output=True).stdout
    return numpy.frombuffer(raw, "<u2").reshape(-1, height, width).copy()


def encode(name, pictures, fps=30):
    """Loss-free, as recordings are."""
    path = f"{FOLDER}/{name}.mkv"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray16le", "-s",
                    f"{pictures.shape[2]}x{pictures.shape[1]}", "-framerate", str(fps), "-i", "-", "-c:v", "ffv1", path],
                   check=True, input=numpy.ascontiguousarray(pictures).astype("<u2").tobytes())
    return path


def run(path, *options):
    out = subprocess.run([THERMOFACE, "run", path, "--models", MODELS, "--quiet", "--ndjson", "-", *options], check=True,
                         capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def compare_all(pictures, records, rotate, low=1, high=65534, dead=lambda n: ()):
    regions, excluded = 0, 0
    for record in records:
        picture = recompute.upright(pictures[record["frame"]], rotate)
        for face in record["faces"]:
            for name, region in face["regions"].items():
                wrong = recompute.compare(picture, region, SCALE, OFFSET, low, high, dead(record["frame"]))
                check(not wrong, f"frame {record['frame']}, {name}: {wrong}")
                regions += 1
                excluded += region["excluded"]
    return regions, excluded


def test_means_are_those_of_the_pixels():
    """means, medians, minima, maxima and deviations recomputed with numpy, to 1 mK, in all four turns"""
    needed()
    for rotate, url, size in ((0, "synthetic:seed=3", (160, 120)), (90, "synthetic:seed=5", (160, 120)),
                              (180, "synthetic:seed=7,glasses=1", (320, 256)), (270, "synthetic:seed=9", (640, 512))):
        pictures = numpy.rot90(subject(url, *size, 20), rotate // 90, axes=(1, 2))
        records = run(encode(f"plain{rotate}", pictures), "--format", "centikelvin", "--rotate", str(rotate), "--outlines")
        regions, excluded = compare_all(pictures, records, rotate)
        check(regions >= 12 * 18, f"{rotate}: only {regions} regions in 20 frames")
        check(excluded == 0, f"{rotate}: {excluded} pixels left out of a sound detector's picture")


def test_a_mirror_is_undone():
    """--flip: a camera that looks into a mirror measures the same, right and left are the subject's"""
    needed()
    for rotate in (0, 270):
        upright = subject("synthetic:seed=4", 160, 120, 20)
        mirrored = numpy.rot90(upright[:, :, ::-1], rotate // 90, axes=(1, 2))
        turn = ("--format", "centikelvin", "--rotate", str(rotate))
        plain = run(encode("plain", numpy.rot90(upright, rotate // 90, axes=(1, 2))), *turn, "--outlines")
        flipped = run(encode("mirrored", mirrored), *turn, "--outlines", "--flip")
        check(sum(r["state"] == "ok" for r in plain) >= 18, "too few faces")
        for a, b in zip(plain, flipped):
            check(b["rotate"] == rotate and b["flip"] is True and a["flip"] is False, f"{b['rotate']} {b['flip']}")
            check(a["faces"] == b["faces"], f"{rotate}: frame {a['frame']} differs")
            picture = recompute.upright(mirrored[b["frame"]], rotate, True)
            for face in b["faces"]:
                for name, region in face["regions"].items():
                    wrong = recompute.compare(picture, region, SCALE, OFFSET)
                    check(not wrong, f"frame {b['frame']}, {name}: {wrong}")


def cheek(pictures, rotate=0):
    """Where the right cheek lies, frame by frame."""
    records = run(encode("where", pictures), "--format", "centikelvin", "--rotate", str(rotate), "--outlines")
    return {record["frame"]: numpy.mean(record["faces"][0]["regions"]["cheek_right"]["outline"], axis=0)
            for record in records if record["faces"]}


def test_no_measurement_is_not_counted():
    """0, 65535 and what the row cannot measure are left out, counted in excluded, and the rest is exact"""
    needed()
    clean = subject("synthetic:seed=3,still=1", 160, 120, 24)
    places = cheek(clean)
    reference = run(encode("clean", clean), "--format", "centikelvin")
    for value in (0, 65535, 10, 21314, 65316):  # the row reads -60 to 380 degrees
        pictures = clean.copy()
        for n, (x, y) in places.items():
            pictures[n, round(y), round(x)] = value
        records = run(encode("hurt", pictures), "--format", "centikelvin", "--outlines")
        # None of these values is learnt: the limits alone leave them out.
        regions, excluded = compare_all(pictures, records, 0, 21315, 65315)
        seen = [r for r in records if r["faces"]]
        check(len(seen) >= 20 and excluded >= 20, f"{value}: {len(seen)} faces, {excluded} pixels left out")
        for record in seen:
            region = record["faces"][0]["regions"]["cheek_right"]
            was = reference[record["frame"]]["faces"][0]["regions"]["cheek_right"]
            check(region["excluded"] == 1 and region["valid"] and region["why"] == [],
                  f"{value}: frame {record['frame']}: {region}")
            check(abs(region["mean"] - was["mean"]) < 0.1, f"{value}: {region['mean']} instead of {was['mean']}")


def test_too_many_are_not_valid():
    """a region of which more than a fifth is saturated is not valid and says range"""
    needed()
    pictures = subject("synthetic:seed=3,still=1", 160, 120, 12)
    for n, (x, y) in cheek(pictures).items():
        pictures[n, round(y) - 2:round(y) + 3, round(x) - 2:round(x) + 2] = 65535
    records = run(encode("patch", pictures), "--format", "centikelvin", "--outlines")
    compare_all(pictures, records, 0)
    hurt = [r["faces"][0]["regions"]["cheek_right"] for r in records if r["faces"]]
    check(len(hurt) >= 6, f"{len(hurt)} faces")
    for region in hurt:
        check(region["excluded"] > 5 and not region["valid"] and "range" in region["why"], str(region))


def test_a_dead_pixel_is_learnt():
    """a pixel that reads 3 degrees too much is left out after a moment, also when the camera lies on its side"""
    needed()
    for rotate in (0, 90):
        upright = subject("synthetic:seed=3,still=1", 160, 120, 40)
        places = cheek(upright)
        x, y = (round(v) for v in places[max(places)])
        upright[:, y, x] += 300
        pictures = numpy.rot90(upright, rotate // 90, axes=(1, 2))
        records = run(encode("dead", pictures), "--format", "centikelvin", "--rotate", str(rotate), "--outlines")
        compare_all(pictures, records, rotate, dead=lambda n: [(x, y)] if n >= 5 else [])
        last = records[-1]["faces"][0]["regions"]["cheek_right"]
        check(last["excluded"] == 1 and last["valid"], f"{rotate}: {last}")
        check(records[2]["faces"] == [] or records[2]["faces"][0]["regions"]["cheek_right"]["excluded"] == 0,
              "left out before it was known")


def test_the_table_says_it_too():
    """CSV has excluded and why at the row's end"""
    needed()
    pictures = subject("synthetic:seed=3,still=1", 160, 120, 12)
    for n, (x, y) in cheek(pictures).items():
        pictures[n, round(y) - 2:round(y) + 3, round(x) - 2:round(x) + 2] = 65535
    path = encode("patch", pictures)
    subprocess.run([THERMOFACE, "run", path, "--models", MODELS, "--quiet", "--format", "centikelvin", "--csv",
                    f"{FOLDER}/out.csv"], check=True)
    with open(f"{FOLDER}/out.csv", encoding="utf-8") as file:
        head, *rows = (line.rstrip("\n").split(",") for line in file)
    check(head[-12:] == ["mouth_excluded", "mouth_why", "rotate", "flip", "pose_Rx", "pose_Ry", "pose_Rz", "clock_synchronised",
                         "clock_error_us", "clock_max_error_us", "glasses", "mask"], f"{head[-12:]}")
    row = dict(zip(head, rows[-1]))
    check(int(row["cheek_right_excluded"]) > 5, row["cheek_right_excluded"])
    check("range" in row["cheek_right_why"].split() and row["cheek_right_valid"] == "0", row["cheek_right_why"])
    check(row["forehead_excluded"] == "0" and row["forehead_why"] == "", row["forehead_why"])


if __name__ == "__main__":
    FOLDER = tempfile.mkdtemp(prefix="tf-truth-")
    try:
        run_tests([test_means_are_those_of_the_pixels, test_a_mirror_is_undone, test_no_measurement_is_not_counted, test_too_many_are_not_valid,
                   test_a_dead_pixel_is_learnt, test_the_table_says_it_too])
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
