"""Networks as short graphs.

A network is a list of nodes that one interpreter runs. Training, quantisation and the ONNX writer walk the same list, so what is
trained is what is exported, node by node. The two shipped networks are built here, the others in systems.py.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from dataclasses import dataclass


KEEP = ("up", "maxpool", "flatten")      # move values or pick among them: their output has their input's scale


@dataclass
class Node:
    name: str
    op: str                # input, conv, gemm, add, mul, concat, sigmoid, gap; KEEP: up, maxpool, flatten
    inputs: tuple
    channels: int
    size: int              # height = width of the output
    relu: bool = False


class Net(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.nodes = [Node("in", "input", (), 1, size)]
        self.mods = nn.ModuleDict()
        self.outputs = {}          # ONNX output name → node name
        self.size = size

    def node(self, name):
        return next(n for n in self.nodes if n.name == name)

    def _put(self, op, inputs, channels, size, relu=False, name=None):
        n = Node(name or f"{op}{len(self.nodes)}", op, tuple(inputs), channels, size, relu)
        self.nodes.append(n)
        return n.name

    def conv(self, x, cout, k=3, s=1, groups=1, relu=True, bn=True, name=None):
        cin, size = self.node(x).channels, self.node(x).size
        name = self._put("conv", [x], cout, (size + s - 1) // s, relu, name)
        layers = [nn.Conv2d(cin, cout, k, s, k // 2, groups=groups, bias=not bn)]
        nn.init.kaiming_normal_(layers[0].weight, mode="fan_out")
        if bn:
            layers.append(nn.BatchNorm2d(cout))
        self.mods[name] = nn.Sequential(*layers)
        return name

    def gemm(self, x, cout, relu=True, name=None):
        """A dense layer on a vector (flatten, gap or gemm)."""
        name = self._put("gemm", [x], cout, 1, relu, name)
        self.mods[name] = nn.Sequential(nn.Linear(self.node(x).channels, cout))
        nn.init.kaiming_normal_(self.mods[name][0].weight)
        nn.init.zeros_(self.mods[name][0].bias)
        return name

    def add(self, a, b, relu=False):
        return self._put("add", [a, b], self.node(a).channels, self.node(a).size, relu)

    def mul(self, a, b):
        """b may have one channel, which counts for all."""
        return self._put("mul", [a, b], self.node(a).channels, self.node(a).size)

    def concat(self, *parts):
        return self._put("concat", parts, sum(self.node(p).channels for p in parts), self.node(parts[0]).size)

    def sigmoid(self, x):
        return self._put("sigmoid", [x], self.node(x).channels, self.node(x).size)

    def maxpool(self, x):
        return self._put("maxpool", [x], self.node(x).channels, self.node(x).size // 2)

    def gap(self, x):
        """The mean of each channel: a vector."""
        return self._put("gap", [x], self.node(x).channels, 1)

    def flatten(self, x):
        return self._put("flatten", [x], self.node(x).channels * self.node(x).size ** 2, 1)

    def up(self, x):
        return self._put("up", [x], self.node(x).channels, 2 * self.node(x).size)

    def bottleneck(self, x, mid):
        c = self.node(x).channels
        return self.add(x, self.conv(self.conv(self.conv(x, mid, 1), mid), c, 1))

    def separable(self, x):
        c = self.node(x).channels
        return self.add(x, self.conv(self.conv(x, c, 3, groups=c), c, 1))

    def run(self, n, values):
        """One node on the values of its inputs."""
        a = [values[i] for i in n.inputs]
        if n.op == "conv":
            if n.name in self.outputs.values():   # bfloat16's sums over the cells of a map are not 0: logits would drift
                with torch.autocast("cpu", enabled=False):
                    return self.mods[n.name](a[0].float())
            y = self.mods[n.name](a[0])
            return F.relu_(y) if n.relu else y
        if n.op == "gemm":           # bfloat16 would round coordinates to a fifth of a pixel
            with torch.autocast("cpu", enabled=False):
                y = self.mods[n.name](a[0].float())
            return F.relu(y) if n.relu else y
        return apply(n, a)

    def forward(self, x):
        values = {"in": x}
        for n in self.nodes[1:]:
            values[n.name] = self.run(n, values)
        return [values[v] for v in self.outputs.values()]

    def macs(self):
        total = 0
        for n in self.nodes:
            if n.op in ("conv", "gemm"):
                w = self.mods[n.name][0].weight
                total += w.numel() * n.size * n.size
        return total


def apply(n, a):
    """A node without weights on the values of its inputs."""
    if n.op == "add":
        y = a[0] + a[1]
        return F.relu(y) if n.relu else y
    if n.op == "mul":
        return a[0] * a[1]
    if n.op == "concat":
        return torch.cat(a, 1)
    if n.op == "sigmoid":
        return torch.sigmoid(a[0])
    if n.op == "gap":
        return a[0].mean((2, 3))
    if n.op == "up":
        return F.interpolate(a[0], scale_factor=2, mode="nearest")
    if n.op == "maxpool":
        return F.max_pool2d(a[0], 2)
    if n.op == "flatten":
        return a[0].flatten(1)
    raise ValueError(n.op)


def landmarks68():
    """112 x 112 → 68 heat maps of 28 x 28, and the same points as coordinates: a small encoder to 7 x 7, a U path back, two dense layers.

    Maps are exact where the picture shows an edge; dense layers know what a face looks like where it does not. A point is taken from both (losses.BLEND).
    """
    net = Net(112)
    x = net.conv("in", 16, 3, 2)                          # 56
    s28 = net.conv(x, 32, 3, 2)                           # 28
    x = net.conv(s28, 64, 3, 2)                           # 14
    x = net.bottleneck(x, 32)
    s14 = net.bottleneck(x, 32)
    x = net.conv(s14, 128, 3, 2)                          # 7
    for _ in range(4):
        x = net.bottleneck(x, 64)
    s7 = net.conv(x, 64, 1)
    x = net.up(s7)                                        # 14
    x = net.bottleneck(net.add(s14, x), 24)
    x = net.up(net.conv(x, 64, 1))                        # 28
    x = net.add(net.conv(s28, 64, 1), x)
    x = net.separable(x)
    net.outputs["heat"] = net.conv(x, 68, 1, relu=False, bn=False, name="heat")
    net.outputs["points"] = net.gemm(net.gemm(net.flatten(s7), 224), 136, relu=False, name="points")
    nn.init.normal_(net.mods["points"][0].weight, std=0.003)
    net.register_buffer("mean", torch.zeros(68, 2))       # what the coordinates are added to: the mean face of the training set
    return net


def finder():
    """160 x 160 → a face centre map and boxes on a 20 x 20 grid (stride 8)."""
    net = Net(160)
    x = net.conv("in", 8, 3, 2)                           # 80
    x = net.conv(x, 16, 3, 2)                             # 40
    s20 = net.bottleneck(net.conv(x, 32, 3, 2), 16)       # 20
    s10 = net.conv(s20, 64, 3, 2)                         # 10
    s10 = net.bottleneck(s10, 32)
    x = net.conv(s10, 80, 3, 2)                           # 5
    for _ in range(2):
        x = net.bottleneck(x, 40)
    x = net.up(net.conv(x, 64, 1))                        # 10
    x = net.bottleneck(net.add(s10, x), 20)
    x = net.up(net.conv(x, 48, 1))                        # 20
    x = net.add(net.conv(s20, 48, 1), x)
    x = net.separable(x)
    x = net.separable(x)
    net.outputs["heat"] = net.conv(x, 1, 1, relu=False, bn=False, name="heat")
    net.outputs["box"] = net.conv(x, 4, 1, relu=False, bn=False, name="box")
    for name, bias in (("heat", -4.0), ("box", 3.0)):     # few cells are faces; boxes start with an area
        nn.init.normal_(net.mods[name][0].weight, std=0.01)
        nn.init.constant_(net.mods[name][0].bias, bias)
    return net


def checkpoint(path, keys=("ema",)):
    """What train.py wrote; ValueError where it is missing, damaged or something else."""
    try:
        z = torch.load(path, map_location="cpu")
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such checkpoint") from None
    except Exception as e:                    # torch raises whatever its readers do
        raise ValueError(f"{path}: damaged, or no checkpoint ({str(e).splitlines()[0][:90] if str(e) else type(e).__name__}); "
                         "take it away to begin anew") from None
    if not isinstance(z, dict) or any(k not in z for k in keys):
        raise ValueError(f"{path}: not a checkpoint of this program; take it away to begin anew")
    return z


def restore(net, state, path):
    """Weights of a checkpoint into a network; ValueError where they are another's."""
    try:
        net.load_state_dict(state)
    except (RuntimeError, AttributeError) as e:
        raise ValueError(f"{path}: of another network: {str(e).splitlines()[-1].strip()[:120]}") from None


def without_norms(net):
    """The network with a bias in place of each batch normalisation: what a shipped file's weights fit as they are, and a third faster to train."""
    for name, layers in net.mods.items():
        if len(layers) > 1:
            c = layers[0]
            net.mods[name] = nn.Sequential(nn.Conv2d(c.in_channels, c.out_channels, c.kernel_size, c.stride, c.padding, c.dilation, c.groups))
    return net


class Ema:
    """Running mean of the weights; what is scored and shipped."""

    def __init__(self, net, decay):
        self.decay, self.steps = decay, 0
        self.state = {k: v.detach().clone().float() if v.is_floating_point() else v.clone()
                      for k, v in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net):
        self.steps += 1
        d = min(self.decay, (1 + self.steps) / (10 + self.steps))
        mean, now = [], []
        for k, v in net.state_dict().items():
            if v.is_floating_point():
                mean.append(self.state[k])
                now.append(v.float())
            else:
                self.state[k].copy_(v)
        torch._foreach_mul_(mean, d)
        torch._foreach_add_(mean, now, alpha=1 - d)
