"""Every damage to every file of a session is an error of `thermoface verify`, which names the file."""
import glob
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import Daemon, check, need, run_tests, wait_for  # noqa: E402
from test_session import SMALL, frames, place, post, recording, start, thermoface  # noqa: E402

ENDING = "_manifest.sha256"


class Session:
    """Recorded once, copied for each damage."""
    made = None

    def __init__(self):
        self.place = place()
        self.folder = f"{self.place.name}/study"
        os.mkdir(self.folder)
        with Daemon(recording(self.folder, more=SMALL, extra="segment=700ms\n")) as daemon:
            session = start(daemon)
            for i in range(3):
                check(post(daemon, "/mark", {"text": f'mark "{i}"', "value": i})[0] == 200, "no mark")
            wait_for(lambda: frames(daemon) > 45, 20, "45 frames")
            answer = post(daemon, "/record/stop", {})[1]
            check(answer["state"] == "complete" and not answer["sealing"], answer)
        self.beh = os.path.relpath(session["folder"], self.folder)
        self.stem = f"{self.beh}/{session['name']}"
        self.camera = f"{self.stem}_recording-cam"
        self.files = sorted(os.path.relpath(path, self.folder) for pattern in ("beh/*", "motion/*")
                            for path in glob.glob(f"{self.folder}/sub-07/ses-2/{pattern}"))

    @classmethod
    def get(cls):
        cls.made = cls.made or cls()
        return cls.made

    def verify(self, damage, *arguments):
        """A copy's damage, and what verify says of it."""
        with place() as copy:
            shutil.copytree(self.folder, f"{copy}/study", copy_function=shutil.copy)
            damage(f"{copy}/study")
            return thermoface("verify", *arguments, f"{copy}/study")


def whole_and_named():
    """What was recorded is all right; the manifest has every file, and sha256sum agrees"""
    need("sha256sum")
    session = Session.get()
    done = session.verify(lambda folder: None)
    check(done.returncode == 0 and "all right" in done.stdout and "not in the session" not in done.stdout, done)
    with open(f"{session.folder}/{session.stem}{ENDING}", encoding="utf-8") as file:
        lines = file.read().splitlines()
    check(lines[:2] == ["# thermoface manifest 1", "# state complete"], lines[:3])
    named = sorted(os.path.normpath(f"{session.beh}/{line.split('  ', 1)[1]}") for line in lines if line[0] != "#")
    check(named == [path for path in session.files if not path.endswith(ENDING)], f"{named}\n{session.files}")
    done = subprocess.run(["sha256sum", "--check", "--strict", f"{os.path.basename(session.stem)}{ENDING}"], check=False,
                          cwd=f"{session.folder}/{session.beh}", capture_output=True, text=True)
    check(done.returncode == 0 and done.stdout.count(": OK") == len(named), done)
    # A file that somebody puts beside them is said and no fault.
    done = session.verify(lambda folder: shutil.copy(f"{folder}/README", f"{folder}/{session.camera}_remarks.txt"))
    check(done.returncode == 0 and "_remarks.txt: is not in the session's manifest" in done.stdout, done)


def change(how):
    """A damage to one file."""
    def damage(path):
        size = os.path.getsize(path)
        if how == "deleted":
            os.remove(path)
        elif how == "empty":
            os.truncate(path, 0)
        elif how == "short":
            os.truncate(path, size - 1)
        elif how == "half":
            os.truncate(path, size // 2)
        elif how == "longer":
            with open(path, "ab") as file:
                file.write(b"\0" * 10)
        elif how == "garbage line":
            with open(path, "ab") as file:
                file.write(b"garbage\n")
        else:  # a digit becomes another one, or any byte another one
            with open(path, "r+b") as file:
                data = file.read()
                digits = [i for i, byte in enumerate(data) if 0x31 <= byte <= 0x38]
                at = digits[len(digits) // 2] if how == "value" and digits else size // 2
                file.seek(at)
                file.write(bytes([data[at] + 1 if how == "value" and digits else data[at] ^ 0x10]))
    return damage


def damage_by_file():
    """Deleted, empty, short, half, longer, a garbage line, a changed value, a changed byte: of each file"""
    session = Session.get()
    kinds = ("deleted", "empty", "short", "half", "longer", "garbage line", "value", "byte")
    passed = []
    for path in session.files:
        for kind in kinds:
            done = session.verify(lambda folder, p=path, k=kind: change(k)(f"{folder}/{p}"))
            # A changed digest in the manifest is one of the file that it belongs to.
            if done.returncode != 1 or not path.endswith(ENDING) and os.path.basename(path).replace("_split-0001", "") not in \
                    done.stdout.replace("_split-0001", ""):
                passed.append((os.path.basename(path), kind, done.returncode))
    print(f"# {len(session.files)} files, {len(kinds)} damages")
    check(not passed, f"not seen: {passed}")


def damage_without_a_manifest():
    """An older session has none: lines, counts and pictures are checked all the same, and that is said"""
    session = Session.get()

    def older(folder):
        os.remove(f"{folder}/{session.stem}{ENDING}")
        path = f"{folder}/{session.camera}_video.json"
        with open(path, encoding="utf-8") as file:
            about = json.load(file)
        del about["Manifest"]
        with open(path, "w", encoding="utf-8") as file:
            json.dump(about, file)

    done = session.verify(older)
    check(done.returncode == 0 and "no manifest" in done.stdout, done)
    annotated = f"{session.camera}_desc-annotated_video.mkv"
    cases = [(annotated, kind) for kind in ("deleted", "empty", "half")]
    cases += [(f"{session.stem}_{name}.tsv", kind) for name in ("events", "clock") for kind in ("deleted", "garbage line")]
    cases += [(f"{session.camera}_{name}", kind) for name in ("signals.tsv", "frames.ndjson", "frames.csv")
              for kind in ("deleted", "garbage line", "half")]
    cases += [(path, "garbage line") for path in session.files if path.endswith("_motion.tsv")]
    cases += [(f"{session.camera}_physio.tsv.gz", kind) for kind in ("deleted", "half", "byte")]
    cases += [(f"{session.camera}_split-0002_video.mkv", kind) for kind in ("deleted", "half", "byte")]
    for path, kind in cases:
        done = session.verify(lambda folder, p=path, k=kind: (older(folder), change(k)(f"{folder}/{p}")))
        check(done.returncode == 1, f"{path}, {kind}: {done.stdout}")


def counts_and_states():
    """Not complete, one row more than frames, the manifest itself deleted or cut: all said"""
    session = Session.get()

    def edit(folder, **changes):
        path = f"{folder}/{session.camera}_video.json"
        with open(path, encoding="utf-8") as file:
            about = json.load(file)
        about.update(changes)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(about, file)

    done = session.verify(lambda folder: edit(folder, Complete=False))
    check(done.returncode == 1 and "not complete: it was not ended properly" in done.stdout, done)
    done = session.verify(lambda folder: edit(folder, Complete=False, Error="the disk was full"))
    check(done.returncode == 1 and "not complete: the disk was full" in done.stdout, done)

    def one_more(folder):
        for name, number in (("frames.csv", ","), ("frames.ndjson", '"video_frame":')):
            with open(f"{folder}/{session.camera}_{name}", "r+", encoding="utf-8") as file:
                last = file.read().splitlines()[-1]
                head, at = last.rsplit(number, 1)
                n = int(at.strip("}"))
                stamp = [cell for cell in head.replace(":", ",").split(",") if len(cell) > 9 and cell.isdigit()][0]
                file.write(head.replace(stamp, str(int(stamp) + 33000000)) + number + str(n + 1) + at[len(str(n)):] + "\n")
        edit(folder, Complete=False)

    done = session.verify(one_more)
    check(done.returncode == 1 and "frames, and the table names" in done.stdout, done)
    done = session.verify(lambda folder: os.remove(f"{folder}/{session.stem}{ENDING}"))
    check(done.returncode == 1 and "the manifest is missing" in done.stdout, done)
    done = session.verify(lambda folder: os.truncate(f"{folder}/{session.stem}{ENDING}", 200))
    check(done.returncode == 1 and "last line has no end" in done.stdout, done)


def changes_on_purpose():
    """A changed mark is an error until --renew takes it down; then it is all right"""
    session = Session.get()
    with place() as copy:
        shutil.copytree(session.folder, f"{copy}/study")
        for path in (f"{session.stem}_events.tsv", glob.glob(f"{copy}/study/sub-07/ses-2/motion/*_motion.json")[0]):
            path = os.path.join(f"{copy}/study", path)
            with open(path, "r+", encoding="utf-8") as file:
                text = file.read().replace("mark", "onset").replace("{", "{ ", 1)
                file.seek(0)
                file.write(text)
                file.truncate()
        done = thermoface("verify", f"{copy}/study")
        check(done.returncode == 1 and "_events.tsv" in done.stdout and "_motion.json" in done.stdout, done)
        done = thermoface("verify", "--renew", f"{copy}/study")
        check(done.returncode == 0 and "taken down as it is now" in done.stdout, done)
        done = thermoface("verify", f"{copy}/study")
        check(done.returncode == 0, done)
        done = thermoface("run", "--archive", f"{copy}/study")
        check(done.returncode == 0 and thermoface("verify", f"{copy}/study").returncode == 0, done)


def packed_videos_stay_in_the_manifest():
    """run --archive replaces videos and takes their digests down anew"""
    with place() as folder:
        with Daemon(recording(folder, extra="codec=ffvhuff\n")) as daemon:
            start(daemon)
            wait_for(lambda: frames(daemon) > 10, 20, "frames")
            check(post(daemon, "/record/stop", {})[1]["state"] == "complete", "not complete")
        done = thermoface("run", "--archive", folder)
        check(done.returncode == 0 and "1 packed" in done.stderr, done)
        done = thermoface("verify", folder)
        check(done.returncode == 0, done)


def a_killed_session():
    """After SIGKILL: not complete is said, and finished segments are in the manifest"""
    with place() as folder, Daemon(recording(folder, extra="segment=600ms\n")) as daemon:
        session = start(daemon)
        stem = f"{session['folder']}/{session['name']}"
        wait_for(lambda: os.path.exists(f"{stem}_recording-cam_split-0003_video.mkv"), 20, "three segments")

        def sealed():
            if not os.path.exists(f"{stem}{ENDING}"):
                return False
            with open(f"{stem}{ENDING}", encoding="utf-8") as file:
                return "  " + os.path.basename(stem) + "_recording-cam_split-0002_video.mkv\n" in file.read()

        wait_for(sealed, 10, "a finished segment in the manifest")
        daemon.process.kill()
        daemon.process.wait()
        done = thermoface("verify", "--trim", folder)
        check(done.returncode == 1 and "was not ended properly" in done.stdout, done)
        with open(f"{stem}{ENDING}", encoding="utf-8") as file:
            check("# state open" in file.read(), "not open")
        change("byte")(f"{stem}_recording-cam_split-0001_video.mkv")
        done = thermoface("verify", folder)
        check("split-0001_video.mkv: is not what was recorded" in done.stdout, done)


if __name__ == "__main__":
    run_tests([whole_and_named, damage_by_file, damage_without_a_manifest, counts_and_states, changes_on_purpose,
               packed_videos_stay_in_the_manifest, a_killed_session])
