"""From the arrays of an imported network back to the tensors of the file that it came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeptheory.errors import InputError
from deeptheory.interop.state.adaptive_pooling import POOLED, unfolded
from deeptheory.interop.state.architectures import CENTRED
from deeptheory.interop.state.cct import HEADS, to_rows
from deeptheory.interop.state.centred_shortcuts import zeros_behind
from deeptheory.nn.layers.base import Array, Shape
from deeptheory.nn.layers.normalisation import EPSILON


@dataclass(frozen=True)
class Origin:
    """Where an imported network is from, as its import told (`Account`).

    Attributes
    ----------
    architecture : str
    tensors, parameters : tuple of str
        Names of the tensors of the file, and of our arrays that they became.
    shapes : tuple of tuple of int
        Of the tensors.
    norm_epsilon : float
        Of the batch norms there.
    description : dict
        Of our network (`nn.blueprint_of`).
    """

    architecture: str
    tensors: tuple[str, ...]
    parameters: tuple[str, ...]
    shapes: tuple[Shape, ...]
    norm_epsilon: float
    description: dict[str, Any]


def tensors_back(origin: Origin, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors of a network under the names, shapes and order of channels of the file that it came from.

    Parameters
    ----------
    origin : Origin
    arrays : mapping of str to array
        Parameters and buffers of the network by our names; weights may have changed, shapes not. Boolean masks of
        some weights are carried over in the same way, to masks of tensors.

    Returns
    -------
    dict of str to array
        By name of the tensor. The other program computes with them what our network computes, to rounding: the
        bias of a convolution that became part of the running mean behind it is zero, as is that of a sequence
        pooling, and of the weights that
        adaptive pooling makes the same it is the shortest.

    Raises
    ------
    InputError
        A running variance is smaller than what the norms of the other program add to it; positions before
        adaptive pooling have been trained or masked apart.
    """
    found, places = {}, _places(origin)
    is_state = any(array.dtype != np.bool_ for array in arrays.values())
    for tensor, name, shape in zip(origin.tensors, origin.parameters, origin.shapes, strict=True):
        if name in arrays:
            array = _in_order(arrays[name], places.get(name))
            if name.endswith(".running_var"):
                array = _variance(name, array, origin.norm_epsilon)
            found[tensor] = _in_shape(origin, name, array, shape)
        elif is_state:  # a bias that is part of a running mean, or changes nothing
            found[tensor] = np.zeros(shape, np.float32)
    return found


def _places(origin: Origin) -> dict[str, Array]:
    """Where every number of an array was in its tensor, where channels were permuted."""
    if origin.architecture != CENTRED:
        return {}
    shapes = dict(zip(origin.parameters, origin.shapes, strict=True))
    numbers = {name: np.arange(np.prod(shape)).reshape(shape) for name, shape in shapes.items()}
    return {name: place.ravel() for name, place in zeros_behind(origin.description, numbers).items()}


def _in_order(array: Array, places: Array | None) -> Array:
    if places is None:
        return array
    ordered = np.empty_like(array)
    ordered.ravel()[places] = array.ravel()
    return ordered


def _variance(name: str, array: Array, epsilon: float) -> Array:
    if epsilon == EPSILON:
        return array
    variance = array.astype(np.float64) + EPSILON - epsilon
    if variance.min() < 0:
        expected = f"at least {epsilon - EPSILON:g}, which the norms of the other program add"
        do = "take a smaller --norm-epsilon, or export with --to torch"
        raise InputError(f"'{name}'", expected, f"{array.min():g}", do)
    return variance.astype(array.dtype)


def _in_shape(origin: Origin, name: str, array: Array, shape: Shape) -> Array:
    """The array in the shape of its tensor: heads as rows; before a linear layer PyTorch may pool to 7 x 7."""
    if origin.architecture in HEADS and name.endswith(".attention.weight"):
        return to_rows(array)
    if array.size == np.prod(shape):
        return array.reshape(shape).copy()
    if array.ndim == 4 == len(shape):
        return _without_zeros(name, array, shape)
    halved = 2 ** sum(
        kind == "MaxPool2d" for stage in origin.description["stages"] for _, kind, _ in stage["layers"]
    )
    height, width = (axis // halved for axis in origin.description["input_shape"][:2])
    if array.size * POOLED**2 != np.prod(shape) * height * width:
        expected, do = f"numbers for shape {shape}", "export with --to torch"
        raise InputError(f"'{name}'", expected, f"shape {array.shape}", do)
    return unfolded(name, array, (height, width))


def _without_zeros(name: str, array: Array, shape: Shape) -> Array:
    """Kernels without the row and column in front that stand for another padding (`same_padding`)."""
    kernels = array[:, :, array.shape[2] - shape[2] :, array.shape[3] - shape[3] :]
    if array.dtype != np.bool_ and np.count_nonzero(kernels) != np.count_nonzero(array):
        found, do = "other weights, from training", "export with --to torch"
        raise InputError(f"'{name}'", "zeros in the first row and column of its kernels", found, do)
    return kernels.reshape(shape).copy()
