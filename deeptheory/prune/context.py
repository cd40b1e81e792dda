"""What a criterion may look at."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deeptheory.errors import InputError
from deeptheory.prune.layers import HEAD, MaskedLayer


@dataclass(frozen=True)
class Context:
    """What a criterion may look at.

    Parameters
    ----------
    layers : tuple of MaskedLayer
        The layers to be masked, from the input upwards.
    weights : mapping of str to array
        Dotted name to weight, at least of every masked layer.
    strengths : mapping of str to (C, K) float array
        Stage name to `label_strengths`, of every stage at either end of a masked layer.
    threshold : float
        A filter serves the labels whose strength exceeds this.
    rng : numpy.random.Generator
        Source of everything random, ties included.

    Raises
    ------
    InputError
        A weight or a stage is missing, or shapes disagree.
    """

    layers: tuple[MaskedLayer, ...]
    weights: Mapping[str, np.ndarray]
    strengths: Mapping[str, np.ndarray]
    threshold: float
    rng: np.random.Generator

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
            elif layer.shape[0] not in n_labels:
                raise InputError(
                    f"weight '{layer.weight}'",
                    f"one output per label ({n_labels.pop()})",
                    f"{layer.shape[0]} outputs",
                )

    def _check_stage(self, stage: str, n_filters: int) -> None:
        if stage not in self.strengths:
            raise InputError(
                f"strengths of '{stage}'", f"shape ({n_filters}, K)", "none", f"measure '{stage}' first"
            )
        if self.strengths[stage].shape[0] != n_filters:
            found = f"shape {self.strengths[stage].shape}"
            raise InputError(
                f"strengths of '{stage}'", f"shape ({n_filters}, K)", found, "measure this network again"
            )
