"""Small networks of every architecture, and a compact one, with what compares them."""

import json

import numpy as np

from deeptheory import nn, prune
from deeptheory.interop.state.architecture_files import read_architecture
from deeptheory.interop.state.tensor_files import read_tensors

SHAPE, WORDS = (16, 16, 3), 7  # of images; of a text
NETWORKS = {
    "vgg6": {},
    "vgg6-hidden": {"classifier": "hidden", "width": 0.01},
    "vgg11-10conv": {},
    "vgg16": {},
    "mlp": {},
    "lenet": {},
    "resnet20": {"width": 0.25},
    "resnet18": {"form": "imagenet"},
    "googlenet": {},  # whose pooling is in ceil_mode
    "resnext50_32x4d": {"width": 0.4},  # two channels in each group
    "wrn-16-8": {},
    "efficientnet-b0": {"depth": 0.3, "stochastic_depth": 0.2},
}
TRANSFORMERS = {
    "cct": {"width": 1 / 16, "blocks": 2, "conv_layers": 2, "dropout": 0.1},
    "vit-tiny": {"width": 1 / 8, "blocks": 1, "positions": "sine"},
    "text-transformer": {"width": 1 / 16, "blocks": 2, "words": 9},
}


def standardised():
    """A small network that takes the units of its pixels from a first layer of its own."""
    network = small("lenet")
    first, *rest = network.stages
    units = nn.Standardise((0.1, -0.2, 0.05), (0.5, 0.45, 0.7))
    stages = [nn.Stage(first.name, {"standardise": units, **first.layers}, ()), *rest, network.head]
    return nn.assemble(stages, network.input_shape, network.dtype)


def settled(network):
    """The network with batch norms and biases as training would leave them: none is at its default."""
    rng = np.random.default_rng(1)
    for named in (network.parameters(), network.buffers()):
        for name in named:
            ending, array = name.rpartition(".")[2], named[name]
            if array.ndim == 1 and array.dtype == network.dtype:
                low, high = (0.5, 1.5) if ending in ("weight", "running_var") else (-0.3, 0.3)
                named[name] = rng.uniform(low, high, array.shape).astype(array.dtype)
    return network


def small(name, dtype=np.float32):
    """A network of one of the names of `NETWORKS` and `TRANSFORMERS`; VGG-16 needs larger images."""
    options = {"width": 0.06, **(NETWORKS | TRANSFORMERS)[name]}
    shape = (32, 32, 3) if name in ("vgg11-10conv", "vgg16") else SHAPE
    shape = (WORDS, 1, 1) if "words" in options else shape
    network = nn.build(
        name.removesuffix("-hidden"), 4, shape, rng=np.random.default_rng(0), dtype=dtype, **options
    )
    return settled(network)


def compact_network():
    """A network with SparseConv2d and SparseLinear, cut by random masks."""
    network = settled(nn.build("vgg6", 4, SHAPE, 0.125, rng=np.random.default_rng(0)))
    rng, masks = np.random.default_rng(2), {}
    for name, weight in network.parameters().items():
        if weight.ndim > 1 and not name.startswith("stage1."):
            kernels = rng.random((weight.shape[0], _n_inputs(network, name))) < 0.25
            masks[name] = np.broadcast_to(
                kernels.reshape(*kernels.shape, *(1,) * (weight.ndim - 2)) if weight.ndim > 2
                else np.repeat(kernels, weight.shape[1] // kernels.shape[1], axis=1),
                weight.shape,
            ).copy()  # fmt: skip
    found = prune.compact(network, masks)
    kinds = {type(node.layer) for node in found.nodes}
    assert {nn.SparseConv2d, nn.SparseLinear} <= kinds
    return found


def _n_inputs(network, name):
    """Number of filters that a weight takes."""
    weight = network.parameters()[name]
    return weight.shape[1] if weight.ndim > 2 else network.stages[-1].output_shape[-1]


def images_for(network, n=5):
    """Scaled images, NHWC, or ids of words, of which the second text has three."""
    rng = np.random.default_rng(3)
    if network.input_shape[1:] == (1, 1):
        ids = rng.integers(1, 9, (n, *network.input_shape)).astype(network.dtype)
        ids[1:2, 3:] = 0
        return ids
    return rng.uniform(-1, 1, (n, *network.input_shape)).astype(network.dtype)


def relative_difference(found, expected):
    """Largest difference, relative to the largest value expected."""
    return np.abs(found - expected).max() / np.abs(expected).max()


def read_network(path):
    """The network in the two files of a name, PATH.safetensors and PATH.toml."""
    arrays, metadata = read_tensors(f"{path}.safetensors")
    kinds = [json.loads(metadata[kind]) for kind in ("parameters", "buffers")]
    assert sorted(kinds[0] + kinds[1]) == sorted(arrays)
    named = ({name: arrays[name] for name in names} for names in kinds)
    return nn.build_from_blueprint(read_architecture(f"{path}.toml"), *named)
