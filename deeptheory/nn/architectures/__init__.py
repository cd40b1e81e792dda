"""The networks by name."""

from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.architectures.chain import Chain
from deeptheory.nn.architectures.efficientnet import add_efficientnet
from deeptheory.nn.architectures.plain import VGG, add_lenet, add_mlp, add_vgg
from deeptheory.nn.architectures.resnet import add_resnet20
from deeptheory.nn.layers.base import Shape
from deeptheory.nn.network import Network

EFFICIENTNET = "efficientnet-b0"
NAMES = (*VGG, "lenet", "mlp", "resnet20", EFFICIENTNET)


def build(
    name: str,
    n_labels: int,
    input_shape: Shape,
    width: float = 1.0,
    *,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float32,
    classifier: Literal["linear", "hidden"] = "linear",
    depth: float = 1.0,
    stochastic_depth: float = 0.0,
) -> Network:
    """Build a network with fresh weights (`he_normal`); every head is one bias-free linear layer.

    Parameters
    ----------
    name : str
        "vgg11": VGG-16 cut after its tenth convolution, as in "Advanced deep architecture pruning using
        single filter performance" (not torchvision's VGG-11); "vgg16": all 13 convolutions; "vgg6": the
        convolutions 64, 128, 256, 256, 512, pooled after all but the third. A VGG stage is a 3 x 3
        convolution without bias, batch norm, ReLU and, where there is one, a 2 x 2 maximum pooling.
        "lenet": two 5 x 5 convolutions without padding (6 and 16 filters), each with bias, ReLU and pooling,
        then hidden layers of 120 and 84. "mlp": two hidden layers of 512.
        "resnet20" and "efficientnet-b0": see `resnet` and `efficientnet`; a block is two stages, because
        every stage has exactly one layer that mixes filters, `conv`.
    n_labels : int
        Number of outputs K.
    input_shape : (H, W, C)
    width : float
        Factor on the number of filters and hidden nodes; those of efficientnet-b0 are multiples of 8.
    rng : numpy.random.Generator
        Source of the weights.
    dtype : float32 or float64
    classifier : "linear" or "hidden"
        Of the VGG networks: the head alone, or behind two hidden layers of 4096, which are stages too.
    depth, stochastic_depth : float
        Of efficientnet-b0 (`efficientnet.add_efficientnet`).

    Raises
    ------
    InputError
        For an unknown name, an option of another network, or an input too small for the poolings (the layer
        is named).
    """
    if name not in NAMES:
        raise unknown_name("network", name, NAMES)
    if classifier == "hidden" and name not in VGG:
        raise InputError(f"classifier of {name}", "'linear'", "'hidden'", "its hidden layers are fixed")
    for option, value, default in (("depth", depth, 1.0), ("stochastic_depth", stochastic_depth, 0.0)):
        if value != default and name != EFFICIENTNET:
            raise InputError(f"{option} of {name}", str(default), str(value), f"only {EFFICIENTNET} takes it")
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise InputError("input_shape", "(H, W, C), each at least 1", str(tuple(input_shape)))
    if n_labels < 2 or not width > 0:
        raise InputError("network", "n_labels >= 2 and width > 0", f"{n_labels} and {width}")
    chain = Chain(input_shape, width, rng, dtype)
    if name in VGG:
        add_vgg(chain, VGG[name], hidden=classifier == "hidden")
    elif name == EFFICIENTNET:
        add_efficientnet(chain, depth, stochastic_depth)
    else:
        {"lenet": add_lenet, "mlp": add_mlp, "resnet20": add_resnet20}[name](chain)
    return chain.close(n_labels)
