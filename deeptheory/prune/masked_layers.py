"""Which layers are masked: their weight, the stage that they read and the stage that they write."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deeptheory import nn
from deeptheory.errors import InputError, unknown_name
from deeptheory.nn.graph import INPUT
from deeptheory.nn.layers.base import Array
from deeptheory.nn.sized_networks import ATTENTION, MIXING
from deeptheory.prune.wiring import stages_read

Granularity = Literal["weight", "kernel", "filter"]  # a node is the filter of a fully connected layer
HEAD = "head"  # the stage whose outputs are the labels
HEAD_LAYER = f"{HEAD}.linear"
HEAD_WEIGHT = f"{HEAD_LAYER}.weight"


@dataclass(frozen=True)
class MaskedLayer:
    """One layer whose connections are masked.

    Parameters
    ----------
    weight : str
        Dotted name of the weight, for example ``stage9.conv.weight``.
    stage_in : str
        Stage whose filters are the inputs.
    stage_out : str
        Stage whose filters are the outputs; ``head`` for the head, whose outputs are the labels.
    shape : tuple of int
        Shape of the weight: ``(out, in, kh, kw)``, or ``(out, in * P)`` filter-major for a linear layer.
    n_inputs : int
        Filters of `stage_in`.
    heads : str
        Whichever of the two has heads of attention as filters; "" where neither has.

    Raises
    ------
    InputError
        The weight does not divide into `n_inputs` kernels per output.

    Notes
    -----
    A kernel is all weights between one input filter and one output: ``weight.reshape(out, n_inputs, -1)[b, a]``,
    in a convolution (kh * kw weights) as in the head and any linear layer (P weights, one per position of the
    input filter).
    """

    weight: str
    stage_in: str
    stage_out: str
    shape: tuple[int, ...]
    n_inputs: int
    heads: str = ""

    def __post_init__(self) -> None:
        per_output = math.prod(self.shape[1:])
        fits = self.shape[1] == self.n_inputs if len(self.shape) > 2 else per_output % self.n_inputs == 0
        if not fits:
            raise InputError(
                f"weight '{self.weight}'",
                f"inputs from the {self.n_inputs} filters of {self.stage_in}",
                f"shape {self.shape}",
                "name the stage that feeds this layer",
            )

    @property
    def name(self) -> str:
        """Dotted name of the layer, ``stage9.conv``."""
        return self.weight.removesuffix(".weight")

    @property
    def grid(self) -> tuple[int, int]:
        """Outputs and input filters: the shape of a mask at kernel granularity."""
        return self.shape[0], self.n_inputs

    @property
    def size(self) -> int:
        """Weights of the layer."""
        return math.prod(self.shape)

    @property
    def n_kernels(self) -> int:
        """Kernels of the layer."""
        return self.shape[0] * self.n_inputs

    @property
    def kernel_size(self) -> int:
        """Weights in one kernel."""
        return self.size // self.n_kernels

    def units(self, granularity: Granularity) -> tuple[int, ...]:
        """Shape of the array of removable units: weights ``shape``, kernels ``grid``, filters ``(out,)``."""
        return {"weight": self.shape, "kernel": self.grid, "filter": self.shape[:1]}[granularity]

    def summed(self, values: ArrayLike, granularity: Granularity) -> NDArray[np.float64]:
        """Sum the values of all weights of each unit, in float64."""
        per_kernel = np.asarray(values, np.float64).reshape(*self.grid, self.kernel_size)
        axes: dict[Granularity, tuple[int, ...]] = {"weight": (), "kernel": (2,), "filter": (1, 2)}
        sums: NDArray[np.float64] = per_kernel.sum(axis=axes[granularity])
        return sums.reshape(self.units(granularity))


def maskable_stages(network: nn.Network) -> list[str]:
    """The stages whose layer reads the filters of another stage, from the input upwards.

    Without those that end with a concatenation, which have more filters than their layer computes.
    """
    reads, parameters = stages_read(network), network.parameters()
    return [
        stage.name
        for stage in network.stages
        if reads[_mixer_of(stage)] not in ("", INPUT) and _writes_all(stage, parameters)
    ]


def last_maskable_stages(network: nn.Network) -> tuple[str, ...]:
    """The stages that are masked by default: the last three that can be."""
    return tuple(maskable_stages(network)[-3:])


def masked_layers(network: nn.Network, stages: Sequence[str], head: bool) -> tuple[MaskedLayer, ...]:
    """Describe the layers to be masked, from the input upwards.

    Which stage a layer reads follows from the graph of the network, not from the order of the stages.

    Parameters
    ----------
    network : Network
    stages : sequence of str
        Stages to be masked.
    head : bool
        Mask the head as well.

    Returns
    -------
    tuple of MaskedLayer

    Raises
    ------
    InputError
        A stage does not exist, is named twice, or reads the images or something that is no stage's filters; or
        neither a stage nor the head is to be masked.
    """
    _check_stages(network, stages)
    if not stages and not head:
        raise InputError(
            "prune", "a stage or the head to mask", "neither", "set prune.stages or prune.head = true"
        )
    reads, parameters = stages_read(network), network.parameters()
    layers = []
    for stage in (*network.stages, network.head):
        if stage.name in stages or (head and stage is network.head):
            mixer = HEAD_LAYER if stage is network.head else _mixer_of(stage)
            before = network.stage(_filters_read(mixer, reads))
            n_inputs = _n_filters(before, parameters)
            weight = f"{mixer}.weight"
            heads = next((end.name for end in (before, stage) if ATTENTION in end.layers), "")
            layers.append(
                MaskedLayer(weight, before.name, stage.name, parameters[weight].shape, n_inputs, heads)
            )
    return tuple(layers)


def _check_stages(network: nn.Network, stages: Sequence[str]) -> None:
    known = [stage.name for stage in network.stages]
    for name in stages:
        if name not in known:
            raise unknown_name("prune.stages", name, known)
    twice = sorted({stage for stage in stages if list(stages).count(stage) > 1})
    if twice:
        raise InputError(
            "prune.stages", "every stage once", f"{', '.join(twice)} more than once", "name it once"
        )
    able = maskable_stages(network)
    for name in stages:
        if name not in able:
            stage = network.stage(name)
            found = "which reads what is no stage's output, a sum inside a stage for example"
            if stages_read(network)[_mixer_of(stage)] == INPUT:
                found = "which reads the image"
            elif not _writes_all(stage, network.parameters()):
                found = "whose filters are joined to those of other stages"
            raise InputError(
                "prune.stages",
                "stages whose inputs are the filters of another stage",
                f"'{name}', {found}",
                f"leave it out, or take some of {', '.join(able)}" if able else "mask the head alone",
            )


def _writes_all(stage: nn.Stage, parameters: Mapping[str, Array]) -> bool:
    return len(parameters[f"{_mixer_of(stage)}.weight"]) == _n_filters(stage, parameters)


def _n_filters(stage: nn.Stage, parameters: Mapping[str, Array]) -> int:
    heads = ATTENTION in stage.layers
    return len(parameters[f"{_mixer_of(stage)}.weight"]) if heads else stage.output_shape[-1]


def _filters_read(mixer: str, reads: Mapping[str, str]) -> str:
    if reads[mixer] in ("", INPUT):
        expected = "the filters of a stage"
        raise InputError(f"input of {mixer}", expected, "something else", "set prune.head = false")
    return reads[mixer]


def _mixer_of(stage: nn.Stage) -> str:
    for layer in MIXING:
        if layer in stage.layers:
            return f"{stage.name}.{layer}"
    raise InputError(f"stage '{stage.name}'", f"a layer called {' or '.join(MIXING)}, with a weight", "none")
