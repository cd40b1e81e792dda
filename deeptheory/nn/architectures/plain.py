"""Networks without branches: VGG, LeNet and the multilayer perceptron."""

from collections.abc import Sequence

from deeptheory.errors import unknown_name
from deeptheory.nn.architectures.builder import Builder
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.pooling import MaxPool2d
from deeptheory.nn.layers.reshaping import Flatten, ReLU

POOL = 0  # marks a 2 x 2 maximum pooling in the lists of filters
FIVE = (64, 128, 256, 512, 512)  # filters of a published VGG between its five poolings


def _published(*counts: int) -> tuple[int, ...]:
    """The list of filters of a VGG with so many convolutions before each pooling."""
    return tuple(n for count, filters in zip(counts, FIVE, strict=False) for n in (*(filters,) * count, POOL))


VGG = {
    "vgg6": (64, POOL, 128, POOL, 256, 256, POOL, 512, POOL),
    "vgg11-10conv": _published(2, 2, 3, 3),
    "vgg11-8conv": _published(1, 1, 2, 2, 2),
    "vgg13": _published(2, 2, 2, 2, 2),
    "vgg16": _published(2, 2, 3, 3, 3),
    "vgg19": _published(2, 2, 4, 4, 4),
}
VGG_HIDDEN = (4096, 4096)
CLASSIFIERS = ("linear", "hidden")
LENET_FILTERS, LENET_HIDDEN = (6, 16), (120, 84)
MLP_HIDDEN = (512, 512)


def add_vgg(builder: Builder, filters: Sequence[int], classifier: str) -> None:
    """3 x 3 convolutions with batch norm (Simonyan & Zisserman); two hidden layers if `classifier` is "hidden"."""
    if classifier not in CLASSIFIERS:
        raise unknown_name("classifier", classifier, CLASSIFIERS)
    for n_filters, following in zip(filters, [*filters[1:], None], strict=True):
        if n_filters == POOL:
            continue
        layers = builder.activated(builder.shape[-1], builder.scaled(n_filters), 3, 1, "relu")
        if following == POOL:
            layers["pool"] = MaxPool2d(2)
        builder.append(layers)
    if classifier == "hidden":
        _add_hidden(builder, VGG_HIDDEN)


def add_lenet(builder: Builder) -> None:
    """Two 5 x 5 convolutions with pooling, then two hidden layers (after LeCun et al.)."""
    for n_filters in LENET_FILTERS:
        conv = builder.conv(builder.shape[-1], builder.scaled(n_filters), 5, padding=0, bias=True)
        builder.append({"conv": conv, "relu": ReLU(), "pool": MaxPool2d(2)})
    _add_hidden(builder, LENET_HIDDEN)


def add_mlp(builder: Builder) -> None:
    """Two hidden layers."""
    _add_hidden(builder, MLP_HIDDEN)


def _add_hidden(builder: Builder, nodes: Sequence[int]) -> None:
    for n_nodes in nodes:
        layers: dict[str, Layer] = {"flatten": Flatten()} if len(builder.shape) > 1 else {}
        builder.append(
            layers | {"linear": builder.linear(builder.scaled(n_nodes), bias=True), "relu": ReLU()}
        )
