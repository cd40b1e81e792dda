"""Which filters a mask disconnects: no layer reads them, or they have no inputs and are constant."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.graph import INPUT
from deeptheory.nn.layers.base import Array
from deeptheory.prune.masks import check_boolean
from deeptheory.prune.wiring import ELEMENTWISE, KEEPING, Mixer, Wiring, through, wiring_of


@dataclass(frozen=True)
class LayerRemoval:
    """What remains of one layer; filters keep the numbers that they have in the whole network.

    Attributes
    ----------
    kernels : bool array (n_out, n_inputs)
        Kept kernels between filters that remain.
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
    layers : dict of LayerRemoval
        By name, for all mixers of the wiring, in order of computation.
    """

    wiring: Wiring
    layers: dict[str, LayerRemoval]

    def inputs(self, name: str) -> NDArray[np.bool_]:
        """Which input filters of a layer remain, (n_inputs,)."""
        mixer = self.wiring.mixers[name]
        return self.layers[mixer.source].stays if mixer.source else np.ones(mixer.grid[1], bool)

    def density(self, name: str) -> float:
        """Kept share of the kernels of a layer between filters that remain."""
        layer = self.layers[name]
        return float(layer.kernels[layer.stays][:, self.inputs(name)].mean())


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
        A mask of no weight, of another shape or not Boolean, or every filter of a stage would be removed.

    Notes
    -----
    One pass in order of computation finds the constants, one in reverse finds what is read; neither changes the
    result of the other.

    A constant filter adds c_a * sum_p W[b,a,p] to output b of a linear layer or an unpadded convolution:
    `offset`. Under zero padding the sum depends on the position near the borders, so there the constants of all
    removed filters become the kernels of ONE constant filter r that remains, W[b,r] += sum_a (c_a/c_r) W[b,a];
    r has the largest |c_r| that is read. [exact, to rounding]
    """
    _check(network, masks)
    wiring = wiring_of(network)
    parts = {name: _masked(network, mixer, masks) for name, mixer in wiring.mixers.items()}
    constants, offsets = _constants(network, wiring, parts)
    layers: dict[str, LayerRemoval] = {}
    for name, mixer in reversed(wiring.mixers.items()):
        weight, kernels = parts[name]
        stays, constant = np.ones(len(kernels), bool), ~np.isnan(constants[name])
        if mixer.cuttable:
            readers = wiring.readers(name)
            stays = np.any([layers[reader.node.name].kernels.any(axis=0) for reader in readers], axis=0)
            _check_some_stay(mixer, readers, stays, constant)
        kernels &= stays[:, None]
        _fold_into_one(mixer, weight, kernels, constants[mixer.node.inputs[0]])
        weight[~kernels] = 0
        n_constant, n_unread = (int(np.sum(~stays & group)) for group in (constant, ~constant))
        layers[name] = LayerRemoval(kernels, weight, stays, offsets[name], n_constant, n_unread)
    return Removal(wiring, {name: layers[name] for name in wiring.mixers})


def _check(network: nn.Network, masks: Mapping[str, NDArray[np.bool_]]) -> None:
    parameters = network.parameters()
    for name, mask in masks.items():
        if name not in parameters:
            raise unknown_name("mask", name, parameters)
        check_boolean(name, mask)
        shape = parameters[name].shape
        if mask.shape != shape:
            raise InputError(f"mask of '{name}'", f"shape {shape}, that of the weight", f"shape {mask.shape}")


def _masked(
    network: nn.Network, mixer: Mixer, masks: Mapping[str, NDArray[np.bool_]]
) -> tuple[Array, NDArray[np.bool_]]:
    """Copies of the masked weight (n_out, n_inputs, kernel...) and of its kept kernels (n_out, n_inputs)."""
    weight = network.parameters()[mixer.weight]
    mask = masks.get(mixer.weight, np.ones(weight.shape, bool))
    grid = (*mixer.grid, *(weight.shape[2:] or (-1,)))
    return (weight * mask).reshape(grid), np.any(mask.reshape(*mixer.grid, -1), axis=2)


def _constants(
    network: nn.Network, wiring: Wiring, parts: Mapping[str, tuple[Array, NDArray[np.bool_]]]
) -> tuple[dict[str, Array], dict[str, NDArray[np.float64]]]:
    """Values (C,) of the constant filters of every node, NaN for the others, and the offsets of every mixer.

    Filters that cannot be removed count as not constant: the layers that read them need them.
    """
    constants = {INPUT: np.full(network.input_shape[-1], np.nan, network.dtype)}
    offsets = {}
    for node in network.nodes:
        given, mixer = constants[node.inputs[0]], wiring.mixers.get(node.name)
        if mixer is not None:
            weight, kernels = parts[node.name]
            known = np.nan_to_num(given).astype(np.float64)
            offset = (
                np.zeros(len(kernels)) if mixer.padded else weight.reshape(*mixer.grid, -1).sum(2) @ known
            )
            varies = np.isnan(given) | (given != 0 if mixer.padded else False)
            alone = ~kernels[:, varies].any(axis=1) & mixer.cuttable
            value = _constant_of(node.layer) + offset
            constants[node.name] = np.where(alone, value, np.nan).astype(network.dtype)
            offsets[node.name] = offset
        elif type(node.layer) in ELEMENTWISE + KEEPING:
            constants[node.name] = through(node.layer, given)
        else:
            constants[node.name] = np.full(network.output_shape(node.name)[-1], np.nan, network.dtype)
    return constants, offsets


def _constant_of(layer: nn.Layer) -> Any:
    """What the filters of a mixer without inputs put out: its bias; that of a head is no single number."""
    if isinstance(layer, nn.SelfAttention) and "bias" in layer.parameters:
        return np.nan
    return layer.parameters.get("bias", 0)


def _fold_into_one(mixer: Mixer, weight: Array, kernels: NDArray[np.bool_], constants: Array) -> None:
    """Remove the kernels of constant inputs, in place; under zero padding those of one of them stand for all."""
    constant = ~np.isnan(constants)
    read = np.flatnonzero(constant & (constants != 0) & kernels.any(axis=0))
    if mixer.padded and read.size:
        chosen = read[np.abs(constants[read]).argmax()]
        constant[chosen] = False
        ratios = constants[read].astype(np.float64) / constants[chosen]
        weight[:, chosen] = np.tensordot(weight[:, read], ratios, (1, 0))
        kernels[:, chosen] = kernels[:, read].any(axis=1)
    kernels[:, constant] = False


def _check_some_stay(
    mixer: Mixer, readers: list[Mixer], stays: NDArray[np.bool_], constant: NDArray[np.bool_]
) -> None:
    if (stays & ~constant).any():
        return
    raise InputError(
        f"compaction of '{mixer.node.name}'",
        f"a filter with an input that {' or '.join(reader.node.name for reader in readers)} reads",
        f"none of {len(stays)}: {constant.sum()} have no input, nothing reads the others",
        "keep kernels of these layers: raise their density",
    )
