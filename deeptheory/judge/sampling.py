"""The error that a finite test set gives an accuracy, and accuracies that it makes doubtful."""

import math
from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Correct = NDArray[np.bool_]


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
