"""Heads of attention that a masked PyTorch model does not need, removed where its forward pass follows."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.interop.torch.axes import Place
from deeptheory.interop.torch.filters import HEADS
from deeptheory.interop.torch.head_rows import outer_of_heads
from deeptheory.interop.torch.inputs import Pool
from deeptheory.interop.torch.layers import IN_PROJECTION
from deeptheory.interop.torch.live_model import LiveModel, to_numpy

if TYPE_CHECKING:
    import torch

# What modules call the number of their heads, and the width of all of them.
NUMBERS, WIDTHS = ("num_heads", "num_attention_heads", "n_heads"), ("attn_dim", "all_head_size", "split_size")
BIASES = "relative_position_bias_table"  # (positions, heads)
AGREEMENT = 1e-5  # of the outputs without the last head, masked and removed, relative to the largest
Values = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Attention:
    """One attention of a model.

    Attributes
    ----------
    reader : str
        The layer that reads its heads.
    read : Place
        The heads along the columns of this layer.
    writers : dict of Place
        The layers of queries, keys and values, or of all three, with the heads along their rows.
    uncut : str
        Why its heads cannot be removed, or "".
    """

    reader: str
    read: Place
    writers: dict[str, Place]
    uncut: str

    @property
    def n(self) -> int:
        """The number of heads."""
        return self.read.n


def attentions(live: LiveModel, x: Any) -> list[Attention]:
    """The attentions of a model in evaluation mode, each tried without its last head.

    Parameters
    ----------
    live : LiveModel
        Changed and restored.
    x : tensor (n, ...), or dict or list of tensors
        Inputs of the model.
    """
    pool = Pool(live.torch)
    followed = LiveModel(live.model, pool)
    images = pool.read_example(x).images
    found = followed.traced(images)
    listed = []
    for call in found.calls:
        if not (call.reads and call.filters.kind == HEADS):
            continue
        n, layers = call.filters.n, sorted(call.filters.feeding)
        read, writers = Place(1, n, call.filters.outer), {layer: Place(0, n) for layer in layers}
        attention = Attention(call.module, read, writers, "")
        if any(layer.endswith(IN_PROJECTION) for layer in layers):
            uncut = "nn.MultiheadAttention takes the width of all its heads to be that of its tokens"
        elif any(found.times[layer] > 1 for layer in (call.module, *layers)):
            uncut = "their layers are called several times"
        else:
            with _with_random_weights(live, attention):
                outers = {layer: outer_of_heads(followed, layer, call, images) for layer in layers}
                writers = {layer: Place(0, n, outer) for layer, outer in outers.items()}
                attention = replace(attention, writers=writers)
                if not (layers and all(outers.values())):
                    uncut = "the layers before them have another order"
                else:
                    uncut = _tried(live, attention, x) if n > 1 else ""
        listed.append(replace(attention, uncut=uncut))
    return listed


def heads_along(place: Place, size: int) -> NDArray[np.int64]:
    """The head at every index of an axis."""
    outer, n, inner = place.pieces(size)
    return np.tile(np.repeat(np.arange(n), inner), outer)


def removable_heads(masked: LiveModel, attention: Attention, values: Values) -> list[int]:
    """The heads that nothing reads, or that are constant where they are read; one at least stays.

    A head whose values have no weights left is its bias at every token, whatever is attended to.
    """
    layer = masked.modules[attention.reader]
    outer, n, inner = attention.read.pieces(layer.weight.shape[1])
    kernels = to_numpy(layer.weight).reshape(-1, outer, n, inner)
    constants = values[attention.reader].reshape(outer, n, inner)
    unread = ~kernels.any(axis=(0, 1, 3))
    steady = ~np.isnan(constants).any(axis=(0, 2))
    silent = steady & ~np.nan_to_num(constants).any(axis=(0, 2))
    gone = unread | silent | (steady & (layer.bias is not None))
    return np.flatnonzero(gone).tolist()[: n - 1]


def cut_heads(live: LiveModel, attention: Attention, heads: Sequence[int], values: Values) -> None:
    """Remove heads of a model; the bias of the layer that reads them takes over what is constant of them."""
    reader = live.modules[attention.reader]
    columns = heads_along(attention.read, reader.weight.shape[1])
    gone, left = (np.isin(columns, heads), ~np.isin(columns, heads))
    constants = np.nan_to_num(values[attention.reader])[gone]
    if reader.bias is not None:
        added = to_numpy(reader.weight)[:, gone].astype(np.float64) @ constants
        moved = reader.bias.data + live.torch.from_numpy(added).to(reader.bias)
        reader.bias = live.torch.nn.Parameter(moved, reader.bias.requires_grad)
    _keep(live, reader, "weight", 1, left)
    reader.in_features = int(left.sum())
    for name, place in attention.writers.items():
        writer = live.modules[name]
        rows = ~np.isin(heads_along(place, len(writer.weight)), heads)
        for key in ("weight", "bias"):
            _keep(live, writer, key, 0, rows)
        writer.out_features = int(rows.sum())
    kept = np.setdiff1d(np.arange(attention.n), heads)
    for owner in _owners(live, attention):
        for numbers, before in ((NUMBERS, attention.n), (WIDTHS, len(columns))):
            for key in numbers:
                if getattr(owner, key, None) == before:
                    setattr(owner, key, before // attention.n * len(kept))
        if BIASES in owner._parameters:
            _keep(live, owner, BIASES, 1, np.isin(np.arange(attention.n), kept))


def _tried(live: LiveModel, attention: Attention, x: Any) -> str:
    """Why the forward pass does not follow when the last head goes; "" where it does."""
    torch, last = live.torch, attention.n - 1
    nothing = {attention.reader: np.zeros(live.modules[attention.reader].weight.shape[1])}
    with _restored(live, attention), live.hooked({}):
        reader = live.modules[attention.reader]
        columns = torch.from_numpy(heads_along(attention.read, reader.weight.shape[1]) != last)
        reader.weight = torch.nn.Parameter(reader.weight * columns.to(reader.weight))
        expected = torch.utils._pytree.tree_leaves(live.called(x))
        cut_heads(live, attention, [last], nothing)
        try:
            found = torch.utils._pytree.tree_leaves(live.called(x))
        except (RuntimeError, ValueError) as failure:
            return f"the forward pass does not follow their number: {str(failure).partition(chr(10))[0]}"
    for one, other in zip(expected, found, strict=True):
        if not isinstance(one, torch.Tensor) or not one.is_floating_point():
            continue
        if one.shape != other.shape or (one - other).abs().max() > AGREEMENT * one.abs().max():
            return "the forward pass computes something else with fewer of them"
    return ""


@contextlib.contextmanager
def _with_random_weights(live: LiveModel, attention: Attention) -> Iterator[None]:
    """Within the block its layers have no zeros, which would hide what belongs to which head."""
    torch, generator = live.torch, live.torch.Generator().manual_seed(0)
    with _restored(live, attention):
        for name in (attention.reader, *attention.writers):
            module = live.modules[name]
            random = torch.randn(module.weight.shape, generator=generator) / module.weight.shape[1] ** 0.5
            module.weight = torch.nn.Parameter(random.to(module.weight))
        yield


@contextlib.contextmanager
def _restored(live: LiveModel, attention: Attention) -> Iterator[None]:
    """After the block the modules of an attention are as before."""
    modules = [live.modules[name] for name in (attention.reader, *attention.writers)]
    modules += _owners(live, attention)
    numbers = [{k: v for k, v in vars(module).items() if isinstance(v, int)} for module in modules]
    parameters = [dict(module._parameters) for module in modules]
    try:
        yield
    finally:
        for module, of_module, of_parameters in zip(modules, numbers, parameters, strict=True):
            vars(module).update(of_module)
            module._parameters.update(of_parameters)


def _owners(live: LiveModel, attention: Attention) -> "list[torch.nn.Module]":
    """The modules that call the layers before the heads, and those of biases of positions within them."""
    names = sorted({name.rpartition(".")[0] for name in attention.writers})
    calling = [live.modules[name] for name in names]
    inside = [part for module in calling for part in module.modules() if BIASES in part._parameters]
    return [*calling, *(part for part in inside if part not in calling)]


def _keep(live: LiveModel, module: Any, key: str, axis: int, kept: NDArray[np.bool_]) -> None:
    parameter = getattr(module, key)
    if parameter is not None:
        index = live.torch.from_numpy(np.flatnonzero(kept)).to(parameter.device)
        chosen = parameter.data.index_select(axis, index)
        setattr(module, key, live.torch.nn.Parameter(chosen, parameter.requires_grad))
