#!/usr/bin/env python3
"""thermoface run on a data set in shares: --shard, --list, --merge; damaged, killed, doubled and changed work. Writes TAP.

    test_cluster.py THERMOFACE SOURCE plain|slurm

plain: processes beside each other. slurm: Debian's slurm-wlm in a network namespace of its own, with share/slurm.
"""
import glob
import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

THERMOFACE, SOURCE, WHICH = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3]
HOME = tempfile.TemporaryDirectory(prefix="tf-cluster-")
OPTIONS = ["--format", "lepton3-y16", "--rotate", "90"]
LIMIT = 240


class Skip(Exception):
    pass


def path(*parts):
    return os.path.join(HOME.name, *parts)


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def run(*arguments, status=0, cwd=None):
    done = subprocess.run([THERMOFACE, "run", *arguments], capture_output=True, text=True, timeout=LIMIT, check=False, cwd=cwd)
    check(done.returncode == status and "Sanitizer" not in done.stderr, f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}")
    return done


def tree(folder, hidden=False):
    """Name to digest, of every file."""
    found = {}
    for where, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if hidden or not f.startswith(".")]
        for name in names:
            with open(os.path.join(where, name), "rb") as file:
                found[os.path.relpath(os.path.join(where, name), folder)] = hashlib.sha256(file.read()).hexdigest()
    return found


def stamps(folder):
    return {name: os.stat(os.path.join(folder, name)).st_mtime_ns for name in tree(folder)}


def same(a, b):
    x, y = tree(a), tree(b)
    check(x == y, f"{a} and {b}: " + str(sorted(set(x.items()) ^ set(y.items()))[:6]))


def parts(folder):
    return glob.glob(f"{folder}/**/.part*", recursive=True, include_hidden=True) if sys.version_info >= (3, 11) else []


def listed(*arguments, shard="all/1"):
    return json.loads(run(*arguments, "--list", "--json", "--shard", shard).stdout)


def sample(name, seconds, seed=1):
    os.makedirs(os.path.dirname(name), exist_ok=True)
    done = subprocess.run([THERMOFACE, "sample", name, "--seconds", str(seconds), "--source", f"synthetic:seed={seed},fps=9"],
                          capture_output=True, text=True, timeout=LIMIT, check=False)
    check(done.returncode == 0, done.stderr)


_videos = []


def videos():
    """Eight recordings of different lengths in folders, two of one name, one damaged. Made once."""
    if not _videos:
        for i, seconds in enumerate([1, 3, 2, 1, 4, 1, 2]):
            sample(path("set", f"sub-{i % 3 + 1}", f"rec{i}.mkv"), seconds, i + 1)
        sample(path("set", "sub-9", "rec0.mkv"), 1, 20)
        with open(path("set/sub-2/rec1.mkv"), "rb") as file:
            head = file.read(3000)
        with open(path("set/sub-2/rec3x.mkv"), "wb") as file:
            file.write(head)
        _videos.append(path("set"))
    return _videos[0]


_single = []


def single():
    """What one process makes of it: the measure of all others."""
    if not _single:
        done = run(videos(), *OPTIONS, "--output", path("single"), "--jobs", "1", status=1)
        check("1 of 9 failed:\n  sub-2/rec3x.mkv" in done.stderr, done.stderr)
        check("rec3x.mkv: " in done.stderr and "truncated or damaged" in done.stderr, done.stderr)
        check(len(glob.glob(path("single/**/*_provenance.json"), recursive=True)) == 8, "the others were not made")
        _single.append(path("single"))
    return _single[0]


def shares():
    """Shares side by side make, byte for byte, what one process makes; the damaged one fails in its share alone"""
    before = single()
    processes = [subprocess.Popen([THERMOFACE, "run", videos(), *OPTIONS, "--output", path("shares"), "--shard", f"{k}/3",
                                   "--cpu", cpu], stderr=subprocess.PIPE, text=True)
                 for k, cpu in ((1, "generic"), (2, "avx2" if os.uname().machine == "x86_64" else "neon"), (3, "generic"))]
    said = [p.communicate(timeout=LIMIT)[1] for p in processes]
    check(sorted(p.returncode for p in processes) == [0, 0, 1], [p.returncode for p in processes])
    for process, text in zip(processes, said):
        check((process.returncode == 1) == ("rec3x" in text), text)
    same(before, path("shares"))
    check(not parts(path("shares")), "left-overs")
    # All of it again does nothing.
    old = stamps(path("shares"))
    for k in (1, 2, 3):
        done = run(videos(), *OPTIONS, "--output", path("shares"), "--shard", f"{k}/3", status=processes[k - 1].returncode)
        check("0 recordings, 0 frames" in done.stderr and "done before" in done.stderr, done.stderr)
    check(stamps(path("shares")) == old, "something was written")
    # More shares than recordings: those left over have nothing to do, which is no failure.
    done = run(videos(), *OPTIONS, "--output", path("shares"), "--shard", "40/40")
    check("share 40 of 40: nothing is in it" in done.stderr, done.stderr)


def lists():
    """--list: each recording in one share, shares balanced by frames, the same whatever is done already"""
    single()
    empty = [listed(videos(), *OPTIONS, "--output", path("nowhere"), shard=f"{k}/4") for k in (1, 2, 3, 4)]
    names = sorted(r["recording"] for share in empty for r in share["recordings"])
    check(len(names) == 9 and len(set(names)) == 9, names)
    loads = [sum(r["frames"] or 0 for r in share["recordings"]) for share in empty]
    check(sum(loads) == 9 * 15 and max(loads) - min(loads) <= 9, loads)
    check(all(share["loads"] == loads for share in empty), "loads")
    check({r["state"] for share in empty for r in share["recordings"]} == {"todo"}, "states")
    whole = listed(videos(), *OPTIONS, "--output", path("single"), shard="all/4")
    check([whole["done"], whole["todo"], whole["shards"], whole["shard"]] == [8, 1, 4, None], whole)
    for share in empty:
        for r in share["recordings"]:
            other = [x for x in whole["recordings"] if x["recording"] == r["recording"]]
            check(len(other) == 1 and other[0]["shard"] == r["shard"], other)
    text = run(videos(), *OPTIONS, "--output", path("single"), "--list", "--shard", "all/4").stdout
    check(re.search(r"^\d/4 +36  done    sub-2/rec4.mkv$", text, re.M) and "8 done, 1 to do" in text, text)
    check(not os.path.exists(path("nowhere")), "--list wrote something")


def wrong():
    """What is wrong is said: shares that there are not, nothing in it, options that do not go together"""
    os.makedirs(path("empty"))
    with open(path("empty.txt"), "w", encoding="utf-8") as file:
        file.write("# nothing\n\n")
    for words, status, text in (
            (["--shard", "0/3"], 2, "shares count from 1: an array of 3 tasks is 1-3"), (["--shard", "4/3"], 2, "no share 4 of 3"),
            (["--shard", "1/0"], 2, "1 to 100000"), (["--shard", "1/100001"], 2, "1 to 100000"), (["--shard", "99999999999999999999/3"], 2, "no share"),
            (["--shard", "1"], 2, "must be K/N"), (["--shard", "/3"], 2, "must be K/N"), (["--shard", "-1/3"], 2, "must be K/N"),
            (["--shard", "1/3x"], 2, "must be K/N"), (["--shard", "1/-3"], 2, "must be K/N"), (["--shard", "all/3"], 2, "only with --list"),
            (["--merge", "--shard", "1/3"], 2, "without --shard"), (["--merge", "--list"], 2, "one of them"), (["--json"], 2, "--list or --merge")):
        done = run(videos(), *OPTIONS, "--output", path("x"), *words, status=status)
        check(text in done.stderr and not done.stdout, f"{words}: {done.stderr}")
    check("no recorded session and no video" in run(path("empty"), "--output", path("x"), "--shard", "1/2", status=1).stderr, "empty")
    check("no input is in this list" in run(path("empty.txt"), "--output", path("x"), "--shard", "1/2", status=1).stderr, "empty list")
    check("--output FOLDER" in run(videos(), *OPTIONS, "--shard", "1/2", status=1).stderr, "no output")
    check(not os.path.exists(path("x")), "something was made")


def killed():
    """Killed in the middle: no half file under its name; the same again makes what is missing, and the same bytes"""
    before, out = single(), path("killed")
    process = subprocess.Popen([THERMOFACE, "run", videos(), *OPTIONS, "--output", out, "--jobs", "2", "--quiet"],
                               stderr=subprocess.DEVNULL)
    end = time.monotonic() + LIMIT
    while not glob.glob(f"{out}/*/*_provenance.json") and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    check(process.wait() == -signal.SIGKILL, "it was over before it was killed")
    there, whole = tree(out), tree(before)
    check(there and len(there) < len(whole) and all(whole[name] == digest for name, digest in there.items()), "half a file")
    about = listed(videos(), *OPTIONS, "--output", out)
    check(1 <= about["done"] < 8, about)
    old = stamps(out)
    done = run(videos(), *OPTIONS, "--output", out, status=1)
    check(f"{about['done']} done before" in done.stderr, done.stderr)
    same(before, out)
    check(not parts(out), parts(out))
    made = [name[:-len("_provenance.json")] for name in old if name.endswith("_provenance.json")]
    now = stamps(out)
    check(all(now[n] == t for n, t in old.items() if n.startswith(tuple(made))), "what was whole was made again")
    # Left-overs of other machines: young ones stay, for somebody may be at work; old ones go.
    young, aged = f"{out}/sub-1/.part-other.77.0", f"{out}/sub-1/.part-other.78.0"
    for folder in (young, aged):
        os.makedirs(folder + "/beh")
    os.remove(f"{out}/sub-1/rec0_frames.csv")
    for folder in (aged + "/beh", aged):
        os.utime(folder, (time.time() - 3600,) * 2)
    run(videos(), *OPTIONS, "--output", out, status=1)
    check(os.path.isdir(young) and not os.path.exists(aged), "which left-overs go")


def twice():
    """Two processes at the same recordings at once leave what one leaves"""
    before, out = single(), path("twice")
    processes = [subprocess.Popen([THERMOFACE, "run", videos(), *OPTIONS, "--output", out, "--jobs", "1"], stderr=subprocess.PIPE, text=True)
                 for _ in range(2)]
    said = [p.communicate(timeout=LIMIT)[1] for p in processes]
    check([p.returncode for p in processes] == [1, 1] and all("1 of 9 failed" in text for text in said), said)
    same(before, out)
    check(not parts(out), parts(out))


def current():
    """Made again is what is incomplete, or made from or with something else; nothing besides"""
    data, out = path("current/data"), path("current/out")
    for i in (1, 2, 3):
        sample(f"{data}/r{i}.mkv", 1, i)
    words = [data, *OPTIONS, "--output", out]
    run(*words)
    first = tree(out)

    def expect(state, why, *more):
        about = listed(*words, *more)
        odd = [r for r in about["recordings"] if r["state"] != "done"]
        check(len(odd) == (1 if not more else 3) and odd[0]["state"] == state and why in odd[0]["why"], odd)
        done = run(*words, *more)
        check("made again: " in done.stderr and why in done.stderr, done.stderr)
        check(not [r for r in listed(*words, *more)["recordings"] if r["state"] != "done"], "it is not done now")

    os.remove(f"{out}/r2_signals.tsv")
    expect("half", "r2_signals.tsv: is missing")
    with open(f"{out}/r1_motion.tsv", "r+b") as file:
        file.truncate(100)
    expect("half", "100 bytes instead of")
    os.remove(f"{out}/r3_provenance.json")
    expect("half", "not finished")
    with open(f"{out}/r3_provenance.json", "w", encoding="utf-8") as file:
        file.write("{")
    expect("half", "cannot be read")
    check(tree(out) == first, "other bytes")
    expect("stale", "--no-video was not given and is true", "--no-video")
    check(not glob.glob(f"{out}/*.mkv"), "the annotated video of the former run is still there")
    run(*words)
    check(tree(out) == first, "other bytes")
    sample(f"{data}/new.mkv", 2, 9)
    os.rename(f"{data}/new.mkv", f"{data}/r2.mkv")
    expect("stale", "the recording has changed")
    provenance = f"{out}/r1_provenance.json"
    with open(provenance, encoding="utf-8") as file:
        text = file.read()
    with open(provenance, "w", encoding="utf-8") as file:
        file.write(re.sub(r'"Version": "[^"]*"', '"Version": "0.0.1"', text))
    expect("stale", 'another version of thermoface: "0.0.1"')
    # Where it cannot be made again, what was there stays.
    with open(f"{data}/r1.mkv", "r+b") as file:
        file.truncate(3000)
    kept = {n: d for n, d in tree(out).items() if n.startswith("r1")}
    run(*words, status=1)
    check({n: d for n, d in tree(out).items() if n.startswith("r1")} == kept, "a failure took the old result")


def merged():
    """--merge: every recording accounted for and every byte, one table; or it says what is wrong and writes nothing"""
    data, out = path("merged/data"), path("merged/out")
    for i in (1, 2, 3):
        sample(f"{data}/sub-{i}/r.mkv", i, i)
    words = [data, *OPTIONS, "--output", out]
    run(*words, "--shard", "1/2")
    done = run(*words, "--merge", status=1)
    check("todo: not made yet" in done.stderr and "nothing was merged" in done.stderr, done.stderr)
    check(not os.path.exists(f"{out}/recordings.tsv"), "a table of a part")
    problems = json.loads(run(*words, "--merge", "--json", status=1).stdout)
    check(problems["problems"] and problems["table"] is None and problems["recordings"] == 3, problems)
    run(*words, "--shard", "2/2")
    done = run(*words, "--merge", "--csv", f"{out}/all.csv.gz")
    check("3 recordings, 54 frames: all there" in done.stderr, done.stderr)
    with open(f"{out}/recordings.tsv", encoding="utf-8") as file:
        lines = [line.rstrip("\n").split("\t") for line in file]
    check([line[:4] for line in lines[1:]] == [[f"sub-{i}/r", f"sub-{i}/r.mkv", "thermal", str(9 * i)] for i in (1, 2, 3)], lines)
    check({len(line) for line in lines} == {len(lines[0])}, "cells")
    # A region's mean is that of its table.
    for i, line in enumerate(lines[1:], 1):
        with open(f"{out}/sub-{i}/r_signals.tsv", encoding="utf-8") as file:
            rows = [row.rstrip("\n").split("\t") for row in file]
        at = rows[0].index("nose_tip_mean"), rows[0].index("nose_tip_valid")
        values = [float(row[at[0]]) for row in rows[1:] if row[at[1]] == "1"]
        here = lines[0].index("nose_tip_mean")
        check(int(line[here + 1]) == len(values) and values and abs(float(line[here]) - sum(values) / len(values)) < 1e-3, line)
    check(subprocess.run(["sha256sum", "-c", "--quiet", "recordings.sha256"], cwd=out, check=False).returncode == 0, "digests")
    with open(f"{out}/recordings.json", encoding="utf-8") as file:
        check(set(json.load(file)) == set(lines[0]), "columns without a meaning")
    with gzip.open(f"{out}/all.csv.gz", "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split(",", 1) for line in file]
    together = [f"sub-{i}/r.mkv," + line for i in (1, 2, 3)
                for line in open(f"{out}/sub-{i}/r_frames.csv", encoding="utf-8").read().splitlines()[1:]]
    check([",".join(row) for row in rows[1:]] == together, "the table of all frames")
    again = tree(out)
    run(*words, "--merge", "--csv", f"{out}/all.csv.gz", "--overwrite")
    check(tree(out) == again, "the same again gives other bytes")
    # A byte that was changed: sizes do not tell, digests do.
    with open(f"{out}/sub-2/r_frames.csv", "r+b") as file:
        file.seek(-20, os.SEEK_END)
        byte = file.read(1)
        file.seek(-20, os.SEEK_END)
        file.write(b"7" if byte != b"7" else b"8")
    check(listed(*words)["done"] == 3, "sizes")
    done = run(*words, "--merge", status=1)
    check("sub-2/r.mkv: half: r_frames.csv: its SHA-256 is not" in done.stderr and "1 of 3 recordings not" in done.stderr, done.stderr)
    check("other settings: --faces" in run(*words, "--faces", "2", "--merge", status=1).stderr, "settings")


def inputs():
    """A list of files and folders, from anywhere; doubles, missing ones, names that meet"""
    a, b = path("inputs/here/a"), path("inputs/far/b")
    sample(f"{a}/one.mkv", 1, 1)
    sample(f"{a}/deep/one.mkv", 1, 2)
    sample(f"{b}/one.mkv", 1, 3)
    shutil.copy(f"{b}/one.mkv", f"{b}/one.mp4")
    os.symlink(f"{b}/one.mkv", f"{a}/linked.mkv")
    with open(path("inputs/here/all.txt"), "wb") as file:
        file.write(b"\xef\xbb\xbf# recordings\r\na/one.mkv\r\n\n  a/deep  \n" + f"{b}/one.mkv\n{a}/one.mkv\na/none.mkv\na/linked.mkv\n".encode())
    out = path("inputs/out")
    words = [path("inputs/here/all.txt"), *OPTIONS, "--output", out, "--no-video"]
    about = listed(*words)
    check([r["state"] for r in about["recordings"]] == ["todo", "todo", "todo", "broken", "todo"], about)
    done = run(*words, status=1)
    check("a/none.mkv: line 7 of " in done.stderr and "all.txt: there is no such file" in done.stderr and "1 of 5 failed" in done.stderr, done.stderr)
    far = os.path.realpath(f"{b}")[1:]
    for name in ("a/one", "a/deep/one", f"{far}/one", "a/linked"):
        check(os.path.exists(f"{out}/{name}_provenance.json"), name)
    # From another folder and by another way to it: the same places.
    done = run("here/all.txt", *OPTIONS, "--output", "out", "--no-video", status=1, cwd=path("inputs"))
    check("4 done before" in done.stderr, done.stderr)
    done = run(b, *OPTIONS, "--output", path("inputs/meet"), "--no-video", status=1)
    check("one.mp4: another input has the same name: one.mkv" in done.stderr, done.stderr)
    # Results below the data set are none of it.
    for _ in range(2):
        run(a, *OPTIONS, "--output", f"{a}/results")
    check(listed(a, *OPTIONS, "--output", f"{a}/results")["count"] == 3, "results were taken for recordings")


def study():
    """A BIDS tree: shares, results in derivatives, a recording without its video is missed, links of DataLad are followed"""
    root = path("study")
    for i in (1, 2, 3):
        stem = f"sub-{i}_task-rest_run-1_recording-thermal"
        beh = f"{root}/sub-{i}/beh"
        sample(f"{beh}/{stem}_video.mkv", i, i)
        run(f"{beh}/{stem}_video.mkv", *OPTIONS, "--csv", f"{beh}/table.csv", "--quiet")
        with open(f"{beh}/table.csv", encoding="utf-8") as file:
            rows = file.read().splitlines()
        os.remove(f"{beh}/table.csv")
        with open(f"{beh}/{stem}_frames.csv", "w", encoding="utf-8") as file:
            file.write(rows[0] + ",video_frame\n" + "".join(f"{row},{n}\n" for n, row in enumerate(rows[1:])))
        with open(f"{beh}/{stem}_video.json", "w", encoding="utf-8") as file:
            json.dump({"Camera": "thermal", "PixelFormat": "gray16le", "Unit": "celsius", "CelsiusScale": 0.01,
                       "CelsiusOffset": -273.15, "RotateClockwise": 90, "SessionStartMonotonicNs": 1, "NominalFrameRate": 9,
                       "Complete": i != 2, "RowCount": 9 * i}, file)
    with open(f"{root}/dataset_description.json", "w", encoding="utf-8") as file:
        json.dump({"Name": "x", "BIDSVersion": "1.9.0"}, file)
    video = f"{root}/sub-3/beh/sub-3_task-rest_run-1_recording-thermal_video.mkv"
    os.makedirs(f"{root}/.git/annex")
    os.rename(video, f"{root}/.git/annex/content")
    os.symlink(f"{root}/.git/annex/content", video)
    about = listed(root, shard="all/2")
    check([(r["frames"], r["frames_from"], r["shard"]) for r in about["recordings"]] ==
          [(9, "sidecar", 2), (18, "table", 2), (27, "sidecar", 1)], about)
    for k in (1, 2):
        run(root, "--shard", f"{k}/2")
    run(root, "--merge")
    out = f"{root}/derivatives/thermoface"
    with open(f"{out}/recordings.tsv", encoding="utf-8") as file:
        check([line.split("\t")[0] for line in file][1:] ==
              [f"sub-{i}/beh/sub-{i}_task-rest_run-1_recording-thermal" for i in (1, 2, 3)], "rows")
    check(subprocess.run(["sha256sum", "-c", "--quiet", "recordings.sha256"], cwd=out, check=False).returncode == 0, "digests")
    with open(f"{out}/recordings.sha256", encoding="utf-8") as file:
        check(re.search(r"  sub-1/motion/sub-1_\S+_motion.tsv$", file.read(), re.M), "the motion tables have no digests")
    os.remove(video)
    done = run(root, status=1)
    check("its raw video is missing" in done.stderr and "2 done before" in done.stderr, done.stderr)
    check("its raw video is missing" in run(root, "--merge", status=1).stderr, "merge")


# --- Slurm ---

CONFIG = """ClusterName=t
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
AuthInfo=cred_expire=6
CryptoType=crypto/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/ctld.pid
SlurmdPidFile={home}/d.pid
SlurmctldLogFile={home}/ctld.log
SlurmdLogFile={home}/d.log
SchedulerParameters=batch_sched_delay=1,sched_interval=1,bf_interval=1
KillWait=2
JobRequeue=1
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=p Nodes={host} Default=YES State=UP
"""


class Slurm:
    """A cluster of this machine, with daemons that end with it."""

    def __enter__(self):
        self.daemons = []
        home = path("slurm")
        os.makedirs(f"{home}/state")
        os.makedirs(f"{home}/spool")
        with open(f"{home}/slurm.conf", "w", encoding="utf-8") as file:
            file.write(CONFIG.format(home=home, host=os.uname().nodename.split(".")[0], user="root"))
        os.environ["SLURM_CONF"] = f"{home}/slurm.conf"
        for words in (["slurmctld", "-D", "-c"], ["slurmd", "-D"]):
            self.daemons.append(subprocess.Popen([*words, "-f", f"{home}/slurm.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        try:
            self.wait(lambda: "idle" in self.ask("sinfo", "-h", "-o", "%t"), 30, "a node that is idle")
        except AssertionError as error:
            self.__exit__()
            raise Skip(f"Slurm does not start here ({error})") from error
        return self

    def __exit__(self, *_):
        subprocess.run(["scancel", "-u", "root"], check=False, capture_output=True, timeout=60)
        time.sleep(0.5)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    @staticmethod
    def ask(*words):
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60).stdout

    @staticmethod
    def wait(what, seconds, text):
        end = time.monotonic() + seconds
        while not what():
            check(time.monotonic() < end, f"{text}: not within {seconds} s")
            time.sleep(0.2)

    def submit(self, *words):
        done = subprocess.run([f"{SOURCE}/share/slurm/thermoface-slurm", *words], capture_output=True, text=True, check=False,
                              timeout=LIMIT, cwd=path("slurm"))
        check(done.returncode == 0, done.stderr)
        return done.stdout.split()

    def state(self, job):
        found = re.search(r"JobState=(\S+).*?ExitCode=(\d+):", self.ask("scontrol", "show", "job", job), re.S)
        return found.groups() if found else ("?", "?")

    def over(self, job):
        self.wait(lambda: self.state(job)[0] in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"), LIMIT, f"job {job}")
        return self.state(job)


def array():
    """An array: a process killed, a task cancelled and submitted again, a damaged recording, the check at the end"""
    for program in ("slurmctld", "slurmd", "sbatch"):
        if not shutil.which(program):
            raise Skip("no slurm-wlm")
    before = single()
    out = path("array")
    os.environ["THERMOFACE"] = THERMOFACE
    os.environ["THERMOFACE_RETRIES"] = "1"
    with Slurm() as slurm:
        job, merge = slurm.submit("--tasks", "3", "--sbatch", "--mem-per-cpu=500M", videos(), *OPTIONS, "--output", out)

        def tasks():
            found = {}
            for entry in os.listdir("/proc"):
                try:
                    with open(f"/proc/{entry}/cmdline", "rb") as file:
                        words = file.read().decode(errors="replace").split("\0")
                except OSError:
                    continue
                if words[0] == THERMOFACE and out in words and "--shard" in words:
                    found[words[words.index("--shard") + 1]] = int(entry)
            return found

        # The first process that is seen at work is killed outright; its task comes back by itself.
        slurm.wait(lambda: any(f"/.part-" in p for p in parts(out)) and tasks(), 60, "a task at work")
        shard, pid = sorted(tasks().items())[0]
        os.kill(pid, signal.SIGKILL)
        slurm.wait(lambda: tasks().get(shard, pid) != pid or f"{shard.split('/')[0]} of 3: back into the queue" in
                   "".join(open(f, encoding="utf-8").read() for f in glob.glob(path("slurm/slurm-*.out"))), 60, "the requeue")
        state, code = slurm.over(merge)
        check((state, code) == ("FAILED", "1"), f"{state} {code}")
        said = "".join(open(f, encoding="utf-8").read() for f in sorted(glob.glob(path("slurm/slurm-*.out"))))
        check("attempt 2" in said and "given up after 2 attempts" in said, said)
        check("sub-2/rec3x.mkv: todo" in said and "1 of 9 recordings not as it should be" in said, said)
        same(before, out)
        # Without the damaged one: a task that somebody cancels is missed by the check, and made by the next array.
        os.makedirs(path("good"), exist_ok=True)
        for name in glob.glob(f"{videos()}/*/*.mkv"):
            if "rec3x" not in name:
                os.makedirs(os.path.dirname(name).replace(videos(), path("good")), exist_ok=True)
                os.symlink(name, name.replace(videos(), path("good")))
        out = path("second")
        job, merge = slurm.submit("--tasks", "4", "--at-once", "1", "--sbatch", "--mem-per-cpu=500M", path("good"), *OPTIONS, "--output", out)
        slurm.wait(tasks, 60, "a task")
        slurm.ask("scancel", f"{job}_4")
        state, code = slurm.over(merge)
        check((state, code) == ("FAILED", "1"), f"{state} {code}")
        job, merge = slurm.submit("--tasks", "4", "--sbatch", "--mem-per-cpu=500M", path("good"), *OPTIONS, "--output", out)
        state, code = slurm.over(merge)
        check((state, code) == ("COMPLETED", "0"), f"{state} {code}: {open(path(f'slurm/slurm-{merge}.out'), encoding='utf-8').read()}")
        for name in ("recordings.tsv", "recordings.json", "recordings.sha256"):
            os.rename(f"{out}/{name}", path(name))
        same(before, out)
        # All of it once more does nothing.
        old = stamps(out)
        job, merge = slurm.submit("--tasks", "2", "--sbatch", "--mem-per-cpu=500M", path("good"), *OPTIONS, "--output", out)
        check(slurm.over(merge) == ("COMPLETED", "0"), "the third array")
        check({n: t for n, t in stamps(out).items() if not n.startswith("recordings.")} == old, "something was made again")
        for words, text in ((["--tasks", "0", "x"], "from 1 on"), ([videos(), "--shard", "1/2"], "sets itself"), ([path("none"), "--output", "x"], "none"),
                            (["--tasks", "5000", videos(), *OPTIONS, "--output", out], "MaxArraySize"), ([], "which data set")):
            done = subprocess.run([f"{SOURCE}/share/slurm/thermoface-slurm", *words], capture_output=True, text=True, check=False, timeout=LIMIT)
            check(done.returncode != 0 and text in done.stderr and not done.stdout, f"{words}: {done.stderr}")


def own_network():
    """Slurm looks for an address that is not the loopback device's: a namespace with one, where nobody else's ports are."""
    if WHICH == "slurm" and shutil.which("slurmctld") and "TF_CLUSTER_INSIDE" not in os.environ:
        inside = 'ip link set lo up && ip addr add 10.99.0.1/32 dev lo && exec "$@"'
        words = ["unshare", "--net", "sh", "-c", inside, "sh"]
        if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
            os.environ["TF_CLUSTER_INSIDE"] = "1"
            HOME.cleanup()
            os.execvp(words[0], [*words, sys.executable, *sys.argv])
        return "no network namespace of its own: needs root, unshare and ip"
    return None


def main():
    tests = [shares, lists, wrong, killed, twice, current, merged, inputs, study] if WHICH == "plain" else [array]
    why = own_network()
    if not os.path.exists(f"{SOURCE}/models/landmarks68.onnx"):
        why = "no networks"
    failed = 0
    print(f"1..{len(tests)}")
    for i, test in enumerate(tests, 1):
        title = test.__doc__
        try:
            if why:
                raise Skip(why)
            test()
            print(f"ok {i} - {title}", flush=True)
        except Skip as skip:
            print(f"ok {i} - {title} # SKIP {skip}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
            print(f"not ok {i} - {title}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
