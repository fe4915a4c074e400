"""What people write into marks comes back the same, in every program that reads the tables; numbers keep their digits."""
import csv
import glob
import json
import os
import random
import subprocess
import sys
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import SLOW, Daemon, Skip, check, need, run_tests  # noqa: E402
from test_session import place, post, recording, start, thermoface  # noqa: E402

TEXTS = ['"start" one', 'two', '5" screen', "three", '"', '""', '"a', 'a"', 'a""b', ' "both" ', " lead", "trail ", " ",
         "a  b", "NA", "n/a", "NaN", "null", "None", "<NA>", "-", "inf", "TRUE", "T", "007", "1e5", "0x10", "1,5",
         "2026-01-01", "12:30", "=cmd()", "+1", "@x", "-2+3", "#not a comment", "%d %s", "a\\b\\", "\\", "\\t", "\\n",
         "'", "it's", "`x`", "a,b;c|d", "\ufeffbom", "\ufffe", "\u0301", "\u2028", "\u0085", "\u00a0", "\u200b", "ä",
         "日本語", "😀", "👩\u200d🔬", "\U0010ffff", "x" * 1000, '"' * 1000]
NUMBERS = [(0, "0"), (-1, "-1"), (123456789012345678, "123456789012345678"), (9223372036854775807,) * 2,
           (-9223372036854775808,) * 2, (1764322800123, "1764322800123"), (0.1, "0.1"), (1.1, "1.1"), (1 / 3, None),
           (1764322800.123456, None), (3.0, "3.0"), (-0.0, "-0.0"), (1e300, None), (5e-324, None),
           (1.7976931348623157e308, None), (0.30000000000000004, "0.30000000000000004")]


def random_texts(count):
    """Short texts of what gives readers trouble, the same in every run."""
    parts = ['"', '""', " ", "\\", "'", ",", ";", "#", "NA", "n/a", "=", "a", "é", "😀", "\ufeff", "%", "1", ".", "-"]
    draw = random.Random(14)
    return ["".join(draw.choice(parts) for _ in range(draw.randint(1, 6))) for _ in range(count)]


class Session:
    """One session with all these marks; every reader looks at the same file."""
    made = None

    def __init__(self):
        self.texts = TEXTS + random_texts(60)
        self.folder = place()
        with Daemon(recording(self.folder.name)) as daemon:
            start(daemon, note='"quoted"\\ note =1 😀')
            for i, text in enumerate(self.texts):
                status, answer = post(daemon, "/mark", {"text": text, "value": self.texts[-1 - i]})
                check(status == 200, f"{text!r}: {answer}")
            check(post(daemon, "/record/stop", {})[1]["marks"] == len(self.texts), "marks are not counted")
        self.path = glob.glob(f"{self.folder.name}/sub-07/ses-2/beh/*_events.tsv")[0]

    @classmethod
    def get(cls):
        cls.made = cls.made or cls()
        return cls.made

    def check(self, who, rows):
        """Rows of text and value; a value "n/a" is BIDS' word for none, which a reader may have made of it."""
        wanted = list(zip(self.texts, reversed(self.texts)))
        check(len(rows) == len(wanted), f"{who}: {len(rows)} rows, {len(wanted)} marks")
        wrong = [(a, b) for a, b in zip(wanted, rows) if tuple(a) != tuple(b)]
        check(not wrong, f"{who}: {len(wrong)} differ: {wrong[:5]}")


def python_csv():
    """csv of Python reads every mark as it was given, and the note in the JSON"""
    session = Session.get()
    with open(session.path, encoding="utf-8", newline="") as file:
        session.check("csv", [(row["trial_type"], row["value"]) for row in csv.DictReader(file, delimiter="\t")])
    with open(session.path[:-4] + ".json", encoding="utf-8") as file:
        check(json.load(file)["Note"]["Description"] == '"quoted"\\ note =1 😀', "the note differs")
    # A line is a row for everything that counts lines, and a column for what splits at tabs.
    with open(session.path, "rb") as file:
        lines = file.read().split(b"\n")
    check(len(lines) == len(session.texts) + 2 and all(line.count(b"\t") == 7 for line in lines[:-1]), "lines or cells")


def run_reader(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, timeout=120 * SLOW, check=False,
                          env=dict(os.environ, LC_ALL="C.UTF-8"))
    check(done.returncode == 0, done.stderr.decode(errors="replace"))
    return done.stdout.decode("utf-8")


def from_lines(text):
    """Rows that a reader printed in hexadecimal, text and value with a comma between."""
    return [tuple(bytes.fromhex(cell).decode("utf-8") for cell in line.split(",")) for line in text.split()]


def pandas():
    """pandas, with the lines of docs/recording.md"""
    python = "/usr/bin/python3"
    if subprocess.run([python, "-c", "import pandas"], capture_output=True, check=False).returncode != 0:
        raise Skip("python3-pandas is not installed")
    session = Session.get()
    text = run_reader(python, "-c", f"""
import pandas as pd
text = {{"trial_type": str, "value": str}}
events = pd.read_csv({session.path!r}, sep="\\t", dtype=text, keep_default_na=False)
for a, b in zip(events.trial_type, events.value):
    print(a.encode().hex() + "," + b.encode().hex())
assert len(pd.read_csv({session.path!r}, sep="\\t")) == len(events)
""")
    session.check("pandas", from_lines(text))


def r():
    """R's read.delim, with the lines of docs/recording.md"""
    need("Rscript")
    session = Session.get()
    text = run_reader("Rscript", "-e", f"""
events <- read.delim("{session.path}", colClasses = c(trial_type = "character", value = "character"),
                     na.strings = character())
hex <- function(t) paste(charToRaw(t), collapse = "")
cat(paste0(sapply(events$trial_type, hex), ",", sapply(events$value, hex)), sep = "\\n")
stopifnot(nrow(read.delim("{session.path}")) == nrow(events))
""")
    session.check("R", from_lines(text))


def octave():
    """Octave's textscan, with the lines of docs/recording.md"""
    need("octave")
    session = Session.get()
    text = run_reader("octave", "--no-gui", "--quiet", "--eval", f"""
f = fopen('{session.path}'); fgetl(f);
c = textscan(f, '%f %f %q %q %f %s %s %s', 'Delimiter', '\\t', 'Whitespace', ''); fclose(f);
for i = 1:numel(c{{3}})
  printf('%s,%s\\n', sprintf('%02x', uint8(c{{3}}{{i}})), sprintf('%02x', uint8(c{{4}}{{i}})));
end
""")
    session.check("Octave", from_lines(text))


def send(daemon, body):
    request = urllib.request.Request(daemon.http() + "/mark", data=body, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30 * SLOW) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def refused():
    """What a table cannot carry, or JSON forbids, is refused with the reason, and nothing of it is written"""
    cases = [(r'"a\tb"', "control"), (r'"a\nb"', "control"), (r'"a\rb"', "control"), (r'"\r\n"', "control"),
             (r'"a\u0000b"', "zero byte"), (r'"\u001b[0m"', "control"), (r'"\u007f"', "control"), (r'""', "no text"),
             (r'"\ud800"', "JSON"), (r'"\udc00x"', "JSON"), ('"' + "x" * 1001 + '"', "longer than 1000 bytes"),
             ('"' + "é" * 501 + '"', "longer than 1000 bytes"), ("7", "string"), ('["a"]', "string"), ("{}", "string")]
    with place() as folder, Daemon(recording(folder)) as daemon:
        start(daemon)
        bodies = [(b'{"text":' + text.encode() + b"}", part) for text, part in cases]
        bodies += [(b'{"text":"a","value":' + text.encode() + b"}", part) for text, part in cases
                   if "text" not in part and text[0] != "7"]
        bodies += [(b'{"text":"a\xff"}', "JSON"), (b'{"text":"\xed\xa0\x80"}', "JSON"), (b'\xef\xbb\xbf{"text":"a"}', "JSON"),
                   (b'{"text":"a","value":9223372036854775808}', "64 bits"), (b'{"text":"a","value":1e999}', "JSON"),
                   (b'{"text":"a","value":NaN}', "JSON"), (b'{"text":"a","value":true}', "string")]
        for body, part in bodies:
            status, answer = send(daemon, body)
            check(status == 400 and part in answer["error"], f"{body[:80]}: {status} {answer}")
        done = thermoface("mark", b"a\xff", "--url", daemon.http())
        check(done.returncode == 2 and "UTF-8" in done.stderr, done)
        with open(glob.glob(f"{folder}/sub-07/ses-2/beh/*_events.tsv")[0], encoding="utf-8") as file:
            check(len(file.readlines()) == 1, "something was written")


def numbers():
    """A value's digits are those that were given; a double comes back the same"""
    with place() as folder, Daemon(recording(folder)) as daemon:
        start(daemon)
        for number, _ in NUMBERS:
            status, answer = send(daemon, json.dumps({"text": "n", "value": number}).encode())
            check(status == 200, f"{number}: {answer}")
        with open(glob.glob(f"{folder}/sub-07/ses-2/beh/*_events.tsv")[0], encoding="utf-8", newline="") as file:
            kept = [row["value"] for row in csv.DictReader(file, delimiter="\t")]
        for (number, text), got in zip(NUMBERS, kept, strict=True):
            check(got == str(text or got) and type(number)(got) == number, f"{number!r} became {got}")


if __name__ == "__main__":
    run_tests([python_csv, pandas, r, octave, refused, numbers])
