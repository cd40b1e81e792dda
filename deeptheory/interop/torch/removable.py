"""Which channels of a masked PyTorch model nobody needs: nothing reads them, or they are constant."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.interop.torch.channel_groups import Group
from deeptheory.interop.torch.layers import is_convolution
from deeptheory.interop.torch.live_model import LiveModel, to_numpy

STEADY = 1e-6  # of the largest value: by how much a constant may scatter
SMALLEST = 1e-3  # of a constant that others are expressed by, relative to them

Values = Mapping[str, NDArray[np.float64]]  # of the inputs of layers: constants (n_in,), NaN for what varies


def observed(live: LiveModel, x: Any) -> tuple[dict[str, NDArray[np.float64]], dict[str, int]]:
    """The constants among the inputs of every layer that mixes channels, and the positions of its outputs."""
    values, positions = dict[str, NDArray[np.float64]](), dict[str, int]()

    def look(name: str) -> Any:
        def hook(module: Any, given: Any, output: Any) -> None:
            array = to_numpy(given[0].movedim(1, -1) if is_convolution(module) else given[0]).astype(
                np.float64
            )
            array = array.reshape(-1, array.shape[-1])
            steady = np.ptp(array, axis=0) <= STEADY * np.abs(array).max(axis=0, initial=0)
            found = np.where(steady, array.mean(axis=0), np.nan)
            values[name] = (
                np.where(np.isclose(values[name], found), found, np.nan) if name in values else found
            )
            n_out = output.shape[1 if is_convolution(module) else -1]
            positions[name] = output[0].numel() // n_out

        return hook

    hooks = {name: look(name) for name, module in live.modules.items() if live.mixes(module)}
    with live.hooked(hooks):
        live.called(x)
    return values, positions


def removable(
    live: LiveModel, group: Group, values: Values, positions: Mapping[str, int]
) -> tuple[list[int], int | None]:
    """The channels of a group that can go, and the one that takes over the constants of those that have some.

    A channel that all readers have no weights for can go; so can one whose writers have no weights, if it is
    constant where it is read. A squeezed gate, which multiplies, needs no zeros itself.
    """
    if group.uncut or not values.keys() >= group.readers.keys():
        return [], None
    widest = max(positions.get(name, 1) for name in group.writers)
    writers = {name: places for name, places in group.writers.items() if positions.get(name, 1) == widest}
    empty = _all_zero(live, writers, group.n, axis=0)
    unread = _all_zero(live, group.readers, group.n, axis=1)
    constants = _constants(group, values)
    steady = np.asarray([not np.isnan(of_channel).any() for of_channel in constants])
    zero = np.asarray([not np.nan_to_num(of_channel, nan=1).any() for of_channel in constants])
    silent = unread | (empty & zero)
    speaking = [int(channel) for channel in np.flatnonzero(empty & steady & ~silent)]
    if not speaking:
        return np.flatnonzero(silent).tolist()[: group.n - 1], None
    keeper = max(speaking, key=lambda channel: np.abs(constants[channel]).min())
    largest = np.abs(constants[keeper])
    handed = [c for c in speaking if c != keeper and (largest > SMALLEST * np.abs(constants[c])).all()]
    return sorted([*np.flatnonzero(silent).tolist(), *handed]), keeper


def hand_over(live: LiveModel, group: Group, cut: list[int], keeper: int, values: Values) -> None:
    """Give what removed constant channels a add to the kernels of channel r: W[b, r] += (c_a/c_r) W[b, a]."""
    for name, places in group.readers.items():
        weight = live.modules[name].weight.data
        for channel in cut:
            for own, taking in zip(places[channel], places[keeper], strict=True):
                ratio = values[name][own] / values[name][taking] if values[name][own] else 0.0
                if np.isfinite(ratio) and ratio:
                    weight[:, taking] += ratio * weight[:, own]


def _all_zero(
    live: LiveModel, layers: Mapping[str, Mapping[int, list[int]]], n: int, axis: int
) -> NDArray[np.bool_]:
    """Whether every layer has only zeros in the rows (axis 0) or columns (axis 1) of a channel."""
    every = np.ones(n, np.bool_)
    for name, places in layers.items():
        weight = to_numpy(live.modules[name].weight)
        zero = ~np.any(np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1), axis=1)
        for channel, rows in places.items():
            every[channel] &= zero[rows].all()
    return every


def _constants(group: Group, values: Values) -> list[NDArray[np.float64]]:
    """Of every channel the constants at all places where it is read, NaN where it varies."""
    return [
        np.concatenate([values[name][places[channel]] for name, places in group.readers.items()])
        for channel in range(group.n)
    ]
