"""A thermal and a visible camera on one rig, whose registration is known: pairing, mapping, losses, calibration."""
import glob
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import (DAEMON, MODELS, SLOW, TOOLS, Daemon, Records, Skip, check, have_models, need,  # noqa: E402
                   run_tests, wait_for)

CLI = os.environ["TF_THERMOFACE"]
THERMAL = ("synthetic:seed=3,clock=1", 320, 240)
VISIBLE = ("synthetic:kind=visible,seed=3,clock=1,zoom=0.9,turn=5,shift_x=20,shift_y=-8", 480, 360)
FPS = 10
PATIENCE = 60  # seconds: a machine that is busy with something else is no error
STAMPS = [10 ** 9 * second for second in range(100, 160, 7)]


def place():
    return tempfile.TemporaryDirectory(prefix="tf-pair-")


def thermoface(*arguments):
    return subprocess.run([CLI, *arguments], capture_output=True, text=True, timeout=120 * SLOW, check=False,
                          env=dict(os.environ, TF_MODELS=MODELS))


def truth(camera, stamps):
    """The subject's 68 points in a camera's picture at given stamps."""
    url, width, height = camera
    text = subprocess.run([TOOLS, "at", url, str(width), str(height)], input="\n".join(map(str, stamps)),
                          capture_output=True, text=True, check=True, timeout=60 * SLOW).stdout
    return [json.loads(line) for line in text.splitlines()]


def mapped(matrix, x, y):
    u, v, w = (row[0] * x + row[1] * y + row[2] for row in matrix)
    return u / w, v / w


def sizes():
    return ["--thermal-size", f"{THERMAL[1]}x{THERMAL[2]}", "--visible-size", f"{VISIBLE[1]}x{VISIBLE[2]}"]


def map_error(path):
    """Mean error of a calibration where faces are, in eye distances."""
    with open(path, encoding="utf-8") as file:
        matrix = json.load(file)["matrix"]
    errors = []
    for ours, theirs in zip(truth(THERMAL, STAMPS), truth(VISIBLE, STAMPS)):
        eyes = math.dist(ours[36], ours[45])
        errors += [math.dist(mapped(matrix, *q), p) / eyes for p, q in zip(ours, theirs)]
    return sum(errors) / len(errors)


def true_calibration(path):
    """From the truth itself, with points that are wrong among them."""
    generator = random.Random(7)
    with open(path + ".csv", "w", encoding="utf-8") as file:
        file.write("xt,yt,xv,yv\n")
        for ours, theirs in zip(truth(THERMAL, STAMPS), truth(VISIBLE, STAMPS)):
            for k in range(0, 68, 3):
                x, y = (generator.uniform(0, 300), generator.uniform(0, 230)) if generator.random() < 0.25 else ours[k]
                file.write(f"{x},{y},{theirs[k][0]},{theirs[k][1]}\n")
    done = thermoface("calibrate", "points", path + ".csv", *sizes(), "--model", "affine", "--output", path, "--json")
    check(done.returncode == 0, done.stderr)
    return json.loads(done.stdout)


def rig(pair, thermal=THERMAL, visible=VISIBLE, sections=""):
    def camera(name, about):
        return f"[camera {name}]\nsource={about[0]}\nwidth={about[1]}\nheight={about[2]}\nfps={FPS}\n"
    return (camera("thermal", thermal) + camera("visible", visible) +
            f"[pair rig]\nthermal=thermal\nvisible=visible\n{pair}\n"
            f"[inference]\nmodels={MODELS}\n[rtsp]\nport=0\n[http]\nport=0\n{sections}\n")


def needed():
    if not have_models() or not os.access(TOOLS, os.X_OK):
        raise Skip("no networks, or house-tool is not built")


def points_by_hand():
    """calibrate points finds a known homography exactly, with a third of the points wrong"""
    known = [[0.71, 0.06, -12], [-0.05, 0.68, 9], [1.2e-4, -0.8e-4, 1]]
    generator = random.Random(4)
    with place() as folder:
        with open(f"{folder}/p.csv", "w", encoding="utf-8") as file:
            file.write("xt,yt,xv,yv\n")
            for i in range(60):
                x, y = generator.uniform(0, 479), generator.uniform(0, 359)
                u, v = mapped(known, x, y)
                if i % 3 == 0:
                    u, v = generator.uniform(0, 319), generator.uniform(0, 239)
                file.write(f"{u:.6f},{v:.6f},{x:.6f},{y:.6f}\n")
        done = thermoface("calibrate", "points", f"{folder}/p.csv", *sizes(), "--output", f"{folder}/c.json", "--json")
        check(done.returncode == 0, done.stderr)
        answer = json.loads(done.stdout)
        check(answer["model"] == "homography" and 40 <= answer["used"] <= 42, answer)
        with open(f"{folder}/c.json", encoding="utf-8") as file:
            written = json.load(file)
        check(written["residual"]["used"] == answer["used"] and written["visible"]["width"] == 480, written)
        worst = max(math.dist(mapped(written["matrix"], x, y), mapped(known, x, y))
                    for x in (0, 240, 479) for y in (0, 180, 359))
        check(worst < 0.05 if answer["used"] == 40 else worst < 3, f"off by {worst} pixels")
        done = thermoface("calibrate", "points", f"{folder}/p.csv", *sizes(), "--output", f"{folder}/c.json")
        check(done.returncode == 1 and "exists" in done.stderr, done)
        with open(f"{folder}/line.csv", "w", encoding="utf-8") as file:
            file.write("xt,yt,xv,yv\n" + "".join(f"{i},{2 * i},{3 * i},{i}\n" for i in range(20)))
        done = thermoface("calibrate", "points", f"{folder}/line.csv", *sizes(), "--output", f"{folder}/l.json")
        check(done.returncode == 1 and "line" in done.stderr and not os.path.exists(f"{folder}/l.json"), done)


def mapped_points_and_skew():
    """Mapped points lie where the truth is, the skew is the stamps' difference; calibrations from faces agree"""
    needed()
    with place() as folder:
        about = true_calibration(f"{folder}/true.json")
        check(about["used"] < about["points"], "the wrong points were taken")
        check(map_error(f"{folder}/true.json") < 0.002, "the truth's own calibration")
        os.mkdir(f"{folder}/sessions")
        text = rig(f"calibration={folder}/true.json\nuse=always\nmax-skew=300ms",
                   sections=f"[recording]\ndirectory={folder}/sessions\nfree-space-min=1\nannotated=no")
        with Daemon(text) as daemon:
            ours, theirs = Records(daemon, "thermal"), Records(daemon, "visible")
            post = urllib.request.Request(daemon.http() + "/record/start", method="POST",
                                          headers={"Content-Type": "application/json"},
                                          data=b'{"subject":"1","task":"rig"}')
            urllib.request.urlopen(post, timeout=PATIENCE * SLOW).close()
            wait_for(lambda: sum(bool(r["pair"] and r["faces"]) for r in list(ours.records)) >= 40, PATIENCE, "40 pairs")
            wait_for(lambda: theirs.records and theirs.records[-1]["t_mono_ns"] > ours.records[39]["t_mono_ns"], PATIENCE,
                     "the visible camera's records")
            done = thermoface("calibrate", "live", "--thermal", "thermal", "--visible", "visible", "--seconds", "4",
                              "--max-skew", "50", "--url", daemon.http(), "--output", f"{folder}/live.json")
            check(done.returncode == 0 and "residual" in done.stdout, done)
            picture = daemon.get("/snapshot.png?pair=rig", PATIENCE)
            check(picture.startswith(b"\x89PNG\r\n\x1a\n"), "no picture of the pair")
            width = int.from_bytes(picture[16:20], "big")
            check(width >= 712 + 640, f"{width} pixels are not two pictures")
            if subprocess.call("command -v ffprobe >/dev/null", shell=True) == 0:
                done = subprocess.run(["ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries",
                                       "stream=width", "-of", "csv=p=0", daemon.rtsp("rig")], capture_output=True,
                                      text=True, timeout=60 * SLOW, check=False)
                check(done.stdout.strip() == str(width), done)
            state = next(c for c in json.loads(daemon.get("/state"))["cameras"] if c["camera"] == "thermal")
            check(state["pair"]["camera"] == "visible" and state["pair"]["calibrated"], state["pair"])
            check(state["pair"]["with"] >= 40 and state["pair"]["visible_faces"] >= 40, state["pair"])
            check(state["pair"]["with"] + state["pair"]["without"] == state["frames"], f"{state['pair']} of {state['frames']}")
            metrics = daemon.get("/metrics").decode()
            for sample in ('thermoface_pair_frames_total{camera="thermal",partner="visible",paired="yes"} ',
                           'thermoface_pair_visible_faces_total{camera="thermal"} ', 'thermoface_pair_skew_seconds{camera="thermal"} '):
                check(sample in metrics, f"no {sample}")
            check('thermoface_pair_skew_seconds{camera="visible"}' not in metrics, "the visible camera has no skew")
            daemon.stop(limit=PATIENCE)
        stamps = {r["frame"]: r["t_mono_ns"] for r in theirs.records}
        seen = [r for r in ours.records if r["pair"] and r["pair"]["frame"] in stamps]
        check(len(seen) >= 30, f"{len(seen)} pairs whose partner is known")
        for record in seen:
            skew = (stamps[record["pair"]["frame"]] - record["t_mono_ns"]) / 1000
            check(abs(skew - record["pair"]["skew_us"]) <= 1, f"{record['pair']} is {skew} us off")
            check(abs(skew) <= 300000 and record["pair"]["camera"] == "visible", record["pair"])
        faces = [(r, r["faces"][0]) for r in seen if r["faces"] and "points_visible" in r["faces"][0]]
        check(len(faces) >= 0.8 * len(seen), f"{len(faces)} of {len(seen)} have the other camera's points")
        check(all(f["points_from"] == "visible" and len(f["points"]) in (0, 68) for _, f in faces), "whose points?")
        known = truth(THERMAL, [stamps[r["pair"]["frame"]] for r, _ in faces])
        errors = sorted(sum(math.dist(p[:2], q) for p, q in zip(f["points_visible"], real)) / 68 /
                        math.dist(real[36], real[45]) for (_, f), real in zip(faces, known))
        noses = sorted(f["regions"]["nose_tip"]["median"] for _, f in faces if f["regions"]["nose_tip"]["n"])
        print(f"# mapped points: median error {100 * errors[len(errors) // 2]:.1f} % of the eye distance")
        check(errors[len(errors) // 2] < 0.12, f"mapped points are off by {errors[len(errors) // 2]:.3f} eye distances")
        check(noses and 28 < noses[len(noses) // 2] < 36, f"nose tips of {noses[:3]} °C")
        # The recording's two kinds of files, and the live stream, give about the same map again.
        def recorded(what):
            return [glob.glob(f"{folder}/sessions/**/*recording-{camera}_{what}", recursive=True)[0]
                    for camera in ("thermal", "visible")]
        done = thermoface("calibrate", "faces", *recorded("frames.ndjson"), *sizes(), "--max-skew", "50", "--output",
                          f"{folder}/records.json")
        check(done.returncode == 0, done)
        done = thermoface("calibrate", "faces", *recorded("video.mkv"), "--thermal-format", "centikelvin", "--max-skew",
                          "50", "--output", f"{folder}/videos.json")
        check(done.returncode == 0, done)
        for name in ("live", "records", "videos"):
            error = map_error(f"{folder}/{name}.json")
            print(f"# calibrated from {name}: {100 * error:.1f} % of the eye distance where faces are")
            check(error < 0.12, f"{name}: off by {error:.3f} eye distances")


def lost_partner():
    """A face that only the visible camera sees is measured; when that camera falls silent, records go on alone"""
    needed()
    with place() as folder:
        true_calibration(f"{folder}/true.json")
        thermal = (THERMAL[0] + ",empty=1",) + THERMAL[1:]
        visible = (VISIBLE[0] + ",stall=6",) + VISIBLE[1:]
        text = rig(f"calibration={folder}/true.json\nmax-skew=1s\npicture=picture-in-picture", thermal, visible)
        with Daemon(text) as daemon:
            records = Records(daemon, "thermal")
            wait_for(lambda: any(r["faces"] for r in list(records.records)), PATIENCE, "a face through the other camera")
            record = next(r for r in records.records if r["faces"])
            face = record["faces"][0]
            check(record["state"] == "ok" and record["pair"]["camera"] == "visible", record["state"])
            check(face["points"] == [] and face["points_from"] == "visible", face["points"])
            check(len(face["points_visible"]) == 68 and face["regions"]["cheek_left"]["n"] > 0, "no regions")
            wait_for(lambda: len(records.records) > 30 and all(r["pair"] is None for r in records.records[-15:]), PATIENCE,
                     "records without a pair")
            check(all(not r["faces"] for r in records.records[-15:]), "faces of a camera that is silent")
            records.check_whole()
            ids = {r["faces"][0]["id"] for r in records.records if r["faces"]}
            check(len(ids) <= 2, f"the face's id is not steady: {ids}")
            check(daemon.get("/snapshot.png?pair=rig", PATIENCE).startswith(b"\x89PNG\r\n\x1a\n"), "no picture of one camera")
            code, _ = daemon.stop(limit=PATIENCE)
            check(code == 0, f"status {code}")


def wrong_calibrations():
    """A calibration that cannot be right is refused with file and line; one of another size maps nothing"""
    needed()
    with place() as folder:
        true_calibration(f"{folder}/true.json")
        with open(f"{folder}/true.json", encoding="utf-8") as file:
            good = json.load(file)
        wrong = {"singular": dict(good, matrix=[[1, 0, 0], [2, 0, 0], [0, 0, 1]]),
                 "horizon": dict(good, model="homography", matrix=[[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]]),
                 "short": dict(good, matrix=[[1, 0, 0]]),
                 "size": dict(good, visible={"width": 0, "height": 360}),
                 "unknown error": {k: v for k, v in good.items() if k != "residual"},
                 "another file": {"cameras": []}}
        for name, content in wrong.items():
            with open(f"{folder}/bad.json", "w", encoding="utf-8") as file:
                json.dump(content, file)
            with open(f"{folder}/bad.conf", "w", encoding="utf-8") as file:
                file.write(rig(f"calibration={folder}/bad.json"))
            done = subprocess.run([DAEMON, "--config", f"{folder}/bad.conf", "--check-config"], capture_output=True,
                                  text=True, timeout=30 * SLOW, check=False)
            check(done.returncode != 0 and "bad.conf:14: " in done.stderr and "bad.json" in done.stderr,
                  f"{name}: {done}")
        other = dict(good, thermal={"width": 640, "height": 480})
        with open(f"{folder}/other.json", "w", encoding="utf-8") as file:
            json.dump(other, file)
        with Daemon(rig(f"calibration={folder}/other.json\nuse=always\nmax-skew=200ms\npicture=none")) as daemon:
            records = Records(daemon, "thermal")
            wait_for(lambda: sum(bool(r["pair"] and r["faces"]) for r in list(records.records)) >= 5, PATIENCE, "5 pairs")
            check(all("points_visible" not in f and f["points_from"] == "thermal"
                      for r in records.records for f in r["faces"]), "points were mapped")
            check("calibrate again" in daemon.log(), daemon.log())


if __name__ == "__main__":
    need("true")
    run_tests([points_by_hand, mapped_points_and_skew, lost_partner, wrong_calibrations])
