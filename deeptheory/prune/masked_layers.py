"""Which layers are masked: their weight, the stage that they read and the stage that they write."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deeptheory.errors import InputError, unknown_name

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


def check_stages(stages: Sequence[str], known: Sequence[str]) -> None:
    """Check the stages to be masked against those of the network.

    Parameters
    ----------
    stages : sequence of str
        Stages to be masked.
    known : sequence of str
        All stages of the network, from the input upwards.

    Raises
    ------
    InputError
        A stage does not exist, is named twice, or is the first one (which has no stage before it).
    """
    for stage in stages:
        if stage not in known:
            raise unknown_name("prune.stages", stage, known)
        if stage == known[0]:
            raise InputError(
                "prune.stages",
                "stages whose inputs are the filters of another stage",
                f"'{stage}', which reads the image",
                f"leave it out, or start at '{known[1]}'" if len(known) > 1 else "mask the head alone",
            )
    twice = sorted({stage for stage in stages if list(stages).count(stage) > 1})
    if twice:
        raise InputError(
            "prune.stages", "every stage once", f"{', '.join(twice)} more than once", "name it once"
        )


def masked_layers(
    shapes: Mapping[str, tuple[int, ...]], stage_names: Sequence[str], stages: Sequence[str], head: bool
) -> tuple[MaskedLayer, ...]:
    """Describe the layers to be masked, from the input upwards.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Dotted parameter name to shape, of the whole network.
    stage_names : sequence of str
        All stages of the network, from the input upwards.
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
        As `check_stages`, or neither a stage nor the head is to be masked.
    """
    check_stages(stages, stage_names)
    if not stages and not head:
        raise InputError(
            "prune", "a stage or the head to mask", "neither", "set prune.stages or prune.head = true"
        )
    weights = {stage: _weight_of(stage, shapes) for stage in stage_names}
    layers = []
    for before, stage in itertools.pairwise(stage_names):
        if stage in stages:
            weight = weights[stage]
            layers.append(MaskedLayer(weight, before, stage, shapes[weight], shapes[weights[before]][0]))
    if head:
        last = stage_names[-1]
        layers.append(MaskedLayer(HEAD_WEIGHT, last, HEAD, shapes[HEAD_WEIGHT], shapes[weights[last]][0]))
    return tuple(layers)


def _weight_of(stage: str, shapes: Mapping[str, tuple[int, ...]]) -> str:
    for layer in ("conv", "linear"):
        if f"{stage}.{layer}.weight" in shapes:
            return f"{stage}.{layer}.weight"
    raise InputError(f"stage '{stage}'", "a conv or linear layer with a weight", "neither")
