"""Which of our arrays are in one module of PyTorch, and under which keys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deeptheory.errors import InputError
from deeptheory.nn.layer_checks import SQUEEZING

CONVOLUTION, NORM, LINEAR, DRAWS = "convolution", "norm", "linear layer", "stochastic depth"
SCALE, ATTENTION = "scale of a branch", "attention"
TOKENS = "tokens' own"  # vectors of positions, of a class or of words, and the weights of pooling
WEIGHT_AND_BIAS = {"weight": "weight", "bias": "bias"}
STATISTICS, DRAWN = ("running_mean", "running_var"), ("seed", "counter")
KEYS_OF_NORM = ("weight", "bias", *STATISTICS)
BUFFERS = (*STATISTICS, *DRAWN)  # arrays that are not trained
SQUEEZED = (
    (".reduce", CONVOLUTION, {"weight": "reduce_weight", "bias": "reduce_bias"}),
    (".expand", CONVOLUTION, {"weight": "expand_weight", "bias": "expand_bias"}),
)
# The modules of every kind of layer with arrays: suffix of their name, kind, and keys in PyTorch and here.
PARTS: dict[str, tuple[tuple[str, str, dict[str, str]], ...]] = {
    "Conv2d": (("", CONVOLUTION, WEIGHT_AND_BIAS),),
    "Linear": (("", LINEAR, WEIGHT_AND_BIAS),),
    "BatchNorm2d": (("", NORM, {key: key for key in KEYS_OF_NORM}),),
    "LayerNorm": (("", NORM, WEIGHT_AND_BIAS),),
    "LayerScale": (("", SCALE, {"": "weight"}),),  # in PyTorch a tensor of the block itself
    **dict.fromkeys(SQUEEZING, SQUEEZED),
    "SelfAttention": (("", ATTENTION, WEIGHT_AND_BIAS),),
    "SequencePool": (("", TOKENS, WEIGHT_AND_BIAS),),  # whose bias in PyTorch changes nothing
    **dict.fromkeys(("Positions", "ClassToken"), (("", TOKENS, {"": "weight"}),)),
    "Embedding": (("", TOKENS, {"weight": "weight"}),),
    "Dropout": (("", DRAWS, {key: key for key in DRAWN}),),
    "StochasticDepth": (("", DRAWS, {key: key for key in DRAWN}),),
}


@dataclass(frozen=True)
class Module:
    """The arrays of one module.

    Attributes
    ----------
    name : str
        That of our layer, "stage3.conv", or of its part, "stage4.squeeze.reduce".
    kind : str
    arrays : dict of str to str
        Key in PyTorch, "" for a tensor that is no module's, to our dotted name.
    """

    name: str
    kind: str
    arrays: dict[str, str]


def modules_of(description: Mapping[str, Any]) -> Iterator[Module]:
    """The modules of a network in order of computation.

    Parameters
    ----------
    description : mapping
        As `nn.blueprint_of` gives it.

    Raises
    ------
    InputError
        A kind of layer without counterpart: the sparse layers of a compact network.
    """
    for stage in description["stages"]:
        for key, kind, _ in stage["layers"]:
            name = f"{stage['name']}.{key}"
            if kind.startswith("Sparse"):
                do = "write the network with dense layers"
                raise InputError(f"layer {name}", "a layer that masks can act on", kind, do)
            for suffix, module_kind, keys in PARTS.get(kind, ()):
                arrays = {key: f"{name}.{array}" for key, array in keys.items()}
                yield Module(name + suffix, module_kind, arrays)
