"""Sessions of several boxes: two services in network namespaces of their own, and clocks that are 1000 s apart."""
import csv
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import DAEMON, MODELS, SLOW, Skip, check, config, run_tests, wait_for  # noqa: E402

CLI = os.environ["TF_THERMOFACE"]
SMALL = "width=160\nheight=120\nfps=10\nanalyse=no\npictures=no"
APART = 1000  # seconds between the boxes' CLOCK_MONOTONIC, where a time namespace can be had


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60 * SLOW, **more)


class Box:
    """A service in a network namespace of its own, joined to ours by a pair of interfaces, with a name of its own."""

    def __init__(self, number, folder, shift):
        self.number, self.folder = number, f"{folder}/box{number}"
        self.address = f"10.77.{number}.2"
        self.url = f"http://{self.address}:8080"
        os.mkdir(self.folder)
        with open(f"{self.folder}/login", "w", encoding="utf-8") as file:
            file.write("lab:secret\n")
        os.chmod(f"{self.folder}/login", 0o600)
        self.write()
        self.log_path = f"{self.folder}/log"
        clock = ["--time", f"--monotonic={shift}"] if shift else []
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--net", "--uts", *clock, "--fork", "--kill-child", "sh", "-c",
                 f'hostname box{number}; ip link set lo up; until ip addr add {self.address}/24 dev tf-in{number} 2>/dev/null; '
                 f'do sleep 0.05; done; ip link set tf-in{number} up; exec "$@"', "sh",
                 DAEMON, "--config", f"{self.folder}/conf"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(os.environ, TF_MODELS=MODELS))
        inner = wait_for(self.inner, 10, "the namespace")
        for words in (("ip", "link", "add", f"tf-out{number}", "type", "veth", "peer", "name", f"tf-in{number}"),
                      ("ip", "link", "set", f"tf-in{number}", "netns", str(inner)),
                      ("ip", "addr", "add", f"10.77.{number}.1/24", "dev", f"tf-out{number}"),
                      ("ip", "link", "set", f"tf-out{number}", "up")):
            done = run(*words)
            if done.returncode != 0:
                self.end()
                raise Skip(f"{' '.join(words)}: {done.stderr.strip()}")

    def write(self):
        text = config(more=SMALL, rtsp="enabled=no", http=f"address={self.address}\ncredentials={self.folder}/login",
                      sections=f"[recording]\ndirectory={self.folder}\nannotated=no\nfree-space-min=1\ntables=no")
        with open(f"{self.folder}/conf", "w", encoding="utf-8") as file:
            file.write(text)

    def inner(self):
        """What unshare has forked, once it is in a namespace of its own."""
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
                child = file.read().split()
            other = os.readlink(f"/proc/{child[0]}/ns/net") != os.readlink("/proc/self/ns/net")
            return int(child[0]) if other else None
        except (OSError, IndexError):
            if self.process.poll() is not None:
                raise Skip(f"no namespaces: {self.log().strip()}") from None
            return None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def table(self, ending):
        path = glob.glob(f"{self.folder}/sub-07/beh/*_{ending}")
        check(len(path) == 1, f"{path} in {self.folder}")
        with open(path[0], encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, delimiter="\t"))

    def end(self):
        self.process.kill()
        self.process.wait()


class Lab:
    """Two boxes and nobody else: this process has a network namespace of its own, too."""

    def __init__(self):
        self.boxes = []
        self.folder = tempfile.mkdtemp(prefix="tf-fleet-")
        with open(f"{self.folder}/login", "w", encoding="utf-8") as file:
            file.write("lab:secret\n")
        os.chmod(f"{self.folder}/login", 0o600)

    def __enter__(self):
        self.shift = APART if run("unshare", "--time", f"--monotonic={APART}", "--fork", "true").returncode == 0 else 0
        try:
            for number in (1, 2):
                self.boxes.append(Box(number, self.folder, self.shift if number == 2 else 0))
            for box in self.boxes:
                wait_for(lambda: "ready:" in box.log() or box.process.poll() is not None, 20, "ready")  # noqa: B023
                check(box.process.poll() is None, box.log())
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        for box in self.boxes:
            box.end()
            if kind and not issubclass(kind, Skip):
                print("# " + box.log().replace("\n", "\n# "))
        for number in (1, 2):
            run("ip", "link", "del", f"tf-out{number}")
        shutil.rmtree(self.folder, ignore_errors=True)

    def fleet(self, *words, urls=None):
        return run(CLI, "fleet", words[0], *(urls or [box.url for box in self.boxes]), *words[1:], "--credentials",
                   f"{self.folder}/login")


def both_record():
    """One command starts both, each with its own stamp; fleet.tsv of each has the other's clock, true within its error"""
    with Lab() as lab:
        done = lab.fleet("start", "--subject", "07", "--task", "stroop", "--json")
        check(done.returncode == 0, done.stderr + done.stdout)
        told = json.loads(done.stdout)
        check([one["record"]["state"] for one in told] == ["recording", "recording"], told)
        check([one["clock"]["host"] for one in told] == ["box1", "box2"], told)
        time.sleep(0.5)
        done = lab.fleet("status")
        check(done.returncode == 0 and "box1  recording" in done.stdout and "box2  recording" in done.stdout, done.stdout)
        done = lab.fleet("stop", "--json")
        check(done.returncode == 0, done.stderr + done.stdout)
        for box, other, sign in ((lab.boxes[0], lab.boxes[1], -1), (lab.boxes[1], lab.boxes[0], 1)):
            rows = box.table("fleet.tsv")
            check(len(rows) == 2, rows)
            for row in rows:
                check(row["box"] == f"box{other.number}" and row["session"] == "sub-07_task-stroop_run-1", row)
                off = int(row["offset_ns"]) - sign * lab.shift * 10**9
                check(abs(off) <= int(row["error_ns"]) < 50_000_000 * SLOW, f"{row}: off by {off} ns")
                check(abs(int(row["utc_difference_ns"])) <= int(row["error_ns"]) + 20_000_000 * SLOW, row)
            check(float(rows[0]["onset"]) < 0 < float(rows[1]["onset"]), rows)
            start = told[other.number - 1]["record"]["t_start_mono_ns"]
            check(all(int(row["t_start_mono_ns"]) == start for row in rows), f"{rows} {start}")
            mine = told[box.number - 1]["record"]["t_start_mono_ns"]
            check(abs(start + int(rows[0]["offset_ns"]) - mine) < 5_000_000_000 * SLOW, "the starts are far apart")
            verified = run(CLI, "verify", box.folder)
            check(verified.returncode == 0, verified.stdout + verified.stderr)
            with open(glob.glob(f"{box.folder}/sub-07/beh/*_manifest.sha256")[0], encoding="utf-8") as file:
                check("_fleet.tsv" in (text := file.read()) and "_fleet.json" in text, text)
            with open(f"{box.folder}/.bidsignore", encoding="utf-8") as file:
                check("*_fleet.*\n" in file.read(), "the validator is not told")


def a_box_that_cannot():
    """A box that is away, or records already, is said, and nothing is begun; --keep-going begins with the other"""
    with Lab() as lab:
        one, two = (box.url for box in lab.boxes)
        away = "http://10.77.1.9:8080"
        done = lab.fleet("start", "--subject", "07", "--task", "a", urls=[one, away])
        check(done.returncode == 1 and away in done.stderr and "nothing was started" in done.stderr, done.stderr)
        check("idle" in lab.fleet("status", urls=[one]).stdout, "it records")
        done = lab.fleet("start", "--subject", "07", "--task", "a", "--keep-going", urls=[one, away])
        check(done.returncode == 1 and "recording" in done.stdout and away in done.stderr, done.stdout + done.stderr)
        done = lab.fleet("start", "--subject", "07", "--task", "b")
        check(done.returncode == 1 and "is being recorded" in done.stderr and "nothing was started" in done.stderr,
              done.stderr)
        check("idle" in lab.fleet("status", urls=[two]).stdout, "the other one records")
        # One that refuses only when it is to begin: the folder of its recordings is gone.
        check(lab.fleet("stop", urls=[one]).returncode == 0, "stop")
        os.symlink("/nowhere", f"{lab.boxes[1].folder}/sub-09")
        done = lab.fleet("start", "--subject", "09", "--task", "c")
        check(done.returncode == 1 and two in done.stderr and "stopped again" in done.stderr, done.stderr)
        check("idle" in lab.fleet("status", urls=[one]).stdout, "the first one still records")
        done = lab.fleet("stop")
        check(done.returncode == 1 and done.stderr.count("nothing is being recorded") == 2, done.stderr)


def usage():
    """Wrong usage is status 2 and says what"""
    for words, part in ((("start", "http://a:1"), "--subject and --task"), (("begin", "http://a:1"), "start, stop or status"),
                        (("stop", "a:1"), "expected http://"), (("stop", "http://a:1", "http://a:1"), "named twice"),
                        (("status", "http://a:1", "--subject", "7"), "belong to start")):
        done = run(CLI, "fleet", *words)
        check(done.returncode == 2 and part in done.stderr, f"{words}: {done.returncode} {done.stderr}")


if __name__ == "__main__":
    if os.environ.get("TF_FLEET_INSIDE") is None:
        inside = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
        if run(*inside, "true").returncode == 0:
            os.environ["TF_FLEET_INSIDE"] = "yes"
            os.execvp("unshare", [*inside, sys.executable, *sys.argv])
    run("ip", "link", "set", "lo", "up") if os.environ.get("TF_FLEET_INSIDE") else None

    def permitted(test):
        def wrapped():
            if not os.environ.get("TF_FLEET_INSIDE"):
                raise Skip("network namespaces are not permitted here")
            test()
        wrapped.__doc__ = test.__doc__
        return wrapped

    run_tests([permitted(both_record), permitted(a_box_that_cannot), usage])
