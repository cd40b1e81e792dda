"""Layers that mix channels: of which classes they are, and how their weights are laid out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.interop.torch.axes import Place

if TYPE_CHECKING:
    import torch

IN_PROJECTION = "in_proj_weight"  # of nn.MultiheadAttention: a parameter without a module of its own
Array = NDArray[Any]


def mixes(torch: Any, module: "torch.nn.Module") -> bool:
    """Whether a module has a weight for every pair of an output and an input filter."""
    if isinstance(module, torch.nn.Conv1d | torch.nn.Conv2d):
        return bool(module.groups == 1)
    return isinstance(module, torch.nn.Linear) or is_transposed(module)


def is_convolution(module: "torch.nn.Module") -> bool:
    """Whether a layer that mixes channels has its filters on axis 1; those of a linear layer are on the last."""
    return hasattr(module, "kernel_size")


def is_transposed(module: "torch.nn.Module") -> bool:
    """Whether it is the linear layer of GPT-2 in transformers, whose weight is (in, out)."""
    return type(module).__name__ == "Conv1D" and getattr(module, "nf", None) is not None


def parameter_of(layer: str) -> str:
    """Name of the weight of a layer, "blocks.0.mlp.fc1" or "layers.0.self_attn.in_proj_weight"."""
    return layer if layer.endswith(IN_PROJECTION) else f"{layer}.weight"


def layer_of(parameter: str) -> str:
    """The layer that has a weight of that name."""
    return parameter.removesuffix(".weight")


@dataclass(frozen=True)
class Layout:
    """From the weight of a layer to one whose first two axes are the filters of its stages, and back.

    Attributes
    ----------
    shape : tuple of int
        Of the parameter.
    transposed : bool
        Whether its first axis is that of the inputs.
    written, read : Place
        The filters along the rows and along the columns: several rows belong to a head, several columns to a
        filter whose positions were merged with it.
    rows : int array, optional
        The rows that count, by default all: those of the labels that were measured.
    """

    shape: tuple[int, ...]
    transposed: bool
    written: Place
    read: Place
    rows: NDArray[np.int64] | None = None

    def filters(self, weight: Array) -> Array:
        """The weight as (n_out, n_in, ...), or, of a linear layer between filters and nodes, (n_out, n_in * P)."""
        flat = weight.T if self.transposed else weight
        flat = flat if self.rows is None else flat[self.rows]
        if self._plain:
            return flat
        outside, inside = self.written.pieces(len(flat)), self.read.pieces(flat.shape[1])
        apart = flat.reshape(*outside, *inside, -1)  # (outer, n_out, inner, outer, n_in, inner, taps)
        return apart.transpose(1, 4, 0, 2, 3, 5, 6).reshape(outside[1], inside[1], -1)

    def parameter(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask of `filters` in the shape of the parameter, True in rows that do not count."""
        shape = self.shape[::-1] if self.transposed else self.shape
        n_rows = shape[0] if self.rows is None else len(self.rows)
        if not self._plain:
            outside, inside = self.written.pieces(n_rows), self.read.pieces(shape[1])
            apart = mask.reshape(outside[1], inside[1], outside[0], outside[2], inside[0], inside[2], -1)
            mask = apart.transpose(2, 0, 3, 4, 1, 5, 6).reshape(n_rows, *shape[1:])
        if self.rows is not None:
            whole = np.ones(shape, np.bool_)
            whole[self.rows] = mask
            mask = whole
        return np.ascontiguousarray(mask.T if self.transposed else mask)

    @property
    def _plain(self) -> bool:
        """Whether a row belongs to each filter that is written, and columns to those that are read one by one."""
        n_rows = len(self.rows) if self.rows is not None else self.shape[1 if self.transposed else 0]
        return self.written.n == n_rows and self.read.outer == 1
