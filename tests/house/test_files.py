"""Files of other programs through `thermoface run`: TIFF, .y16.gz, streams, lists, palettes, dates. All made here,
byte by byte where the format is what is tried."""
import gzip
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import MODELS, SLOW, Skip, check, have_models, need, run_tests  # noqa: E402

THERMOFACE = os.environ["TF_THERMOFACE"]
FOLDER = tempfile.TemporaryDirectory(prefix="tf-files-")
W, H = 64, 48
LZW, DEFLATE, COPY = 5, 8, 1
MEMORY = 3 << 30  # of address space, for what unpacks to more


def value(n, x, y):
    return 30000 + (n * 131 + x * 7 + y * 3) % 997


def celsius(n, x, y):
    return 20 + (n * 13 + x * 3 + y) % 150 / 10


def at(name):
    return f"{FOLDER.name}/{name}"


def write(name, data):
    with open(at(name), "wb") as file:
        file.write(data)
    return at(name)


def run(path, *options, status=0, limited=False):
    """Records and what was said."""
    if not have_models():
        raise Skip("the networks are not there")
    # One pixel's value is its mean.
    regions = write("own.conf", b"[region first]\nshape=rectangle 0,0,1,1\n[region spot]\nshape=rectangle 41,30,1,1\n"
                                b"[region last]\nshape=rectangle 63,47,1,1\n[region all]\nshape=rectangle 0,0,64,48\n")

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    done = subprocess.run([THERMOFACE, "run", path, "--models", MODELS, "--ndjson", "-", "--regions", regions, *options],
                          capture_output=True, text=True, timeout=60 * SLOW, check=False, stdin=subprocess.DEVNULL,
                          preexec_fn=limit if limited and SLOW == 1 else None)
    check(done.returncode == status, f"{path} {options}: {done.returncode}: {done.stderr[-400:]}")
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def refused(path, *words, options=(), frames=0, limited=False):
    """Ends with 1 after so many records, with one message that says all of the words."""
    records, said = run(path, *options, status=1, limited=limited)
    check(len(records) == frames, f"{path}: {len(records)} records, not {frames}: {said}")
    for word in (os.path.basename(path), *words):
        check(word in said, f"{path}: does not say {word!r}: {said}")


def pixels(record):
    return [record["areas"][name]["mean"] for name in ("first", "spot", "last")]


def check_values(records, what, count, unit="counts", by=1e-9):
    check(len(records) == count, f"{len(records)} records, not {count}")
    for n, record in enumerate(records):
        every, whole = [what(n, x, y) for y in range(H) for x in range(W)], record["areas"]["all"]
        check(whole["n"] == W * H and abs(whole["mean"] - sum(every) / len(every)) <= by + 0.001 and
              abs(whole["min"] - min(every)) <= by and abs(whole["max"] - max(every)) <= by, f"{n}: {whole}")
        want = [what(n, *place) for place in ((0, 0), (41, 30), (63, 47))]
        check(record["unit"] == unit, record["unit"])
        check(all(abs(a - b) <= by for a, b in zip(pixels(record), want)), f"{n}: {pixels(record)}, not {want}")


# TIFF: one writer of our own, so that libtiff is not asked about itself

def lzw(data):
    """TIFF's LZW: most significant bit first, a code wider one code early."""
    bits, length, out = 0, 0, bytearray()

    def emit(code):
        nonlocal bits, length
        bits, length = bits << width | code, length + width
        while length >= 8:
            length -= 8
            out.append(bits >> length & 255)
        bits &= (1 << length) - 1

    width, table, known = 9, {bytes([i]): i for i in range(256)}, b""
    following = 258
    emit(256)
    for i in range(len(data)):
        longer = known + data[i:i + 1]
        if longer in table:
            known = longer
            continue
        emit(table[known])
        table[longer] = following
        following += 1
        known = data[i:i + 1]
        if following == 4094:
            emit(256)
            width, table, following = 9, {bytes([k]): k for k in range(256)}, 258
        elif following > (1 << width) - 1:
            width += 1
    emit(table[known])
    following += 1
    if following > (1 << width) - 1:
        width += 1
    emit(257)
    return bytes(out) + (bytes([bits << (8 - length) & 255]) if length else b"")


def tiff(name, pages, size=(W, H), order="<", bits=16, samples=1, kind=1, packed=COPY, tile=0, strip=16, photometric=1,
         says=None):
    """`pages`: each a function of y that gives a row's bytes, or the rows themselves."""
    width, height = size
    out = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 0))
    link, ends = 4, []
    pack = {COPY: bytes, DEFLATE: zlib.compress, LZW: lzw}[packed]
    for page in pages:
        rows = [page(y) for y in range(height)]
        if tile:
            step = tile * samples * bits // 8
            parts = [b"".join((rows[y][x:x + step] if y < height else b"").ljust(step, b"\0") for y in range(top, top + tile))
                     for top in range(0, height, tile) for x in range(0, len(rows[0]), step)]
        else:
            parts = [b"".join(rows[top:top + strip]) for top in range(0, height, strip)]
        offsets, counts = [], []
        for part in parts:
            data = pack(part)
            offsets.append(len(out))
            counts.append(len(data))
            out += data + b"\0" * (len(data) % 2)
        shown = says or size
        tags = [(256, 4, [shown[0]]), (257, 4, [shown[1]]), (258, 3, [bits] * samples), (259, 3, [packed]),
                (262, 3, [photometric]), (277, 3, [samples]), (339, 3, [kind] * samples)]
        tags += [(322, 4, [tile]), (323, 4, [tile]), (324, 4, offsets), (325, 4, counts)] if tile else \
            [(273, 4, offsets), (278, 4, [strip]), (279, 4, counts)]
        entries = b""
        for tag, code, values in sorted(tags):
            data = struct.pack(f"{order}{len(values)}{'H' if code == 3 else 'I'}", *values)
            if len(data) > 4:
                place = len(out)
                out += data
                data = struct.pack(order + "I", place)
            entries += struct.pack(order + "HHI", tag, code, len(values)) + data.ljust(4, b"\0")
        struct.pack_into(order + "I", out, link, len(out))
        out += struct.pack(order + "H", len(tags)) + entries
        link = len(out)
        out += b"\0\0\0\0"
        ends.append(len(out))
    return write(name, out), ends


def rows16(n, order="<", what=value):
    return lambda y: struct.pack(f"{order}{W}H", *(what(n, x, y) for x in range(W)))


def floats(n, order="<", what=celsius):
    return lambda y: struct.pack(f"{order}{W}f", *(what(n, x, y) for x in range(W)))


def can_tiff():
    """A build without libtiff reads a TIFF's first page and says so."""
    path, _ = tiff("probe.tif", [rows16(0), rows16(1)])
    if "no libtiff" in run(path)[1]:
        raise Skip("this build has no libtiff")


def test_tiff_values():
    """TIFF stacks of 16 bits: both byte orders, plain, LZW, deflate, one strip or many, tiles: the values of every page"""
    can_tiff()
    for order in "<>":
        for packed in (COPY, LZW, DEFLATE):
            for options in ({"strip": H}, {"strip": 5}, {"tile": 16}, {"tile": 80}):
                path, _ = tiff("v.tif", [rows16(n, order) for n in range(4)], order=order, packed=packed, **options)
                records, said = run(path)
                check_values(records, value, 4)
                check([r["t_mono_ns"] for r in records] == [n * 40000000 for n in range(4)] and "25 frames/s" in said, said)
    records, said = run(path, "--format", "centikelvin", "--fps", "9")
    check_values(records, lambda *a: value(*a) / 100 - 273.15, 4, "celsius", 0.0051)
    check([r["t_mono_ns"] // 1000000 for r in records] == [0, 111, 222, 333], f"{records}")


def test_tiff_floats():
    """TIFF stacks of floats: degrees Celsius, and kelvin, to the 0.01 that a centikelvin keeps; both byte orders"""
    can_tiff()
    for order in "<>":
        for packed, options in ((COPY, {}), (LZW, {"tile": 16}), (DEFLATE, {"strip": 7})):
            for more in (0, 273.15):
                path, _ = tiff("f.tif", [floats(n, order, lambda *a: celsius(*a) + more) for n in range(3)], order=order, bits=32,
                               kind=3, packed=packed, **options)
                check_values(run(path)[0], celsius, 3, "celsius", 0.0101)
    # No number is no temperature.
    path, _ = tiff("nan.tif", [floats(0, "<", lambda n, x, y: float("nan") if (x, y) == (0, 0) else celsius(n, x, y))],
                   bits=32, kind=3)
    first = run(path)[0][0]["areas"]["first"]
    check(first["n"] == 0 and first["excluded"] == 1 and first["mean"] is None, first)


def test_tiff_truncated():
    """a TIFF that is cut, anywhere: the whole pages before, then an error; never a page of zeros"""
    can_tiff()
    for packed in (COPY, LZW, DEFLATE):
        path, ends = tiff("cut.tif", [rows16(n) for n in range(3)], packed=packed)
        with open(path, "rb") as file:
            data = file.read()
        for cut, whole in ((ends[0] + 100, 1), (ends[1] - 20, 1), (ends[1] + 500, 2), (len(data) - 30, 2)):
            refused(write("cut.tif", data[:cut]), "truncated", frames=whole)
        refused(write("cut.tif", data[:ends[0] - 60]), "directory")
        refused(write("cut.tif", data[:8]))
        # The strips are lost, the pages stand: a copy that ended early and was filled with zeros.
        if packed != COPY:
            refused(write("cut.tif", data[:ends[0]] + bytes(2000) + data[ends[0] + 2000:]), "page 1", "damaged", frames=1)


def test_tiff_refused():
    """a TIFF that cannot be measured is refused with its reason: colours of 16 bits, signed, 12 bits, sizes"""
    can_tiff()
    rgb = [lambda y: struct.pack(f"<{3 * W}H", *range(3 * W))]
    refused(tiff("c.tif", rgb, samples=3, photometric=2)[0], "3 samples of 16 bits", "can be read")
    refused(tiff("s.tif", [rows16(0)], kind=2)[0], "(signed)", "can be read")
    refused(tiff("d.tif", [lambda y: bytes(W * 8)], bits=64, kind=3)[0], "64 bits (float)", "can be read")
    refused(tiff("t.tif", [lambda y: bytes(W * 3 // 2)], bits=12)[0], "12 bits", "can be read")
    for says in ((70000, 70000), (0xffffffff, 0xffffffff), (W, 0xffffffff), (5000, 5000)):
        for options in ({}, {"tile": 16}):
            refused(tiff("big.tif", [rows16(0)], says=says, **options)[0], limited=True)
    # A tile far larger than its picture.
    path, _ = tiff("tile.tif", [rows16(0)], tile=16)
    with open(path, "rb") as file:
        data = bytearray(file.read())
    for tag in (322, 323):
        place = data.index(struct.pack("<HHII", tag, 4, 1, 16)) + 8
        struct.pack_into("<I", data, place, 0x00fffff0)
    refused(write("tile.tif", data), limited=True)
    # A page of another size in a stack, and a directory that leads back to itself.
    path, ends = tiff("loop.tif", [rows16(n) for n in range(2)])
    with open(path, "rb") as file:
        data = bytearray(file.read())
    struct.pack_into("<I", data, ends[1] - 4, struct.unpack_from("<I", data, 4)[0])
    records, _ = run(write("loop.tif", data), status=1)
    check(len(records) == 2, f"{len(records)} records of a stack of 2 pages that leads back to its first")


# .y16.gz

def y16(name, frames, header=None, length=None, cut=0, numbers=None, magic=b"PTY16V1\n"):
    text = json.dumps(header or {"width": W, "height": H, "fps": 9.0}).encode()
    data = magic + struct.pack("<I", len(text) if length is None else length) + text
    for i in range(frames):
        t = 1.7e9 + i / 8
        data += struct.pack("<Qdq", numbers[i] if numbers else i, t, int(t * 1000))
        data += b"".join(rows16(i)(y) for y in range(H))
    return write(name, gzip.compress(data[:len(data) - cut], 1))


def test_y16_values():
    """.y16.gz: values, the recorder's own times, lost numbers as gaps"""
    records, _ = run(y16("a.y16.gz", 5))
    check_values(records, value, 5)
    check([r["t_mono_ns"] for r in records] == [n * 125000000 for n in range(5)], "times")
    check(records[0]["t_utc"].startswith("2023-11-14T22:13:20.000"), records[0]["t_utc"])
    records, _ = run(y16("a.y16.gz", 4, numbers=(7, 8, 11, 12)), "--format", "centikelvin")
    check_values(records, lambda *a: value(*a) / 100 - 273.15, 4, "celsius", 0.0051)
    check(["gap" in r["flags"] for r in records] == [False, False, True, False], [r["flags"] for r in records])


def test_y16_cut_and_damaged():
    """.y16.gz: cut, no multiple of a frame, damaged inside: the frames before, then an error that says where"""
    for cut in (1, 100, W * H * 2, W * H * 2 + 10):  # of the last frame: its picture, all of it, its head
        refused(y16("b.y16.gz", 3, cut=cut), "truncated", "frame 2", frames=2)
    with open(y16("b.y16.gz", 6), "rb") as file:
        data = file.read()
    for end in (len(data) - 4, len(data) - 1):  # every picture, no end
        refused(write("b.y16.gz", data[:end]), "truncated", frames=6)
    records, said = run(write("b.y16.gz", data[:len(data) // 2]), status=1)
    check(0 < len(records) < 6 and "truncated" in said, said)
    check_values(records, value, len(records))
    # A wrong checksum: the values may be wrong, and it is said; what zlib unpacks at once is not used.
    refused(write("b.y16.gz", data[:-8] + bytes(4) + data[-4:]), "cannot be unpacked", "damaged")
    with open(y16("b.y16.gz", 200), "rb") as file:
        data = file.read()
    records, said = run(write("b.y16.gz", data[:-8] + bytes(4) + data[-4:]), status=1)
    check(80 < len(records) < 200 and "cannot be unpacked beyond frame" in said, f"{len(records)}: {said}")
    refused(write("b.y16.gz", gzip.compress(b"something else")), "--raw")
    refused(y16("b.y16.gz", 1, magic=b"PTY16V2\n"), "--raw")


def test_unpacked_limits():
    """.y16.gz and packed raw values: what unpacks to gigabytes takes no memory, absurd sizes are refused"""
    refused(y16("c.y16.gz", 1, length=0xffffffff), "header", limited=True)
    for w, h in ((0, 48), (-1, 48), (1e300, 1e300), (70000, 70000), (float("nan"), 48)):
        refused(y16("c.y16.gz", 1, header={"width": w, "height": h}), "header", limited=True)
    bomb, text = at("bomb.y16.gz"), b'{"width": 64, "height": 48, "fps": 9}'
    with gzip.open(bomb, "wb", 1) as file:
        file.write(b"PTY16V1\n" + struct.pack("<I", len(text)) + text)
        for _ in range(64):
            file.write(bytes(1 << 24))
    check(os.path.getsize(bomb) < 8 << 20, "is no bomb")
    check(len(run(bomb, "--limit", "3", limited=True)[0]) == 3, "three pictures of a gigabyte of them")
    check(len(run(bomb, "--raw", "4096x4096:gray16le@9", "--limit", "3", limited=True)[0]) == 3, "large pictures")
    refused(bomb, "70000x70000", options=("--raw", "70000x70000:gray16le@9"), limited=True)
    with open(bomb, "ab") as file:
        file.truncate(0)
        file.write(gzip.compress(b"PTY16V1\n" + struct.pack("<I", (1 << 20) - 1) + bytes((1 << 20) - 1)))
    refused(bomb, "header", limited=True)


# what FFmpeg reads

def video(name, what, frames=4, options=(), streams=1, pixel="gray16le", size=(W, H), encoder="ffv1"):
    """A loss-free video of rows that `what(stream, n, y)` gives."""
    need("ffmpeg")
    inputs, maps = [], []
    for s in range(streams):
        raw = write(f"{name}.{s}.raw", b"".join(what(s, n, y) for n in range(frames) for y in range(size[1])))
        inputs += ["-f", "rawvideo", "-pix_fmt", pixel, "-s", f"{size[0]}x{size[1]}", "-framerate", "9", "-i", raw]
        maps += ["-map", f"{s}:v"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *inputs, *maps, "-c:v", encoder, *options, at(name)], check=True,
                   stdin=subprocess.DEVNULL, timeout=60 * SLOW)
    return at(name)


def test_streams():
    """--stream: each of two videos in one file; a number that is not there, a sound's, no number are refused by name"""
    path = video("two.mkv", lambda s, n, y: rows16(n + 40 * s)(y), streams=2)
    for options, first in (((), 0), (("--stream", "0"), 0), (("--stream", "1"), 40)):
        records, said = run(path, *options)
        check_values(records, lambda n, x, y: value(n + first, x, y), 4)
        check(("--stream N takes another" in said) == (not options), said)
    for n in ("2", "-1", "x", "1x", "99999999999999999999"):
        refused(path, f"stream {n} is no video", f"0 ({W}x{H} gray16le, ffv1), 1 ({W}x{H} gray16le, ffv1)",
                options=("--stream", n))
    sound = at("sound.mkv")
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "sine=duration=0.4", "-i", path, "-map", "0:a", "-map",
                    "1:v:1", "-c:v", "copy", "-c:a", "pcm_s16le", sound], check=True, stdin=subprocess.DEVNULL)
    refused(sound, "stream 0 is no video", options=("--stream", "0"))
    check_values(run(sound)[0], lambda n, x, y: value(n + 40, x, y), 4)


def listed(name, *files):
    return write(name, "".join(["ffconcat version 1.0\n", *(f"file {file}\n" for file in files)]).encode())


def test_lists():
    """ffconcat: the list's order; a file that is missing or damaged is named; nothing elsewhere, no list in a list"""
    for i in range(3):
        video(f"part{i}.mkv", lambda s, n, y, i=i: rows16(n + 10 * i)(y), frames=3)
    order = (2, 0, 1)
    records, _ = run(listed("l.ffconcat", *(f"part{i}.mkv" for i in order)))
    check_values(records, lambda n, x, y: value(n % 3 + 10 * order[n // 3], x, y), 9)
    times = [r["t_mono_ns"] for r in records]
    check(times == sorted(set(times)), f"{times}")
    refused(listed("l.ffconcat", "part0.mkv", "gone.mkv", "part1.mkv"), "gone.mkv", "No such file", frames=3)
    refused(listed("l.ffconcat", "gone.mkv", "part1.mkv"), "gone.mkv", "No such file")
    write("torn.mkv", b"\x1aE\xdf\xa3" + bytes(100))
    refused(listed("l.ffconcat", "part0.mkv", "'torn.mkv'"), "torn.mkv", "cannot be opened", frames=3)
    for elsewhere in ("http://127.0.0.1:24099/x.mkv", "tcp:127.0.0.1:24099", "pipe:0", "data:video/x-matroska;base64,AAAA",
                      f"'concat:{at('part0.mkv')}'", f"file:{at('part0.mkv')}", at("part0.mkv"), "../part0.mkv",
                      "'a b.mkv'", "subfile,,start,0,end,9,,:part0.mkv"):
        refused(listed("l.ffconcat", "part0.mkv", elsewhere), elsewhere.strip("'"), "its own folder")
    refused(listed("l.ffconcat", "l.ffconcat"), "is a list itself")
    os.mkfifo(at("pipe.mkv"))
    refused(listed("l.ffconcat", "part0.mkv", "pipe.mkv"), "pipe.mkv", "is not a file")
    # Lists of other kinds do not lead out either.
    refused(write("l.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:24099/x.ts\n#EXT-X-ENDLIST\n"))


RAINBOW = ((0, 0, 130), (0, 90, 255), (0, 230, 220), (120, 240, 40), (250, 220, 0), (255, 90, 0), (150, 0, 0))
IRON = ((0, 0, 20), (60, 0, 130), (160, 0, 150), (220, 60, 60), (250, 140, 0), (255, 220, 60), (255, 255, 240))


def through(palette, t):
    k = min(int(t * (len(palette) - 1)), len(palette) - 2)
    part = t * (len(palette) - 1) - k
    return [round(a + (b - a) * part) for a, b in zip(palette[k], palette[k + 1])]


def shade(n, x, y):
    return (x * 5 + y * 3 + n * 17) % 400 / 399


def test_palettes():
    """colours of a palette are said to be no temperatures, whatever the file; gray and a real scene's colours are not"""
    def lit(n, x, y):  # things of six colours, each pale and strong, dark and light
        base = ((200, 60, 50), (60, 180, 70), (50, 80, 200), (210, 190, 60), (190, 60, 180), (60, 190, 190))[x // 11]
        strong, light = (y % 6 + 1) / 6, 0.2 + 0.8 * ((x * 7 + y // 6 * 3) % 11) / 10
        return [round(light * (160 + strong * (c - 160))) for c in base]

    looks = {"rainbow": (lambda *a: through(RAINBOW, shade(*a)), True), "iron": (lambda *a: through(IRON, shade(*a)), True),
             "gray": (lambda *a: [round(255 * shade(*a))] * 3, False), "scene": (lit, False)}
    for name, (colour, warns) in looks.items():
        def row(n, y, colour=colour):
            return bytes(c for x in range(W) for c in colour(n, x, y))

        files = [tiff(f"{name}.tif", [lambda y, n=n: row(n, y) for n in range(2)], bits=8, samples=3, photometric=2)[0],
                 video(f"{name}.mkv", lambda s, n, y: row(n, y), pixel="rgb24", options=("-pix_fmt", "yuv444p")),
                 video(f"{name}.nut", lambda s, n, y: row(n, y), pixel="rgb24", options=("-pix_fmt", "yuv420p")),
                 video(f"{name}.png", lambda s, n, y: row(n, y), pixel="rgb24", frames=1, encoder="png")]
        for path in files:
            records, said = run(path)
            check(("palette" in said) == warns, f"{path}: {said}")
            check(records and all(r["unit"] != "celsius" for r in records), f"{path}: {records[:1]}")


def test_dates():
    """a creation date that 64 bits of nanoseconds cannot hold is not believed"""
    for date, believed in (("2026-03-01T10:15:30Z", True), ("9999-12-31T23:59:59Z", False), ("0001-01-01T00:00:00Z", False)):
        path = video("date.nut", lambda s, n, y: rows16(n)(y), options=("-metadata", f"creation_time={date}"))
        os.utime(path, (1.6e9, 1.6e9))
        stamps = [r["t_utc"] for r in run(path)[0]]
        check(stamps[0].startswith("2026-03-01T10:15:30.0" if believed else "2020-09-13T12:26:3"), f"{date}: {stamps}")
        check(stamps == sorted(stamps), f"{stamps}")


def test_turns():
    """a session's RotateClockwise that is no turn is refused, whatever the number"""
    os.makedirs(at("turn"))
    for text in ("1e300", "-1e300", "45", "-90", "4294967296", "65536", "9223372036854775807"):
        video("turn/a_video.mkv", lambda s, n, y: rows16(n)(y))
        write("turn/a_video.json", f'{{"Camera": "a", "PixelFormat": "gray16le", "RotateClockwise": {text}}}'.encode())
        write("turn/a_frames.csv", b"camera,frame\n")
        done = subprocess.run([THERMOFACE, "run", at("turn"), "--models", MODELS, "--output", at("results")], check=False,
                              capture_output=True, text=True, timeout=60 * SLOW)
        check(done.returncode == 1 and "RotateClockwise" in done.stderr, f"{text}: {done}")


run_tests([test_tiff_values, test_tiff_floats, test_tiff_truncated, test_tiff_refused, test_y16_values,
           test_y16_cut_and_damaged, test_unpacked_limits, test_streams, test_lists, test_palettes, test_dates, test_turns])
