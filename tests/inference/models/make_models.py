#!/usr/bin/env python3
"""Writes the small networks of the engine's tests, and their inputs: NAME.onnx and NAME.in.f32.

    ./make_models.py && NODE_PATH=DIR/node_modules node run_ort.js && ./make_models.py --pack

The second command fills NAME.out.f32 with ONNX Runtime's results (onnxruntime-node 1.30.0 from npm), the third turns
them into the u8 steps that they are (NAME.out.u8, output after output, sample after sample). Everything comes from a
fixed seed. Needs numpy and onnx. Between them the networks hold every operator that the engine runs; results
of operators that ONNX Runtime computes in float are graph outputs of their own, so that a step of difference there
does not travel on.
"""
import glob
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

SAMPLES = 2


class Net:
    """Builds a QDQ graph. Activations are named by their dequantised value; `q` puts a Q/DQ pair behind a value."""

    def __init__(self, name, inputs, seed, opset=13):
        self.name, self.opset = name, opset
        self.rng = np.random.default_rng(seed)
        self.nodes, self.inits, self.outs, self.inputs = [], [], [], []
        self.count = 0
        self.tails = []
        for n, shape, lo, hi in inputs:
            self.inputs.append((n, shape, lo, hi))

    def fresh(self, stem):
        self.count += 1
        return f"{stem}_{self.count}"

    def const(self, array, stem="c"):
        name = self.fresh(stem)
        self.inits.append(nh.from_array(np.asarray(array), name))
        return name

    def op(self, kind, inputs, outputs=1, **attributes):
        outs = [self.fresh(kind.lower()) for _ in range(outputs)]
        self.nodes.append(h.make_node(kind, inputs, outs, name="node_" + outs[0], **attributes))
        return outs[0] if outputs == 1 else outs

    def params(self, lo, hi, s8=False):
        scale = np.float32((hi - lo) / 255)
        zp = int(np.clip(np.rint(-lo / scale), 0, 255))
        return scale, np.int8(zp - 128) if s8 else np.uint8(zp)

    def q(self, value, lo, hi, s8=False):
        scale, zp = self.params(lo, hi, s8)
        s, z = self.const(scale, "s"), self.const(zp, "z")
        self.scale = {**getattr(self, "scale", {})}
        d = self.op("DequantizeLinear", [self.op("QuantizeLinear", [value, s, z]), s, z])
        self.scale[d] = scale
        return d

    def input(self, i=0, s8=False):
        n, _, lo, hi = self.inputs[i]
        return self.q(n, lo, hi, s8)

    def weights(self, shape, fan_in, axis=0, gain=1.5, per_channel=True):
        w = self.rng.standard_normal(shape) * gain / np.sqrt(fan_in)
        other = tuple(i for i in range(w.ndim) if i != axis)
        peak = np.abs(w).max(axis=other) if per_channel else np.abs(w).max()
        scale = np.atleast_1d((peak / 127).astype(np.float32)) if per_channel else np.float32(peak / 127)
        shaped = scale.reshape([-1 if i == axis else 1 for i in range(w.ndim)]) if per_channel else scale
        qw = np.clip(np.rint(w / shaped), -127, 127).astype(np.int8)
        zero = np.zeros(np.shape(scale), np.int8)
        d = self.op("DequantizeLinear", [self.const(qw, "w"), self.const(scale, "ws"), self.const(zero, "wz")],
                    **({"axis": axis} if per_channel else {}))
        return d, scale

    def bias(self, x, wscale, n, spread=0.5):
        scale = np.atleast_1d((self.scale[x] * wscale).astype(np.float32))
        if scale.size == 1:
            scale = np.repeat(scale, n)
        b = np.rint(self.rng.standard_normal(n) * spread / scale).astype(np.int32)
        return self.op("DequantizeLinear", [self.const(b, "b"), self.const(scale, "bs"),
                                            self.const(np.zeros(n, np.int32), "bz")], axis=0)

    def conv(self, x, cin, cout, k, group=1, act=None, out=(-4, 4), s8=False, per_channel=True, raw=False, **attributes):
        kh, kw = k if isinstance(k, tuple) else (k, k)
        w, ws = self.weights((cout, cin // group, kh, kw), cin // group * kh * kw, per_channel=per_channel)
        y = self.op("Conv", [x, w, self.bias(x, ws, cout)], kernel_shape=[kh, kw], group=group, **attributes)
        if act == "Relu":
            y, out = self.op("Relu", [y]), (0, out[1])
        elif act == "Relu6":
            y = self.op("Clip", [y, self.const(np.float32(0)), self.const(np.float32(1.7))])
            out = (0, out[1])
        elif act:
            y = self.op(act, [y])
        return y if raw else self.q(y, *out, s8=s8)

    def deconv(self, x, cin, cout, k, group=1, out=(-4, 4), **attributes):
        w, ws = self.weights((cin, cout // group, k, k), cin // group * k * k / 4, axis=1)
        wscale = np.tile(ws, group)
        y = self.op("ConvTranspose", [x, w, self.bias(x, wscale, cout)], kernel_shape=[k, k], group=group,
                    **attributes)
        return self.q(y, *out)

    def gemm(self, x, cin, cout, trans=1, out=(-4, 4)):
        w, ws = self.weights((cout, cin) if trans else (cin, cout), cin, axis=0 if trans else 1)
        return self.q(self.op("Gemm", [x, w, self.bias(x, ws, cout)], transB=trans), *out)

    def out(self, *values):
        self.outs += values

    def save(self):
        graph = h.make_graph(
            self.nodes, self.name,
            [h.make_tensor_value_info(n, T.FLOAT, s) for n, s, _, _ in self.inputs],
            [h.make_tensor_value_info(o, T.FLOAT, None) for o in self.outs], self.inits)
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", self.opset)], ir_version=7,
                             producer_name="thermoface tests")
        h.set_model_props(model, {"tf.task": "test", "tf.name": self.name})
        model = onnx.shape_inference.infer_shapes(model)
        onnx.save(model, self.name + ".onnx")
        data = []
        for _ in range(SAMPLES):
            for _, s, lo, hi in self.inputs:
                data.append((lo + (hi - lo) * self.rng.random(s)).astype("<f4").ravel())
        np.concatenate(data).tofile(self.name + ".in.f32")


def i64(*values):
    return np.array(values, np.int64)


def depthwise():
    n = Net("depthwise", [("x", [1, 1, 26, 22], 0, 1)], 1)
    x = n.conv(n.input(), 1, 13, 3, act="Relu", strides=[2, 2], pads=[1, 1, 1, 1])
    a = n.conv(x, 13, 13, 3, 13, act="Relu6", pads=[1, 1, 1, 1])
    b = n.conv(a, 13, 13, 5, 13, pads=[2, 2, 2, 2])
    y = n.q(n.op("Relu", [n.op("Add", [a, b])]), 0, 4)
    z = n.conv(y, 13, 72, 1, act="Relu")
    z = n.conv(z, 72, 72, 3, 72, act="Relu", strides=[2, 2], pads=[1, 1, 1, 1])
    z = n.conv(z, 72, 72, 3, 72, act="Relu", dilations=[2, 2], pads=[2, 2, 2, 2])
    z = n.conv(z, 72, 72, 5, 72, strides=[2, 1], pads=[0, 2, 1, 2])
    v = n.conv(z, 72, 21, 1)
    g = n.q(n.op("GlobalAveragePool", [v]), -1, 1)
    n.out(b, y, z, v, g, n.gemm(n.q(n.op("Flatten", [g]), -1, 1), 21, 37))
    n.save()


def grouped():
    n = Net("grouped", [("x", [1, 3, 20, 18], -1, 1)], 2)
    x = n.conv(n.input(), 3, 24, 5, act="Relu", pads=[2, 2, 2, 2])
    a = n.conv(x, 24, 40, 3, 4, act="Relu", pads=[1, 1, 1, 1])
    b = n.conv(a, 40, 20, 3, 2, dilations=[2, 3], pads=[2, 3, 2, 3])
    c = n.conv(b, 20, 40, 3, 20, strides=[1, 2], pads=[1, 0, 0, 1])
    d = n.conv(c, 40, 18, (1, 5), per_channel=False, act="Relu", pads=[0, 2, 0, 2])
    e = n.conv(d, 18, 18, (5, 1), pads=[2, 0, 2, 0], out=(-1, 1))
    f = n.conv(e, 18, 65, 4, strides=[3, 3])
    n.out(a, b, c, d, e, f)
    n.save()


def inception():
    n = Net("inception", [("x", [1, 1, 24, 24], 0, 1)], 3)
    x = n.conv(n.input(), 1, 16, 3, act="Relu", pads=[1, 1, 1, 1])
    a = n.conv(x, 16, 10, 1, act="Relu", out=(0, 3))
    b = n.conv(n.conv(x, 16, 8, 1, act="Relu", out=(0, 3)), 8, 12, 3, act="Relu", pads=[1, 1, 1, 1], out=(0, 3))
    c = n.conv(n.conv(x, 16, 4, 1, act="Relu", out=(0, 3)), 4, 6, 5, act="Relu", pads=[2, 2, 2, 2], out=(0, 2))
    p = n.q(n.op("MaxPool", [x], kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1]), 0, 4)
    d = n.conv(p, 16, 8, 1, act="Relu", out=(0, 3))
    y = n.q(n.op("Concat", [a, b, c, d], axis=1), 0, 3)
    z = n.q(n.op("Pad", [y, n.const(i64(0, 0, 0, 1, 0, 0, 1, 0)), n.const(np.float32(0))]), 0, 3)
    e = n.q(n.op("AveragePool", [z], kernel_shape=[2, 2], strides=[2, 2]), 0, 3)
    f = n.q(n.op("AveragePool", [y], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1), 0, 2)
    g = n.q(n.op("AveragePool", [y], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), 0, 3)
    m = n.q(n.op("MaxPool", [y], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), 0, 3)
    s = n.q(n.op("Slice", [y, n.const(i64(3, 2)), n.const(i64(30, 24)), n.const(i64(1, 2)), n.const(i64(3, 2))]), 0, 3)
    u = n.op("Split", [y, n.const(i64(7, 29))], outputs=2, axis=1)
    u = [n.q(v, 0, 3) for v in u]
    w = n.conv(u[1], 29, 9, 3, pads=[1, 1, 1, 1])
    k = n.q(n.op("Concat", [e, f, g], axis=1), 0, 3)
    n.out(y, e, f, g, m, s, u[0], w, k, n.conv(k, 108, 33, 3, pads=[1, 1, 1, 1]))
    n.save()


def unet_transpose():
    n = Net("unet_transpose", [("x", [1, 1, 24, 20], 0, 1)], 4)
    x = n.conv(n.input(), 1, 12, 3, act="Relu", pads=[1, 1, 1, 1])
    a = n.conv(x, 12, 24, 3, act="Relu", strides=[2, 2], pads=[1, 1, 1, 1])
    n.out(n.deconv(a, 24, 12, 2, strides=[2, 2]),
          n.deconv(a, 24, 10, 4, strides=[2, 2], pads=[1, 1, 1, 1]),
          n.deconv(a, 24, 7, 3, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
          n.deconv(a, 24, 8, 3, group=2, strides=[1, 1], pads=[1, 1, 1, 1]),
          n.deconv(a, 24, 8, 3, strides=[3, 2], dilations=[2, 1]))
    n.save()


def unet_resize():
    n = Net("unet_resize", [("x", [1, 1, 24, 20], 0, 1)], 5)
    x = n.conv(n.input(), 1, 12, 3, act="Relu", pads=[1, 1, 1, 1], out=(0, 3))
    a = n.conv(x, 12, 20, 3, act="Relu", strides=[2, 2], pads=[1, 1, 1, 1], out=(0, 3))

    def resize(v, mode, coordinates, scales=None, sizes=None, **more):
        extra = [n.const(np.array(scales, np.float32))] if scales else ["", n.const(i64(*sizes))]
        return n.q(n.op("Resize", [v, "", *extra], mode=mode, coordinate_transformation_mode=coordinates, **more), 0, 3)

    up = resize(a, "nearest", "asymmetric", scales=[1, 1, 2, 2], nearest_mode="floor")
    y = n.q(n.op("Concat", [up, x], axis=1), 0, 3)
    z = n.conv(y, 32, 17, 3, act="Relu", pads=[1, 1, 1, 1], out=(0, 3))
    n.out(z,
          resize(z, "nearest", "half_pixel", sizes=[1, 17, 31, 13]),
          resize(a, "linear", "half_pixel", scales=[1, 1, 2, 2]),
          resize(a, "linear", "pytorch_half_pixel", sizes=[1, 20, 37, 23]),
          resize(a, "linear", "align_corners", sizes=[1, 20, 24, 20]),
          resize(a, "linear", "asymmetric", scales=[1, 1, 3, 2]))
    n.save()


def gates():
    n = Net("gates", [("x", [1, 2, 14, 14], -1, 1)], 6, opset=14)
    x = n.conv(n.input(), 2, 20, 3, pads=[1, 1, 1, 1])
    n.out(n.q(n.op("Sigmoid", [x]), 0, 1), n.q(n.op("HardSigmoid", [x], alpha=1 / 6, beta=0.5), 0, 1),
          n.q(n.op("HardSwish", [x]), -0.375, 4), n.q(n.op("LeakyRelu", [x], alpha=0.1), -0.4, 4),
          n.q(n.op("PRelu", [x, n.const(np.linspace(-0.5, 0.5, 20, dtype=np.float32).reshape(20, 1, 1))]), -2, 4),
          n.q(n.op("PRelu", [x, n.const(np.full((1, 1, 1), 0.25, np.float32))]), -1, 4),
          n.q(n.op("Clip", [x, n.const(np.float32(-1)), n.const(np.float32(1.25))]), -2, 2),
          n.q(n.op("Tanh", [x]), -1, 1), n.q(n.op("Mul", [x, n.const(np.float32(0.3))]), -1.2, 1.2),
          n.q(n.op("Sub", [n.const(np.float32(1)), x]), -3, 5))
    # A squeeze-and-excitation gate: what reads the sigmoid is compared with it as its own output.
    g = n.q(n.op("GlobalAveragePool", [x]), -1, 1)
    g = n.conv(n.conv(g, 20, 6, 1, act="Relu"), 6, 20, 1)
    s = n.q(n.op("HardSigmoid", [g], alpha=0.2, beta=0.5), 0, 1)
    y = n.q(n.op("Mul", [x, s]), -4, 4)
    n.out(s, y, n.q(n.op("Add", [y, g]), -6, 6))
    n.save()


def shapes():
    n = Net("shapes", [("x", [1, 1, 12, 16], 0, 1)], 7)
    x = n.conv(n.input(), 1, 16, 3, act="Relu", strides=[2, 2], pads=[1, 1, 1, 1])
    # [1,16,6,8] -> tokens [1,48,16]
    r = n.q(n.op("Reshape", [x, n.const(i64(0, 16, -1))]), 0, 4)
    t = n.q(n.op("Transpose", [r], perm=[0, 2, 1]), 0, 4)
    w, _ = n.weights((16, 24), 16, axis=1)
    m = n.q(n.op("MatMul", [t, w]), -4, 4)
    u = n.q(n.op("Unsqueeze", [m, n.const(i64(1))]), -4, 4)
    v = n.q(n.op("Transpose", [u], perm=[0, 3, 2, 1]), -4, 4)
    s = n.q(n.op("Squeeze", [v, n.const(i64(3))]), -4, 4)
    e = n.q(n.op("Pad", [x, n.const(i64(0, 0, 1, 2, 0, 0, 2, 1))], mode="reflect"), 0, 4)
    f = n.q(n.op("Pad", [x, n.const(i64(0, 0, 1, 2, 0, 1, 2, 1))], mode="edge"), 0, 4)
    k = n.q(n.op("Slice", [x, n.const(i64(-1, 15)), n.const(i64(-100, 1)), n.const(i64(3, 1)), n.const(i64(-1, -2))]), 0, 4)
    c = n.q(n.op("Concat", [x, x], axis=2), 0, 4)
    p = n.gemm(n.q(n.op("Flatten", [x]), 0, 4), 16 * 48, 19, trans=0)
    a = n.q(n.op("Softmax", [m], axis=-1), 0, 0.5)
    b = n.q(n.op("Softmax", [x], axis=1), 0, 0.5)
    # What exporters write for x.view(x.shape[0], -1)
    shape = n.op("Concat", [n.op("Unsqueeze", [n.op("Gather", [n.op("Shape", [x]), n.const(np.int64(0))], axis=0),
                                              n.const(i64(0))]), n.const(i64(-1))], axis=0)
    y = n.gemm(n.q(n.op("Reshape", [x, shape]), 0, 4), 16 * 48, 8)
    n.out(t, m, v, s, e, f, k, c, p, y, a, b)
    n.save()


def signed():
    """int8 activations, as some quantisers write them."""
    n = Net("signed", [("x", [1, 1, 18, 18], -1, 1)], 8)
    x = n.conv(n.input(s8=True), 1, 16, 3, act="Relu", s8=True, pads=[1, 1, 1, 1])
    y = n.conv(x, 16, 16, 3, s8=True, pads=[1, 1, 1, 1])
    z = n.q(n.op("Add", [x, y]), -3, 6, s8=True)
    d = n.conv(z, 16, 16, 3, 16, s8=True, act="Relu", pads=[1, 1, 1, 1])
    p = n.q(n.op("MaxPool", [d], kernel_shape=[2, 2], strides=[2, 2]), 0, 4, s8=True)
    n.out(y, z, d, n.conv(p, 16, 9, 3, s8=True))
    n.save()


def pairs():
    """Pairs of u8 values through Add and Mul, at scales whose ratios are not round (ALL_PAIRS=1: all 65536)."""
    side = 256 if os.environ.get("ALL_PAIRS") else 40
    n = Net("pairs", [("a", [1, 1, side, side], 0, 1), ("b", [1, 1, side, side], 0, 1)], 9)
    a, b = n.input(0), n.input(1)
    for la, ha, lb, hb, lo, hi in [(-1.3, 2.1, -0.7, 0.9, -1.7, 2.9), (0, 3.3, 0, 1.1, 0, 4.1), (-5, 0.1, -1, 1, -5, 1)]:
        x, y = n.q(a, la, ha), n.q(b, lb, hb)
        n.out(n.q(n.op("Add", [x, y]), lo, hi), n.q(n.op("Mul", [x, y]), min(la * hb, ha * lb), ha * hb))
    n.save()
    k = np.arange(256, dtype="<f4") / 255
    k, m = (k, k) if side == 256 else (n.rng.choice(k, side, False), n.rng.choice(k, side, False))
    np.concatenate([np.repeat(k, side), np.tile(m, side)]).tofile("pairs.in.f32")


def saturating():
    """Weights at their limits in neighbouring channels: what vpmaddubsw would saturate on; and huge accumulators."""
    n = Net("saturating", [("x", [1, 3, 10, 10], 0, 1)], 10)
    x = n.conv(n.input(), 3, 32, 3, act="Relu", pads=[1, 1, 1, 1], out=(0, 0.3))
    w = np.where(n.rng.random((40, 32, 3, 3)) < 0.5, 127, 126).astype(np.int8)
    w[20:] *= np.where(n.rng.random((20, 32, 3, 3)) < 0.1, 1, -1).astype(np.int8)
    scale = np.full(40, 1e-4, np.float32)
    d = n.op("DequantizeLinear", [n.const(w), n.const(scale), n.const(np.zeros(40, np.int8))], axis=0)
    y = n.q(n.op("Conv", [x, d], kernel_shape=[3, 3], pads=[1, 1, 1, 1]), -0.5, 0.9)
    n.out(y)
    n.save()


def narrow():
    """Fewer channels than a vector has lanes: neighbouring pixels share one."""
    n = Net("narrow", [("x", [1, 1, 24, 32], -0.4, 1)], 12)
    a = n.conv(n.input(), 1, 8, 3, act="Relu", strides=[2, 2], pads=[1, 1, 1, 1])
    b = n.conv(a, 8, 4, 3, pads=[1, 1, 1, 1])
    c = n.conv(b, 4, 2, 1)
    d = n.conv(c, 2, 1, (3, 5), strides=[1, 2], pads=[1, 2, 1, 2])
    e = n.conv(a, 8, 3, 2, strides=[2, 2])
    f = n.conv(a, 8, 1, 1, act="Relu")
    g = n.conv(b, 4, 4, (5, 1), dilations=[2, 1], pads=[4, 0, 4, 0], act="Relu6")
    n.out(a, b, c, d, e, f, n.q(n.op("Add", [b, g]), -5, 5))
    n.save()


def bad():
    """Files that must be refused, each for its reason."""
    # bad/huge_resize.onnx is not made here: the fuzzer found it.
    os.makedirs("bad", exist_ok=True)

    def write(name, change=None, build=None):
        n = Net(name, [("x", [1, 1, 8, 8], 0, 1)], 11)
        x = n.conv(n.input(), 1, 4, 3, act="Relu", pads=[1, 1, 1, 1])
        n.out(build(n, x) if build else x)
        graph = h.make_graph(n.nodes, name, [h.make_tensor_value_info(i, T.FLOAT, s) for i, s, _, _ in n.inputs],
                             [h.make_tensor_value_info(o, T.FLOAT, None) for o in n.outs], n.inits)
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=7)
        if change:
            change(model)
        with open(f"bad/{name}.onnx", "wb") as f:
            f.write(model.SerializeToString())

    def node(model, kind):
        return next(v for v in model.graph.node if v.op_type == kind)

    def attribute(model, kind, name, ints):
        node(model, kind).attribute.extend([h.make_attribute(name, ints)])

    def initializer(model, index, **fields):
        for k, v in fields.items():
            if k == "dims":
                del model.graph.initializer[index].dims[:]
                model.graph.initializer[index].dims.extend(v)
            else:
                setattr(model.graph.initializer[index], k, v)

    weights = lambda m: next(i for i, t in enumerate(m.graph.initializer) if t.name.startswith("w_"))
    write("operator", build=lambda n, x: n.q(n.op("Erf", [x]), -1, 1))
    write("float_weights", build=lambda n, x: n.q(n.op("Conv", [x, n.const(np.ones((2, 4, 1, 1), np.float32))]), 0, 9))
    write("domain", lambda m: setattr(node(m, "Conv"), "domain", "com.example"))
    write("opset", lambda m: setattr(m.opset_import[0], "version", 6))
    write("no_producer", lambda m: node(m, "Conv").input.__setitem__(0, "nothing"))
    write("twice", lambda m: node(m, "Relu").output.__setitem__(0, node(m, "Conv").output[0]))
    write("no_output", lambda m: setattr(m.graph.output[0], "name", "nothing"))
    write("stride_zero", lambda m: attribute(m, "Conv", "strides", [0, 1]))
    write("huge_pads", lambda m: (node(m, "Conv").attribute.pop(), attribute(m, "Conv", "pads", [1000000] * 4)))
    write("huge_dilation", lambda m: attribute(m, "Conv", "dilations", [1 << 40, 1]))
    write("group", lambda m: [a for a in node(m, "Conv").attribute if a.name == "group"][0].__setattr__("i", 3))
    write("short_weights", lambda m: initializer(m, weights(m), raw_data=b"123"))
    write("huge_weights", lambda m: initializer(m, weights(m), dims=[1 << 20, 1 << 20, 1 << 20]))
    write("negative_dims", lambda m: initializer(m, weights(m), dims=[-4, 1, 3, 3]))
    write("symbolic", lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[2], "dim_param", "h"))
    write("huge_input", lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[3], "dim_value", 1 << 40))
    write("large_arena", lambda m: [setattr(m.graph.input[0].type.tensor_type.shape.dim[i], "dim_value", 11000) for i in (2, 3)])
    write("zero_scale", lambda m: initializer(m, 0, raw_data=b"\0\0\0\0"))
    write("nan_scale", lambda m: initializer(m, 0, raw_data=b"\0\0\xc0\x7f"))
    write("nodes", lambda m: m.graph.node.extend([h.make_node("Relu", ["x"], [f"r{i}"]) for i in range(4200)]))
    write("integer_input", lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", T.INT64))
    write("external", lambda m: setattr(m.graph.initializer[weights(m)], "data_location", 1))


def corpus():
    """Small valid models for the fuzzer, about one operator family each: tests/fuzz/corpus/onnx."""
    folder = os.path.join("..", "..", "fuzz", "corpus", "onnx")
    os.makedirs(folder, exist_ok=True)

    def write(name, build, opset=13):
        n = Net(name, [("x", [1, 1, 6, 6], 0, 1)], 12, opset)
        x = n.conv(n.input(), 1, 4, 3, act="Relu", pads=[1, 1, 1, 1])
        y = build(n, x)
        n.out(*(y if isinstance(y, (list, tuple)) else [y]))
        for v in n.nodes:
            v.ClearField("name")
        graph = h.make_graph(n.nodes, "g", [h.make_tensor_value_info(i, T.FLOAT, s) for i, s, _, _ in n.inputs],
                             [h.make_tensor_value_info(o, T.FLOAT, None) for o in n.outs], n.inits)
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=7)
        h.set_model_props(model, {"k": "v"})
        text = model.SerializeToString()
        # Long names only make the fuzzer slower.
        with open(os.path.join(folder, name + ".onnx"), "wb") as f:
            f.write(text)

    write("depthwise", lambda n, x: n.conv(x, 4, 4, 3, 4, strides=[2, 2], pads=[1, 1, 1, 1], act="Relu6"))
    write("group", lambda n, x: n.conv(x, 4, 6, 3, 2, dilations=[2, 2], pads=[2, 2, 2, 2]))
    write("transposed", lambda n, x: n.deconv(x, 4, 3, 3, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]))
    write("gemm", lambda n, x: n.gemm(n.q(n.op("Flatten", [n.q(n.op("GlobalAveragePool", [x]), 0, 2)]), 0, 2), 4, 5))
    write("residual", lambda n, x: n.q(n.op("Relu", [n.op("Add", [x, n.conv(x, 4, 4, 1)])]), 0, 4))
    write("gate", lambda n, x: n.q(n.op("Mul", [x, n.q(n.op("Sigmoid", [n.q(n.op("GlobalAveragePool", [x]), 0, 2)]), 0, 1)]), 0, 4))
    write("concat", lambda n, x: n.q(n.op("Concat", [n.conv(x, 4, 2, 1, out=(-1, 1)), x, n.q(n.op("MaxPool", [x], kernel_shape=[3, 3], pads=[1, 1, 1, 1]), 0, 4)], axis=1), -2, 4))
    write("average", lambda n, x: n.q(n.op("AveragePool", [x], kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1], ceil_mode=1), 0, 4))
    write("activations", lambda n, x: [n.q(n.op("LeakyRelu", [x], alpha=0.1), 0, 4), n.q(n.op("PRelu", [x, n.const(np.ones((4, 1, 1), np.float32))]), 0, 4), n.q(n.op("HardSwish", [x]), 0, 4)], 14)
    write("resize_nearest", lambda n, x: n.q(n.op("Resize", [x, "", n.const(np.array([1, 1, 2, 2], np.float32))], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"), 0, 4))
    write("resize_linear", lambda n, x: n.q(n.op("Resize", [x, "", "", n.const(i64(1, 4, 9, 5))], mode="linear"), 0, 4))
    write("pad_slice", lambda n, x: n.q(n.op("Slice", [n.op("Pad", [x, n.const(i64(0, 0, 1, 2, 0, 0, 2, 1))], mode="reflect"), n.const(i64(1)), n.const(i64(7)), n.const(i64(2)), n.const(i64(2))]), 0, 4))
    write("split", lambda n, x: [n.q(v, 0, 4) for v in n.op("Split", [x, n.const(i64(1, 3))], outputs=2, axis=1)])
    write("tokens", lambda n, x: n.q(n.op("Softmax", [n.q(n.op("MatMul", [n.op("Transpose", [n.op("Reshape", [x, n.const(i64(1, 4, -1))])], perm=[0, 2, 1]), n.weights((4, 5), 4, axis=1)[0]]), -4, 4)], axis=-1), 0, 1))
    write("squeeze", lambda n, x: n.q(n.op("Squeeze", [n.op("Unsqueeze", [x, n.const(i64(0))]), n.const(i64(1))]), 0, 4))
    write("shapes", lambda n, x: n.q(n.op("Reshape", [x, n.op("Concat", [n.op("Unsqueeze", [n.op("Gather", [n.op("Shape", [x]), n.const(np.int64(0))]), n.const(i64(0))]), n.const(i64(-1))], axis=0)]), 0, 4))
    write("float", lambda n, x: n.op("Softmax", [n.op("MatMul", [n.op("Div", [x, n.const(np.float32(3))]), n.op("Tanh", [x])])]))


def pack():
    for file in sorted(glob.glob("*.out.f32")):
        graph = onnx.load(file.replace(".out.f32", ".onnx")).graph
        consts = {i.name: nh.to_array(i) for i in graph.initializer}
        last = {n.output[0]: n for n in graph.node}
        data = np.fromfile(file, "<f4")
        sizes = [int(n) for n in open(file.replace(".f32", ".sizes")).read().split()]
        out, at = [], 0
        while at < len(data):
            for o, size in zip(graph.output, sizes):
                scale, zp = (consts[i] for i in last[o.name].input[1:])
                steps = np.rint(data[at:at + size] / scale) + int(zp) + (128 if zp.dtype == np.int8 else 0)
                assert steps.min() >= 0 and steps.max() <= 255
                out.append(steps.astype(np.uint8))
                at += size
        np.concatenate(out).tofile(file.replace(".f32", ".u8"))
        os.remove(file)
        os.remove(file.replace(".f32", ".sizes"))


if sys.argv[1:] == ["--pack"]:
    pack()
else:
    for make in (depthwise, grouped, inception, unet_transpose, unet_resize, gates, shapes, signed, pairs, saturating, narrow):
        make()
    bad()
    corpus()
