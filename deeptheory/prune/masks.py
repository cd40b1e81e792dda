"""Masks: which weights are kept, checked where they are made."""

from collections.abc import Iterator, Mapping

import numpy as np

from deeptheory.errors import InputError
from deeptheory.nn import Network
from deeptheory.prune.layers import MaskedLayer


class Masks(Mapping[str, np.ndarray]):
    """Dotted weight name to a Boolean array of the weight's shape, True where the weight is kept.

    Parameters
    ----------
    layers : tuple of MaskedLayer
        The masked layers.
    masks : mapping of str to bool array
        One mask per layer, at kernel granularity ``(out, n_inputs)`` or of the weight's full shape.

    Raises
    ------
    InputError
        A layer has no mask or a mask no layer; a mask is not Boolean, has another shape, or keeps only part
        of a kernel.
    """

    def __init__(self, layers: tuple[MaskedLayer, ...], masks: Mapping[str, np.ndarray]) -> None:
        self.layers = layers
        names = [layer.weight for layer in layers]
        if set(names) != set(masks):
            raise InputError(
                "masks", f"one for each of {', '.join(names)}", ", ".join(sorted(masks)) or "none"
            )
        self._kernels = {
            layer.weight: _kernel_view(layer, np.asarray(masks[layer.weight])) for layer in layers
        }
        self._full = {layer.weight: _full_view(layer, self._kernels[layer.weight]) for layer in layers}

    def __getitem__(self, name: str) -> np.ndarray:
        return self._full[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._full)

    def __len__(self) -> int:
        return len(self._full)

    def kernels(self, name: str) -> np.ndarray:
        """The mask of one layer at kernel granularity, (out, n_inputs) bool."""
        return self._kernels[name]

    def kept(self) -> dict[str, int]:
        """Kernels kept in each layer."""
        return {name: int(kernels.sum()) for name, kernels in self._kernels.items()}

    def density(self, name: str) -> float:
        """Kept share of one layer; the same for kernels and for weights."""
        return float(self._kernels[name].mean())

    def densities(self) -> dict[str, float]:
        """Kept share of each layer."""
        return {name: self.density(name) for name in self}


def apply_masks(network: Network, masks: Mapping[str, np.ndarray]) -> None:
    """Set the masked weights of a network to zero."""
    parameters = network.parameters()
    for name, mask in masks.items():
        parameters[name] = parameters[name] * mask


def _kernel_view(layer: MaskedLayer, mask: np.ndarray) -> np.ndarray:
    what = f"mask of '{layer.weight}'"
    if mask.dtype != np.bool_:
        raise InputError(
            what, "True and False only", f"values of type {mask.dtype}", "compare the scores to get a mask"
        )
    if mask.shape == layer.grid:
        kernels = mask.copy()
    elif mask.shape == layer.shape:
        weights = mask.reshape(*layer.grid, layer.kernel_size)
        kernels = np.asarray(weights.any(axis=2))
        partial = int(np.sum(kernels != weights.all(axis=2)))
        if partial:
            raise InputError(what, "whole kernels kept or removed", f"{partial} kernels kept in part")
    else:
        raise InputError(
            what, f"shape {layer.grid} (kernels) or {layer.shape} (weights)", f"shape {mask.shape}"
        )
    kernels.flags.writeable = False
    return kernels


def _full_view(layer: MaskedLayer, kernels: np.ndarray) -> np.ndarray:
    full = np.repeat(kernels.ravel(), layer.kernel_size).reshape(layer.shape)
    full.flags.writeable = False
    return full
