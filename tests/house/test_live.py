"""A 640x512 camera at 60 frames/s with one RTSP viewer and one landmark client: no record may be missing.

TF_HOUSE_SECONDS (default 10) says for how long; TF_HOUSE_CPUS (default 2) on how many processors. Prints what it cost, by thread.
"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import Daemon, Records, Skip, check, config, have_models, need, run_tests, wait_for  # noqa: E402

SECONDS = float(os.environ.get("TF_HOUSE_SECONDS", "10"))
CPUS = int(os.environ.get("TF_HOUSE_CPUS", "2"))
TICK = os.sysconf("SC_CLK_TCK")


def threads(pid):
    """CPU seconds by thread name."""
    cost = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8") as file:
                text = file.read()
        except OSError:
            continue
        name = text[text.index("(") + 1:text.rindex(")")]
        fields = text[text.rindex(")") + 2:].split()
        cost[name] = cost.get(name, 0) + (int(fields[11]) + int(fields[12])) / TICK
    return cost


def no_record_is_missing():
    """640x512 at 60 frames/s, one viewer, one landmark client: every frame has its record"""
    need("ffmpeg")
    if not have_models():
        raise Skip("no networks")
    if os.environ.get("TF_HOUSE_PATIENCE", "1") != "1":
        raise Skip("speed means nothing under a sanitizer")
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CPUS]))
    with Daemon(config(more="width=640\nheight=512\nfps=60")) as daemon:
        viewer = subprocess.Popen(["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", daemon.rtsp(),
                                   "-c", "copy", "-f", "null", "-"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: daemon.camera()["rtsp_viewers"] == 1, 20, "a viewer")
            records = Records(daemon)
            wait_for(lambda: records.records, 5, "records")
            first, cost = daemon.camera(), threads(daemon.process.pid)
            time.sleep(SECONDS)
            last, end = daemon.camera(), threads(daemon.process.pid)
            wait_for(lambda: records.numbers()[-1] >= last["last_frame"], 5, "the last record")
        finally:
            viewer.kill()
            viewer.wait()
        seen = records.check_whole()
        frames = last["frames"] - first["frames"]
        skipped = last["states"]["skipped"] - first["states"]["skipped"]
        pictures = last["encoded"] - first["encoded"]
        latency = sorted(r["latency_us"] for r in records.records)
        print(f"# {frames} frames in {SECONDS:g} s ({last['fps']:.1f} frames/s), {seen} records read, {skipped} skipped, "
              f"{pictures} pictures encoded, dropped {last['dropped']}")
        print(f"# latency: median {latency[len(latency) // 2] / 1000:.1f} ms, 99 % "
              f"{latency[int(len(latency) * 0.99)] / 1000:.1f} ms, most {latency[-1] / 1000:.1f} ms")
        for name, seconds in sorted(end.items(), key=lambda item: -item[1]):
            used = seconds - cost.get(name, 0)
            if used > 0.005 * SECONDS:
                print(f"# {name}: {1e3 * used / frames:.2f} ms of CPU a frame, {100 * used / SECONDS:.0f} % of a core")
        lost = {place: last["dropped"][place] - first["dropped"][place] for place in ("driver", "capture", "http")}
        check(lost["http"] == 0, f"the landmark client lost records: {lost}")
        # Each frame that the source lost is counted in the very next record: between two records there is nothing else.
        for a, b in zip(records.records, records.records[1:]):
            counted = sum(b["dropped"][place] - a["dropped"][place] for place in ("driver", "capture"))
            check(b["sequence"] - a["sequence"] == 1 + counted, f"frames {a['sequence']} to {b['sequence']}, {counted} counted")
        expected = 60 * SECONDS
        check(frames + lost["driver"] + lost["capture"] >= 0.97 * expected, f"{frames} frames in {SECONDS:g} s, {lost}")
        # Whether the processor suffices can only be said of one that is not busy with something else.
        if os.getloadavg()[0] < CPUS:
            check(frames >= 0.99 * expected, f"{frames} frames in {SECONDS:g} s, {lost}")
            check(skipped <= 0.01 * expected, f"{skipped} frames skipped")
            check(pictures >= 0.95 * frames, f"{pictures} pictures of {frames} frames")
        else:
            print(f"# the machine is busy (load {os.getloadavg()[0]:.1f}): only the accounts are checked")


if __name__ == "__main__":
    run_tests([no_record_is_missing])
