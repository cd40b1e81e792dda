"""Masks: which weights are kept, checked where they are made."""

from collections.abc import Iterator, Mapping

import numpy as np

from deeptheory.errors import InputError
from deeptheory.nn import Network
from deeptheory.prune.masked_layers import MaskedLayer


class Masks(Mapping[str, np.ndarray]):
    """Dotted weight name to a Boolean array of the weight's shape, True where the weight is kept.

    Parameters
    ----------
    layers : tuple of MaskedLayer
        The masked layers.
    masks : mapping of str to bool array
        One mask per layer, of the weight's shape or of kernels, ``(out, n_inputs)``.

    Raises
    ------
    InputError
        A layer has no mask or a mask no layer; a mask is not Boolean or has another shape.
    """

    def __init__(self, layers: tuple[MaskedLayer, ...], masks: Mapping[str, np.ndarray]) -> None:
        self.layers = layers
        names = [layer.weight for layer in layers]
        if set(names) != set(masks):
            raise InputError(
                "masks", f"one for each of {', '.join(names)}", ", ".join(sorted(masks)) or "none"
            )
        self._full = {layer.weight: _full(layer, np.asarray(masks[layer.weight])) for layer in layers}
        self._kernels = {layer.weight: _kernels(layer, self._full[layer.weight]) for layer in layers}

    def __getitem__(self, name: str) -> np.ndarray:
        return self._full[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._full)

    def __len__(self) -> int:
        return len(self._full)

    def kernels(self, name: str) -> np.ndarray:
        """Kernels of one layer with any weight left, (out, n_inputs) bool."""
        return self._kernels[name]

    def stored(self, name: str) -> np.ndarray:
        """The mask of one layer at its coarsest: of kernels where they are whole, else of weights."""
        whole = self._kernels[name]
        return whole if whole.sum() * (self[name].size // whole.size) == self[name].sum() else self[name]

    def kept(self) -> dict[str, int]:
        """Weights kept in each layer."""
        return {name: int(full.sum()) for name, full in self._full.items()}

    def density(self, name: str) -> float:
        """Kept share of the weights of one layer."""
        return float(self[name].mean())

    @property
    def total_density(self) -> float:
        """Kept share of the weights of all masked layers."""
        return sum(self.kept().values()) / sum(layer.size for layer in self.layers)

    def densities(self) -> dict[str, float]:
        """Kept share of each layer."""
        return {name: self.density(name) for name in self}


def apply_masks(network: Network, masks: Mapping[str, np.ndarray]) -> None:
    """Set the masked weights of a network to zero."""
    parameters = network.parameters()
    for name, mask in masks.items():
        parameters[name] = parameters[name] * mask


def _full(layer: MaskedLayer, mask: np.ndarray) -> np.ndarray:
    what = f"mask of '{layer.weight}'"
    if mask.dtype != np.bool_:
        other = np.unique(mask[(mask != 0) & (mask != 1)])
        found = f"{other[0]}" if other.size else f"zeros and ones of type {mask.dtype}"
        raise InputError(what, "True and False only", found, "compare the scores to get a mask")
    if mask.shape == layer.grid:
        full = np.repeat(mask.ravel(), layer.kernel_size).reshape(layer.shape)
    elif mask.shape == layer.shape:
        full = mask.copy()
    else:
        expected = f"shape {layer.grid} (kernels) or {layer.shape} (weights)"
        raise InputError(what, expected, f"shape {mask.shape}")
    full.flags.writeable = False
    return full


def _kernels(layer: MaskedLayer, full: np.ndarray) -> np.ndarray:
    kernels: np.ndarray = np.any(full.reshape(*layer.grid, layer.kernel_size), axis=2)
    kernels.flags.writeable = False
    return kernels
