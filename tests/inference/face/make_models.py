#!/usr/bin/env python3
"""Makes the small int8 networks that the tests of inference/face run (the .onnx files beside this script).

Their "face" is one warm spot. The landmark network has 68 heat maps, each the picture shifted by the offset of
its point in a fixed template, so that the spot at p gives point k at p + offset k. The finder averages cells of
8 x 8 pixels and says the same box everywhere. Both are exact by construction, so the tests know what must come.
"""
import math
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
SIDE = 24  # of the landmark network's input: the template's 16 cells are SIDE / 1.5
HALF = 8


def template():
    """68 offsets in cells: an iBUG-like face that spans -8..8 both ways."""
    p = []
    for i in range(17):  # jaw, from the subject's right ear (left in the picture) down and up
        a = math.pi * i / 16
        p.append((-8 * math.cos(a), -3 + 11 * math.sin(a)))
    p += [(x, -8 if x in (-4, 4) else -7) for x in (-6, -5, -4, -3, -2, 2, 3, 4, 5, 6)]  # brows
    p += [(0, -4), (0, -2), (0, -1), (0, 1)]  # bridge
    p += [(-2, 2), (-1, 2), (0, 3), (1, 2), (2, 2)]  # nose base
    p += [(-6, -4), (-5, -5), (-4, -5), (-3, -4), (-4, -3), (-5, -3)]
    p += [(3, -4), (4, -5), (5, -5), (6, -4), (5, -3), (4, -3)]
    p += [(-3, 5), (-2, 4), (-1, 4), (0, 4), (1, 4), (2, 4), (3, 5), (2, 6), (1, 6), (0, 6), (-1, 6), (-2, 6)]
    p += [(-2, 5), (-1, 5), (0, 5), (1, 5), (2, 5), (1, 5), (0, 5), (-1, 5)]
    assert len(p) == 68
    return [(round(x), round(y)) for x, y in p]


def const(name, value):
    return numpy_helper.from_array(np.asarray(value), name)


def conv(prefix, source, weight, bias, in_scale, out_scale, out_zero, out_name, **attributes):
    """A QDQ Conv from quantised `source` (scale in_scale, zero point 0) to `out_name`; weights and bias in float."""
    scale = np.maximum(np.abs(weight).reshape(len(weight), -1).max(axis=1), 1e-3).astype(np.float32) / np.float32(127)
    q = np.clip(np.rint(weight / scale[:, None, None, None]), -127, 127).astype(np.int8)
    b = np.rint(bias / (in_scale * scale)).astype(np.int32)
    initializers = [
        const(prefix + "_w", q), const(prefix + "_ws", scale), const(prefix + "_wz", np.zeros(len(q), np.int8)),
        const(prefix + "_b", b), const(prefix + "_bs", (in_scale * scale).astype(np.float32)),
        const(prefix + "_bz", np.zeros(len(q), np.int32)),
        const(prefix + "_os", np.float32(out_scale)), const(prefix + "_oz", np.uint8(out_zero))]
    nodes = [
        helper.make_node("DequantizeLinear", [prefix + "_w", prefix + "_ws", prefix + "_wz"], [prefix + "_wf"],
                         axis=0),
        helper.make_node("DequantizeLinear", [prefix + "_b", prefix + "_bs", prefix + "_bz"], [prefix + "_bf"],
                         axis=0),
        helper.make_node("Conv", [source, prefix + "_wf", prefix + "_bf"], [prefix + "_y"], name=prefix,
                         **attributes),
        helper.make_node("QuantizeLinear", [prefix + "_y", prefix + "_os", prefix + "_oz"], [prefix + "_q"]),
        helper.make_node("DequantizeLinear", [prefix + "_q", prefix + "_os", prefix + "_oz"], [out_name])]
    return nodes, initializers


def save(name, nodes, initializers, side, outputs, metadata):
    nodes = [helper.make_node("QuantizeLinear", ["image", "in_s", "in_z"], ["image_q"]),
             helper.make_node("DequantizeLinear", ["image_q", "in_s", "in_z"], ["image_f"])] + nodes
    initializers = [const("in_s", np.float32(1) / np.float32(255)), const("in_z", np.uint8(0))] + initializers
    graph = helper.make_graph(
        nodes, "test", [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, side, side])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    onnx.save(model, str(HERE / name))


def spot_maps():
    weight = np.zeros((68, 1, 2 * HALF + 1, 2 * HALF + 1), np.float32)
    for k, (x, y) in enumerate(template()):
        weight[k, 0, HALF - y, HALF - x] = 12
    return lambda name: conv("heat", "image_f", weight, np.full(68, -6, np.float32), 1 / 255, 12 / 255, 128, name,
                             pads=[HALF] * 4)


def both():
    """Maps as before, and coordinates that always put the face 0.125 of the window right of the window's centre."""
    nodes, initializers = spot_maps()("heat")
    shift = np.tile(np.array([0.125, 0], np.float32), 68)
    q = helper.make_node
    nodes += [
        q("GlobalAveragePool", ["image_f"], ["pool_y"]),
        q("QuantizeLinear", ["pool_y", "in_s", "in_z"], ["pool_q"]), q("DequantizeLinear", ["pool_q", "in_s", "in_z"], ["pool_f"]),
        q("Flatten", ["pool_f"], ["flat_y"]),
        q("QuantizeLinear", ["flat_y", "in_s", "in_z"], ["flat_q"]), q("DequantizeLinear", ["flat_q", "in_s", "in_z"], ["flat_f"]),
        q("DequantizeLinear", ["dense_w", "dense_ws", "dense_wz"], ["dense_wf"], axis=0),
        q("DequantizeLinear", ["dense_b", "dense_bs", "dense_wz32"], ["dense_bf"], axis=0),
        q("Gemm", ["flat_f", "dense_wf", "dense_bf"], ["dense_y"], transB=1),
        q("QuantizeLinear", ["dense_y", "dense_os", "dense_oz"], ["dense_q"]),
        q("DequantizeLinear", ["dense_q", "dense_os", "dense_oz"], ["points"])]
    bias_scale = np.float32(1) / np.float32(255) * np.float32(1e-3)
    initializers += [
        const("dense_w", np.zeros((136, 1), np.int8)), const("dense_ws", np.full(136, 1e-3, np.float32)),
        const("dense_wz", np.zeros(136, np.int8)), const("dense_wz32", np.zeros(136, np.int32)),
        const("dense_b", np.rint(shift / bias_scale).astype(np.int32)), const("dense_bs", np.full(136, bias_scale, np.float32)),
        const("dense_os", np.float32(1 / 256)), const("dense_oz", np.uint8(100))]
    mean = " ".join(f"{0.5 + x / SIDE:.4f},{0.5 + y / SIDE:.4f}" for x, y in template())
    save("landmarks_both.onnx", nodes, initializers, SIDE, [("heat", [1, 68, SIDE, SIDE]), ("points", [1, 136])], {
        "tf.task": "landmarks", "tf.points": "68", "tf.order": "ibug68", "tf.crop": "square scale=1.5",
        "tf.normalise": "percentile lo=0 hi=100 min_span_c=10", "tf.decode": "heatmap beta=1 window=5 blend=0.25",
        "tf.confidence": "peak a=1 c=-4", "tf.mean": mean})


def landmarks():
    nodes, initializers = spot_maps()("maps")
    save("landmarks_spot.onnx", nodes, initializers, SIDE, [("maps", [1, 68, SIDE, SIDE])], {
        "tf.task": "landmarks", "tf.points": "68", "tf.order": "ibug68", "tf.crop": "square scale=1.5",
        "tf.normalise": "percentile lo=0 hi=100 min_span_c=10", "tf.decode": "heatmap beta=1 window=5",
        "tf.confidence": "peak a=1 c=-4"})


def finder(name, sides):
    heat, heat_init = conv("heatmap", "image_f", np.full((1, 1, 8, 8), 40 / 64, np.float32),
                           np.full(1, -1, np.float32), 1 / 255, 16 / 255, 64, "heat", strides=[8, 8])
    box, box_init = conv("sides", "image_f", np.zeros((4, 1, 8, 8), np.float32), np.full(4, sides, np.float32), 1 / 255,
                         4 / 255, 0, "box", strides=[8, 8])
    save(name, heat + box, heat_init + box_init, 64, [("heat", [1, 1, 8, 8]), ("box", [1, 4, 8, 8])], {
        "tf.task": "finder", "tf.box": "points68", "tf.crop": "letterbox", "tf.normalise": "celsius lo=22 hi=40",
        "tf.decode": "center stride=8 threshold=0.60"})


def segmentation():
    """Three classes by warmth: cold, middling, hot."""
    weight = np.zeros((3, 1, 1, 1), np.float32)
    weight[:, 0, 0, 0] = (0, 4, 8)
    nodes, initializers = conv("class", "image_f", weight, np.array([0, -1, -3], np.float32), 1 / 255, 8 / 255, 96,
                               "classes")
    save("segmentation_spot.onnx", nodes, initializers, SIDE, [("classes", [1, 3, SIDE, SIDE])], {
        "tf.task": "segmentation", "tf.classes": "background skin eyes", "tf.crop": "square scale=1.5",
        "tf.normalise": "celsius lo=22 hi=40", "tf.decode": "argmax"})


if __name__ == "__main__":
    landmarks()
    both()
    finder("finder_spot.onnx", 1)
    finder("finder_wide.onnx", 3)
    segmentation()
