"""Layers and networks from kinds, options and arrays, to rebuild a saved or pruned network."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.graph import Stage, nodes_of, output_shapes
from deeptheory.nn.layer_checks import check_arrays, check_options
from deeptheory.nn.layers.activations import GELU, HardSwish, ReLU6, SiLU, TanhGELU
from deeptheory.nn.layers.attention import SelfAttention
from deeptheory.nn.layers.base import Array, Layer, Shape
from deeptheory.nn.layers.convolution import Conv2d, Linear
from deeptheory.nn.layers.dropout import Dropout
from deeptheory.nn.layers.normalisation import BatchNorm2d, LayerNorm
from deeptheory.nn.layers.pooling import AvgPool2d, GlobalAveragePool, MaxPool2d
from deeptheory.nn.layers.reshaping import Flatten, ReLU
from deeptheory.nn.layers.residual import Concat, LayerScale, StochasticDepth, Subsample, Sum
from deeptheory.nn.layers.sparse import SparseConv2d, SparseLayer, SparseLinear
from deeptheory.nn.layers.squeeze_excitation import HardSqueezeExcitation, SqueezeExcitation
from deeptheory.nn.layers.standardisation import Standardise
from deeptheory.nn.layers.tokens import (
    ClassToken,
    Embedding,
    FirstToken,
    PaddingMask,
    Positions,
    SequencePool,
    SinePositions,
    Tokens,
)
from deeptheory.nn.network import Network

# By kind of layer, the attributes that define a layer together with its arrays.
OPTIONS: dict[type[Layer], tuple[str, ...]] = {
    AvgPool2d: ("size", "stride"),
    BatchNorm2d: (),
    ClassToken: (),
    Concat: (),
    Conv2d: ("groups", "stride", "padding"),
    Dropout: ("probability",),
    Embedding: (),
    FirstToken: (),
    Flatten: (),
    GELU: (),
    GlobalAveragePool: (),
    HardSqueezeExcitation: (),
    HardSwish: (),
    LayerNorm: ("epsilon",),
    LayerScale: (),
    Linear: (),
    MaxPool2d: ("size", "stride", "padding", "ceil_mode"),
    PaddingMask: (),
    Positions: (),
    ReLU: (),
    ReLU6: (),
    SelfAttention: (),
    SequencePool: (),
    SiLU: (),
    SinePositions: (),
    SparseConv2d: ("n_in", "stride", "padding"),
    SparseLinear: ("n_in",),
    SqueezeExcitation: (),
    Standardise: ("mean", "deviation"),
    StochasticDepth: ("probability",),
    Subsample: ("n_out", "stride"),
    Sum: (),
    TanhGELU: (),
    Tokens: (),
}
ADDED: dict[type[Layer], dict[str, Any]] = {
    MaxPool2d: {"padding": 0, "ceil_mode": False}
}  # options with a default, which files leave out
KINDS = {kind.__name__: kind for kind in OPTIONS}


def options_of(layer: Layer) -> dict[str, Any]:
    """The options of a layer by name: what defines it besides its kind, its arrays and the defaults of `ADDED`.

    Raises
    ------
    InputError
        A kind of layer that is not in `OPTIONS`.
    """
    if type(layer) not in OPTIONS:
        raise unknown_name("layer", type(layer).__name__, KINDS)
    left_out = ADDED.get(type(layer), {})
    options = {name: getattr(layer, name) for name in OPTIONS[type(layer)]}
    return {name: value for name, value in options.items() if name not in left_out or value != left_out[name]}


def make_layer(
    kind: str, options: Mapping[str, Any], parameters: Mapping[str, Array], buffers: Mapping[str, Array]
) -> Layer:
    """A layer of the kind of that name with its own scratch memory; arrays are copied only where not in C order.

    Raises
    ------
    InputError
        An unknown kind; options that are not those of this kind, or out of range; arrays that are not those of
        this kind, or do not fit together.
    """
    if kind not in KINDS:
        raise unknown_name("layer", kind, KINDS)
    expected, options = OPTIONS[KINDS[kind]], {**ADDED.get(KINDS[kind], {}), **options}
    if set(options) != set(expected):
        raise InputError(
            f"options of {kind}", ", ".join(expected) or "none", ", ".join(sorted(options)) or "none"
        )
    parameters, buffers = (
        {name: np.asarray(array, order="C") for name, array in arrays.items()}
        for arrays in (parameters, buffers)
    )
    check_options(kind, options)
    check_arrays(kind, options, {**parameters, **buffers})
    if issubclass(KINDS[kind], SparseLayer | Standardise):
        return KINDS[kind](**parameters, **buffers, **options)
    layer = KINDS[kind].__new__(KINDS[kind])
    Layer.__init__(layer)  # the constructor of the kind would draw weights
    for name, value in options.items():
        setattr(layer, name, value)
    layer.parameters, layer.buffers = parameters, buffers
    return layer


def with_arrays(layer: Layer, parameters: Mapping[str, Array], buffers: Mapping[str, Array]) -> Layer:
    """A layer of the same kind and options with other arrays, copied only where not in C order."""
    return make_layer(type(layer).__name__, options_of(layer), parameters, buffers)


def assemble(stages: Sequence[Stage], input_shape: Shape, dtype: DTypeLike) -> Network:
    """The network of the stages, the head last; their output shapes are computed anew.

    Raises
    ------
    InputError
        Layers do not fit together, there are none, or the last gives no number for each label.
    """
    if not stages:
        raise InputError("stages", "at least the head", "none")
    if empty := [stage.name for stage in stages if not stage.layers]:
        raise InputError(f"layers of {empty[0]}", "at least one", "none")
    nodes = nodes_of(stages)
    shapes = output_shapes(nodes, tuple(input_shape))
    *body, head = [
        replace(stage, output_shape=shapes[f"{stage.name}.{list(stage.layers)[-1]}"]) for stage in stages
    ]
    if len(head.output_shape) != 1:
        raise InputError(f"output of {head.name}", "one number for each label", f"shape {head.output_shape}")
    return Network(body, head, tuple(input_shape), dtype)
