"""What a lab does with sessions after they were recorded: tables, the same again offline, packing, plots."""
import calendar
import csv
import glob
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import SLOW, Daemon, Skip, check, have_models, need, run_tests, wait_for  # noqa: E402
from test_session import frames, place, post, recording, rows, start, thermoface  # noqa: E402

STEM = "sub-07/ses-2/beh/sub-07_ses-2_task-stroop_run-1_recording-cam"
MOTION = "sub-07/ses-2/motion/sub-07_ses-2_task-stroop_tracksys-cam_run-1_motion.tsv"
CAMERA = "width=160\nheight=120\nfps=30\nblack-body=2,2,8,6\nblack-body-temperature=25"


def tsv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def record(folder, count, camera, more, mark=False):
    with Daemon(recording(folder, 1, camera, more)) as daemon:
        start(daemon)
        wait_for(lambda: frames(daemon) > count / 2, 60, "half of the frames")
        if mark:
            check(post(daemon, "/mark", {"text": "stimulus", "value": 3})[0] == 200, "a mark")
        wait_for(lambda: frames(daemon) > count, 60, "the frames")
        status, answer = post(daemon, "/record/stop", {})
        check(status == 200 and answer["state"] == "complete", answer)
        daemon.stop(limit=4)


def hashes(path):
    """The decoded pictures' hashes and stamps, by ffmpeg."""
    return subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-fps_mode", "passthrough", "-f", "framemd5", "-"],
                          capture_output=True, text=True, check=True, timeout=60 * SLOW).stdout


def check_tables(folder):
    stem = f"{folder}/{STEM}"
    table = rows(f"{stem}_frames.csv")
    with open(f"{stem}_video.json", encoding="utf-8") as file:
        about = json.load(file)
    signals = tsv(f"{stem}_signals.tsv")
    check([row["t_mono_ns"] for row in signals] == [row["t_mono_ns"] for row in table], "signals: other rows")
    for row, frame in zip(signals, table):
        check(abs(float(row["onset"]) * 1e9 - (int(row["t_mono_ns"]) - about["SessionStartMonotonicNs"])) < 1001,
              row["onset"])
        for name in ("forehead_mean", "nose_tip_median", "chin_sd", "mouth_n", "nostrils_valid", "breathing_rate",
                     "black_body_mean", "cheek_left_mean_corrected"):
            check((row[name] if row[name] != "n/a" else "") == frame[name], f"{name}: {row[name]} {frame[name]}")
        if row["nose_minus_forehead"] != "n/a":
            check(abs(float(row["nose_minus_forehead"]) - float(row["nose_tip_mean"]) + float(row["forehead_mean"]))
                  < 0.0021, "nose less forehead")
        if frame["forehead_mean_corrected"]:
            check(abs(float(frame["black_body_mean"]) + float(frame["black_body_offset"]) - 25) < 0.0011, "offset")
            check(abs(float(frame["forehead_mean_corrected"]) - float(frame["forehead_mean"]) -
                      float(frame["black_body_offset"])) < 0.0021, "the corrected value is not the raw one and the offset")
            check(frame["black_body_n"] == "48", frame["black_body_n"])
    check(any(row["forehead_mean_corrected"] for row in table) == have_models(), "nothing was corrected")
    with open(f"{folder}/{MOTION}", encoding="utf-8") as file:
        motion = [line.rstrip("\n").split("\t") for line in file]
    with open(f"{folder}/{MOTION[:-len('motion.tsv')]}channels.tsv", encoding="utf-8") as file:
        channels = [line.rstrip("\n").split("\t") for line in file]
    check(channels[0][:5] == ["name", "component", "type", "tracked_point", "units"], channels[0])
    check(len(motion) == len(table) and {len(row) for row in motion} == {len(channels) - 1}, "motion: rows, channels")
    place_of = {row[0]: i for i, row in enumerate(channels[1:])}
    for row, frame, signal in zip(motion, table, signals):
        check(row[place_of["latency"]] == signal["onset"], "motion: latency")
        for name in ("p0_x", "p30_y", "p67_confidence"):
            check((frame[name] or "n/a") == row[place_of[name]], f"motion: {name}")
    with open(f"{stem}_physio.json", encoding="utf-8") as file:
        physio = json.load(file)
    with gzip.open(f"{stem}_physio.tsv.gz", "rt", encoding="utf-8") as file:
        samples = [line.rstrip("\n").split("\t") for line in file]
    rate = physio["SamplingFrequency"]
    check(rate == 4 and physio["StartTime"] == 0.125 and {len(row) for row in samples} == {len(physio["Columns"])},
          physio)
    check(len(samples) == int(float(signals[-1]["onset"]) * rate) + 1, f"{len(samples)} samples")
    for k, sample in enumerate(samples):
        values = [float(row["forehead_mean"]) for row in signals
                  if int(float(row["onset"]) * rate) == k and row["forehead_valid"] == "1"]
        got = sample[physio["Columns"].index("forehead")]
        check((got == "n/a") == (not values), f"sample {k}: {got} of {len(values)} frames")
        check(not values or abs(float(got) - sum(values) / len(values)) < 0.0011, f"sample {k}")
    clock = tsv(f"{stem.rsplit('_recording', 1)[0]}_clock.tsv")
    check(len(clock) >= 2 and all(abs(int(row["step_ns"])) < 1e9 for row in clock), clock)
    for row in table[:: len(table) // 4]:
        utc = time.strptime(row["t_utc"][:19] + " UTC", "%Y-%m-%dT%H:%M:%S %Z")
        offset = int(clock[0]["offset_ns"])
        check(abs((int(row["t_mono_ns"]) + offset) / 1e9 - calendar.timegm(utc)) < 3, "the clock's offset")


def again_offline():
    """A session's tables, and the same bytes again offline: segments, instruction sets, threads, left-overs"""
    if not have_models():
        raise Skip("no networks")
    need("ffprobe")
    with place() as folder, place() as out:
        record(folder, 130, CAMERA, "segment=1500ms\nphysio-rate=4\n", mark=True)
        stem = f"{folder}/{STEM}"
        segments = sorted(glob.glob(f"{stem}_split-*_video.mkv"))
        check(len(segments) >= 3 and not os.path.exists(f"{stem}_video.mkv"), segments)
        with open(f"{stem}_video.json", encoding="utf-8") as file:
            listed = json.load(file)["Segments"]
        check([os.path.basename(path) for path in segments] == [s["File"] for s in listed], listed)
        check(all(a["FirstFrame"] + a["FrameCount"] == b["FirstFrame"] for a, b in zip(listed, listed[1:])), listed)
        done = thermoface("verify", folder)
        check(done.returncode == 0, done)
        check_tables(folder)
        names = [f"{STEM}_{name}" for name in ("frames.csv", "frames.ndjson", "signals.tsv", "physio.tsv.gz")]
        names.append(MOTION)
        kept = [digest(f"{folder}/{name}") for name in names]
        for i, more in enumerate((["--cpu", "generic", "--no-video"], ["--threads", "2"])):
            # What a run that was broken off has left is not taken for results.
            os.makedirs(f"{out}/{i}/sub-07/ses-2/beh/.part-{os.path.basename(STEM)}/beh")
            done = thermoface("run", folder, "--output", f"{out}/{i}", *more)
            check(done.returncode == 0 and "1 recording" in done.stderr, done)
            again = [digest(f"{out}/{i}/{name}") for name in names]
            check(again == kept, f"{more}: {[n for n, a, b in zip(names, kept, again) if a != b]} differ")
            check(not glob.glob(f"{out}/{i}/sub-07/ses-2/beh/.part*"), "left-overs")
            made = os.path.exists(f"{out}/{i}/{STEM}_desc-annotated_video.mkv")
            check(made == (i == 1), "the annotated video")
        done = thermoface("run", folder, "--output", f"{out}/1")
        check(done.returncode == 0 and "1 done before" in done.stderr, done)
        done = thermoface("run", folder, "--output", folder)
        check(done.returncode == 1 and "take the place" in done.stderr, done)
        check([digest(f"{folder}/{name}") for name in names] == kept, "the recording was changed")

        # Several videos at once, each as if it were alone.
        done = thermoface("run", *segments[:2], "--format", "y16", "--scale", "0.01", "--offset", "-273.15",
                          "--output", f"{out}/videos", "--jobs", "2", "--no-video")
        check(done.returncode == 0 and "2 recordings" in done.stderr, done)
        done = thermoface("run", segments[0], "--format", "y16", "--scale", "0.01", "--offset", "-273.15", "--csv",
                          f"{out}/one.csv")
        check(done.returncode == 0, done)
        one = rows(f"{out}/one.csv")
        many = rows(f"{out}/videos/{os.path.basename(segments[0])[:-4]}_frames.csv")
        check([r.pop("video_frame") for r in many] == [r["sequence"] for r in one] and one == many, "they differ")

        for name in ("plot.png", "plot.svg"):
            done = thermoface("plot", folder, "--output", f"{out}/{name}")
            check(done.returncode == 0 and os.path.getsize(f"{out}/{name}") > 5000, done)
        with open(f"{out}/plot.png", "rb") as file:
            check(file.read(8) == b"\x89PNG\r\n\x1a\n", "no PNG")
        with open(f"{out}/plot.svg", encoding="utf-8") as file:
            check("<svg" in file.read(400), "no SVG")
        done = thermoface("plot", folder, "--output", f"{out}/plot.svg")
        check(done.returncode == 1 and "overwritten" in done.stderr, done)
        check(thermoface("plot", folder, "--output", f"{out}/x.svg", "--regions", "ear").returncode == 2, "ear")

        # Skips come from the table, and a last line without an end is no row.
        with open(f"{stem}_frames.csv", encoding="utf-8") as file:
            lines = file.readlines()
        lines[20] = re.sub(r",(ok|no_face),", ",skipped,", lines[20], count=1)
        lines[-1] = lines[-1][:40]
        with open(f"{stem}_frames.csv", "w", encoding="utf-8") as file:
            file.writelines(lines)
        done = thermoface("run", folder, "--output", f"{out}/skips", "--no-video")
        check(done.returncode == 0, done)
        again = rows(f"{out}/skips/{STEM}_frames.csv")
        check(len(again) == len(lines) - 2 and again[19]["state"] == "skipped" and not again[19]["p0_x"], again[19])
        check(sum(row["state"] == "skipped" for row in again) == sum(",skipped," in line for line in lines), "skips")

        # A table that does not fit its video is said, and leaves nothing behind.
        lines[10] = lines[10].rsplit(",", 1)[0] + ",77\n"
        with open(f"{stem}_frames.csv", "w", encoding="utf-8") as file:
            file.writelines(lines)
        done = thermoface("run", folder, "--output", f"{out}/bad")
        check(done.returncode == 1 and "video_frame is not" in done.stderr, done)
        check(not glob.glob(f"{out}/bad/**/*_frames.csv", recursive=True), "half a table was left")


def packed_for_keeping():
    """run --archive packs FFVHUFF to FFV1 with the same pictures and stamps, or leaves it; verify sees damage"""
    need("ffmpeg")
    with place() as folder:
        record(folder, 40, "width=160\nheight=120\nfps=30\nanalyse=no", "codec=ffvhuff\nannotated=no\n")
        video, stem = f"{folder}/{STEM}_video.mkv", f"{folder}/{STEM}"
        before, size = hashes(video), os.path.getsize(video)
        shutil.copy(video, f"{folder}/copy.mkv")
        done = thermoface("run", folder, "--archive")
        check(done.returncode == 0 and "every pixel compared" in done.stdout, done)
        check(hashes(video) == before, "other pictures or stamps")
        check(os.path.getsize(video) < size, f"{os.path.getsize(video)} bytes instead of {size}")
        with open(f"{stem}_video.json", encoding="utf-8") as file:
            check(json.load(file)["VideoCodec"] == "ffv1", "the description")
        check(thermoface("verify", folder).returncode == 0, "verify")
        done = thermoface("run", folder, "--archive")
        check(done.returncode == 0 and "1 left as they are" in done.stderr, done)
        # Where the new one cannot be written the old one stays.
        kept = digest(f"{folder}/copy.mkv")
        os.mkdir(f"{folder}/copy.mkv.part")
        done = thermoface("run", f"{folder}/copy.mkv", "--archive")
        check(done.returncode == 1 and "cannot be written" in done.stderr, done)
        check(digest(f"{folder}/copy.mkv") == kept, "the old one was changed")
        os.rmdir(f"{folder}/copy.mkv.part")
        done = thermoface("run", f"{folder}/copy.mkv", "--archive")
        check(done.returncode == 0 and digest(f"{folder}/copy.mkv") != kept, done)
        check(hashes(f"{folder}/copy.mkv") == before and not glob.glob(f"{folder}/*.part"), "a single file")
        # Tables of a crash: cut lines and a cut end of the packed one.
        for name in ("signals.tsv", "physio.tsv.gz"):
            with open(f"{stem}_{name}", "r+b") as file:
                file.truncate(os.path.getsize(file.name) - 5)
        os.truncate(f"{folder}/{MOTION}", os.path.getsize(f"{folder}/{MOTION}") - 5)
        done = thermoface("verify", folder)
        check(done.returncode == 1 and done.stdout.count("has no end") == 3, done)
        thermoface("verify", "--trim", folder)
        with gzip.open(f"{stem}_physio.tsv.gz", "rt", encoding="utf-8") as file:
            check(file.read().endswith("\n"), "not whole lines")
        done = thermoface("verify", folder)
        check("has no end" not in done.stdout and done.stdout.count("and the frames' table has") == 2, done)


def breathing():
    """The breathing rate of a synthetic subject is found offline, with a good quality"""
    if not have_models():
        raise Skip("no networks")
    with place() as out:
        done = thermoface("run", "synthetic:fps=10,breathing=24", "--limit", "400", "--csv", f"{out}/b.csv", "--quiet")
        check(done.returncode == 0, done)
        table = rows(f"{out}/b.csv")
        check(not any(row["breathing_rate"] for row in table[:180]), "a rate before two breaths could be seen")
        last = table[330:]
        check(all(row["breathing_rate"] for row in last), "no rate")
        rates = [float(row["breathing_rate"]) for row in last]
        print(f"# {min(rates)} to {max(rates)} of 24, quality from {min(float(r['breathing_quality']) for r in last)}")
        check(all(abs(rate - 24) < 1 for rate in rates), f"{min(rates)} to {max(rates)}")
        check(all(float(row["breathing_quality"]) > 0.5 for row in last), "quality")


if __name__ == "__main__":
    run_tests([again_offline, packed_for_keeping, breathing])
