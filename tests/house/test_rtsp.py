"""RTSP from the daemon for real, read back by ffprobe, ffmpeg and GStreamer."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import (SLOW, TOOLS, Daemon, Records, Skip, check, config, ended_itself, need,  # noqa: E402
                   run_tests, wait_for)

SMALL = "width=320\nheight=240\nfps=30\nanalyse=no"


def run(*command, seconds=25):
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds * SLOW, check=False)
    check(done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def probe(daemon, transport):
    need("ffprobe")
    began = time.monotonic()
    text = run("ffprobe", "-v", "error", "-rtsp_transport", transport, "-of", "json", "-show_streams",
               daemon.rtsp())
    streams = json.loads(text)["streams"]
    check(len(streams) == 1, f"{len(streams)} streams: {text}")
    stream = streams[0]
    check(stream["codec_name"] == "h264", stream)
    check(stream["height"] >= 480 and stream["width"] > stream["height"], stream)
    check(stream["pix_fmt"] == "yuv420p", stream)
    return time.monotonic() - began


def ffprobe_over_tcp():
    """ffprobe reads one H.264 stream over TCP"""
    with Daemon(config(more=SMALL)) as daemon:
        print(f"# in {probe(daemon, 'tcp'):.1f} s")


def ffprobe_over_udp():
    """ffprobe reads one H.264 stream over UDP"""
    with Daemon(config(more=SMALL)) as daemon:
        print(f"# in {probe(daemon, 'udp'):.1f} s")


def gstreamer(daemon, protocol, buffers=60):
    need("gst-launch-1.0")
    done = subprocess.run(["gst-launch-1.0", "-q", "rtspsrc", f"location={daemon.rtsp()}", f"protocols={protocol}",
                           "latency=100", "!", "rtph264depay", "!", "h264parse", "!", "fakesink",
                           f"num-buffers={buffers}"], capture_output=True, text=True, timeout=25 * SLOW, check=False)
    check(ended_itself(done), f"gst-launch-1.0 ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def gstreamer_over_tcp_and_udp():
    """A GStreamer client reads 60 pictures over TCP and over UDP"""
    with Daemon(config(more=SMALL)) as daemon:
        gstreamer(daemon, "tcp")
        gstreamer(daemon, "udp")


def viewer(daemon, seconds, transport="tcp"):
    return subprocess.Popen(["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", transport, "-i", daemon.rtsp(),
                             "-t", str(seconds), "-c", "copy", "-f", "null", "-"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def encodes_only_while_somebody_watches():
    """Nothing is encoded without a viewer, and no longer after the last one left"""
    need("ffmpeg")
    with Daemon(config(more=SMALL)) as daemon:
        wait_for(lambda: daemon.camera()["frames"] > 30, 5, "30 frames")
        check(daemon.camera()["encoded"] == 0, "pictures were encoded for nobody")
        watching = viewer(daemon, 30)
        wait_for(lambda: daemon.camera()["rtsp_viewers"] == 1 and daemon.camera()["encoded"] > 10, 15, "a viewer")
        watching.kill()
        watching.wait()
        wait_for(lambda: daemon.camera()["rtsp_viewers"] == 0, 15, "the viewer has left")
        time.sleep(0.5)
        before = daemon.camera()["encoded"]
        time.sleep(1)
        check(daemon.camera()["encoded"] == before, "pictures were encoded for nobody after the viewer left")


def two_viewers_cost_one_encoder():
    """Two viewers at once cost one encoder: pictures encoded do not outnumber frames"""
    need("ffmpeg")
    with Daemon(config(more=SMALL)) as daemon:
        viewers = [viewer(daemon, 60), viewer(daemon, 60, "udp")]
        try:
            wait_for(lambda: daemon.camera()["rtsp_viewers"] == 2, 20, "two viewers")
            first = daemon.camera()
            wait_for(lambda: daemon.camera()["frames"] >= first["frames"] + 90, 30, "90 frames")
            second = daemon.camera()
        finally:
            for watching in viewers:
                watching.kill()
                watching.wait()
        frames = second["frames"] - first["frames"]
        encoded = second["encoded"] - first["encoded"]
        # A second encoder would double them; a few may be those of frames captured before.
        check(encoded <= frames * 1.3 + 10, f"{encoded} pictures encoded of {frames} frames")
        dropped = second["dropped"]["rtsp"] - first["dropped"]["rtsp"]
        check(encoded + dropped >= frames * 0.9, f"only {encoded} pictures encoded of {frames} frames, {dropped} dropped")


def numbers_seen(daemon, seconds, transport):
    """Frame numbers that a viewer reads from the pictures, each with the time when it was read."""
    stream = json.loads(run("ffprobe", "-v", "error", "-rtsp_transport", transport, "-of", "json", "-show_streams",
                            daemon.rtsp()))["streams"][-1]
    size = (str(stream["width"]), str(stream["height"]))
    with subprocess.Popen(["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", transport, "-i", daemon.rtsp(), "-t", str(seconds), "-vsync", "0", "-f", "rawvideo", "-pix_fmt", "bgr0", "-"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as ffmpeg:
        with subprocess.Popen([TOOLS, "numbers", *size], stdin=ffmpeg.stdout, stdout=subprocess.PIPE,
                              text=True) as tool:
            ffmpeg.stdout.close()
            return [(time.monotonic(), line.strip()) for line in tool.stdout]


def pictures_carry_their_number():
    """The picture at the viewer carries the number of a frame just captured, and each number once"""
    need("ffmpeg", "ffprobe")
    if not os.access(TOOLS, os.X_OK):
        raise Skip("house-tool is not built")
    with Daemon(config(more=SMALL)) as daemon:
        records = Records(daemon)
        wait_for(lambda: records.records, 5, "records")
        before = daemon.camera()["last_frame"]
        seen = [number for _, number in numbers_seen(daemon, 3, "tcp")]
        after = daemon.camera()["last_frame"]
        check(len(seen) > 40, f"only {len(seen)} pictures")
        good = [int(number) for number in seen if number != "none"]
        check(len(good) >= 0.98 * len(seen), f"{len(seen) - len(good)} of {len(seen)} numbers cannot be read")
        check(all(b > a for a, b in zip(good, good[1:])), f"not ascending: {good}")
        check(before <= good[0] and good[-1] <= after, f"{good[0]}..{good[-1]} is not within {before}..{after}")
        # What a viewer misses is counted, however busy the machine is.
        missed = sum(b - a - 1 for a, b in zip(good, good[1:]))
        counted = sum(daemon.camera()["dropped"][place] for place in ("rtsp", "inference")) + len(seen) - len(good)
        check(missed <= counted, f"{missed} pictures are missing, {counted} are counted")
        records.check_whole()


def no_signal_pictures_while_lost():
    """A lost camera keeps the stream up: about five pictures a second until it is back"""
    need("ffmpeg")
    with Daemon(config("synthetic:gone=1", more=SMALL)) as daemon:
        watching = viewer(daemon, 60)
        try:
            wait_for(lambda: daemon.camera()["rtsp_viewers"] == 1, 15, "a viewer")
            wait_for(lambda: daemon.camera()["reopened"] >= 2, 15, "two losses")
            check(watching.poll() is None, "the viewer lost the stream")
            check(daemon.camera()["rtsp_viewers"] == 1, "the viewer lost the stream")
        finally:
            watching.kill()
            watching.wait()
        log = daemon.log()
        check("lost: " in log and "delivers frames again" in log, log)
    # One that never was there: only cards.
    with Daemon(config("/dev/video-away"), wait_ready=False) as daemon:
        wait_for(lambda: "rtsp://" in daemon.log() and "http://" in daemon.log(), 5, "addresses")
        watching = viewer(daemon, 60)
        try:
            wait_for(lambda: daemon.camera()["rtsp_viewers"] == 1, 15, "a viewer")
            first = daemon.camera()["encoded"]
            time.sleep(3)
            cards = daemon.camera()["encoded"] - first
        finally:
            watching.kill()
            watching.wait()
        check(8 <= cards <= 17, f"{cards} cards in 3 s")
        check(daemon.camera()["frames"] == 0, "records were made of cards")


def ends_with_viewers():
    """SIGTERM ends the service within 2 s while viewers watch"""
    need("ffmpeg")
    with Daemon(config(more=SMALL)) as daemon:
        viewers = [viewer(daemon, 60), viewer(daemon, 60, "udp")]
        try:
            wait_for(lambda: daemon.camera()["rtsp_viewers"] == 2, 20, "two viewers")
            records = Records(daemon)
            wait_for(lambda: records.records, 5, "records")
            code, seconds = daemon.stop()
            print(f"# in {seconds:.2f} s")
        finally:
            for watching in viewers:
                watching.kill()
                watching.wait()
        check(code == 0, f"status {code}: {daemon.log()}")


if __name__ == "__main__":
    run_tests([ffprobe_over_tcp, ffprobe_over_udp, gstreamer_over_tcp_and_udp, encodes_only_while_somebody_watches,
               two_viewers_cost_one_encoder, pictures_carry_their_number, no_signal_pictures_while_lost,
               ends_with_viewers])
