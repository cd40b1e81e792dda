"""What the options and arrays of layers must be, so that files from anywhere make layers that can be computed."""

from collections.abc import Mapping
from typing import Any

from deeptheory.errors import InputError
from deeptheory.nn.layers.base import Array, Shape

LEAST = dict.fromkeys(("groups", "n_in", "n_out", "size", "stride"), 1) | {"padding": 0}  # of integer options
MOST = 2**31 - 1
MOST_LAYERS = 10_000
SQUEEZING = ("SqueezeExcitation", "HardSqueezeExcitation")
# Shapes of the arrays by kind of layer: one letter an axis, the same letter for the same size.
SHAPES = {
    "BatchNorm2d": {"weight": "C", "bias": "C", "running_mean": "C", "running_var": "C"},
    "ClassToken": {"weight": "C"},
    "Conv2d": {"weight": "OIHW", "bias": "O"},
    "Dropout": {"seed": "1", "counter": "1"},
    "Embedding": {"weight": "VC"},
    "LayerNorm": {"weight": "C", "bias": "C"},
    "LayerScale": {"weight": "C"},
    "Linear": {"weight": "OI", "bias": "O"},
    "Positions": {"weight": "TC"},
    "SelfAttention": {"weight": "HC3D", "bias": "B"},
    "SequencePool": {"weight": "C"},
    "SparseConv2d": {"values": "KHW", "inputs": "K", "starts": "S", "bias": "O"},
    "SparseLinear": {"values": "KP", "inputs": "K", "starts": "S", "bias": "O"},
    **{
        kind: {"reduce_weight": "RC", "reduce_bias": "R", "expand_weight": "CR", "expand_bias": "C"}
        for kind in SQUEEZING
    },
    "StochasticDepth": {"seed": "1", "counter": "1"},
}
BIASED = ("Conv2d", "Linear", "SelfAttention", "SparseConv2d", "SparseLinear")  # whose bias may be left out
MAY_BE_EMPTY = "K"  # kernels that a mask keeps
WHOLE_NUMBERS = ("starts", "inputs", "seed", "counter")  # arrays of int64


def check_count(layers: int) -> None:
    """Refuse more layers than a network can have; the deepest that are known have a tenth of them."""
    if layers > MOST_LAYERS:
        raise InputError("layers", f"at most {MOST_LAYERS}", "more")


def check_options(layer: str, options: Mapping[str, Any]) -> None:
    """Refuse values out of range; `layer` is its name in the error.

    Raises
    ------
    InputError
        It names the option and the layer.
    """
    for option, value in options.items():
        if option in LEAST and not (type(value) is int and LEAST[option] <= value <= MOST):
            bound = f"at least {LEAST[option]}" if type(value) is not int or value < 1 else f"at most {MOST}"
            raise InputError(f"{option} of {layer}", f"a whole number, {bound}", repr(value))
        if option == "ceil_mode" and type(value) is not bool:
            raise InputError(f"{option} of {layer}", "true or false", repr(value))
        if option == "probability" and not (type(value) in (int, float) and 0 <= value < 1):
            raise InputError(f"{option} of {layer}", "at least 0 and below 1", repr(value))
        if option == "epsilon" and not (type(value) in (int, float) and 0 < value < 1):
            raise InputError(f"{option} of {layer}", "above 0 and below 1", repr(value))
    if "padding" in options and "size" in options:
        check_padding(layer, options["padding"], options["size"])


def check_padding(kind: str, padding: int, size: int) -> None:
    """Refuse a padding with which a window could lie beyond the image."""
    if not 0 <= 2 * padding <= size:
        raise InputError(f"padding of {kind}", f"at most {size // 2}, half of its size", f"{padding}")


def check_arrays(kind: str, options: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Refuse missing and other arrays, and shapes that do not fit together, before a kernel reads beyond them.

    Raises
    ------
    InputError
        It names the kind and the array.
    """
    shapes = SHAPES.get(kind, {})
    needed = [name for name in shapes if name != "bias" or kind not in BIASED]
    if set(needed) - set(arrays) or set(arrays) - set(shapes):
        found = ", ".join(sorted(arrays)) or "none"
        raise InputError(f"arrays of {kind}", ", ".join(needed) or "none", found)
    sizes: dict[str, int] = {"1": 1, "3": 3}
    for name, axes in shapes.items():
        if name in arrays:
            _check_shape(f"{name} of {kind}", arrays[name].shape, axes, sizes)
    if kind == "SelfAttention" and sizes.get("B") not in (None, needed_bias := 3 * sizes["H"] * sizes["D"]):
        raise InputError(f"bias of {kind}", f"{needed_bias} numbers, 3 D of each head", f"{sizes['B']}")
    groups = options.get("groups", 1)
    if sizes.get("O", groups) % groups:
        raise InputError(f"groups of {kind}", f"a divisor of {sizes['O']} outputs", f"{groups}")


def _check_shape(what: str, shape: Shape, axes: str, sizes: dict[str, int]) -> None:
    if len(shape) != len(axes):
        raise InputError(what, f"{len(axes)} axes", f"shape {shape}")
    for size, axis in zip(shape, axes, strict=True):
        if size == 0 and axis not in MAY_BE_EMPTY:
            raise InputError(what, "axes of at least 1", f"shape {shape}")
        if sizes.setdefault(axis, size) != size:
            raise InputError(
                what, f"{sizes[axis]} in place of {size}, as in its other arrays", f"shape {shape}"
            )
