"""Criteria compared over densities: losses, paired differences, and the smallest density without loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.judge.arm_results import POINTS
from deeptheory.judge.options import JudgeOptions
from deeptheory.judge.statistics import PairedTest, holm, non_inferiority, superiority


@dataclass(frozen=True)
class Comparison:
    """Accuracies after retraining, paired by seed: element s of every array belongs to the same seed.

    Parameters
    ----------
    unpruned : (S,) float array
        Of the network without a mask, retrained equally long.
    accuracy : mapping of str to mapping of float to (S,) float array
        Of every criterion at every density; NaN where the criterion cannot reach it.
    predicted : mapping of str to mapping of float to (S,) float array
        Losses predicted before retraining, shares, of the criteria that were predicted for all seeds.
    low, high : mapping of str to mapping of float to (S,) float array
        Ends of the 95 % intervals of these losses.

    Raises
    ------
    InputError
        Numbers of seeds or densities differ, or there are none; predicted losses without their intervals.
    """

    unpruned: NDArray[np.float64]
    accuracy: Mapping[str, Mapping[float, NDArray[np.float64]]]
    predicted: Mapping[str, Mapping[float, NDArray[np.float64]]] = field(default_factory=dict)
    low: Mapping[str, Mapping[float, NDArray[np.float64]]] = field(default_factory=dict)
    high: Mapping[str, Mapping[float, NDArray[np.float64]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.accuracy:
            raise InputError("compare.criteria", "at least one", "none")
        if not len(self.unpruned):
            raise InputError("seeds", "at least one", "none")
        for criterion, at in self.accuracy.items():
            if tuple(at) != self.densities:
                raise InputError(f"densities of {criterion}", str(self.densities), str(tuple(at)))
            for density, values in at.items():
                if len(values) != len(self.unpruned):
                    what = f"seeds of {criterion} at density {density:g}"
                    raise InputError(what, f"{len(self.unpruned)}, as without a mask", str(len(values)))
        if not self.predicted.keys() == self.low.keys() == self.high.keys():
            found = f"low: {', '.join(self.low) or 'none'}; high: {', '.join(self.high) or 'none'}"
            raise InputError("intervals of predicted losses", ", ".join(self.predicted) or "none", found)

    @property
    def densities(self) -> tuple[float, ...]:
        """The densities, as given."""
        return tuple(next(iter(self.accuracy.values())))

    def loss(self, criterion: str, density: float) -> NDArray[np.float64]:
        """Accuracy without a mask minus that of the criterion, in percentage points, (S,)."""
        loss: NDArray[np.float64] = POINTS * (self.unpruned - self.accuracy[criterion][density])
        return loss


def smallest_density_without_loss(
    comparison: Comparison, criterion: str, options: JudgeOptions | None = None
) -> tuple[float | None, float | None]:
    """Smallest density within the margin of the unpruned network: by the mean, and by the test.

    Parameters
    ----------
    comparison : Comparison
    criterion : str
    options : JudgeOptions, optional
        The margin, the level and the smallest number of seeds.

    Returns
    -------
    by_mean, by_test : float or None
        Going down from the largest density: the last whose mean loss is at most the margin, and the last that
        is not inferior (one-sided test, uncorrected); None if not even the largest is.

    Notes
    -----
    A density that is not among those compared may do as well: the answer is one of these.
    """
    options = options or JudgeOptions()
    by_mean: float | None = None
    by_test: float | None = None
    mean_holds = test_holds = True
    for density in sorted(comparison.densities, reverse=True):
        gain = -comparison.loss(criterion, density)
        if np.isnan(gain).any():
            break
        test = non_inferiority(gain, options.margin, options.level)
        mean_holds = mean_holds and test.effect >= -options.margin
        test_holds = test_holds and len(gain) >= options.minimum_seeds and test.p < 1 - options.level
        by_mean = density if mean_holds else by_mean
        by_test = density if test_holds else by_test
    return by_mean, by_test


def density_at_margin(losses: Mapping[float, float], margin: float) -> tuple[float, float]:
    """The densities between which the loss first passes a margin, going down from the largest density.

    Parameters
    ----------
    losses : mapping of float to float
        Density to mean loss, in percentage points.
    margin : float
        In percentage points.

    Returns
    -------
    below, at : float
        The loss is at most the margin at all densities down to `at` and above it at `below`; `at` is infinite if
        the largest density loses more, `below` is 0 if none does. Where both are densities, the loss is taken as
        linear in the logarithm of the density between them, and both are that one density. NaN where a density
        that was not reached comes first.
    """
    ordered = sorted(losses.items(), reverse=True)
    held: tuple[float, float] | None = None
    for density, loss in ordered:
        if not loss <= margin:
            if held is None:
                return (np.nan, np.nan) if np.isnan(loss) else (density, np.inf)
            share = (margin - held[1]) / (loss - held[1])
            found = float(np.exp(np.log(held[0]) + share * (np.log(density) - np.log(held[0]))))
            return found, found
        held = density, loss
    return 0.0, ordered[-1][0]


def paired_differences(
    comparison: Comparison, ours: str, rivals: Sequence[str], level: float = 0.95
) -> dict[tuple[str, float], tuple[PairedTest, float]]:
    """Accuracy of one criterion minus that of its rivals, at every density.

    Parameters
    ----------
    comparison : Comparison
    ours : str
    rivals : sequence of str
    level : float

    Returns
    -------
    dict of (rival, density) to (PairedTest, float)
        In percentage points, with the p-value after Holm over the whole table; densities that one of the two
        cannot reach are left out.
    """
    tests = {}
    for density in comparison.densities:
        for rival in rivals:
            difference = comparison.loss(rival, density) - comparison.loss(ours, density)
            if not np.isnan(difference).any():
                tests[rival, density] = superiority(difference, level)
    adjusted = holm([test.p for test in tests.values()])
    return {pair: (test, float(p)) for (pair, test), p in zip(tests.items(), adjusted, strict=True)}
