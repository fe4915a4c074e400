#!/usr/bin/python3
"""training/landmarks68.sh on made-up data: one command from data to a file that the C engine scores. Writes TAP.

    test_recipe.py THERMOFACE SOURCE
"""
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

THERMOFACE, SOURCE = sys.argv[1], Path(sys.argv[2])
missing = []
for module in ("numpy", "torch", "cv2", "onnx", "matplotlib"):
    try:
        __import__(module)
    except ImportError:
        missing.append(module)
if missing:
    print(f"1..0 # SKIP Python lacks {', '.join(missing)} (scripts/packages, group training)")
    sys.exit(0)
sys.dont_write_bytecode = True
sys.path[:0] = [str(Path(__file__).resolve().parent), str(SOURCE / "training")]
import madeup  # noqa: E402

count = failed = 0


def say(good, name, why=""):
    global count, failed
    count, failed = count + 1, failed + (not good)
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    for line in str(why).splitlines()[-12:] if not good else []:
        print(f"# {line}", flush=True)


def recipe(*arguments):
    return subprocess.run([str(SOURCE / "training" / "landmarks68.sh"), *arguments], capture_output=True, text=True, check=False)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


with tempfile.TemporaryDirectory(prefix="tf-recipe-") as folder:
    home = Path(folder)
    os.environ.update(TF_TRAINING_OUT=str(home / "out"), TF_SHARED=str(home / "shared"), OMP_WAIT_POLICY="PASSIVE")
    data = home / "shared" / "data"
    data.mkdir(parents=True)
    madeup.visible68(data / "visible68", {"train": 40, "val": 16})
    madeup.thermal6(data / "thermal6")
    shipped = SOURCE / "models" / "landmarks68.onnx"
    before = digest(shipped)

    r = recipe("--what")
    say(r.returncode == 2 and "usage: training/landmarks68.sh" in r.stderr, "an option that it has not is refused", r.stderr)
    r = recipe("--quick")
    model = home / "out" / "quick" / "landmarks68.onnx"
    say(r.returncode == 0 and model.is_file(), "from data to file in one command", r.stdout + r.stderr)
    r = subprocess.run([THERMOFACE, "eval", "visible68", data / "visible68" / "val.csv", "--images", data / "visible68" / "images",
                        "--model", model, "--json"], capture_output=True, text=True, check=False)
    score = json.loads(r.stdout) if r.returncode == 0 else {}
    # The shipped file: 3.2 %. A network that has learnt nothing is off by half an eye distance and more.
    say(score.get("images") == 16 and score["nme"] < 20, "the engine runs it, and it has learnt", r.stdout + r.stderr)
    say(digest(shipped) == before, "the shipped file is as it was")
print(f"1..{count}")
sys.exit(1 if failed else 0)
