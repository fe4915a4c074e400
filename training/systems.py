"""The networks of the systems that this project grew from, narrowed so that two CPU cores can train them and int8 files stay below 1 MB.

Each builder takes its outputs and a `width` (1 = as shipped here; docs/training.md names the factor of the published one) and returns a nets.Net of
96 x 96. Encoders are built first and named alike, so that weights learnt under another head fit in (`Net` node names are numbered).
"""

import torch.nn as nn

from nets import Net

SIZE = 96


def c(n, width):
    return max(4, int(round(n * width / 4)) * 4)


def coordinates(net, x, dense, points):
    """Dense layers and the points' x and y in 0..1 of the window."""
    for d in dense:
        x = net.gemm(x, d)
    name = net.gemm(x, 2 * points, relu=False, name="points")
    nn.init.normal_(net.mods[name][0].weight, std=0.01)
    nn.init.constant_(net.mods[name][0].bias, 0.5)
    net.outputs["points"] = name
    return net


def plain_encoder(net, width):
    """A: pairs of 3 x 3 convolutions between poolings."""
    x = net.conv("in", c(16, width), 3, 2)                      # 48
    x = net.maxpool(net.conv(x, c(24, width)))                  # 24
    x = net.maxpool(net.conv(net.conv(x, c(32, width)), c(48, width)))      # 12
    x = net.maxpool(net.conv(net.conv(x, c(64, width)), c(64, width)))      # 6
    x = net.conv(x, c(96, width))
    return net.flatten(net.conv(x, c(32, width), 1))


def plain(points, width=1.0):
    net = Net(SIZE)
    return coordinates(net, plain_encoder(net, width), [192], points)


def plain_pretext(recordings, width=1.0):
    """A's encoder under three heads: which quarter turn, which recording, where are five points."""
    net = Net(SIZE)
    x = plain_encoder(net, width)
    for name, n in (("rotation", 4), ("recording", recordings), ("five", 10)):
        net.outputs[name] = net.gemm(net.gemm(x, 64), n, relu=False, name=name)
    nn.init.constant_(net.mods["five"][0].bias, 0.5)
    return net


def plain_autoencoder(width=1.0):
    """A's encoder under a decoder, for the ablation table."""
    net = Net(SIZE)
    plain_encoder(net, width)
    x = net.nodes[-2].name                                      # the maps before they are flattened
    for n in (64, 48, 32, 16):
        x = net.up(net.conv(x, c(n, width)))
    net.outputs["picture"] = net.conv(x, 1, relu=False, bn=False, name="picture")
    return net


def simple(points, width=1.0):
    """B: four times convolution and pooling (the first with stride 2, for speed), then dense."""
    net = Net(SIZE)
    x = "in"
    for n in (16, 32, 64, 96):
        x = net.maxpool(net.conv(x, c(n, width), 3, 2 if x == "in" else 1))      # 24, 12, 6, 3
    return coordinates(net, net.flatten(x), [128], points)


STAGES = {18: (2, 2, 2, 2), 26: (3, 3, 3, 3), 34: (3, 4, 6, 3)}


def resnet(points, depth=18, width=1.0):
    """B: ResNet of basic blocks with 16 to 128 channels (a quarter of the published)."""
    net = Net(SIZE)
    x = net.maxpool(net.conv("in", c(16, width), 5, 2))         # 24
    for stage, (n, blocks) in enumerate(zip((16, 32, 64, 128), STAGES[depth])):
        for block in range(blocks):
            s = 2 if stage and not block else 1
            y = net.conv(net.conv(x, c(n, width), 3, s), c(n, width), relu=False)
            short = net.conv(x, c(n, width), 1, s, relu=False) if s == 2 else x
            x = net.add(short, y, relu=True)
    return coordinates(net, net.gap(x), [], points)


def inception(points, width=1.0):
    """D: five modules of a 3 x 3 and a 5 x 5 branch, then dense (a quarter of the published widths)."""
    net = Net(SIZE)
    x, s = "in", 2
    for i, (three, five) in enumerate(((16, 8), (24, 8), (32, 12), (48, 16), (64, 16))):
        x = net.concat(net.conv(x, c(three, width), 3, s), net.conv(x, c(five, width), 5, s))
        x, s = (net.maxpool(x) if i < 3 else x), 1              # 24, 12, 6, 6, 6
    return coordinates(net, net.flatten(x), [c(192, width), c(96, width), c(32, width)], points)


def code(net, width):
    """E's encoder: 96 x 96 to 16 maps of 6 x 6."""
    x = "in"
    for n in (16, 32, 64, 64):
        x = net.conv(x, c(n, width), 3, 2)
    return net.conv(x, c(16, width), 1)


def autoencoder(width=1.0):
    net = Net(SIZE)
    x = code(net, width)
    for n in (64, 48, 32, 16):
        x = net.up(net.conv(x, c(n, width)))
    net.outputs["picture"] = net.conv(x, 1, relu=False, bn=False, name="picture")
    return net


def encoded(points, width=1.0):
    """E: the autoencoder's encoder, then dense."""
    net = Net(SIZE)
    return coordinates(net, net.flatten(code(net, width)), [192], points)


def unet(classes, attention=False, width=1.0):
    """C: a U-Net of 16 to 64 channels; it begins and ends at half the input's side. `attention`: gates on the paths across (Oktay et al. 2018)."""
    net = Net(SIZE)
    pair = lambda x, n: net.conv(net.conv(x, c(n, width)), c(n, width))
    x = net.conv("in", c(16, width), 3, 2)                      # 48
    across = []
    for n in (16, 32, 48):
        x = pair(x, n)                                          # 48, 24, 12
        across.append((x, n))
        x = net.maxpool(x)
    x = pair(x, 64)                                             # 6
    for skip, n in reversed(across):
        x = net.up(net.conv(x, c(n, width), 1))
        if attention:
            gate = net.add(net.conv(skip, c(n // 2, width), 1, relu=False), net.conv(x, c(n // 2, width), 1, relu=False), relu=True)
            skip = net.mul(skip, net.sigmoid(net.conv(gate, 1, 1, relu=False)))
        x = pair(net.concat(skip, x), n)
    net.outputs["classes"] = net.conv(x, classes, 1, relu=False, bn=False, name="classes")
    return net
