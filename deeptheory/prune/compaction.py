"""Physical removal: the network without the filters and kernels that masks disconnect."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.layers.base import Array
from deeptheory.prune.cutting import cut_stages
from deeptheory.prune.idle_filters import is_sparse, with_idle_filters
from deeptheory.prune.masks import masked_network
from deeptheory.prune.removal import find_removal

TOLERANCE = 1e-5  # of the logits of masked and compact network, relative to the largest of them
SAMPLE = 32  # inputs on which they are compared


@dataclass(frozen=True)
class CompactLayer:
    """What remains of one layer.

    Attributes
    ----------
    name : str
    filters, filters_left : int
        Outputs before and after; after, a dense layer may have zero filters up to a whole number of vectors.
    kernels, kernels_left : int
        Kernels before, and those kept between the remaining filters.
    sparse : bool
        Whether only its kept kernels are stored and computed, instead of all between the remaining filters.
    constant, unread : int
        Removed filters without inputs, whose constants were folded into what follows, and removed filters that no
        layer reads.
    """

    name: str
    filters: int
    filters_left: int
    kernels: int
    kernels_left: int
    sparse: bool
    constant: int
    unread: int


def compact(network: nn.Network, masks: Mapping[str, NDArray[np.bool_]]) -> nn.Network:
    """Remove the filters and kernels that masks disconnect, and check the logits against the masked network.

    Parameters
    ----------
    network : Network
        Not changed.
    masks : mapping of str to bool array
        Dotted weight name to a mask of the weight's shape (`find_removal`).

    Returns
    -------
    Network
        A new network with the same names of stages and layers. Filters that no layer reads and filters without
        inputs are removed with all that go with them (`Wiring`): the depthwise filters behind them, their places
        in concatenations, and the filters that a sum adds to them, if none of these is read. Groups of a
        convolution keep equally many. The constants of filters without inputs are folded exactly into what
        follows: offsets are added to the mean of the batch norm that follows, or to a bias.

    Raises
    ------
    InputError
        As `find_removal`; or the logits of masked and compact network differ by more than 1e-5 of the largest.
    """
    removal, masked = find_removal(network, masks), masked_network(network, masks)
    left = with_idle_filters(removal)
    compacted = nn.assemble(cut_stages(masked, removal, left), network.input_shape, network.dtype)
    check_agreement(masked, compacted, network.examples(SAMPLE, np.random.default_rng(0)))
    return compacted


def compact_layers(
    network: nn.Network, masks: Mapping[str, NDArray[np.bool_]], compacted: nn.Network
) -> tuple[CompactLayer, ...]:
    """What remains of every layer that mixes channels, after `compact`."""
    removal = find_removal(network, masks)
    return tuple(
        CompactLayer(
            name,
            filters=mixer.grid[0],
            filters_left=compacted.output_shape(name)[-1],
            kernels=removal.layers[name].kernels.size,
            kernels_left=int(removal.layers[name].kernels.sum()),
            sparse=is_sparse(removal, name),
            constant=removal.layers[name].constant,
            unread=removal.layers[name].unread,
        )
        for name, mixer in removal.wiring.mixers.items()
    )


def check_agreement(masked: nn.Network, compacted: nn.Network, images: Array) -> None:
    """Raise if the logits of a compact network are not those of the masked network.

    Parameters
    ----------
    masked, compacted : Network
    images : float array (N, H, W, C)
        Pixels scaled to [-1, 1].

    Raises
    ------
    InputError
        They differ by more than 1e-5 of the largest logit.
    """
    expected, logits = _logits(masked, images), _logits(compacted, images)
    difference, largest = np.abs(logits - expected).max(), np.abs(expected).max()
    if not difference <= TOLERANCE * largest:
        raise InputError(
            "compact network",
            f"the logits of the masked network to {TOLERANCE:g} of the largest, {largest:.2g}",
            f"a difference of {difference:.2g}",
            "report the network and its masks: the removal should be exact to rounding",
        )


def _logits(network: nn.Network, images: Array) -> Array:
    per_pass = network.inputs_per_pass
    return np.concatenate([network.infer(images[i : i + per_pass]) for i in range(0, len(images), per_pass)])
