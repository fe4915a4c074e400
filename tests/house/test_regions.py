"""A laboratory's own regions: offline and in the service, against raw pixels, and what is refused."""
import base64
import csv
import gzip
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import DAEMON, SLOW, Daemon, Records, check, config, need, run_tests, wait_for  # noqa: E402
import recompute  # noqa: E402

CLI = os.environ["TF_THERMOFACE"]
MODELS = os.environ["TF_HOUSE_MODELS"]
OWN = """[region temple_right]
coordinates=face
shape=circle -0.7,-0.1,0.1
[region patch]
coordinates=face
shape=polygon -0.3,0.3 -0.1,0.3
corners=-0.1,0.5 -0.3,0.5
[region strip]
coordinates=face
shape=rectangle -0.25,0.6,0.5,0.2
[region wall]
shape=rectangle 2,3,20,10
[region corner]
shape=polygon 100,140 119,140 110.5,158
[region spot]
shape=circle 20.25,120,6
[region beyond]
shape=circle 0,80,8
[region tiny]
shape=rectangle 60,80,2,2
"""
FACE, AREAS = ["temple_right", "patch", "strip"], ["wall", "corner", "spot", "beyond", "tiny"]
FIELDS = ["mean", "median", "min", "max", "sd", "n", "valid", "mean_corrected", "excluded", "why"]


def thermoface(*arguments, status=0):
    done = subprocess.run([CLI, *arguments], capture_output=True, text=True, timeout=120 * SLOW, check=False,
                          env=dict(os.environ, TF_MODELS=MODELS))
    check(done.returncode == status, f"{arguments}: {done.returncode}: {done.stderr}")
    return done


def records_of(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def rows_of(path, delimiter=","):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def write(folder, name, text):
    path = f"{folder}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def face_axes(points):
    """Origin and unit vectors of face coordinates, from 68 points."""
    eyes = [(p[0], p[1]) for p in points[36:48]]
    origin = [sum(p[i] for p in eyes[:6]) / 12 + sum(p[i] for p in eyes[6:]) / 12 for i in (0, 1)]
    right = (points[45][0] - points[36][0], points[45][1] - points[36][1])
    return origin, right


def measured_from_raw_pixels():
    """run --regions: every value again from the recording's pixels, and outlines that follow the face"""
    need("ffmpeg", "ffprobe")
    with tempfile.TemporaryDirectory(prefix="tf-own-") as folder:
        thermoface("sample", f"{folder}/s.mkv", "--seconds", "3", "--source", "synthetic:seed=5")
        regions = write(folder, "own.ini", OWN)
        thermoface("run", f"{folder}/s.mkv", "--format", "lepton3-y16", "--rotate", "90", "--regions", regions,
                   "--ndjson", f"{folder}/r.ndjson", "--csv", f"{folder}/r.csv", "--outlines", "--quiet")
        pictures, records = recompute.decode(f"{folder}/s.mkv"), records_of(f"{folder}/r.ndjson")
        wrong, places = [], set()
        for record in records:
            picture = recompute.upright(pictures[record["frame"]], 90)
            check(list(record["areas"]) == AREAS, f"{list(record['areas'])}")
            check(list(record)[-2:] == ["areas", "clock"], f"the record ends with {list(record)[-2:]}")
            for face in record["faces"]:
                check(list(face["regions"])[12:] == FACE, f"{list(face['regions'])}")
                (x, y), (rx, ry) = face_axes(face["points"])
                for (ax, ay), (u, v) in zip(face["regions"]["patch"]["outline"],
                                            [(-.3, .3), (-.1, .3), (-.1, .5), (-.3, .5)]):
                    # Points are written to 1/100 pixel, outlines lie on a grid of 1/32.
                    check(math.hypot(ax - (x + u * rx - v * ry), ay - (y + u * ry + v * rx)) < 0.06, f"{ax} {ay}")
                places.add(tuple(map(tuple, face["regions"]["patch"]["outline"])))
            for name, region in [*record["areas"].items(), *((n, f["regions"][n]) for f in record["faces"] for n in FACE)]:
                wrong += [f"{record['frame']} {name}: {w}"
                          for w in recompute.compare(picture, region, 0.01, -273.15)]
        check(not wrong, f"{wrong[:5]}")
        check(len(places) > 3, "the region does not follow the face")
        first = records[0]["areas"]
        check(first["wall"]["n"] == 200 and first["wall"]["valid"] and first["wall"]["outline"][0] == [1.5, 2.5], f"{first['wall']}")
        check(first["beyond"]["why"] == ["outside"] and not first["beyond"]["valid"], f"{first['beyond']}")
        check(first["tiny"]["why"] == ["few_pixels"] and first["tiny"]["n"] == 4, f"{first['tiny']}")
        for row, record in zip(rows_of(f"{folder}/r.csv"), records):
            check(list(row)[-80:] == [f"{n}_{f}" for n in FACE + AREAS for f in FIELDS], f"{list(row)[-80:]}")
            for name in AREAS:
                check(row[f"{name}_mean"] and float(row[f"{name}_mean"]) == record["areas"][name]["mean"], name)
                check(row[f"{name}_why"] == " ".join(record["areas"][name]["why"]), name)
            for name in FACE:
                value = record["faces"][0]["regions"][name]["mean"] if record["faces"] else ""
                check(row[f"{name}_mean"] == (f"{value:.3f}".rstrip("0").rstrip(".") if value != "" else "")
                      or float(row[f"{name}_mean"]) == value, name)


def nothing_where_none_are():
    """without regions the outputs have nothing of them; with regions all else is the same, byte for byte"""
    with tempfile.TemporaryDirectory(prefix="tf-own-") as folder:
        thermoface("sample", f"{folder}/s.mkv", "--seconds", "1")
        common = ("run", f"{folder}/s.mkv", "--format", "lepton3-y16", "--rotate", "90", "--quiet")
        regions = write(folder, "own.ini", OWN)
        thermoface(*common, "--ndjson", f"{folder}/a.ndjson", "--csv", f"{folder}/a.csv")
        thermoface(*common, "--ndjson", f"{folder}/b.ndjson", "--csv", f"{folder}/b.csv", "--regions", regions)
        for a, b in zip(records_of(f"{folder}/a.ndjson"), records_of(f"{folder}/b.ndjson")):
            check("areas" not in a and len(a["faces"][0]["regions"]) == 12, "regions from nowhere")
            del b["areas"]
            for face in b["faces"]:
                for name in FACE:
                    del face["regions"][name]
            check({**a, "t_utc": 0, "t_mono_ns": 0} == {**b, "t_utc": 0, "t_mono_ns": 0}, "something else changed")
        for a, b in zip(rows_of(f"{folder}/a.csv"), rows_of(f"{folder}/b.csv")):
            check(list(b)[:len(a)] == list(a) and len(b) == len(a) + 80, "columns moved")
        # Of another camera: as if there were none.
        other = write(folder, "other.ini", OWN.replace("\nshape", "\ncamera=elsewhere\nshape"))
        thermoface(*common, "--csv", f"{folder}/c.csv", "--regions", other)
        with open(f"{folder}/a.csv", encoding="utf-8") as a, open(f"{folder}/c.csv", encoding="utf-8") as c:
            check(a.readline() == c.readline(), "columns of another camera")


REFUSED = [
    ("[region forehead]\nshape=circle 1,2,3\n", 2, "already"),
    ("[region frames]\nshape=circle 1,2,3\n", 2, "already"),
    ("[region <script>]\nshape=circle 1,2,3\n", 2, "not a name"),
    ("[region ../../etc]\nshape=circle 1,2,3\n", 2, "not a name"),
    ("[region Nose]\nshape=circle 1,2,3\n", 2, "not a name"),
    ("[region 1st]\nshape=circle 1,2,3\n", 2, "not a name"),
    ("[region " + "a" * 33 + "]\nshape=circle 1,2,3\n", None, "32"),
    ("[region]\nshape=circle 1,2,3\n", 1, "no name"),
    ("[region a]\n", 1, "no shape"),
    ("[region a]\nshape=circle 1,2,3\n[region a]\nshape=circle 1,2,3\n", 3, "second"),
    ("[region a]\nshape=square 1,2,3\n", 2, "rectangle X,Y,W,H"),
    ("[region a]\nshape=circle 1,2\n", 2, "circle X,Y,R"),
    ("[region a]\nshape=circle 1,2,3,4\n", 2, "circle X,Y,R"),
    ("[region a]\nshape=circle 1,2,nan\n", 2, "circle X,Y,R"),
    ("[region a]\nshape=circle 1,2,0x10\n", 2, "circle X,Y,R"),
    ("[region a]\nshape=circle 1,2,1e30\n", 2, "circle X,Y,R"),
    ("[region a]\nshape=circle 1,2,0\n", 2, "no inside"),
    ("[region a]\nshape=rectangle 1,2,-3,4\n", 2, "no inside"),
    ("[region a]\nshape=polygon 1,2 3,4\n", 2, "3 to 24"),
    ("[region a]\nshape=polygon 1,2 1,4 1,9\n", 2, "no inside"),
    ("[region a]\nshape=polygon " + "1,2 3,4 5,9 " * 8 + "\ncorners=1,1\n", 2, "24 corners"),
    ("[region a]\nshape=circle 1,2,3\ncorners=1,1\n", 3, "only a polygon"),
    ("[region a]\nshape=circle 5000,2,3\n", 2, "beyond 4096"),
    ("[region a]\ncoordinates=face\nshape=circle 50,2,3\n", 3, "beyond 20"),
    ("[region a]\ncoordinates=eyes\nshape=circle 1,2,3\n", 2, "pixels or face"),
    ("[region a]\nshape=circle 1,2,3\ncolour=red\n", 3, "unknown key"),
    ("".join(f"[region r{i}]\nshape=circle 1,2,3\n" for i in range(17)), 33, "more than 16"),
]


def refused_with_file_and_line():
    """names, shapes and numbers that cannot be: what, in which file and line"""
    with tempfile.TemporaryDirectory(prefix="tf-own-") as folder:
        for text, line, words in REFUSED:
            path = write(folder, "own.ini", text)
            said = thermoface("run", "no.mkv", "--csv", f"{folder}/x.csv", "--regions", path, status=2).stderr
            check(words in said and (line is None or f"{path}:{line}:" in said), f"{text!r}: {said}")
            path = write(folder, "whole.conf", config() + text)
            done = subprocess.run([DAEMON, "--config", path, "--check-config"], capture_output=True, text=True,
                                  timeout=20 * SLOW, check=False, env=dict(os.environ, TF_MODELS=MODELS))
            offset = config().count("\n")
            check(done.returncode != 0 and words in done.stderr, f"{text!r}: {done.returncode} {done.stderr}")
            check(line is None or f":{line + offset}:" in done.stderr, f"{text!r}: {done.stderr}")
        said = thermoface("run", "no.mkv", "--csv", "x.csv", "--regions", write(folder, "e.ini", ""), status=2).stderr
        check("no [region NAME]" in said, said)
        done = subprocess.run([DAEMON, "--config", write(folder, "c.conf", config() + "[region a]\nshape=circle 1,2,3\ncamera=other\n"),
                               "--check-config"], capture_output=True, text=True, timeout=20, check=False)
        check("there is no [camera other]" in done.stderr, done.stderr)


def ask(daemon, path, body=None, method=None, login=None, kind="application/json"):
    request = urllib.request.Request(daemon.http() + path, method=method or ("GET" if body is None else "PUT"),
                                     data=None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode())
    if body is not None:
        request.add_header("Content-Type", kind)
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=20 * SLOW) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def service(folder, sections):
    return config(url="synthetic:seed=5,clock=1,size=160x120,fps=9", more="rotate=0",
                  sections=f"[recording]\ndirectory={folder}\nfree-space-min=1\n{sections}")


def in_a_session():
    """the service: /landmarks, /state, a session's tables and descriptions, and the same again by thermoface run"""
    with tempfile.TemporaryDirectory(prefix="tf-own-") as folder:
        with Daemon(service(folder, OWN)) as daemon:
            reader = Records(daemon)
            wait_for(lambda: any(r["faces"] for r in reader.records), 20, "a face")
            record = [r for r in list(reader.records) if r["faces"]][-1]
            check(list(record["areas"]) == AREAS and "temple_right" in record["faces"][0]["regions"], f"{record}")
            own = daemon.camera()["own_regions"]
            check(list(own) == FACE + AREAS and own["wall"]["of"] == "picture" and own["wall"]["valid"]
                  and isinstance(own["wall"]["mean"], float), f"{own}")
            status, answer = ask(daemon, "/record/start", {"subject": "1", "task": "t"}, "POST")
            check(status == 200, f"{answer}")
            time.sleep(2.5)
            status, answer = ask(daemon, "/regions", {"regions": []})
            check(status == 409 and "recorded" in answer["error"], f"{status} {answer}")
            ask(daemon, "/record/stop", {}, "POST")
            status, answer = ask(daemon, "/regions", {"regions": []})
            check(status == 200 and answer["regions"] == [], f"{status} {answer}")
            daemon.stop()
        beh = f"{folder}/sub-1/beh"
        stem = f"{beh}/sub-1_task-t_run-1_recording-cam"
        with open(f"{stem}_video.json", encoding="utf-8") as file:
            described = json.load(file)["OwnRegions"]
        check([r["name"] for r in described] == FACE + AREAS and described[1]["polygon"][2] == [-0.1, 0.5], f"{described}")
        signals = rows_of(f"{stem}_signals.tsv", "\t")
        check(list(signals[0])[-80:] == [f"{n}_{f}" for n in FACE + AREAS for f in FIELDS], "columns of signals")
        check(all(float(row["wall_mean"]) > 0 and row["wall_valid"] == "1" for row in signals), "wall in signals")
        with open(f"{stem}_signals.json", encoding="utf-8") as file:
            texts = json.load(file)
        check(set(texts) == set(signals[0]), f"{set(texts) ^ set(signals[0])}")
        with open(f"{stem}_physio.json", encoding="utf-8") as file:
            physio = json.load(file)
        check(physio["Columns"][-9:] == ["frames"] + FACE + AREAS, f"{physio['Columns']}")
        with gzip.open(f"{stem}_physio.tsv.gz", "rt") as file:
            samples = [line.rstrip("\n").split("\t") for line in file]
        check(all(len(s) == len(physio["Columns"]) for s in samples), "cells of physio")
        wall = physio["Columns"].index("wall")
        check(any(float(s[wall]) > 0 for s in samples if s[wall] != "n/a"), "wall in physio")
        thermoface("verify", folder)
        thermoface("run", folder, "--output", f"{folder}/again", "--no-video", "--quiet")
        for name in ("frames.csv", "frames.ndjson", "signals.tsv", "physio.tsv.gz"):
            with open(f"{stem}_{name}", "rb") as a, open(f"{folder}/again/sub-1/beh/{os.path.basename(stem)}_{name}", "rb") as b:
                check(a.read() == b.read(), f"{name} is not the same again")
        thermoface("run", folder, "--output", f"{folder}/others", "--no-video", "--quiet", "--regions",
                   write(folder, "o.ini", "[region other]\nshape=circle 30,30,5\n"))
        row = rows_of(f"{folder}/others/sub-1/beh/{os.path.basename(stem)}_frames.csv")[0]
        check("other_mean" in row and "wall_mean" not in row, "--regions replaces a session's")


BODIES = [
    (b"", 400), (b"[]", 400), (b"{}", 400), (b"{\"regions\":{}}", 400), (b"{\"regions\":[3]}", 400), (b"nonsense", 400),
    ({"regions": [{"name": "a"}]}, 400),
    ({"regions": [{"name": "a", "circle": [1, 2]}]}, 400),
    ({"regions": [{"name": "a", "circle": [1, 2, "3"]}]}, 400),
    ({"regions": [{"name": "a", "circle": [1, 2, 3], "rectangle": [1, 2, 3, 4]}]}, 400),
    ({"regions": [{"name": "a", "circle": [1, 2, 3], "colour": "red"}]}, 400),
    ({"regions": [{"name": "a", "polygon": [[1, 2], [3, 4], [5]]}]}, 400),
    ({"regions": [{"name": "a", "polygon": [[i, i * i % 7] for i in range(25)]}]}, 400),
    ({"regions": [{"name": "<script>alert(1)</script>", "circle": [1, 2, 3]}]}, 400),
    ({"regions": [{"name": "a\nb", "circle": [1, 2, 3]}]}, 400),
    ({"regions": [{"name": "x" * 5000, "circle": [1, 2, 3]}]}, 400),
    ({"regions": [{"name": "mouth", "circle": [1, 2, 3]}]}, 400),
    ({"regions": [{"name": "a", "camera": "none", "circle": [1, 2, 3]}]}, 400),
    ({"regions": [{"name": "a", "circle": [1, 2, 3]}, {"name": "a", "circle": [1, 2, 3]}]}, 400),
    ({"regions": [{"name": f"r{i}", "circle": [9, 9, 3]} for i in range(17)]}, 400),
    ({"regions": [], "more": 1}, 400),
    ({"regions": [{"name": "a", "circle": [1, 2, 3]}], "pad": "x" * 20000}, 413),
]


def set_over_http():
    """GET and PUT /regions: taken at once, refused whole, by role; the configuration that would keep them"""
    with tempfile.TemporaryDirectory(prefix="tf-own-") as folder:
        for name, login in (("control", "lab:secret secret"), ("watch", "guest:looking")):
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                file.write(login + "\n")
            os.chmod(f"{folder}/{name}", 0o600)
        text = config(url="synthetic:seed=5,clock=1,size=160x120,fps=9", http=f"port=0\ncredentials={folder}/control\nwatch-credentials={folder}/watch",
                      sections=OWN)
        lab, guest = "lab:secret secret", "guest:looking"
        with Daemon(text) as daemon:
            check(ask(daemon, "/regions")[0] == 401, "without a login")
            status, before = ask(daemon, "/regions", login=guest)
            check(status == 200 and [r["name"] for r in before["regions"]] == FACE + AREAS, f"{before}")
            check(ask(daemon, "/regions", before, login=guest)[0] == 403, "who may look may not set")
            check(ask(daemon, "/regions", before, "POST", lab)[0] == 405, "POST")
            check(ask(daemon, "/regions", before, login=lab, kind="text/plain")[0] == 415, "type")
            status, same = ask(daemon, "/regions", before, login=lab)
            check(status == 200 and same == before, f"{status} {same}")
            for body, expected in BODIES:
                status, answer = ask(daemon, "/regions", body, login=lab)
                check(status == expected and answer["error"], f"{str(body)[:80]}: {status} {answer}")
            check(ask(daemon, "/regions", login=lab)[1] == before, "something refused was taken")
            wanted = {"regions": [{"name": "neck", "camera": "cam", "coordinates": "face", "rectangle": [-0.5, 1.4, 1, 0.3]},
                                  {"name": "long_one", "coordinates": "pixels",
                                   "polygon": [[round(40 + 20 * math.cos(i * math.pi / 12), 3), round(40 + 20 * math.sin(i * math.pi / 12), 3)]
                                               for i in range(24)]}]}
            status, answer = ask(daemon, "/regions", wanted, login=lab)
            check(status == 200 and answer["regions"] == wanted["regions"], f"{status} {answer}")

            def told():
                state = json.loads(subprocess.run(["curl", "-s", "-u", lab, daemon.http() + "/state"], capture_output=True, check=True).stdout)
                return list(state["cameras"][0].get("own_regions", {})) == ["neck", "long_one"]
            wait_for(told, 10, "the new regions in /state")
            kept = f"{folder}/kept.conf"
            with open(kept, "w", encoding="utf-8") as file:
                file.write(config() + answer["configuration"])
            done = subprocess.run([DAEMON, "--config", kept, "--check-config"], capture_output=True, text=True, timeout=20, check=False,
                                  env=dict(os.environ, TF_MODELS=MODELS))
            check(done.returncode == 0, f"{done.stderr}\n{answer['configuration']}")
            # A body that is not sent by our own page.
            request = urllib.request.Request(daemon.http() + "/regions", data=b"{\"regions\":[]}", method="PUT",
                                             headers={"Content-Type": "application/json", "Origin": "http://evil.example",
                                                      "Authorization": "Basic " + base64.b64encode(lab.encode()).decode()})
            try:
                urllib.request.urlopen(request, timeout=10)
                check(False, "another origin may set regions")
            except urllib.error.HTTPError as error:
                check(error.code == 403, f"{error.code}")


def files_keep_their_columns():
    """a table that is being written: regions may move, and be neither added nor taken away"""
    with tempfile.TemporaryDirectory(prefix="tf-own-") as folder:
        with Daemon(config(url="synthetic:seed=5,clock=1,size=160x120,fps=9",
                           sections=f"[recording]\ncsv={folder}/t.csv\n[region wall]\nshape=rectangle 2,3,20,10\n")) as daemon:
            moved = {"regions": [{"name": "wall", "coordinates": "pixels", "rectangle": [50, 50, 10, 10]}]}
            check(ask(daemon, "/regions", moved)[0] == 200, "moved")
            status, answer = ask(daemon, "/regions", {"regions": []})
            check(status == 409 and "csv=" in answer["error"], f"{status} {answer}")
            wait_for(lambda: daemon.camera()["frames"] > 10, 10, "frames")
            daemon.stop()
        rows = rows_of(f"{folder}/t.csv")
        check({r["wall_n"] for r in rows if r["wall_n"]} == {"200", "100"}, f"{ {r['wall_n'] for r in rows} }")
        check(all(len(r) == len(rows[0]) and None not in r for r in rows), "a row with other columns")


run_tests([measured_from_raw_pixels, nothing_where_none_are, refused_with_file_and_line, in_a_session, set_over_http,
           files_keep_their_columns])
