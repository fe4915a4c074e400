"""Patterns for the pixel-exact checks: frames of numbers that differ in every pixel, row and frame."""
import array
import sys


def words(w, h, n):
    out = b""
    for i in range(n):
        a = array.array("H", [(i * 257 + y * 64 + x * 3 + 1) & 65535 for y in range(h) for x in range(w)])
        out += a.tobytes()
    return out


def frames(data, n):
    size = len(data) // n
    return [data[i * size:(i + 1) * size] for i in range(n)]


def main(folder):
    rows = []

    def put(row, fourcc, w, h, frame, expect=None, stride=""):
        name = f"{row}-{fourcc}-{w}x{h}.raw"
        with open(f"{folder}/{name}", "wb") as f:
            f.write(frame)
        if expect is not None:
            with open(f"{folder}/{name}.expect", "wb") as f:
                f.write(expect)
        rows.append(f"{row} {fourcc} {w} {h} {name} {name + ('.expect' if expect is not None else '')} {stride}")

    n = 4
    put("y16", "Y16_", 640, 512, words(640, 512, n))
    put("y16", "Y16_", 384, 288, words(384, 288, n), stride="1024")
    put("boson-y16", "Y16_", 640, 512, words(640, 512, n))
    put("lepton3-y16", "Y16_", 160, 120, words(160, 120, n))
    put("lepton2-y16", "Y16_", 80, 60, words(80, 60, n))
    # Two telemetry rows below the picture; their contents are this pattern, hence not valid telemetry.
    tele = frames(words(160, 122, n), n)
    put("lepton3-y16-telemetry", "Y16_", 160, 122, b"".join(tele), b"".join(t[:160 * 120 * 2] for t in tele))
    with open(f"{folder}/../formats", "w") as f:
        f.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
