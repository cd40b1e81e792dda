"""Networks without branches: VGG, LeNet and the multilayer perceptron."""

from collections.abc import Sequence

from deeptheory.nn.architectures.chain import Chain
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.pooling import MaxPool2d
from deeptheory.nn.layers.reshaping import Flatten, ReLU

POOL = 0  # marks a 2 x 2 maximum pooling in the lists of filters
VGG = {
    "vgg6": (64, POOL, 128, POOL, 256, 256, POOL, 512, POOL),
    "vgg11": (64, 64, POOL, 128, 128, POOL, 256, 256, 256, POOL, 512, 512, 512, POOL),
    "vgg16": (64, 64, POOL, 128, 128, POOL, *(256, 256, 256, POOL), *(512, 512, 512, POOL) * 2),
}
VGG_HIDDEN = (4096, 4096)
LENET_FILTERS, LENET_HIDDEN = (6, 16), (120, 84)
MLP_HIDDEN = (512, 512)


def add_vgg(chain: Chain, filters: Sequence[int], hidden: bool) -> None:
    """3 x 3 convolutions with batch norm (Simonyan & Zisserman), and two hidden layers where asked."""
    for n_filters, following in zip(filters, [*filters[1:], None], strict=True):
        if n_filters == POOL:
            continue
        layers = chain.activated(chain.shape[-1], chain.scaled(n_filters), 3, 1, "relu")
        if following == POOL:
            layers["pool"] = MaxPool2d(2)
        chain.append(layers)
    if hidden:
        _add_hidden(chain, VGG_HIDDEN)


def add_lenet(chain: Chain) -> None:
    """Two 5 x 5 convolutions with pooling, then two hidden layers (after LeCun et al.)."""
    for n_filters in LENET_FILTERS:
        conv = chain.conv(chain.shape[-1], chain.scaled(n_filters), 5, padding=0, bias=True)
        chain.append({"conv": conv, "relu": ReLU(), "pool": MaxPool2d(2)})
    _add_hidden(chain, LENET_HIDDEN)


def add_mlp(chain: Chain) -> None:
    """Two hidden layers."""
    _add_hidden(chain, MLP_HIDDEN)


def _add_hidden(chain: Chain, nodes: Sequence[int]) -> None:
    for n_nodes in nodes:
        layers: dict[str, Layer] = {"flatten": Flatten()} if len(chain.shape) > 1 else {}
        chain.append(layers | {"linear": chain.linear(chain.scaled(n_nodes), bias=True), "relu": ReLU()})
