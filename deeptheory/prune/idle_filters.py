"""Which filters of a compact network are left: those that are read, and idle ones that its layers need besides."""

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.nn.kernels.vectors import LANES
from deeptheory.prune.removal import Removal
from deeptheory.prune.wiring import Mixer

SPARSE_BELOW = 0.5  # kept share of the kernels; above it, dense convolutions are faster

Left = NDArray[np.bool_]  # of every bundle


def is_sparse(removal: Removal, name: str) -> bool:
    """Whether only the kept kernels of a layer are stored and computed; attention and groups have no such form."""
    mixer = removal.wiring.mixers[name]
    plain = mixer.groups == 1 and not isinstance(mixer.node.layer, nn.SelfAttention)
    return plain and removal.density(name) < SPARSE_BELOW


def with_idle_filters(removal: Removal) -> Left:
    """The bundles of a compact network, (n_bundles,).

    A layer has one filter at least, and groups of a convolution have equally many. The compiled kernels of dense
    convolutions compute 16 channels at a time, with another number they are slower, so their filters are filled up
    to that.
    """
    left, found = removal.stays.copy(), -1
    while left.sum() > found:
        found = left.sum()
        for mixer in removal.wiring.mixers.values():
            if not left[mixer.writes].any():
                left[mixer.writes[0]] = True
            ends = [mixer, *removal.wiring.readers(mixer.writes)]
            if grouped := [end for end in ends if end.groups > 1]:
                for end in grouped:
                    _fill_groups(left, end)
            elif len(mixer.writes) % LANES == 0 and any(_is_dense(removal, end) for end in ends):
                _fill(left, mixer.writes, -int(left[mixer.writes].sum()) % LANES)
    return left


def _is_dense(removal: Removal, mixer: Mixer) -> bool:
    return isinstance(mixer.node.layer, nn.Conv2d) and not is_sparse(removal, mixer.node.name)


def _fill(left: Left, bundles: NDArray[np.int64], n: int) -> None:
    """Keep n more of some bundles."""
    left[bundles[~left[bundles]][:n]] = True


def _fill_groups(left: Left, mixer: Mixer) -> None:
    """Keep as many inputs, and as many outputs, in every group that has any left as in the fullest of them."""
    inputs, outputs = mixer.reads.reshape(mixer.groups, -1), mixer.writes.reshape(mixer.groups, -1)
    kept = np.flatnonzero(left[inputs].any(axis=1) | left[outputs].any(axis=1))
    for groups in (inputs[kept], outputs[kept]):
        n = max(1, int(left[groups].sum(axis=1).max()))
        while len(groups) * n % LANES and n < groups.shape[1] and mixer.reads.size % LANES == 0:
            n += 1
        for group in groups:
            _fill(left, group, n - int(left[group].sum()))
