#!/usr/bin/env python3
"""Changes what a model file says about itself (metadata_props, docs/models.md); the network's bytes stay as they are.

  training/meta.py MODEL KEY=VALUE…        sets keys; an empty VALUE takes the key out
  training/meta.py MODEL                   prints them

Needs nothing but Python: a ModelProto is a row of fields, and metadata_props is field 14 of it.
"""

import os
import sys

METADATA = 14


def varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("damaged, or no ONNX file")
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """(number, whole field, its content) of each field of a message."""
    at = 0
    while at < len(data):
        begin = at
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == 0:
            _, end = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            end = at + size
        elif kind in (1, 5):
            end = at + (8 if kind == 1 else 4)
        else:
            raise ValueError("damaged, or no ONNX file")
        if end > len(data):
            raise ValueError("truncated, or no ONNX file")
        yield tag >> 3, data[begin:end], data[at:end]
        at = end


def packed(number, content):
    out = bytearray([number << 3 | 2])
    size = len(content)
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes(out) + bytes([size]) + content


def entry(content):
    pair = {number: text.decode() for number, _, text in fields(content)}
    return pair.get(1, ""), pair.get(2, "")


def main(args):
    if not args or args[0].startswith("-") or any("=" not in a or a.startswith("=") for a in args[1:]):
        sys.exit(__doc__)
    path, changes = args[0], dict(a.split("=", 1) for a in args[1:])
    try:
        with open(path, "rb") as file:
            parts = list(fields(file.read()))
        meta = dict(entry(content) for number, _, content in parts if number == METADATA)
    except (OSError, ValueError) as e:
        sys.exit(f"{path}: {e}")
    if not changes:
        for key, value in meta.items():
            print(f"{key} = {value}")
        return
    meta = {k: v for k, v in {**meta, **changes}.items() if v}
    with open(path + ".new", "wb") as file:
        file.write(b"".join(whole for number, whole, _ in parts if number != METADATA))
        for key, value in meta.items():
            file.write(packed(METADATA, packed(1, key.encode()) + packed(2, value.encode())))
    os.replace(path + ".new", path)


main(sys.argv[1:])
