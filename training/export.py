"""Writes a quantised network as a QDQ ONNX file, node by node (format: docs/models.md; opset 13).

No Q/DQ stands between a convolution or an addition and its ReLU; nearest enlargement, MaxPool and Flatten keep their input's scale.
The same file runs under ONNX Runtime.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


PLAIN = {
    "add": ("Add", {}), "mul": ("Mul", {}), "concat": ("Concat", {"axis": 1}), "sigmoid": ("Sigmoid", {}),
    "maxpool": ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}), "gap": ("GlobalAveragePool", {}),
    "flatten": ("Flatten", {"axis": 1}),
}


class Writer:
    def __init__(self):
        self.nodes, self.init, self.dq = [], [], {}

    def const(self, name, array):
        self.init.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def op(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output + "_" + kind.lower(), **attributes))
        return output

    def quantised(self, value, name, scale, zero, final=None):
        """Q and DQ behind `value`; the name of the dequantised value."""
        s = self.const(name + "_s", np.float32(scale))
        z = self.const(name + "_z", np.uint8(zero))
        q = self.op("QuantizeLinear", [value, s, z], name + "_q")
        return self.op("DequantizeLinear", [q, s, z], final or name + "_dq")


def write(model, path, meta, name="thermoface"):
    """model: quantise.Quantised with calibrated ranges; meta: metadata_props."""
    w = Writer()
    size = model.size
    value = {}
    final = {v: k for k, v in model.outputs.items()}
    value["in"] = w.quantised("input", "in", *model.range["in"])
    for n in model.nodes[1:]:
        out = n.name + "_y"
        if n.op in ("conv", "gemm"):
            layer = model.layers[n.name]
            sw = model.weight_scale(n.name).numpy().astype(np.float32)
            wt = model.weight[n.name].detach().numpy()
            q = np.clip(np.rint(wt / sw.reshape(-1, *[1] * (wt.ndim - 1))), -127, 127).astype(np.int8)
            sx = np.float32(model.scale_of(n.inputs[0])[0])
            sb = (sx * sw).astype(np.float32)
            bias = np.clip(np.rint(model.bias[n.name].detach().numpy().astype(np.float64) / sb), -2 ** 31, 2 ** 31 - 1)
            zeros = lambda t: np.zeros(len(sw), t)
            wn = w.op("DequantizeLinear", [w.const(n.name + "_w", q), w.const(n.name + "_ws", sw),
                                           w.const(n.name + "_wz", zeros(np.int8))], n.name + "_wf", axis=0)
            bn = w.op("DequantizeLinear", [w.const(n.name + "_b", bias.astype(np.int32)), w.const(n.name + "_bs", sb),
                                           w.const(n.name + "_bz", zeros(np.int32))], n.name + "_bf", axis=0)
            if n.op == "gemm":
                w.op("Gemm", [value[n.inputs[0]], wn, bn], out, transB=1)
            else:
                k, p, s = layer.kernel_size[0], layer.padding[0], layer.stride[0]
                w.op("Conv", [value[n.inputs[0]], wn, bn], out, kernel_shape=[k, k], pads=[p] * 4, strides=[s, s],
                     dilations=[1, 1], group=layer.groups)
        elif n.op in PLAIN:
            kind, attributes = PLAIN[n.op]
            w.op(kind, [value[i] for i in n.inputs], out, **attributes)
            if n.op == "gap":
                out = w.op("Flatten", [w.quantised(out, n.name + "_p", *model.scale_of(n.name))], n.name + "_f", axis=1)
        elif n.op == "up":
            if not any(i.name == "twice" for i in w.init):
                w.const("twice", np.array([1, 1, 2, 2], np.float32))
            w.op("Resize", [value[n.inputs[0]], "", "twice"], out, mode="nearest",
                 coordinate_transformation_mode="asymmetric", nearest_mode="floor")
        else:
            raise ValueError(n.op)
        if n.relu:
            out = w.op("Relu", [out], n.name + "_r")
        value[n.name] = w.quantised(out, n.name, *model.scale_of(n.name), final=final.get(n.name))
    outputs = []
    for key, node in model.outputs.items():
        n = next(n for n in model.nodes if n.name == node)
        shape = [1, n.channels] if n.op == "gemm" else [1, n.channels, n.size, n.size]
        outputs.append(helper.make_tensor_value_info(key, TensorProto.FLOAT, shape))
    graph = helper.make_graph(w.nodes, name, [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 1, size, size])],
                              outputs, w.init)
    m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="thermoface training")
    m.ir_version = 7
    helper.set_model_props(m, meta)
    onnx.checker.check_model(m, full_check=True)
    onnx.save(m, str(path))
