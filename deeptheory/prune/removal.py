"""Which filters a mask disconnects: no layer reads them, or they have no inputs and are constant."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.graph import INPUT
from deeptheory.nn.layers.base import Array
from deeptheory.prune.constants import Parts, are_known, constants_of, taken
from deeptheory.prune.masks import check_boolean, masked_network
from deeptheory.prune.wiring import GATES, Mixer, Wiring, wiring_of


@dataclass(frozen=True)
class LayerRemoval:
    """What remains of one layer; filters keep the numbers that they have in the whole network.

    Attributes
    ----------
    kernels : bool array (n_out, n_inputs)
        Kept kernels between filters that remain; of a grouped convolution n_inputs are those of a group.
    weight : array (n_out, n_inputs, ...)
        Masked weight, zero where no kernel is kept.
    stays : bool array (n_out,)
        Filters that remain.
    offset : float64 array (n_out,)
        What the removed constant input filters add to the outputs.
    constant : int
        Filters removed because they have no inputs; their constants are folded into the layers that read them.
    unread : int
        Filters removed because no layer reads them.
    """

    kernels: NDArray[np.bool_]
    weight: Array
    stays: NDArray[np.bool_]
    offset: NDArray[np.float64]
    constant: int
    unread: int


@dataclass(frozen=True)
class Removal:
    """What remains of a network.

    Attributes
    ----------
    wiring : Wiring
    stays : bool array
        Of every bundle of the wiring, whether it remains.
    layers : dict of LayerRemoval
        By name, for all mixers of the wiring, in order of computation.
    constants : dict of array (C,)
        By name of a node: the values of the filters that are constant, NaN for the others.
    """

    wiring: Wiring
    stays: NDArray[np.bool_]
    layers: dict[str, LayerRemoval]
    constants: dict[str, Array]

    def density(self, name: str) -> float:
        """Kept share of the kernels of a layer between filters that remain; 1 where none do."""
        mixer, layer = self.wiring.mixers[name], self.layers[name]
        inputs = self.stays[mixer.reads].reshape(mixer.groups, -1).any(axis=0)
        between = layer.kernels[layer.stays][:, inputs]
        return float(between.mean()) if between.size else 1.0


def find_removal(network: nn.Network, masks: Mapping[str, NDArray[np.bool_]]) -> Removal:
    """Find the filters and kernels that masks disconnect.

    Parameters
    ----------
    network : Network
        Dense; its weights are read as if the masks were applied.
    masks : mapping of str to bool array
        Dotted weight name to a mask of the weight's shape. A kernel counts as kept when any weight of it is.

    Returns
    -------
    Removal

    Raises
    ------
    InputError
        A mask of no weight, of another shape or not Boolean, or the logits would not depend on the images.

    Notes
    -----
    One pass in order of computation finds the constants; passes in reverse, until nothing changes, find what is
    read: where a sum passes filters on, what reads them may come long after what writes them.

    A constant filter adds c_a * sum_p W[b,a,p] to output b of a linear layer or an unpadded convolution:
    `offset`. Under zero padding the sum depends on the position near the borders, so there the constants of all
    removed filters of a group become the kernels of ONE constant filter r that remains, W[b,r] += sum_a (c_a/c_r)
    W[b,a]; r has the largest |c_r| that is read. Under a padded depthwise convolution only the constant 0 is one.
    A head without inputs puts out its value biases c_ap, p = 1..d, for every token, as its weights sum to one: the
    projection behind it gets sum_ap c_ap W[b,a,p].
    [exact, to rounding]
    """
    _check(network, masks)
    network, wiring = masked_network(network, masks), wiring_of(network)
    parts = {name: _part(network, mixer, masks) for name, mixer in wiring.mixers.items()}
    constants, offsets = constants_of(network, wiring, parts)
    for name, mixer in wiring.mixers.items():
        _fold(mixer, *parts[name], taken(constants[mixer.node.inputs[0]], mixer.node.layer))
    read = _read(network, wiring, parts, constants)
    stays, layers = wiring.pinned | read, dict[str, LayerRemoval]()
    reads_images = read[wiring.channels[INPUT]].any()
    for name, mixer in reversed(wiring.mixers.items()):
        (weight, kernels), constant = parts[name], are_known(constants[name])
        of_layer = stays[mixer.writes]
        if not reads_images:
            _refuse_layer_without_filters(wiring, mixer, of_layer, constant)
        kernels &= of_layer[:, None]
        weight[~kernels] = 0
        n_constant, n_unread = (int(np.sum(~of_layer & group)) for group in (constant, ~constant))
        layers[name] = LayerRemoval(kernels, weight, of_layer, offsets[name], n_constant, n_unread)
    return Removal(wiring, stays, {name: layers[name] for name in wiring.mixers}, constants)


def _check(network: nn.Network, masks: Mapping[str, NDArray[np.bool_]]) -> None:
    parameters = network.parameters()
    for name, mask in masks.items():
        if name not in parameters:
            raise unknown_name("mask", name, parameters)
        check_boolean(name, mask)
        shape = parameters[name].shape
        if mask.shape != shape:
            raise InputError(f"mask of '{name}'", f"shape {shape}, that of the weight", f"shape {mask.shape}")


def _part(
    network: nn.Network, mixer: Mixer, masks: Mapping[str, NDArray[np.bool_]]
) -> tuple[Array, NDArray[np.bool_]]:
    """Copies of the masked weight (n_out, n_inputs, kernel...) and of its kept kernels (n_out, n_inputs)."""
    weight = network.parameters()[mixer.weight]
    mask = masks.get(mixer.weight, np.ones(weight.shape, bool))
    grid = (*mixer.grid, *(weight.shape[2:] or (-1,)))
    return weight.reshape(grid).copy(), np.any(mask.reshape(*mixer.grid, -1), axis=2)


def _read(
    network: nn.Network, wiring: Wiring, parts: Parts, constants: Mapping[str, Array]
) -> NDArray[np.bool_]:
    """The bundles that the logits depend on."""
    read, found = np.zeros(len(wiring.pinned), np.bool_), -1
    read[wiring.channels[network.nodes[-1].name]] = True
    gates = [node for node in network.nodes if type(node.layer) in GATES]
    while read.sum() > found:
        found = read.sum()
        for name, mixer in reversed(wiring.mixers.items()):
            read[mixer.reads[mixer.read_by(parts[name][1], read[mixer.writes])]] = True
        for node in wiring.whole:
            if read[wiring.channels[node.name]].any():
                read[np.concatenate([wiring.channels[name] for name in node.inputs])] = True
        for node in gates:  # which reads the means of all channels for the factor of each
            given = taken(constants[node.inputs[0]], node.layer)
            bundles, varies = wiring.channels[node.name], np.isnan(given)
            if read[bundles].any():
                read[bundles[varies & node.layer.parameters["reduce_weight"].any(axis=0)]] = True
    return read


def _fold(mixer: Mixer, weight: Array, kernels: NDArray[np.bool_], constants: Array) -> None:
    """Remove the kernels of constant inputs, in place; under zero padding one of each group stands for all."""
    if isinstance(mixer.node.layer, nn.SelfAttention):
        return
    groups = (np.split(array, mixer.groups) for array in (weight, kernels, constants))
    for of_group in zip(*groups, strict=True):
        _fold_into_one(mixer.padded, *of_group)


def _fold_into_one(padded: bool, weight: Array, kernels: NDArray[np.bool_], constants: Array) -> None:
    constant = are_known(constants)
    read = np.flatnonzero(constant & (constants != 0) & kernels.any(axis=0)) if padded else np.empty(0, int)
    if read.size:
        chosen = read[np.abs(constants[read]).argmax()]
        constant[chosen] = False
        ratios = constants[read].astype(np.float64) / constants[chosen]
        weight[:, chosen] = np.tensordot(weight[:, read], ratios, (1, 0))
        kernels[:, chosen] = kernels[:, read].any(axis=1)
    kernels[:, constant] = False


def _refuse_layer_without_filters(
    wiring: Wiring, mixer: Mixer, stays: NDArray[np.bool_], constant: NDArray[np.bool_]
) -> None:
    """Refuse masks under which the logits do not depend on the images, at the layer where that ends."""
    readers = wiring.readers(mixer.writes)
    if not readers or (stays & ~constant).any():
        return
    raise InputError(
        f"compaction of '{mixer.node.name}'",
        f"a filter with an input that {' or '.join(reader.node.name for reader in readers)} reads",
        f"none of {len(stays)}: {constant.sum()} have no input, nothing reads the others",
        "keep kernels of these layers: raise their density",
    )
