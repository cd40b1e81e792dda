"""Which filters a mask disconnects: nobody reads them, or they read nothing and are constant."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deeptheory import nn
from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.graph import INPUT
from deeptheory.nn.layers.base import Array
from deeptheory.prune.wiring import ELEMENTWISE, KEEPING, Mixer, Wiring, through, wiring_of


@dataclass(frozen=True)
class LayerRemoval:
    """What stays of one layer, in the numbering of the whole network.

    Attributes
    ----------
    kernels : bool array (n_out, n_inputs)
        Kept kernels between filters that stay.
    weight : array (n_out, n_inputs, ...)
        Masked weight, zero where no kernel is kept.
    stays : bool array (n_out,)
        Filters that are not cut.
    offset : float64 array (n_out,)
        What constant input filters that are cut add to the outputs.
    constant : int
        Filters cut because they have no input left; their constants are folded into what reads them.
    unread : int
        Filters cut because nothing reads them.
    """

    kernels: Array
    weight: Array
    stays: Array
    offset: Array
    constant: int
    unread: int


@dataclass(frozen=True)
class Removal:
    """What stays of a network.

    Attributes
    ----------
    wiring : Wiring
    layers : dict of LayerRemoval
        By name, for all mixers of the wiring, in order of computation.
    """

    wiring: Wiring
    layers: dict[str, LayerRemoval]

    def inputs(self, name: str) -> Array:
        """Whether each input filter of a layer stays; those of a layer that cannot be cut do."""
        mixer = self.wiring.mixers[name]
        return self.layers[mixer.source].stays if mixer.source else np.ones(mixer.grid[1], bool)

    def density(self, name: str) -> float:
        """Kept share of the kernels of a layer between filters that stay."""
        layer = self.layers[name]
        return float(layer.kernels[layer.stays][:, self.inputs(name)].mean())


def find_removal(network: nn.Network, masks: Mapping[str, Array]) -> Removal:
    """Find what a mask disconnects.

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
        A mask of no weight, of another shape or not Boolean, or every filter of a stage would go.

    Notes
    -----
    One pass upwards finds the constants, one downwards what is read; neither changes what the other finds.

    A constant filter adds c_a * sum_p W[b,a,p] to output b of a linear layer or an unpadded convolution:
    `offset`. Under zero padding the sum depends on the position near the borders, so there the constants of all
    cut filters become the kernels of ONE constant filter r that stays, W[b,r] += sum_a (c_a/c_r) W[b,a] with
    the largest |c_r| that is read. [exact, to rounding]
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
        cut = [int(np.sum(~stays & of_kind)) for of_kind in (constant, ~constant)]
        layers[name] = LayerRemoval(kernels, weight, stays, offsets[name], *cut)
    return Removal(wiring, {name: layers[name] for name in wiring.mixers})


def _check(network: nn.Network, masks: Mapping[str, Array]) -> None:
    parameters = network.parameters()
    for name, mask in masks.items():
        if name not in parameters:
            raise unknown_name("mask", name, parameters)
        what, shape = f"mask of '{name}'", parameters[name].shape
        if mask.dtype != np.bool_:
            others = mask[(mask != 0) & (mask != 1)]
            found = f"values of type {mask.dtype}" + (f", such as {others[0]:g}" if others.size else "")
            raise InputError(what, "True and False only", found, "compare with zero to get a mask: mask != 0")
        if mask.shape != shape:
            raise InputError(what, f"shape {shape}, that of the weight", f"shape {mask.shape}")


def _masked(network: nn.Network, mixer: Mixer, masks: Mapping[str, Array]) -> tuple[Array, Array]:
    """Masked weight (n_out, n_inputs, kernel...) and kept kernels (n_out, n_inputs), both to be changed."""
    weight = network.parameters()[mixer.weight]
    mask = masks.get(mixer.weight, np.ones(weight.shape, bool))
    grid = (*mixer.grid, *(weight.shape[2:] or (-1,)))
    return (weight * mask).reshape(grid), np.any(mask.reshape(*mixer.grid, -1), axis=2)


def _constants(
    network: nn.Network, wiring: Wiring, parts: Mapping[str, tuple[Array, Array]]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Values (C,) of the constant filters of every node, NaN for the others, and the offsets of every mixer.

    Filters that cannot be cut count as not constant: what reads them still finds them there.
    """
    constants, offsets = {INPUT: np.full(network.input_shape[-1], np.nan, network.dtype)}, {}
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
            value = node.layer.parameters.get("bias", 0) + offset
            constants[node.name] = np.where(alone, value, np.nan).astype(network.dtype)
            offsets[node.name] = offset
        elif type(node.layer) in ELEMENTWISE + KEEPING:
            constants[node.name] = through(node.layer, given)
        else:
            constants[node.name] = np.full(network.output_shape(node.name)[-1], np.nan, network.dtype)
    return constants, offsets


def _fold_into_one(mixer: Mixer, weight: Array, kernels: Array, constants: Array) -> None:
    """Take the kernels of constant inputs away; under zero padding one of them takes over from all."""
    constant = ~np.isnan(constants)
    read = np.flatnonzero(constant & (constants != 0) & kernels.any(axis=0))
    if mixer.padded and read.size:
        chosen = read[np.abs(constants[read]).argmax()]
        constant[chosen] = False
        ratios = constants[read].astype(np.float64) / constants[chosen]
        weight[:, chosen] = np.tensordot(weight[:, read], ratios, (1, 0))
        kernels[:, chosen] = kernels[:, read].any(axis=1)
    kernels[:, constant] = False


def _check_some_stay(mixer: Mixer, readers: list[Mixer], stays: Array, constant: Array) -> None:
    if (stays & ~constant).any():
        return
    raise InputError(
        f"compaction of '{mixer.node.name}'",
        f"a filter with an input that {' or '.join(reader.node.name for reader in readers)} reads",
        f"none of {len(stays)}: {constant.sum()} have no input, nothing reads the others",
        "keep kernels of these layers: raise their density",
    )
