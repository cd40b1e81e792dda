"""Losses predicted before retraining beside those measured after it, read from runs."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from deeptheory import judge, prune
from deeptheory.runs.run import Run
from deeptheory.runs.steps.arms import trained_strengths
from deeptheory.runs.steps.layer_choice import masked_layers
from deeptheory.runs.steps.training import trained_network
from deeptheory.store import paths

INTERVAL = 1.96  # standard errors on either side


@dataclass(frozen=True)
class MaskLoss:
    """The loss of one mask against the unpruned network retrained equally, in shares.

    Attributes
    ----------
    criterion : str
    density : float
        Of the masked layers.
    predicted, low, high : float
        Before the mask was retrained, with its 95 % interval.
    refit_loss : float
        After the refit in closed form.
    measured, error : float
        On the test split, with half the width of its 95 % interval by the test inputs.
    kept_labels : float
        What the mask keeps of the labels that filters share: the share of AFCC's scores on kept connections, mean
        over the masked layers; 1 for a mask that keeps all. The run has to be measured, else NaN.
    """

    criterion: str
    density: float
    predicted: float
    low: float
    high: float
    refit_loss: float
    measured: float
    error: float
    kept_labels: float


def of_arms(runs: Sequence[Run]) -> list[MaskLoss]:
    """Of all pruned arms of finished runs."""
    found = []
    for run in runs:
        unpruned = paths.arm_path("retrain", prune.UNPRUNED)
        for arm in run.config.prune.arms:
            density = 1 - run.read_number(paths.arm_path("prune", arm, paths.DILUTION))
            places = paths.arm_path("predict", arm), paths.arm_path("retrain", arm)
            masks = paths.arm_path("prune", arm, paths.MASKS)
            found.append(_loss(run, arm, density, *places, unpruned, masks))
    return found


def of_comparison(runs: Iterable[Run]) -> list[MaskLoss]:
    """Of all masks of comparisons that were predicted and retrained."""
    found = []
    unpruned = paths.join(paths.COMPARE, prune.UNPRUNED)
    for run in runs:
        for criterion in run.config.compare.criteria:
            for density in run.config.compare.densities:
                place = paths.compare_path(criterion, density)
                prediction = paths.prediction_path(criterion, density)
                if run.has(prediction) and run.has(paths.join(place, paths.ACCURACY)):
                    masks = paths.join(place, paths.MASKS)
                    found.append(_loss(run, criterion, density, prediction, place, unpruned, masks))
    return found


def _loss(
    run: Run, criterion: str, density: float, predicted: str, retrained: str, unpruned: str, masks: str
) -> MaskLoss:
    def accuracy(place: str) -> float:
        return run.read_number(paths.join(place, paths.ACCURACY))

    correct = [paths.join(place, paths.CORRECT) for place in (retrained, unpruned)]
    if all(map(run.has, correct)):
        variance = judge.paired_variance(*map(run.read_array, correct))
    else:
        n_test = len(run.read_array(paths.join("train", paths.SPLITS, "test")))
        variance = sum(accuracy(place) * (1 - accuracy(place)) / n_test for place in (retrained, unpruned))
    before = {
        entry: run.read_number(paths.join(predicted, entry))
        for entry in (paths.LOSS, paths.LOSS_LOW, paths.LOSS_HIGH, paths.REFIT_LOSS)
    }
    return MaskLoss(
        criterion,
        density,
        before[paths.LOSS],
        before[paths.LOSS_LOW],
        before[paths.LOSS_HIGH],
        before[paths.REFIT_LOSS],
        accuracy(unpruned) - accuracy(retrained),
        INTERVAL * math.sqrt(variance),
        _kept_labels(run, masks),
    )


def _kept_labels(run: Run, where: str) -> float:
    if not run.done("measure"):
        return math.nan
    network = trained_network(run)
    masks = prune.Masks(masked_layers(run, network), run.read_arrays(where))
    scores = prune.scores_of_strengths(masks.layers, trained_strengths(run, network))
    shares = []
    for weight, score in scores.items():
        positive = np.maximum(score, 0)
        shares.append(
            float((positive * masks.kernels(weight)).sum() / max(positive.sum(), np.finfo(float).tiny))
        )
    return float(np.mean(shares))
