"""Starting from a shipped int8 file: its weights, rounded as they are, back in a float network.

Checkpoints are not shipped; a lab that fine-tunes on its own camera starts here (`train.py --init models/landmarks68.onnx`).
"""

import onnx
import torch
from onnx import numpy_helper

import nets


def opened(path):
    try:
        return onnx.load(str(path))
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such model file") from None
    except Exception as e:                    # protobuf's own kinds
        raise ValueError(f"{path}: damaged, or no ONNX file: {str(e)[:80]}") from None


def metadata(path):
    """metadata_props of a file, as a dict."""
    return {p.key: p.value for p in opened(path).metadata_props}


def weights(path):
    """{convolution or dense layer: (weight, bias)} as float tensors, from the initialisers that export.py names."""
    init = {i.name: numpy_helper.to_array(i) for i in opened(path).graph.initializer}
    out = {}
    for key, q in init.items():
        if key.endswith("_w") and q.dtype == "int8":
            name = key[:-2]
            w = q.astype("float32") * init[name + "_ws"].reshape(-1, *[1] * (q.ndim - 1))
            b = init[name + "_b"].astype("float64") * init[name + "_bs"]
            out[name] = torch.from_numpy(w), torch.from_numpy(b.astype("float32"))
    return out


def mean(path):
    """tf.mean of a file, points by two; None where it has none."""
    text = metadata(path).get("tf.mean")
    return text and torch.tensor([[float(v) for v in p.split(",")] for p in text.split()])


def load(net, path, pictures=None):
    """Puts a file's weights into `net`. Raises ValueError where they do not fit.

    Batch normalisation is folded away in a file. Here each one becomes what does nothing: with `pictures` (a training batch), of the
    statistics that it meets there, so that it goes on doing nothing when training continues; without, of mean 0 and variance 1, which
    is only good for running the network.
    """
    found = weights(path)
    norms = []
    for n in net.nodes:
        if n.op not in ("conv", "gemm"):
            continue
        layers = net.mods[n.name]
        if n.name not in found or found[n.name][0].shape != layers[0].weight.shape:
            raise ValueError(f"{path}: holds no weights for {n.name} {tuple(layers[0].weight.shape)}: another network?")
        w, b = found[n.name]
        with torch.no_grad():
            layers[0].weight.copy_(w)
            if len(layers) == 1:
                layers[0].bias.copy_(b)
            else:
                identity(layers[1], b, torch.zeros_like(b), torch.ones_like(b))
                norms.append((layers[1], b))
    if hasattr(net, "mean"):
        if mean(path) is None:
            raise ValueError(f"{path}: tf.mean is missing: another network?")
        net.mean.copy_(mean(path))
    if pictures is not None:
        met = {}
        hooks = [bn.register_forward_pre_hook(lambda bn, x: met.__setitem__(bn, x[0].detach())) for bn, _ in norms]
        net.eval()
        with torch.no_grad():
            net(pictures)
            for bn, b in norms:
                identity(bn, b, met[bn].mean((0, 2, 3)), met[bn].var((0, 2, 3)))
        for hook in hooks:
            hook.remove()
    return net


def network(build, path):
    """A network to run, from a checkpoint of train.py (its averaged weights) or a shipped file."""
    net = build()
    if str(path).endswith(".onnx"):
        load(net, path)
    else:
        nets.restore(net, nets.checkpoint(path)["ema"], path)
    return net.eval()


def identity(bn, bias, mean, variance):
    """Makes a batch normalisation that meets this mean and variance add `bias` and nothing else."""
    with torch.no_grad():
        bn.running_mean.copy_(mean)
        bn.running_var.copy_(variance)
        bn.weight.copy_(torch.sqrt(variance + bn.eps))
        bn.bias.copy_(mean + bias)
