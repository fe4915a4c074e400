"""Writes edges.onnx, the small network of this example: QDQ int8, opset 13, no training and no packages needed.

usage: make_edges.py FILE

A 3x3 convolution to four channels (Sobel's two filters and their negatives), a ReLU and a 1x1 convolution that adds the
four: what comes out is |dx| + |dy| of the picture, in steps of 8.
"""
import struct
import sys

SIZE = 48


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """One protobuf field: a number, a text, bytes, or the bytes of a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


FLOAT, UINT8, INT8 = 1, 2, 3


def tensor(name, kind, dims, raw):
    return b"".join(field(1, d) for d in dims) + field(2, kind) + field(8, name) + field(9, raw)


def number(name, value):
    return tensor(name, FLOAT, [], struct.pack("<f", value))


def ints(name, values):
    return field(1, name) + b"".join(field(8, v) for v in values) + field(20, 7)


def node(kind, inputs, output, attributes=()):
    return (b"".join(field(1, i) for i in inputs) + field(2, output) + field(3, output) + field(4, kind)
            + b"".join(field(5, a) for a in attributes))


def picture(name):
    shape = b"".join(field(1, field(1, d)) for d in (1, 1, SIZE, SIZE))
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, shape)))


def main(path):
    sobel = [-1, 0, 1, -2, 0, 2, -1, 0, 1]
    turned = [sobel[3 * x + y] for y in range(3) for x in range(3)]
    filters = []
    for kernel in (sobel, turned):
        for sign in (1, -1):
            filters += [sign * k for k in kernel]
    initializers = [
        number("one", 1.0), number("four", 4.0), number("eight", 8.0),
        tensor("zero", UINT8, [], b"\0"), tensor("zero_s8", INT8, [], b"\0"),
        tensor("sobel", INT8, [4, 1, 3, 3], struct.pack("36b", *filters)),
        tensor("add", INT8, [1, 4, 1, 1], struct.pack("4b", 1, 1, 1, 1)),
    ]
    nodes = [
        node("QuantizeLinear", ["picture", "one", "zero"], "picture_q"),
        node("DequantizeLinear", ["picture_q", "one", "zero"], "picture_dq"),
        node("DequantizeLinear", ["sobel", "one", "zero_s8"], "sobel_dq"),
        node("Conv", ["picture_dq", "sobel_dq"], "slopes", [ints("pads", [1, 1, 1, 1])]),
        node("Relu", ["slopes"], "rising"),
        node("QuantizeLinear", ["rising", "four", "zero"], "rising_q"),
        node("DequantizeLinear", ["rising_q", "four", "zero"], "rising_dq"),
        node("DequantizeLinear", ["add", "one", "zero_s8"], "add_dq"),
        node("Conv", ["rising_dq", "add_dq"], "sum"),
        node("QuantizeLinear", ["sum", "eight", "zero"], "edges_q"),
        node("DequantizeLinear", ["edges_q", "eight", "zero"], "edges"),
    ]
    graph = (b"".join(field(1, n) for n in nodes) + field(2, "edges") + b"".join(field(5, t) for t in initializers)
             + field(11, picture("picture")) + field(12, picture("edges")))
    about = field(1, "tf.task") + field(2, "edges")
    model = field(1, 8) + field(2, "make_edges.py") + field(7, graph) + field(8, field(2, 13)) + field(14, about)
    with open(path, "wb") as f:
        f.write(model)


if __name__ == "__main__":
    main(sys.argv[1])
