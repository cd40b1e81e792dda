"""The error that a finite test set gives an accuracy, and accuracies that it makes doubtful."""

import math
from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Correct = NDArray[np.bool_]
SEEN_ERRORS, SEEN_GAP = (
    3.0,
    0.02,
)  # standard errors; test sets may differ by a point from held-out training images


def accuracy_variance(accuracy: Floats, n_test: int) -> Floats:
    """Variance p (1 - p)/N of accuracies p on N test inputs."""
    return accuracy * (1 - accuracy) / n_test


def difference_variance(accuracy: Floats, reference: Floats, n_test: int) -> Floats:
    """Variance of the difference of two accuracies as if their test inputs were independent.

    Two networks tend to fail on the same inputs; the variance is then smaller (`paired_variance`).
    """
    return accuracy_variance(accuracy, n_test) + accuracy_variance(reference, n_test)


def paired_variance(correct: Correct, reference: Correct) -> float:
    """Variance of the difference of two accuracies on the same test inputs.

    Parameters
    ----------
    correct, reference : (N,) bool array
        Which inputs either of them labels correctly.

    Returns
    -------
    float
        (b + c - (b - c)^2/N)/N^2, with b and c the numbers of inputs that only one of the two labels correctly
        (McNemar 1947).
    """
    differences = correct.astype(np.float64) - reference
    return float(differences.var() / len(differences))


def at_chance(accuracies: Sequence[float], n_test: int, chance: float, level: float = 0.95) -> list[int]:
    """Positions of the accuracies that are not clearly above chance.

    Parameters
    ----------
    accuracies : sequence of S float
    n_test : int
    chance : float
        Accuracy of always giving the most frequent label.
    level : float
        One-sided exact binomial tests, at 1 - (1 - level)/S each: a network at chance passes in at most 1 - level
        of all studies.
    """
    alpha = (1 - level) / len(accuracies)
    return [
        position
        for position, accuracy in enumerate(accuracies)
        if scipy.stats.binomtest(round(accuracy * n_test), n_test, min(chance, 1.0), "greater").pvalue
        >= alpha
    ]


def far_above(measured: float, n_measure: int, tested: float, n_test: int) -> bool:
    """Whether an accuracy on one set of inputs exceeds that on another by more than sampling and shift explain.

    Parameters
    ----------
    measured, tested : float
        Accuracies of one network, on `n_measure` and `n_test` inputs.

    Returns
    -------
    bool
        True above `SEEN_GAP` and above `SEEN_ERRORS` standard errors of the difference. It does NOT follow from
        False that the network has not seen the inputs: one that generalises well is as good on others.
    """
    pooled = (measured * n_measure + tested * n_test) / (n_measure + n_test)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n_measure + 1 / n_test))
    return measured - tested > max(SEEN_GAP, SEEN_ERRORS * error)


def clearly_below(losses: Floats, variances: Floats, margin: float, level: float = 0.95) -> list[int]:
    """Positions of the seeds that lose clearly more than a margin.

    Parameters
    ----------
    losses : (S,) float array
        Reference minus accuracy.
    variances : (S,) float array
        That the test inputs give.
    margin : float
        In the unit of the losses.
    level : float
        One-sided, at 1 - (1 - level)/S each: without any true loss above the margin one seed is named in at most
        1 - level of all studies.
    """
    quantile = float(ndtri(1 - (1 - level) / len(losses)))
    return [
        position
        for position, (loss, variance) in enumerate(zip(losses, variances, strict=True))
        if loss - quantile * math.sqrt(variance) > margin
    ]
