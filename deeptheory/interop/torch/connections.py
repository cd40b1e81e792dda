"""Which layers connect the filters of two stages of a model."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deeptheory import prune
from deeptheory.errors import InputError
from deeptheory.interop.torch.live_model import LiveModel

if TYPE_CHECKING:
    import torch

Pairs = Mapping[str, tuple[str, str]]


def mixes(live: LiveModel, module: "torch.nn.Module") -> bool:
    """Whether a module has a kernel for every pair of an output and an input filter."""
    tn = live.torch.nn
    return isinstance(module, tn.Linear) or (isinstance(module, tn.Conv2d) and module.groups == 1)


def find_pairs(live: LiveModel, stages: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The one convolution or linear layer between each stage and the next, where a Sequential shows it.

    Parameters
    ----------
    live : LiveModel
    stages : sequence of str
        From the input upwards.

    Returns
    -------
    dict of (str, str)
        Name of the module to the stages that it reads and writes. Only pairs of stages are given that are in one
        ``torch.nn.Sequential``, nested ones included, with exactly one such layer after the first stage up to the
        end of the second.
    """
    pairs = {}
    for before, stage in itertools.pairwise(stages):
        container = _sequential_above(live, before, stage)
        if container is None:
            continue
        parts = list(_parts(live, container))
        first, last = (_end(parts, name) for name in (before, stage))
        if first is None or last is None:
            continue
        between = parts[first + 1 : last + 1]
        names = [name for part in between for name in live.modules if _within(name, part)]
        mixing = [name for name in names if mixes(live, live.modules[name])]
        if len(mixing) == 1:
            pairs[mixing[0]] = (before, stage)
    return pairs


def _end(parts: Sequence[str], stage: str) -> int | None:
    """Index of the last part of a stage; None where the stage lies inside one part."""
    return max((number for number, part in enumerate(parts) if _within(part, stage)), default=None)


def _within(name: str, container: str) -> bool:
    return not container or name == container or name.startswith(f"{container}.")


def _is_sequential(live: LiveModel, name: str) -> bool:
    return isinstance(live.modules[name], live.torch.nn.Sequential)


def _sequential_above(live: LiveModel, *names: str) -> str | None:
    """The innermost Sequential that contains both modules."""
    both = [name for name in live.modules if all(_within(other, name) and other != name for other in names)]
    innermost = max(both, key=len)
    return innermost if _is_sequential(live, innermost) else None


def _parts(live: LiveModel, container: str) -> Iterator[str]:
    """Modules in the order in which nested Sequentials call them."""
    for name, _ in live.modules[container].named_children():
        full = f"{container}.{name}" if container else name
        if _is_sequential(live, full):
            yield from _parts(live, full)
        else:
            yield full


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
        raise InputError("layers between stages", "at least one", "none that a Sequential shows", do)
    return tuple(_layer(live, name, ends, shapes, n_labels) for name, ends in pairs.items())


def _layer(
    live: LiveModel, name: str, ends: Any, shapes: Mapping[str, tuple[int, int]], n_labels: int
) -> prune.MaskedLayer:
    what = f"pair of '{name}'"
    module: Any = live.module(name, "pairs")
    if not mixes(live, module):
        expected = "a convolution without groups or a linear layer"
        raise InputError(what, expected, f"a {type(module).__name__}")
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
