"""Which layers connect the filters of two stages of a model, from the graph of its forward pass."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import prune
from deeptheory.errors import InputError
from deeptheory.interop.torch.filters import Filters
from deeptheory.interop.torch.live_model import LiveModel, unmeasured
from deeptheory.interop.torch.masks import MASK, ORIGINAL
from deeptheory.interop.torch.tracing import Call, MixingCall, Trace

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
    pooled, scaled. It writes the first stage whose filters are its outputs, or sums in which these are.

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
        else:
            pairs[name] = ends
    return Wiring(pairs, unmasked)


def default_stages(live: LiveModel, x: NDArray[np.float32]) -> list[str]:
    """The last output of every layer that can be measured: what others read of it, else the end of its chain.

    Outputs that are merely inputs of the model, and those of the layer that gives its outputs, are left out.
    """
    found = live.traced(x)
    able = [call for call in found.calls if not unmeasured(call) and found.images not in call.filters.chain]
    of_filters = dict[Filters, Call]()
    for call in able:  # the innermost module that puts it out ends first
        of_filters.setdefault(call.filters, call)
    chosen = set[Filters]()
    for mixing in found.mixing:
        nearest = next((filters for filters in mixing.read.chain if filters in of_filters), None)
        if nearest is not None:
            chosen.add(nearest)
    for mixing in found.mixing:
        if any(mixing.module in filters.writers for filters in chosen):
            continue
        behind = [call.filters for call in able if mixing.written in call.filters.chain]
        if behind and not _gives_outputs(live, found, mixing):
            chosen.add(behind[-1])
    return [found.label(call) for filters, call in of_filters.items() if filters in chosen]


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
        n_filters, n_positions = sizes(calls[before])
        if live.modules[mixing.module].in_features != n_filters * n_positions:
            return f"{before} has {n_positions} positions, and it reads them pooled"
        return before, prune.HEAD
    written = [
        (found.calls.index(call), stage)
        for stage, call in calls.items()
        if mixing.module in call.filters.writers
    ]
    if not written:
        return "no stage has the filters that it writes"
    return before, min(written)[1]


def _gives_outputs(live: LiveModel, found: Trace, mixing: MixingCall) -> bool:
    is_linear = isinstance(live.modules[mixing.module], live.torch.nn.Linear)
    return is_linear and mixing.written in found.outputs.chain


def sizes(call: Call) -> tuple[int, int]:
    """Filters C and positions P of the output of a call."""
    n_filters = call.filters.n if call.filters.axis > 0 else call.shape[-1]
    return n_filters, math.prod(call.shape[1:]) // n_filters


def layers_of(
    live: LiveModel, pairs: Pairs, shapes: Mapping[str, tuple[int, int]], n_labels: int
) -> tuple[prune.MaskedLayer, ...]:
    """The layers to be masked, in the order of `pairs`.

    Parameters
    ----------
    live : LiveModel
    pairs : mapping of str to (str, str)
        Name of a module to the stages that it reads and writes; "head" in place of the second for the layer that
        computes the outputs.
    shapes : mapping of str to (int, int)
        Filters C and positions P of every stage.
    n_labels : int

    Raises
    ------
    InputError
        There is no layer; a module or stage does not exist; a module is no convolution without groups or linear
        layer, or does not fit its stages.
    """
    if not pairs:
        do = "give pairs={'name of the module': ('stage that it reads', 'stage that it writes')}"
        raise InputError("layers between stages", "at least one", "none", do)
    return tuple(_layer(live, name, ends, shapes, n_labels) for name, ends in pairs.items())


def _layer(
    live: LiveModel, name: str, ends: Any, shapes: Mapping[str, tuple[int, int]], n_labels: int
) -> prune.MaskedLayer:
    what = f"pair of '{name}'"
    module: Any = live.module(name, "pairs")
    if not live.mixes(module):
        expected = "a convolution without groups or a linear layer"
        raise InputError(what, expected, f"a {type(module).__name__}")
    if why := computed(module):
        raise InputError(what, "a weight that is a parameter", why, "remove the parametrisation first")
    if not isinstance(ends, tuple | list) or len(ends) != 2:
        raise InputError(what, "the stage that it reads and the one that it writes", f"{ends}")
    before, after = ends
    for end in (before, *([after] if after != prune.HEAD else [])):
        if end not in shapes:
            raise InputError(what, f"measured stages, of {', '.join(shapes)}", f"'{end}'", "measure it too")
    shape = tuple(module.weight.shape)
    n_filters, n_positions = shapes[before]
    n_out = n_labels if after == prune.HEAD else shapes[after][0]
    if shape[0] != n_out:
        raise InputError(f"weight '{name}.weight'", f"{n_out} outputs, as {after} has", f"shape {shape}")
    if after == prune.HEAD and shape[1:] != (n_filters * n_positions,):
        expected = f"shape {(n_out, n_filters * n_positions)}, that of a probe of {before}"
        do = "let the last stage be what this layer reads, after any pooling"
        raise InputError(f"weight '{name}.weight'", expected, f"shape {shape}", do)
    return prune.MaskedLayer(f"{name}.weight", before, after, shape, n_filters)
