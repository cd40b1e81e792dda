"""What a criterion may read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn, theory
from deeptheory.data.dataset import Images
from deeptheory.errors import InputError
from deeptheory.nn.layers.base import Array
from deeptheory.prune.masked_layers import HEAD, Granularity, MaskedLayer
from deeptheory.prune.masks import Masks

Scores = dict[str, NDArray[np.float64]]  # by weight name, one number per unit
T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """What a criterion may read.

    Parameters
    ----------
    layers : tuple of MaskedLayer
        The layers to be masked, from the input upwards.
    weights : mapping of str to array
        Dotted name to weight, at least of every masked layer.
    strengths : mapping of str to (C, K) float array
        Stage name to `label_strengths`, of the measured stages.
    threshold : float
        A filter serves the labels whose strength exceeds this.
    rng : numpy.random.Generator
        Source of everything random, the breaking of ties included.
    granularity : "weight", "kernel" or "filter"
        The unit that is removed.
    density : float, optional
        The share of the weights that will be kept, for criteria whose scores depend on it.
    network : Network, optional
        The network with these weights, for criteria that run it; they do not change its state.
    inputs : (images, labels), optional
        Training inputs for criteria that run the network: uint8 (N, H, W, C) and int (N,), in random order.
    present : Masks, optional
        The weights that earlier rounds kept: no others are kept.
    order : callable, optional
        Returns `theory.budget_order` of the layers, for the SNR budget.
    shares : callable, optional
        Returns, by stage, every filter's shares of the mean and of the variance of the margins, two (C,) arrays,
        for the SNR share.
    clusters : callable, optional
        From a stage to the number of every label's cluster within its filter, int (C, K), -1 where the filter does
        not serve it at the threshold (`measure.stage_clusters`), for the published indexing.

    Raises
    ------
    InputError
        A weight is missing, shapes disagree, or no layer has units of this granularity.
    """

    layers: tuple[MaskedLayer, ...]
    weights: Mapping[str, Array]
    strengths: Mapping[str, NDArray[np.float64]]
    threshold: float
    rng: np.random.Generator
    granularity: Granularity = "kernel"
    density: float | None = None
    network: nn.Network | None = None
    inputs: tuple[Images, NDArray[np.int64]] | None = None
    present: Masks | None = None
    order: Callable[[], theory.BudgetOrder] | None = None
    shares: Callable[[], Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]] | None = None
    clusters: Callable[[str], NDArray[np.integer]] | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise InputError("layers to be masked", "at least one", "none")
        if not 0 < self.threshold < 1:
            raise InputError("threshold", "a number within (0, 1)", f"{self.threshold}")
        for layer in self.layers:
            if layer.weight not in self.weights:
                raise InputError(
                    f"weight '{layer.weight}'", "an array", "none", "pass the weights of all masked layers"
                )
            if self.weights[layer.weight].shape != layer.shape:
                found = f"shape {self.weights[layer.weight].shape}"
                raise InputError(f"weight '{layer.weight}'", f"shape {layer.shape}", found)
        n_labels = {strength.shape[1] for strength in self.strengths.values()}
        if len(n_labels) > 1:
            raise InputError("strengths", "the same number of labels in every stage", f"{sorted(n_labels)}")
        for layer in self.layers:
            self._check_stage(layer.stage_in, layer.n_inputs)
            if layer.stage_out != HEAD:
                self._check_stage(layer.stage_out, layer.shape[0])
            elif n_labels and layer.shape[0] not in n_labels:
                raise InputError(
                    f"weight '{layer.weight}'",
                    f"one output per label ({n_labels.pop()})",
                    f"{layer.shape[0]} outputs",
                )
        if not self.units:
            raise InputError(
                "layers to be masked by filters",
                "a stage among them",
                f"'{HEAD}' alone, whose outputs are the labels",
                "mask stages, or choose another granularity",
            )

    @property
    def units(self) -> tuple[MaskedLayer, ...]:
        """The layers whose units are scored: at filter granularity all but the head, whose outputs are labels."""
        return tuple(
            layer for layer in self.layers if self.granularity != "filter" or layer.stage_out != HEAD
        )

    def strength(self, stage: str) -> NDArray[np.float64]:
        """Label strengths of a stage, (C, K); `InputError` if it was not measured."""
        if stage not in self.strengths:
            found = ", ".join(self.strengths) or "none"
            raise InputError(
                f"strengths of '{stage}'", "those of every stage asked for", found, f"measure '{stage}' first"
            )
        return self.strengths[stage]

    def summed(self, values: Mapping[str, Array]) -> Scores:
        """Sum the values of all weights of each unit, by weight name, in float64."""
        return {layer.weight: layer.summed(values[layer.weight], self.granularity) for layer in self.units}

    def filters(self, layer: MaskedLayer) -> NDArray[np.float64]:
        """The weights of a layer, one row per filter, (out, D)."""
        return self.weights[layer.weight].reshape(layer.shape[0], -1).astype(np.float64)

    def running(self) -> tuple[nn.Network, Images, NDArray[np.int64]]:
        """The network, images and labels; `InputError` where there are none."""
        if self.network is None or self.inputs is None:
            raise InputError(
                "context", "a network and training inputs", "none", "pass both: this criterion runs it"
            )
        return self.network, *self.inputs

    def _check_stage(self, stage: str, n_filters: int) -> None:
        if stage in self.strengths and self.strengths[stage].shape[0] != n_filters:
            found = f"shape {self.strengths[stage].shape}"
            raise InputError(
                f"strengths of '{stage}'", f"shape ({n_filters}, K)", found, "measure this network again"
            )


def required(value: T | None, criterion: str, expected: str, do: str) -> T:
    """A part of the context that a criterion needs; `InputError` where there is none."""
    if value is None:
        raise InputError(f"criterion '{criterion}'", expected, "none", do)
    return value
