"""Which layers connect the filters of two stages of a model, from the graph of its forward pass."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import prune
from deeptheory.errors import InputError
from deeptheory.interop.torch.axes import Place
from deeptheory.interop.torch.filters import HEADS, Filters
from deeptheory.interop.torch.head_rows import outer_of_heads
from deeptheory.interop.torch.layers import Layout, is_transposed, parameter_of
from deeptheory.interop.torch.live_model import LiveModel, filters_of, unmeasured
from deeptheory.interop.torch.names import MASK, ORIGINAL
from deeptheory.interop.torch.tracing import Call, MixingCall, N, Trace

if TYPE_CHECKING:
    import torch

Pairs = Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Wiring:
    """What lies between stages.

    Attributes
    ----------
    pairs : dict of (str, str)
        Name of a layer to the stages that it reads and writes, "head" for the outputs of the model.
    unmasked : dict of str
        Name of every other layer that mixes channels, with the reason why no mask acts on it.
    """

    pairs: dict[str, tuple[str, str]]
    unmasked: dict[str, str]


def wiring_of(live: LiveModel, stages: Sequence[str], x: NDArray[np.float32]) -> Wiring:
    """The layers between stages, and why others are none.

    A layer reads the nearest stage whose filters its inputs are, each changed alone: normalised, activated,
    pooled, scaled. It writes the first stage whose filters are its outputs, or sums in which these are; or, as
    layer of queries, keys or values, heads.

    Parameters
    ----------
    live : LiveModel
    stages : sequence of str
        Names of modules or of calls of them.
    x : float array (n, ...)
        Inputs, of which the first two are followed through the model.
    """
    found = live.traced(x)
    calls = {stage: live.call(stage, x) for stage in stages}
    pairs, unmasked = dict[str, tuple[str, str]](), dict[str, str]()
    for mixing in found.mixing:
        name = mixing.module
        ends = _ends(live, found, mixing, calls)
        if found.times[name] > 1:
            unmasked[name] = f"it is called {found.times[name]} times"
        elif isinstance(ends, str):
            unmasked[name] = ends
        elif why := computed(live.modules[name]):
            unmasked[name] = why
        elif _writes_heads(name, calls.get(ends[1])) and not outer_of_heads(live, name, calls[ends[1]], x):
            unmasked[name] = "its outputs are not in order of the heads"
        else:
            pairs[name] = ends
    return Wiring(pairs, unmasked)


def default_stages(live: LiveModel, x: NDArray[np.float32]) -> list[str]:
    """The last output of every layer that can be measured: what others read of it, else the end of its chain.

    Where no module puts out what a layer reads it is the input of that layer: heads before their projection, and
    tokens or positions that were chosen or averaged for the outputs. Outputs that are merely inputs of the model,
    and those of the layer that gives its outputs, are left out.
    """
    found = live.traced(x)
    able = [call for call in found.calls if not unmeasured(call) and found.images not in call.filters.chain]
    of_filters = dict[Filters, Call]()
    for call in able:  # the innermost module that puts it out ends first
        if not call.reads and call.filters.kind != HEADS:
            of_filters.setdefault(call.filters, call)
    chosen = dict[Filters, Call]()
    for mixing in found.mixing:
        own = [call for call in able if call.reads and call.filters is mixing.read]
        nearest = next((of_filters[filters] for filters in mixing.read.chain if filters in of_filters), None)
        if nearest is not None and mixing.read.kind != HEADS:
            chosen[nearest.filters] = nearest
        if own and (nearest is None or mixing.read.kind == HEADS or _pooled(live, found, mixing, nearest)):
            chosen[mixing.read] = own[0]
    for mixing in found.mixing:
        if any(
            mixing.module in of.filters.writers or _writes_heads(mixing.module, of) for of in chosen.values()
        ):
            continue
        behind = [filters for filters in of_filters if mixing.written in filters.chain]
        if behind and not _gives_outputs(live, found, mixing):
            last = max(behind, key=lambda filters: found.calls.index(of_filters[filters]))
            chosen[last] = of_filters[last]
    return [found.label(call) for call in found.calls if chosen.get(call.filters) is call]


def computed(module: "torch.nn.Module") -> str:
    """Why a weight cannot be masked or refitted: it follows from other parameters; "" where it can."""
    masked = f"weight{ORIGINAL}" in module._parameters and f"weight{MASK}" in module._buffers
    if masked or "weight" in module._parameters:
        return ""
    return "its weight is computed from other parameters (a spectral or weight norm)"


def _ends(
    live: LiveModel, found: Trace, mixing: MixingCall, calls: Mapping[str, Call]
) -> tuple[str, str] | str:
    """The stages that a layer reads and writes, or why there are none."""
    chain = list(mixing.read.chain)
    if chain[-1] is found.images:
        return "it reads the inputs"
    stages = {call.filters: stage for stage, call in reversed(list(calls.items()))}
    before = next((stages[filters] for filters in chain if filters in stages), None)
    if before is None:
        return f"no stage has the filters that it reads{chain[-1].lost and f', behind {chain[-1].lost}'}"
    if _gives_outputs(live, found, mixing):
        if _pooled(live, found, mixing, calls[before]):
            return f"{before} has {sizes(calls[before])[1]} positions, and it reads them pooled"
        return before, prune.HEAD
    written = [
        (found.calls.index(call), stage)
        for stage, call in calls.items()
        if mixing.module in call.filters.writers or _writes_heads(mixing.module, call)
    ]
    if not written:
        return "no stage has the filters that it writes"
    return before, min(written)[1]


def _writes_heads(layer: str, call: Call | None) -> bool:
    return call is not None and call.filters.kind == HEADS and layer in call.filters.feeding


def _gives_outputs(live: LiveModel, found: Trace, mixing: MixingCall) -> bool:
    is_linear = isinstance(live.modules[mixing.module], live.torch.nn.Linear)
    return is_linear and mixing.written in found.outputs.chain


def _pooled(live: LiveModel, found: Trace, mixing: MixingCall, before: Call) -> bool:
    """Whether the layer that gives the outputs reads fewer positions of each filter than the call has."""
    n_read = live.modules[mixing.module].weight.shape[-1]
    return _gives_outputs(live, found, mixing) and n_read != math.prod(sizes(before))


def sizes(call: Call) -> tuple[int, int]:
    """Filters C and positions P of the output of a call for one input."""
    n_filters = filters_of(call).n
    return n_filters, math.prod(call.shape) // (N * n_filters)


@dataclass(frozen=True)
class MaskableLayer:
    """A layer to be masked, and how its weight is laid out."""

    masked: prune.MaskedLayer
    layout: Layout


def layers_of(
    live: LiveModel,
    pairs: Pairs,
    shapes: Mapping[str, tuple[int, int]],
    labels: NDArray[np.int64],
    n_outputs: int,
    x: NDArray[np.float32],
) -> tuple[MaskableLayer, ...]:
    """The layers to be masked, in the order of `pairs`.

    Parameters
    ----------
    live : LiveModel
    pairs : mapping of str to (str, str)
        Name of a module to the stages that it reads and writes; "head" in place of the second for the layer that
        computes the outputs.
    shapes : mapping of str to (int, int)
        Filters C and positions P of every stage.
    labels : int array (K,)
        The outputs of the model that are measured.
    n_outputs : int
        Of the model.
    x : float array (n, ...)
        Inputs, of which the first two are followed through the model.

    Raises
    ------
    InputError
        There is no layer; a module or stage does not exist; a module is no convolution without groups or linear
        layer, or does not fit its stages.
    """
    if not pairs:
        do = "give pairs={'name of the module': ('stage that it reads', 'stage that it writes')}"
        raise InputError("layers between stages", "at least one", "none", do)
    return tuple(_layer(live, name, ends, shapes, labels, n_outputs, x) for name, ends in pairs.items())


def _layer(
    live: LiveModel,
    name: str,
    ends: Any,
    shapes: Mapping[str, tuple[int, int]],
    labels: NDArray[np.int64],
    n_outputs: int,
    x: NDArray[np.float32],
) -> MaskableLayer:
    what = f"pair of '{name}'"
    module: Any = live.module(name, "pairs")
    if not live.mixes(module):
        expected = "a convolution without groups or a linear layer"
        raise InputError(what, expected, f"a {type(module).__name__}")
    if why := computed(module):
        raise InputError(what, "a weight that is a parameter", why, "remove the parametrisation first")
    before, after = _checked_ends(what, ends, shapes)
    parameter, shape = parameter_of(name), tuple(module.weight.shape)
    by_filter = shape[::-1] if is_transposed(module) else shape
    n_filters, n_positions = shapes[before]
    n_out = n_outputs if after == prune.HEAD else shapes[after][0]
    outer, of_heads, rows = 1, False, None
    if after == prune.HEAD:
        rows = None if len(labels) == n_outputs else labels
    elif of_heads := _writes_heads(name, call := live.call(after, x)):
        outer = outer_of_heads(live, name, call, x)
    if by_filter[0] != n_out and not (of_heads and outer):
        raise InputError(f"weight '{parameter}'", f"{n_out} outputs, as {after} has", f"shape {shape}")
    if after == prune.HEAD and by_filter[1:] != (n_filters * n_positions,):
        expected = f"shape {(n_out, n_filters * n_positions)}, that of a probe of {before}"
        do = "let the last stage be what this layer reads, after any pooling"
        raise InputError(f"weight '{parameter}'", expected, f"shape {shape}", do)
    written = Place(0, n_out if rows is None else len(labels), outer)
    outside = [mixing.read.outer for mixing in live.traced(x).mixing if mixing.module == name]
    layout = Layout(shape, is_transposed(module), written, Place(1, n_filters, outside[0]), rows)
    grouped = layout.filters(np.broadcast_to(np.float32(0), shape)).shape
    return MaskableLayer(prune.MaskedLayer(parameter, before, after, grouped, n_filters), layout)


def _checked_ends(what: str, ends: Any, known: Iterable[str]) -> tuple[str, str]:
    if not isinstance(ends, tuple | list) or len(ends) != 2:
        raise InputError(what, "the stage that it reads and the one that it writes", f"{ends}")
    before, after = ends
    for end in (before, *([after] if after != prune.HEAD else [])):
        if end not in known:
            raise InputError(what, f"measured stages, of {', '.join(known)}", f"'{end}'", "measure it too")
    return before, after
