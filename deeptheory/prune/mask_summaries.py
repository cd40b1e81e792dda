"""Counts of what masks removed, and warnings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.prune.masks import Masks


@dataclass(frozen=True)
class LayerSummary:
    """What one mask removed.

    Parameters
    ----------
    weight : str
        Dotted name of the weight.
    weights_kept, weights_total : int
    kernels_kept, kernels_total : int
        A kernel counts as kept when any weight of it is.
    outputs : int
        Outputs of the layer (filters, or labels of the head).
    outputs_without_input : int
        Outputs that lost all their inputs.
    inputs : int
        Filters of the stage before.
    inputs_without_label : int or None
        Those of them that serve no label at the threshold; None where the stage was not measured. A property of
        the fields: the same in every arm.
    natural_density : float or None
        Density of the same scores cut at the threshold; None for a criterion that has no threshold.
    """

    weight: str
    weights_kept: int
    weights_total: int
    kernels_kept: int
    kernels_total: int
    outputs: int
    outputs_without_input: int
    inputs: int
    inputs_without_label: int | None
    natural_density: float | None

    @property
    def density(self) -> float:
        """Kept share of the weights."""
        return self.weights_kept / self.weights_total

    @property
    def dilution(self) -> float:
        """Removed share."""
        return 1 - self.density


@dataclass(frozen=True)
class MaskSummary:
    """What the masks of one arm removed; layers from the input upwards, and what the criterion says of them."""

    layers: tuple[LayerSummary, ...]
    threshold: float
    notes: tuple[str, ...] = ()

    @property
    def density(self) -> float:
        """Kept share of the weights of all masked layers (unmasked layers do not count)."""
        kept = sum(layer.weights_kept for layer in self.layers)
        return kept / sum(layer.weights_total for layer in self.layers)

    @property
    def dilution(self) -> float:
        """Removed share of the weights of all masked layers."""
        return 1 - self.density


def mask_summary(
    masks: Masks,
    strengths: Mapping[str, NDArray[np.float64]],
    threshold: float,
    natural: Mapping[str, float],
    notes: Iterable[str] = (),
) -> MaskSummary:
    """Count what the masks removed.

    Parameters
    ----------
    masks : Masks
    strengths : mapping of str to (C, K) float array
        Stage name to `label_strengths`, of the measured stages.
    threshold : float
        A filter serves the labels whose strength exceeds this.
    natural : mapping of str to float
        Weight name to natural density, for criteria with a threshold.
    notes : iterable of str
        The criterion's own warnings.
    """
    layers = []
    for layer in masks.layers:
        kernels = masks.kernels(layer.weight)
        without_label = None
        if layer.stage_in in strengths:
            without_label = int((~(strengths[layer.stage_in] > threshold).any(axis=1)).sum())
        layers.append(
            LayerSummary(
                weight=layer.weight,
                weights_kept=masks.kept()[layer.weight],
                weights_total=layer.size,
                kernels_kept=int(kernels.sum()),
                kernels_total=layer.n_kernels,
                outputs=layer.shape[0],
                outputs_without_input=int((~kernels.any(axis=1)).sum()),
                inputs=layer.n_inputs,
                inputs_without_label=without_label,
                natural_density=natural.get(layer.weight),
            )
        )
    return MaskSummary(tuple(layers), threshold, tuple(notes))


def warnings_of(summary: MaskSummary) -> list[str]:
    """Warnings about masks, one for each kind with the layers that it concerns; then those of the criterion."""
    untouched, empty, constant, unlabelled = list[str](), list[str](), list[str](), list[str]()
    for layer in summary.layers:
        name = layer.weight.removesuffix(".weight")
        if layer.weights_kept == layer.weights_total:
            untouched.append(name)
        if layer.kernels_kept == 0:
            empty.append(name)
        elif layer.outputs_without_input:
            constant.append(f"{layer.outputs_without_input} of {layer.outputs} in {name}")
        if layer.inputs_without_label:
            unlabelled.append(f"{layer.inputs_without_label} of {layer.inputs} in {name}")
    kinds = {
        "nothing was pruned in": untouched,
        "no kernel is left, so no signal passes (lower the threshold), in": empty,
        "outputs lost all their inputs and give a constant:": constant,
        f"input filters serve no label at threshold {summary.threshold:g}:": unlabelled,
    }
    return [f"{kind} {', '.join(where)}" for kind, where in kinds.items() if where] + list(summary.notes)
