"""The networks that can be built by name."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.architectures.builder import Builder
from deeptheory.nn.architectures.convnext import add_convnext
from deeptheory.nn.architectures.densenet import add_densenet
from deeptheory.nn.architectures.efficientnet import add_efficientnet
from deeptheory.nn.architectures.googlenet import add_googlenet
from deeptheory.nn.architectures.mobilenet import (
    HIDDEN_LARGE,
    HIDDEN_SMALL,
    LITE0,
    V2,
    V3_LARGE,
    V3_SMALL,
    add_mobilenet_v2,
    add_mobilenet_v3,
)
from deeptheory.nn.architectures.plain import VGG, add_lenet, add_mlp, add_vgg
from deeptheory.nn.architectures.residual import CIFAR, RESIDUAL, add_residual
from deeptheory.nn.architectures.resnet import add_resnet20
from deeptheory.nn.architectures.text_transformer import add_text_transformer
from deeptheory.nn.architectures.transformers import add_cct, add_vit
from deeptheory.nn.architectures.wide_residual import WIDE, add_wide_residual
from deeptheory.nn.layers.base import Shape
from deeptheory.nn.network import Network


class Architecture(NamedTuple):
    """What is special about one network.

    Attributes
    ----------
    add_stages : callable
        Adds all stages but the head to a new `Builder`; called with it and, by keyword, with all of `options`.
    options : mapping of str to value
        The options that it takes besides the width, with their defaults; each is a field of `NetworkOptions` too.
    example : (H, W, C)
        Shape of inputs that it reads at any size of the network; (T, 1, 1) for ids of words.
    """

    add_stages: Callable[..., None]
    options: Mapping[str, Any] = MappingProxyType({})
    example: Shape = (64, 64, 3)

    @property
    def reads_words(self) -> bool:
        """Whether its inputs are texts, not images."""
        return self.example[1:] == (1, 1)


EFFICIENTNET = "efficientnet-b0"
TRANSFORMER = {"blocks": 0, "heads": 0, "positions": "learned", "dropout": 0.0, "stochastic_depth": 0.0}
ARCHITECTURES = {
    **{name: Architecture(partial(add_vgg, filters=VGG[name]), {"classifier": "linear"}) for name in VGG},
    "lenet": Architecture(add_lenet),
    "mlp": Architecture(add_mlp),
    "resnet20": Architecture(add_resnet20),
    **{name: Architecture(partial(add_residual, kind=RESIDUAL[name]), {"form": CIFAR}) for name in RESIDUAL},
    **{
        name: Architecture(partial(add_wide_residual, depth=depth, factor=factor))
        for name, (depth, factor) in WIDE.items()
    },
    "convnext-tiny": Architecture(add_convnext),
    "densenet121": Architecture(add_densenet),
    "googlenet": Architecture(add_googlenet),
    "mobilenet-v2": Architecture(partial(add_mobilenet_v2, blocks=V2)),
    "mobilenet-v3-small": Architecture(partial(add_mobilenet_v3, blocks=V3_SMALL, hidden=HIDDEN_SMALL)),
    "mobilenet-v3-large": Architecture(partial(add_mobilenet_v3, blocks=V3_LARGE, hidden=HIDDEN_LARGE)),
    "efficientnet-lite0": Architecture(partial(add_mobilenet_v2, blocks=LITE0)),
    EFFICIENTNET: Architecture(add_efficientnet, {"depth": 1.0, "stochastic_depth": 0.0}),
    "cct": Architecture(add_cct, TRANSFORMER | {"conv_layers": 1, "kernel": 3}),
    "vit-tiny": Architecture(add_vit, TRANSFORMER | {"patch": 4}),
    "text-transformer": Architecture(
        add_text_transformer, TRANSFORMER | {"words": 1000, "hidden_ratio": 4}, (64, 1, 1)
    ),
}
NAMES = tuple(ARCHITECTURES)
TRANSFORMERS = ("cct", "vit-tiny", "text-transformer")
FORMER = {"vgg11": "vgg11-10conv"}  # names in the records of earlier versions
UNCLEAR = {
    "vgg11": "vgg11-8conv is that of Simonyan & Zisserman; vgg11-10conv, called vgg11 here before, is VGG-16 cut "
    "after its tenth convolution"
}
SIZING = ("heads", "patch", "kernel")  # options that must fit width or images, and change no name of a stage


def build(
    name: str,
    n_labels: int,
    input_shape: Shape,
    width: float = 1.0,
    *,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float32,
    **options: Any,
) -> Network:
    """Build a network with initial weights (`he_normal`); every head is one linear layer without bias.

    Parameters
    ----------
    name : str
        "vgg11-8conv", "vgg13", "vgg16", "vgg19": those of Simonyan & Zisserman, "Very deep convolutional networks
        for large-scale image recognition", with 8, 10, 13 and 16 convolutions. "vgg11-10conv": VGG-16 cut after
        its tenth convolution, the VGG-11 of "Advanced deep architecture pruning using single filter performance"
        (Phys. Rev. E). "vgg6": the convolutions 64, 128, 256, 256, 512, pooled after all but the third. A VGG
        stage is a 3 x 3 convolution without bias, batch norm, ReLU and, where there is one, a 2 x 2 maximum
        pooling.
        "lenet": two 5 x 5 convolutions without padding (6 and 16 filters), each with bias, ReLU and pooling,
        then hidden layers of 120 and 84. "mlp": two hidden layers of 512.
        "resnet20", "resnet18" and the like, "wrn-28-10" and the like, "efficientnet-b0", "efficientnet-lite0",
        "mobilenet-v2", "mobilenet-v3-small" or "-large", "convnext-tiny", "densenet121", "googlenet": see
        `resnet`, `residual`, `wide_residual`, `efficientnet`, `mobilenet` (also of efficientnet-lite0),
        `convnext`, `densenet` and `googlenet`; a block is several stages, because every stage has exactly one
        layer that mixes filters, `conv`. Those of "cct", "vit-tiny" and "text-transformer" are four: see
        `transformers` and `text_transformer`.
    n_labels : int
        Number of outputs K.
    input_shape : (H, W, C)
    width : float
        Factor on the number of filters and hidden nodes; multiples of 8 in EfficientNets and mobilenets.
    rng : numpy.random.Generator
        Source of the weights.
    dtype : float32 or float64
    **options
        Of the architecture. ``classifier`` of the VGG networks: "linear" for the head alone, "hidden" for two
        hidden layers of 4096 before it, which are stages too. ``depth`` and ``stochastic_depth`` of
        efficientnet-b0: see `efficientnet.add_efficientnet`. ``form`` of the networks of `residual`: "cifar" or
        "imagenet", for small and for large images. Those of transformers: `transformers.add_cct`,
        `transformers.add_vit` and `text_transformer.add_text_transformer`.

    Raises
    ------
    InputError
        For an unknown name or option, an option of another network unless it has its default, or an input too
        small for the poolings (the layer is named).
    """
    architecture = _known(name)
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise InputError("input_shape", "(H, W, C), each at least 1", str(tuple(input_shape)))
    if n_labels < 2 or not width > 0:
        raise InputError("network", "n_labels >= 2 and width > 0", f"{n_labels} and {width}")
    builder = Builder(input_shape, width, rng, dtype)
    architecture.add_stages(builder, **_complete(name, options))
    return builder.close(n_labels)


@lru_cache
def narrow(name: str, **options: Any) -> Network:
    """A network of few filters, whose stages and their order are those of any width.

    Raises
    ------
    InputError
        What `build` refuses, but for options of `SIZING`.
    """
    named = {option: value for option, value in options.items() if option not in SIZING}
    return build(name, 3, _known(name).example, width=1 / 64, rng=np.random.default_rng(0), **named)


def _known(name: str) -> Architecture:
    if name not in ARCHITECTURES:
        raise unknown_name("network", name, ARCHITECTURES, UNCLEAR)
    return ARCHITECTURES[name]


def takers(option: str) -> str:
    """The names of the networks that take an option, as a list in words."""
    return ", ".join(name for name, architecture in ARCHITECTURES.items() if option in architecture.options)


def _complete(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of the architecture: those given, else their defaults."""
    accepted = ARCHITECTURES[name].options
    defaults = {option: value for other in ARCHITECTURES.values() for option, value in other.options.items()}
    for option, value in options.items():
        if option not in defaults:
            raise unknown_name(f"option of {name}", option, defaults)
        if option not in accepted and value != defaults[option]:
            do = f"it is an option of {takers(option)}"
            raise InputError(f"{option} of {name}", repr(defaults[option]), repr(value), do)
    return {option: options.get(option, default) for option, default in accepted.items()}
