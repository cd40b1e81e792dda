"""Masks: which weights are kept, checked where they are made."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.layers.base import Array
from deeptheory.prune.masked_layers import MaskedLayer
from deeptheory.tables import text_table


class Masks(Mapping[str, NDArray[np.bool_]]):
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
        A layer has no mask or a mask no layer; a mask is not Boolean or has another shape; no head of a block is
        left with inputs and a reader.
    """

    def __init__(self, layers: tuple[MaskedLayer, ...], masks: Mapping[str, NDArray[np.bool_]]) -> None:
        self.layers = layers
        names = [layer.weight for layer in layers]
        if set(names) != set(masks):
            raise InputError(
                "masks", f"one for each of {', '.join(names)}", ", ".join(sorted(masks)) or "none"
            )
        self._full = {layer.weight: _full(layer, np.asarray(masks[layer.weight])) for layer in layers}
        self._kernels = {layer.weight: _kernels(layer, self._full[layer.weight]) for layer in layers}
        self._check_heads()

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        return self._full[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._full)

    def __len__(self) -> int:
        return len(self._full)

    def __repr__(self) -> str:
        kept, sizes = self.kept(), {layer.weight: layer.size for layer in self.layers}
        rows = [
            (name, str(kept[name]), str(size), f"{kept[name] / size:.4f}") for name, size in sizes.items()
        ]
        total = ("all", str(sum(kept.values())), str(sum(sizes.values())), f"{self.total_density:.4f}")
        return "\n".join(["Masks:", *text_table(("weight", "kept", "of", "density"), [*rows, total])])

    def _check_heads(self) -> None:
        for stage in dict.fromkeys(layer.heads for layer in self.layers if layer.heads):
            ends = [layer for layer in self.layers if layer.heads == stage]
            left = np.all(
                [self._kernels[end.weight].any(axis=1 if end.stage_out == stage else 0) for end in ends],
                axis=0,
            )
            if not left.any():
                raise InputError(
                    f"masks of {' and '.join(end.name for end in ends)}",
                    f"at least one head of {stage} with inputs and a reader",
                    f"none of {len(left)}",
                    "raise the density, lower the threshold, or leave these stages out",
                )

    def kernels(self, name: str) -> NDArray[np.bool_]:
        """Kernels of one layer with any weight kept, (out, n_inputs) bool."""
        return self._kernels[name]

    def stored(self, name: str) -> NDArray[np.bool_]:
        """The mask of one layer to be stored: a kernel mask if kernels are all-or-nothing, else a weight mask."""
        kernels, full = self._kernels[name], self[name]
        return kernels if kernels.sum() * (full.size // kernels.size) == full.sum() else full

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


def apply_masks(network: nn.Network, masks: Mapping[str, NDArray[np.bool_]]) -> None:
    """Set the masked weights of a network to zero."""
    parameters = network.parameters()
    for name, mask in masks.items():
        parameters[name] = parameters[name] * mask


def check_boolean(name: str, mask: NDArray[Any]) -> None:
    """Refuse a mask of the weight `name` that is no Boolean array."""
    if mask.dtype != np.bool_:
        others = mask[(mask != 0) & (mask != 1)]
        found = f"values of type {mask.dtype}" + (f", such as {others[0]:g}" if others.size else "")
        do = "compare with zero to get a mask: mask != 0"
        raise InputError(f"mask of '{name}'", "True and False only", found, do)


def _full(layer: MaskedLayer, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    check_boolean(layer.weight, mask)
    if mask.shape == layer.grid:
        full = np.repeat(mask.ravel(), layer.kernel_size).reshape(layer.shape)
    elif mask.shape == layer.shape:
        full = mask.copy()
    else:
        expected = f"shape {layer.grid} (kernels) or {layer.shape} (weights)"
        raise InputError(f"mask of '{layer.weight}'", expected, f"shape {mask.shape}")
    full.flags.writeable = False
    return full


def _kernels(layer: MaskedLayer, full: NDArray[np.bool_]) -> NDArray[np.bool_]:
    kernels: NDArray[np.bool_] = np.any(full.reshape(*layer.grid, layer.kernel_size), axis=2)
    kernels.flags.writeable = False
    return kernels


def masked_network(network: nn.Network, masks: Mapping[str, NDArray[np.bool_]]) -> nn.Network:
    """A copy of a network with the masked weights set to zero; arrays that are not masked are shared."""
    stages = [
        nn.Stage(
            stage.name,
            {
                key: nn.with_arrays(
                    layer, _masked_parameters(f"{stage.name}.{key}", layer, masks), layer.buffers
                )
                for key, layer in stage.layers.items()
            },
            stage.output_shape,
            stage.inputs,
        )
        for stage in (*network.stages, network.head)
    ]
    return nn.assemble(stages, network.input_shape, network.dtype)


def _masked_parameters(
    name: str, layer: nn.Layer, masks: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Array]:
    return {
        key: array * masks[f"{name}.{key}"] if f"{name}.{key}" in masks else array
        for key, array in layer.parameters.items()
    }
