#!/usr/bin/env python3
"""What the manual says is so: its commands run as they stand, its keys and options exist. Writes TAP.

Usage: test_docs.py SOURCE BUILD     (source tree, build folder with the programs)

Every fenced block in README.md, CONTRIBUTING.md and docs/ says what it holds. `sh` blocks are run, a page in a folder of its
own that looks like a checkout, in the order of the page, each command as a reader would type it; `ini` blocks are checked by
thermofaced; `python`, `r` and `octave` blocks are run after the commands of their page where their packages are there; `text` is not run.
A page that does not start the service itself finds one running, as on a machine where it is installed. What cannot run here
is listed in elsewhere.txt with what it needs; how many these are may only shrink.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# How many commands may be listed in elsewhere.txt, by what they need. These numbers only ever get smaller.
ELSEWHERE = {"camera": 4, "installed": 20, "bare": 6, "screen": 5, "training": 25, "remote": 5}
FENCES = {"sh", "ini", "json", "python", "r", "octave", "matlab", "text", "xml", "yaml"}
PATIENCE = float(os.environ.get("TF_DOCS_PATIENCE", "90"))
# These go on until Ctrl-C, unless told when to end: a reader looks at them in another terminal.
LIVE = re.compile(r"^(\S*thermofaced (?!.*--(check-config|help|version))|\S*thermoface watch(?!.*--seconds)|\S*thermoface annotate "
                  r"|scripts/demo(?!.*--seconds)|curl -sN)")
# These change the machine: they are listed in elsewhere.txt or they fail, and are never run here.
SYSTEM = re.compile(r"(^|[;&|]\s*)(sudo\w*|apt(-get)?|dpkg|systemctl|systemd-\S+|udevadm|useradd|usermod|adduser|meson install|ninja\s.*install"
                    r"|scripts/(install-packages|test|test-vm|bare|package|build-sanitize)|\./)\b|[ =]/etc/|\.ci/run")

# Small and slow: nothing may be lost here, however busy the machine is, so nothing is drawn beside it. The visible camera is the faster one, so that a
# thermal frame always has one of its near, as calibrating wants.
SERVICE = """[camera thermal]
source=synthetic:seed=3,clock=1,size=160x120,fps=9
[camera webcam]
source=synthetic:kind=visible,seed=3,clock=1,size=320x240,fps=30,zoom=0.9,turn=5,shift_x=20
[pair rig]
thermal=thermal
visible=webcam
[recording]
directory=study
annotated=no
"""
RIG = """{"format":"thermoface-registration","version":1,"model":"affine","thermal":{"width":120,"height":160},
"visible":{"width":640,"height":480},"matrix":[[0.2,0,0],[0,0.2,0],[0,0,1]],
"residual":{"rms_px":1.4,"median_px":1.1,"max_px":3.8,"points":40,"used":40}}
"""


def pages(source):
    names = ["README.md", "CONTRIBUTING.md"] + sorted("docs/" + n for n in os.listdir(os.path.join(source, "docs")) if n.endswith(".md"))
    return [(n, open(os.path.join(source, n), encoding="utf-8").read()) for n in names]


def blocks(text):
    """(line, kind, body) of each fenced block."""
    found, kind, body, at = [], None, [], 0
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"^\s*```(.*)$", line)
        if not fence:
            body.append(line)
        elif kind is None:
            kind, body, at = fence.group(1).strip(), [], number
        else:
            found.append((at, kind, "\n".join(body)))
            kind = None
    return found


def commands(body):
    """A block's commands: a line, with the lines that it goes on in and here-documents; without its closing comment."""
    lines, out = body.splitlines(), []
    while lines:
        line = lines.pop(0)
        while line.endswith("\\") and lines:
            line += "\n" + lines.pop(0)
        here = re.search(r"<<-?\s*'?(\w+)'?", line)
        if here:
            while lines:
                line += "\n" + lines[0]
                if lines.pop(0).strip() == here.group(1):
                    break
        if "\n" not in line:
            line = re.sub(r"\s{2,}#.*$", "", line)
        if line.strip() and not line.lstrip().startswith("#"):
            out.append(line.strip())
    return out


class Report:
    def __init__(self):
        self.count = 0

    def say(self, good, name, why=""):
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}")
        for line in str(why).splitlines()[-12:] if not good else []:
            print(f"#   {line}")
        sys.stdout.flush()

    def skip(self, name, why):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}")


def checkout(source, build, folder):
    """A folder that looks like a checkout that has been built; what commands write stays in it."""
    for name in os.listdir(source):
        if not name.startswith((".", "build", "out")):
            os.symlink(os.path.join(source, name), os.path.join(folder, name))
    os.symlink(build, os.path.join(folder, "build"))


def environment(source, build, folder):
    env = {k: v for k, v in os.environ.items() if k not in ("TF_MODELS", "TF_CPU", "SSH_CONNECTION")}
    env.update(PATH=f"{build}/cli:{build}/daemon:{env['PATH']}", LC_ALL="C.UTF-8", HOME=folder, TF_MODELS=source + "/models",
               TF_URL="http://127.0.0.1:8080", TF_TRAINING_OUT=folder + "/training-out")
    return env


class Page:
    """Runs one page's commands."""

    def __init__(self, source, build):
        self.folder = tempfile.mkdtemp(prefix="thermoface-docs.")
        checkout(source, build, self.folder)
        self.env = environment(source, build, self.folder)
        self.live = []

    def start(self, command):
        log = open(os.path.join(self.folder, f".log{len(self.live)}-{time.monotonic_ns()}"), "w+b")
        process = subprocess.Popen(["bash", "-c", command], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        return process, log

    @staticmethod
    def text(log):
        log.flush()
        log.seek(0)
        return log.read().decode("utf-8", "replace")

    def service(self):
        with open(os.path.join(self.folder, ".service.conf"), "w", encoding="utf-8") as conf:
            conf.write(SERVICE)
        os.mkdir(os.path.join(self.folder, "study"))
        self.live.append((".service",) + self.start("exec thermofaced --config .service.conf"))
        return self.delivers()

    def delivers(self):
        """Until every camera delivers, as a reader's service does."""
        for _ in range(150):
            if subprocess.run(["curl", "-sf", "-m", "2", "-o", "/dev/null", "http://127.0.0.1:8080/healthz"]).returncode == 0:
                return True
            time.sleep(0.2)
        return False

    @staticmethod
    def listens():
        for _ in range(200):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", 8080)) == 0:
                    return True
            time.sleep(0.05)
        return False

    def run(self, command):
        """None when it did what a reader expects, else why not."""
        process, log = self.start(command)
        if LIVE.match(command):
            until = time.monotonic() + PATIENCE
            said = "Ctrl-C stops" if command.startswith("scripts/demo") else ""
            while process.poll() is None and time.monotonic() < until and \
                    not (self.text(log).strip() and said in self.text(log)):
                time.sleep(0.1)
            if process.poll() not in (None, 0):
                return f"status {process.returncode}\n{self.text(log)}"
            if not self.text(log).strip():
                return "it said nothing"
            self.live.append((command, process, log))
            return None if "thermofaced" not in command or self.listens() else "nothing listens at port 8080"
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"it had not ended after {PATIENCE:.0f} s\n{self.text(log)}"
        return None if process.returncode == 0 else f"status {process.returncode}\n{self.text(log)}"

    def end(self):
        """What still runs is ended by Ctrl-C, the last first, and must not mind."""
        bad = []
        for command, process, log in reversed(self.live):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    bad.append(f"{command}: goes on after Ctrl-C")
                    continue
            if process.returncode not in (0, 130, -signal.SIGINT) and not command.startswith("curl"):
                bad.append(f"{command}: status {process.returncode} after Ctrl-C\n{self.text(log)}")
        shutil.rmtree(self.folder, ignore_errors=True)
        return bad


def elsewhere():
    listed = {}
    with open(os.path.join(HERE, "elsewhere.txt"), encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                need, command = line.rstrip("\n").split("\t", 1)
                listed[command] = need
    return listed


def test_commands(report, source, build):
    listed, used = elsewhere(), set()
    for name, text in pages(source):
        page = None
        here = [(at, kind, body) for at, kind, body in blocks(text) if kind in ("sh", "python", "r", "octave")]
        typed = [c for _, kind, body in here if kind == "sh" for c in commands(body)]
        # Code in another language comes after the commands that make what it reads.
        for at, kind, body in sorted(here, key=lambda b: b[1] != "sh"):
            if kind == "sh":
                steps = commands(body)
            else:
                program = {"python": "/usr/bin/python3", "r": "Rscript", "octave": "octave-cli --eval"}[kind]
                # R's lines are written for the folder of the session's tables, as its users set theirs.
                where = "" if kind == "python" else "cd study/sub-*/ses-*/beh && "
                steps = [f"{where}{program} - <<'END'\n{body}\nEND" if kind != "octave" else
                         f"{where}{program} \"$(cat <<'END'\n{body}\nEND\n)\""]
            for command in steps:
                first = command.splitlines()[0] if kind == "sh" else f"{kind} block"
                title = f"{name}:{at}: {first[:90]}"
                whole = re.sub(r"\s*\\\n\s*", " ", command)
                if whole in listed:
                    used.add(whole)
                    continue
                if SYSTEM.search(command) and kind == "sh":
                    report.say(False, title, "it changes the machine: list it in elsewhere.txt with where it is tried")
                    continue
                # confidence.py reads it without being told where.
                if ("TF_SHARED" in command or command.startswith("training/confidence.py")) and not os.path.isdir(os.environ.get("TF_SHARED", "") + "/data"):
                    report.skip(title, "the shared data is not here")
                    continue
                if command.startswith("training/") and subprocess.run(["/usr/bin/python3", "-c", "import torch, onnx, cv2, matplotlib"],
                                                                      capture_output=True).returncode:
                    report.skip(title, "the packages of group training are not installed")
                    continue
                if kind == "r" and (not shutil.which("Rscript") or
                                    subprocess.run(["Rscript", "-e", "library(jsonlite)"], capture_output=True).returncode):
                    report.skip(title, "R, or its package jsonlite, is not installed")
                    continue
                if kind == "octave" and not shutil.which("octave-cli"):
                    report.skip(title, "Octave is not installed")
                    continue
                missing = [m for m in re.findall(r"^import ([\w, ]+)", body, re.M) if kind == "python"]
                missing = [m for line in missing for m in re.split(r",\s*", line)
                           if subprocess.run(["/usr/bin/python3", "-c", f"import {m.split()[0]}"], capture_output=True).returncode]
                if missing:
                    report.skip(title, f"Python lacks {', '.join(missing)}")
                    continue
                if page is None:
                    page = Page(source, build)
                    if not any(LIVE.match(c) and "thermofaced" in c for c in typed if c not in listed) and not page.service():
                        report.say(False, f"{name}: the service to try its commands on", "nothing listens at port 8080")
                why = page.run(command)
                report.say(why is None, title, why)
        if page is not None:
            bad = page.end()
            report.say(not bad, f"{name}: what goes on ends by Ctrl-C", "\n".join(bad))
    for command in sorted(set(listed) - used):
        report.say(False, f"elsewhere.txt lists what no page has: {command}")
    counts = {}
    for need in listed.values():
        counts[need] = counts.get(need, 0) + 1
    for need in sorted(set(counts) | set(ELSEWHERE)):
        have, most = counts.get(need, 0), ELSEWHERE.get(need, 0)
        report.say(have == most, f"{have} commands that need {need} are not run here",
                   f"{have} are listed, {most} are allowed: " +
                   ("the number may only shrink" if have > most else "lower ELSEWHERE in test_docs.py"))


def test_blocks(report, source, build):
    for name, text in pages(source):
        unnamed = [str(at) for at, kind, _ in blocks(text) if kind not in FENCES]
        report.say(not unnamed, f"{name}: every block says what it holds",
                   f"lines {', '.join(unnamed)}: one of {', '.join(sorted(FENCES))} after the fence")
    for name, text in pages(source):
        for at, kind, body in blocks(text):
            if kind == "json":
                # An ellipsis stands for more of the same; a part of an object is one in braces.
                plain = re.sub(r",?…", "", body).strip()
                plain = re.sub(r"\[x,y,w,h\]", "[0,0,0,0]", plain)
                try:
                    for document in [plain] if plain.startswith(("{", "[")) and "\n{" not in plain else plain.splitlines():
                        json.loads(document if document.startswith(("{", "[")) else "{" + document + "}")
                    why = None
                except ValueError as error:
                    why = error
                report.say(why is None, f"{name}:{at}: it is JSON", why)
            if kind != "ini":
                continue
            with tempfile.TemporaryDirectory() as folder:
                conf = os.path.join(folder, "page.conf")
                env = environment(source, build, folder)
                # What the operator has put beside it: a password for the unit, the rig's calibration.
                env["CREDENTIALS_DIRECTORY"] = folder
                for secret in ("rtsp", "http", "lab.credentials", "http.login", "mqtt.login"):
                    with open(os.path.join(folder, secret), "w", encoding="utf-8") as out:
                        out.write("lab:a good password\n")
                    os.chmod(out.name, 0o600)
                with open(os.path.join(folder, "rig.json"), "w", encoding="utf-8") as out:
                    out.write(RIG)
                with open(os.path.join(folder, "tokens"), "w", encoding="utf-8") as out:
                    out.write("0123456789abcdef" * 4 + "\n")
                os.chmod(out.name, 0o600)
                if re.search(r"^tls-", body, re.M):
                    certificates(folder)
                body = body.replace("/etc/thermoface/", folder + "/")
                with open(conf, "w", encoding="utf-8") as out:
                    # A part of a configuration stands beside a camera.
                    out.write(body + ("" if "[camera " in body else "\n[camera thermal]\nsource=synthetic\n") + "\n")
                done = subprocess.run([f"{build}/daemon/thermofaced", "--config", conf, "--check-config"], capture_output=True,
                                      text=True, cwd=folder, env=env)
                report.say(done.returncode == 0, f"{name}:{at}: thermofaced takes it", done.stderr)


def certificates(folder):
    """A certificate of its own by the names that pages use, with its key; it is its own authority, too."""
    key, crt = os.path.join(folder, "http.key"), os.path.join(folder, "http.crt")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=lab", "-days", "2",
                    "-keyout", key, "-out", crt], check=True, capture_output=True)
    os.chmod(key, 0o600)
    shutil.copy(crt, os.path.join(folder, "lab-ca.pem"))


def spans(text):
    """Inline code outside of blocks, with its line."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"^\s*```", line):
            inside = not inside
        elif not inside:
            for span in re.findall(r"`([^`]+)`", line):
                yield number, span


def literals(source, folders, ends):
    """All words within string literals of the sources."""
    words = set()
    for folder in folders:
        for top, _, names in os.walk(os.path.join(source, folder)):
            for name in names:
                if name.endswith(ends):
                    text = open(os.path.join(top, name), encoding="utf-8", errors="replace").read()
                    for literal in re.findall(r'"((?:[^"\\\n]|\\.)*)"', text):
                        words.update(re.findall(r"[A-Za-z0-9][A-Za-z0-9_.-]*", literal.replace("\\n", " ").replace("\\t", " ")))
                        words.update(re.findall(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*", literal))
    return words


def record_names(source, build):
    """The names that a running service really gives: columns, fields of records and of /state, metrics."""
    names = set()
    page = Page(source, build)
    with open(os.path.join(page.folder, ".service.conf"), "w", encoding="utf-8") as conf:
        conf.write(SERVICE.replace("fps=9\n", "fps=9\nblack-body=2,2,16,16\nblack-body-temperature=35\n", 1) +
                   "csv=out-%n.csv\nndjson=out-%n.ndjson\n")
    page.live.append((".service",) + page.start("exec thermofaced --config .service.conf"))
    os.mkdir(os.path.join(page.folder, "study"))
    if page.delivers():
        for path in ("landmarks?camera=thermal", "landmarks?camera=webcam", "state", "metrics"):
            done = subprocess.run(["curl", "-sN", "-m", "3", f"http://127.0.0.1:8080/{path}"], capture_output=True, text=True)
            names.update(re.findall(r'"([a-z0-9_]+)":', done.stdout) + re.findall(r"^([a-z_0-9]+)[ {]", done.stdout, re.M))
    page.live, live = [], page.live
    for _, process, _ in live:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20)
    for name in os.listdir(page.folder):
        if name.endswith(".csv") and name.startswith("out-"):
            names.update(open(os.path.join(page.folder, name), encoding="utf-8").readline().strip().split(","))
    page.end()
    return names


def allowed():
    with open(os.path.join(HERE, "other-words.txt"), encoding="utf-8") as lines:
        return {line.split("#")[0].strip() for line in lines} - {""}


def test_names(report, source, build):
    ours = literals(source, ["base", "capture", "inference", "overlay", "publish", "pipeline", "config", "daemon", "cli"], (".c", ".h"))
    python = set()
    for folder in ("training", "bench", "tests"):
        for top, _, names in os.walk(os.path.join(source, folder)):
            for name in names:
                if name.endswith((".py", ".json")) or "." not in name:
                    python.update(re.findall(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*",
                                             open(os.path.join(top, name), encoding="utf-8", errors="replace").read()))
    headers = set()
    files = set()
    for top, folders, names in os.walk(source):
        folders[:] = [f for f in folders if not f.startswith((".", "build", "out"))]
        files.update(names)
        files.update(folders)
        files.update(n.rsplit(".", 1)[0] for n in names)
        for name in names:
            if name.endswith(".h"):
                headers.update(re.findall(r"\btf_[a-z0-9_]+", open(os.path.join(top, name), encoding="utf-8", errors="replace").read()))
    other = allowed()
    options = open(os.path.join(source, "meson_options.txt"), encoding="utf-8").read()
    packages = open(os.path.join(source, "scripts/packages"), encoding="utf-8").read().split()
    names = record_names(source, build)
    report.say({"frame", "forehead_mean", "thermoface_frames_total"} <= names, "a service says its fields, columns and metrics")
    ours |= names
    ours |= set(re.findall(r"option\('([a-z0-9]+)'", options)) | set(packages)
    used = set()
    for name, text in pages(source):
        known = ours | (python if name in ("docs/training.md", "CONTRIBUTING.md", "docs/engine.md", "docs/landmarks.md") else set())
        bad = []
        for number, span in spans(text):
            words = re.findall(r"^([a-z][a-z0-9_-]*) ?=", span)
            if re.match(r"^[a-z][a-z0-9]*([_-][a-z0-9]+)+$", span):
                words.append(span)
            for word in words:
                metric = re.sub(r"^thermoface_", "", word)
                if word in other:
                    used.add(word)
                elif word not in known and metric not in known and word not in files and word not in headers:
                    bad.append(f"{name}:{number}: `{span}`")
        report.say(not bad, f"{name}: every key and field exists", "no string of the sources has\n" + "\n".join(bad))
    left = sorted(w for w in other - used if not w.startswith("--"))
    report.say(not left, "other-words.txt lists nothing that no page has", ", ".join(left))


def help_options(command):
    done = subprocess.run(command, capture_output=True, text=True)
    return set(re.findall(r"(?<![\w-])--[a-z0-9][a-z0-9-]*", done.stdout + done.stderr))


def test_options(report, source, build):
    thermoface = f"{build}/cli/thermoface"
    commands_ = re.findall(r"^  ([a-z]+) ", subprocess.run([thermoface, "--help"], capture_output=True, text=True).stdout, re.M)
    of = {c: help_options([thermoface, c, "--help"]) | {"--help"} for c in commands_}
    deeper = {f"{c} {w}": help_options([thermoface, c, w, "--help"]) for c in ("bench", "calibrate", "eval", "record")
              for w in re.findall(r"^  ([a-z0-9]+) ", subprocess.run([thermoface, c, "--help"], capture_output=True, text=True).stdout, re.M)}
    of.update(deeper)
    every = set().union(*of.values()) | help_options([thermoface, "--help"])
    every |= help_options([f"{build}/daemon/thermofaced", "--help"])
    for folder in ("scripts", "training", "bench"):
        for top, _, names in os.walk(os.path.join(source, folder)):
            for name in names:
                text = open(os.path.join(top, name), encoding="utf-8", errors="replace").read()
                every |= set(re.findall(r"""(?:add_argument\(\s*["']|^\s*\|?\s*|Usage: [^\n]*|[( |])(--[a-z0-9][a-z0-9-]*)""", text, re.M))
    # Of the command for Slurm: what its case lines take; the words after --sbatch are sbatch's.
    with open(os.path.join(source, "share/slurm/thermoface-slurm"), encoding="utf-8") as script:
        slurm = set(re.findall(r"^\s+(--[a-z0-9-]+)(?: \| -\w)?\) ?", script.read(), re.M))
    report.say({"--tasks", "--sbatch", "--help"} <= slurm, "thermoface-slurm's options are seen")
    every |= slurm
    foreign = re.compile(r"^(?:sudo )?(meson|ninja|git|apt-get|ffmpeg|ffplay|ffprobe|mpv|vlc|gst-launch-1.0|curl|ssh|systemctl|journalctl|openssl|"
                         r"sha256sum|promtool|dpkg|apt|mmdebstrap|udevadm|v4l2-ctl|chromium|nproc|docker|lintian|python3|pkg-config|avahi-browse|sbatch)\b")
    other = {w for w in allowed() if w.startswith("--")}
    for name, text in pages(source):
        bad = []
        lines = [(at, l) for at, kind, body in blocks(text) if kind in ("sh", "text") for l in re.sub(r"\\\n", " ", body).splitlines()]
        for number, code in lines + list(spans(text)):
            code = re.sub(r'--sbatch "[^"]*"', "--sbatch", code)
            wanted = set(re.findall(r"(?<![\w-])--[a-z0-9][a-z0-9-]*", code)) - other
            if not wanted or foreign.match(code.strip()):
                continue
            call = re.search(r"(?:^|/|\s)thermoface ([a-z]+)(?: ([a-z0-9]+))?\b", code)
            call = call and (f"{call.group(1)} {call.group(2)}" if f"{call.group(1)} {call.group(2)}" in of else call.group(1))
            have = of[call] if call in of and code.count("thermoface") == 1 else every
            if re.match(r"(?:\S*/)?thermoface-slurm\b", code.strip()):
                have = slurm | of["run"]
            bad += [f"{name}:{number}: {option} in: {code[:100]}" for option in sorted(wanted - have)]
        report.say(not bad, f"{name}: every option exists", "\n".join(bad))


def main():
    source, build = map(os.path.abspath, sys.argv[1:3])
    report = Report()
    if os.environ.get("TF_DOCS_ALONE") != "1":
        # The commands say ports 8080 and 8554: in a network of their own these are free, and nothing is fetched.
        alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
        if subprocess.run(alone + ["true"], capture_output=True).returncode == 0:
            os.environ["TF_DOCS_ALONE"] = "1"
            os.execvp(alone[0], alone + [sys.executable] + sys.argv)
        print("1..0 # SKIP no network namespace can be made here, and the manual's ports may be taken")
        return 0
    import fcntl
    import struct
    with socket.socket() as s:  # lo up: SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
    for part in (test_blocks, test_names, test_options, test_commands):
        part(report, source, build)
    print(f"1..{report.count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
