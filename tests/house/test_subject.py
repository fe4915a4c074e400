"""The daemon on a synthetic subject whose landmarks and temperatures are known, read back over HTTP."""
import json
import math
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import MODELS, SLOW, TOOLS, Daemon, Records, Skip, check, config, have_models, need, run_tests, wait_for  # noqa: E402

WIDTH, HEIGHT, FPS = 320, 240, 15
CAMERA = f"width={WIDTH}\nheight={HEIGHT}\nfps={FPS}"


def truth(frames):
    text = subprocess.run([TOOLS, "truth", "synthetic", str(WIDTH), str(HEIGHT), str(FPS), str(frames)],
                          capture_output=True, text=True, check=True, timeout=60 * SLOW).stdout
    return {frame["sequence"]: frame["faces"][0] for frame in map(json.loads, text.splitlines())}


def landmarks_and_temperatures():
    """Landmarks lie on the subject, region temperatures are the subject's"""
    if not have_models() or not os.access(TOOLS, os.X_OK):
        raise Skip("no networks, or house-tool is not built")
    with Daemon(config(more=CAMERA)) as daemon:
        records = Records(daemon)
        wait_for(lambda: len(records.records) >= 60, 30, "60 records")
        daemon.stop()
        records.check_whole()
        seen = [r for r in records.records if r["state"] != "skipped"]
    known = truth(max(r["sequence"] for r in seen) + 1)
    found = [r for r in seen if r["state"] == "ok"]
    check(len(found) >= 0.9 * len(seen), f"{len(found)} of {len(seen)} frames have a face")
    errors, nose, forehead = [], [], []
    for record in found:
        face, real = record["faces"][0], known[record["sequence"]]
        check(len(face["points"]) == 68 and record["unit"] == "celsius", "not 68 points in °C")
        eyes = math.dist(real["points"][36], real["points"][45])
        errors.append(sum(math.dist(p[:2], q) for p, q in zip(face["points"], real["points"])) / 68 / eyes)
        for region, list_ in (("nose_tip", nose), ("forehead", forehead)):
            if face["regions"][region]["valid"]:
                list_.append(face["regions"][region]["median"] - real[region])
    errors.sort()
    nose.sort()
    forehead.sort()
    middle = errors[len(errors) // 2]
    print(f"# median error {100 * middle:.1f} % of the eye distance; nose {nose[len(nose) // 2]:+.2f} K, "
          f"forehead {forehead[len(forehead) // 2]:+.2f} K")
    check(middle < 0.15, f"median error {100 * middle:.1f} % of the eye distance")
    check(abs(nose[len(nose) // 2]) < 0.5, f"nose tip off by {nose[len(nose) // 2]:.2f} K")
    check(abs(forehead[len(forehead) // 2]) < 0.7, f"forehead off by {forehead[len(forehead) // 2]:.2f} K")
    check(len({r["faces"][0]["id"] for r in found}) <= 2, "the face's id is not steady")


def masks_bound_regions():
    """With a segmentation network, region temperatures are taken within its masks, and the picture shows them"""
    network = f"{MODELS}/segmentation.onnx"
    if not have_models() or not os.access(network, os.R_OK) or not os.access(TOOLS, os.X_OK):
        raise Skip("no networks, or house-tool is not built")
    inference = f"[inference]\nmodels={MODELS}\nsegmentation={network}\nregion-masks=yes\n"
    text = config("synthetic:still=1", more=CAMERA).replace(f"[inference]\nmodels={MODELS}\n", inference)
    with Daemon(text) as daemon:
        records = Records(daemon)
        wait_for(lambda: sum(r["state"] == "ok" for r in records.records) >= 20, 60, "20 records with a face")
        picture = daemon.get("/snapshot.png?camera=cam")
        daemon.stop()
        found = [r for r in records.records if r["state"] == "ok"]
    with Daemon(config("synthetic:still=1", more=CAMERA)) as daemon:
        records = Records(daemon)
        wait_for(lambda: sum(r["state"] == "ok" for r in records.records) >= 5, 60, "5 records with a face")
        daemon.stop()
        plain = [r for r in records.records if r["state"] == "ok"][-1]["faces"][0]["regions"]
    masked = found[-1]["faces"][0]["regions"]
    real = truth(1)[0]["nose_tip"]
    check(picture.startswith(b"\x89PNG"), "no picture")
    check(masked["nose_tip"]["valid"] and abs(masked["nose_tip"]["median"] - real) < 0.7, (masked["nose_tip"], real))
    check(masked["nose_tip"]["n"] != plain["nose_tip"]["n"] and masked["mouth"]["n"] < plain["mouth"]["n"],
          f"the mask changed nothing: {masked['mouth']} {plain['mouth']}")
    check(masked["forehead"]["valid"] and masked["cheek_left"]["valid"], masked)
    bad = Daemon(config(more=CAMERA).replace("[inference]\n", "[inference]\nregion-masks=yes\n"), wait_ready=False)
    with bad:
        bad.process.wait(30 * 4)
        check(bad.process.returncode not in (0, None), "region masks without a network were accepted")


def records_by_curl():
    """curl reads one record for each captured frame, also of damaged ones, and of none without a face"""
    need("curl")
    url = "synthetic:empty=1,corrupt=6"
    with Daemon(config(url, more=CAMERA + "\nanalyse=no")) as daemon:
        text = subprocess.run(["curl", "-sN", "-m", "4", f"{daemon.http()}/landmarks?camera=cam"],
                              capture_output=True, text=True, check=False, timeout=30 * SLOW).stdout
        lines = text.splitlines(keepends=True)
        records = [json.loads(line) for line in lines if line.endswith("\n")]
        check(len(records) >= 2 * FPS, f"{len(records)} records in 4 s")
        numbers = [r["frame"] for r in records]
        check(numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"holes: {numbers}")
        check({r["state"] for r in records} == {"no_face", "corrupt"}, {r["state"] for r in records})
        check(all(not r["faces"] for r in records), "faces in an empty picture")
        check(all(r["t_mono_ns"] < s["t_mono_ns"] for r, s in zip(records, records[1:])), "time does not ascend")


def pages():
    """/state, /metrics, /healthz and /snapshot.png agree with each other and with the camera's fate"""
    with Daemon(config("synthetic:gone=3", more=CAMERA + "\nanalyse=no")) as daemon:
        check(daemon.get("/healthz").strip() == b"ok", "not healthy")
        check(daemon.get("/snapshot.png?camera=cam").startswith(b"\x89PNG\r\n\x1a\n"), "no PNG")
        camera = daemon.camera()
        check(camera["state"] == "running" and camera["width"] == WIDTH and camera["unit"] == "celsius", camera)
        metrics = daemon.get("/metrics").decode()
        value = [float(line.split()[-1]) for line in metrics.splitlines()
                 if line.startswith("thermoface_frames_total{")]
        check(value and value[0] >= camera["frames"], f"{value} {camera['frames']}")
        wait_for(lambda: daemon.camera()["state"] == "lost", 10, "lost", every=0.02)
        wait_for(lambda: daemon.camera()["reopened"] >= 1, 10, "opened again")
        check(daemon.camera()["state"] == "running", "running again")


def slow_client_loses_alone():
    """A landmark client that does not read slows nobody; another gets every record"""
    import socket
    with Daemon(config(more=f"width={WIDTH}\nheight={HEIGHT}\nfps=60\nanalyse=no", http="port=0\nqueue=64K")) as daemon:
        host, port = daemon.http().split("//")[1].rsplit(":", 1)
        with socket.socket() as idle:
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            idle.connect((host, int(port)))
            idle.sendall(b"GET /landmarks?camera=cam HTTP/1.1\r\nHost: x\r\n\r\n")
            records = Records(daemon)
            time.sleep(4)
            n = records.check_whole()
            check(n > 200, f"{n} records in 4 s")
            camera = daemon.camera()
            check(camera["dropped"]["inference"] < 20, camera)
            code, _ = daemon.stop()
            check(code == 0, f"status {code}")


if __name__ == "__main__":
    run_tests([landmarks_and_temperatures, masks_bound_regions, records_by_curl, pages, slow_client_loses_alone])
