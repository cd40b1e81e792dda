"""Paired tests over seeds and the correction for several claims at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from deeptheory.errors import InputError


@dataclass(frozen=True)
class PairedTest:
    """Result of one test on differences paired by seed.

    Parameters
    ----------
    effect : float
        Mean difference, in the unit of the differences.
    low, high : float
        t interval of the mean, with equal tails; NaN for one seed.
    interval_level : float
        Coverage of the interval. It is the interval dual to the test: before any correction for several
        claims, p < 1 - level if and only if the interval lies where the claim says.
    level : float
        Confidence level of the test.
    p : float
        p-value of the test; NaN for one seed.
    excluded : bool
        The interval lies entirely where the claim is false.
    n_seeds : int
    """

    effect: float
    low: float
    high: float
    interval_level: float
    level: float
    p: float
    excluded: bool
    n_seeds: int


def paired_interval(
    differences: Sequence[float] | np.ndarray, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean of the differences and its t interval.

    Parameters
    ----------
    differences : (n,) float array
        One difference per seed.
    level : float
        Coverage, within (0, 1).

    Returns
    -------
    tuple of float
        Mean, lower and upper end: mean +- t_{n-1}((1 + level)/2) s/sqrt(n). The ends are NaN for one seed.

    Raises
    ------
    InputError
        Differences that are not finite, none at all, or a level outside (0, 1).

    Notes
    -----
    The interval covers the mean over seeds. It does NOT cover another data set or another architecture, and a
    single new run may well lie outside it.
    """
    differences = _checked(differences)
    check_level(level)
    effect, error = _mean_and_error(differences)
    if len(differences) == 1:
        return effect, math.nan, math.nan
    half = float(stdtrit(len(differences) - 1, (1 + level) / 2)) * error
    return effect, effect - half, effect + half


def non_inferiority(
    differences: Sequence[float] | np.ndarray, margin: float, level: float = 0.95
) -> PairedTest:
    """Test that the mean difference is above -margin: "no loss".

    Parameters
    ----------
    differences : (n,) float array
        New minus reference, one per seed.
    margin : float
        Largest loss that counts as none, in the unit of the differences, > 0.
    level : float
        Confidence level of the one-sided test.

    Returns
    -------
    PairedTest
        p = P(t_{n-1} >= (mean + margin)/se), one-sided. Interval of coverage 2*level - 1, whose lower end is
        the one-sided bound. A large p does NOT show a loss.
    """
    differences = _checked(differences)
    check_level(level)
    check_margin(margin)
    effect, low, high = paired_interval(differences, one_sided_coverage(level))
    p = _p_above(differences, -margin)
    return PairedTest(
        effect, low, high, one_sided_coverage(level), level, p, high < -margin, len(differences)
    )


def superiority(differences: Sequence[float] | np.ndarray, level: float = 0.95) -> PairedTest:
    """Test that the mean difference is above 0: "beats".

    Parameters
    ----------
    differences : (n,) float array
        New minus reference, one per seed.
    level : float
        Confidence level of the two-sided interval.

    Returns
    -------
    PairedTest
        p = min(1, 2 P(t_{n-1} >= mean/se)): the two-sided p of the paired t test when the mean is positive,
        and 1 when it is not (a loss, however significant, is no evidence for the claim). Interval of
        coverage `level`.
    """
    differences = _checked(differences)
    effect, low, high = paired_interval(differences, level)
    p = float(np.minimum(1.0, 2 * _p_above(differences, 0.0)))  # unlike min, keeps NaN
    return PairedTest(effect, low, high, level, level, p, high <= 0, len(differences))


def equivalence(differences: Sequence[float] | np.ndarray, margin: float, level: float = 0.95) -> PairedTest:
    """Test that the mean difference lies within -margin and +margin (two one-sided tests, Schuirmann 1987).

    Parameters
    ----------
    differences : (n,) float array
        For example predicted minus measured, one per seed.
    margin : float
        Largest difference that counts as agreement, in the unit of the differences, > 0.
    level : float
        Confidence level of each one-sided test.

    Returns
    -------
    PairedTest
        p is the larger of the two one-sided p-values. Interval of coverage 2*level - 1. Agreement of the
        means does NOT say that single seeds agree.
    """
    differences = _checked(differences)
    check_level(level)
    check_margin(margin)
    effect, low, high = paired_interval(differences, one_sided_coverage(level))
    p = float(np.maximum(_p_above(differences, -margin), _p_above(-differences, -margin)))
    excluded = high < -margin or low > margin
    return PairedTest(effect, low, high, one_sided_coverage(level), level, p, excluded, len(differences))


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down correction (Holm 1979, "A simple sequentially rejective multiple test procedure").

    Parameters
    ----------
    p_values : (m,) float array
        NaN marks a claim that could not be tested; it still counts as one of the m.

    Returns
    -------
    (m,) float64 array
        Adjusted p-values: rejecting those below alpha keeps the chance of any false rejection at most alpha,
        whatever the dependence between the tests. NaN where `p_values` is NaN.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    tested = np.where(np.isnan(p_values), 1.0, p_values)
    order = np.argsort(tested, kind="stable")
    factors = len(tested) - np.arange(len(tested))
    adjusted = np.empty_like(tested)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * tested[order]))
    return np.where(np.isnan(p_values), np.nan, adjusted)


def one_sided_coverage(level: float) -> float:
    """Coverage of the two-sided interval whose ends are one-sided bounds at `level`."""
    if level <= 0.5:
        raise InputError("level", "above 0.5 for a one-sided test", f"{level}", "use 0.95")
    return 2 * level - 1


def check_level(level: float) -> None:
    """Raise unless `level` lies within (0, 1)."""
    if not 0 < level < 1:
        raise InputError("level", "a number within (0, 1)", f"{level}", "use 0.95 for 95 %")


def check_margin(margin: float) -> None:
    """Raise unless `margin` is positive and finite."""
    if not 0 < margin < math.inf:
        raise InputError("margin", "a positive number of percentage points", f"{margin}", "use 0.5")


def _checked(differences: Sequence[float] | np.ndarray) -> np.ndarray:
    differences = np.asarray(differences, dtype=np.float64)
    if differences.ndim != 1 or not len(differences):
        raise InputError("differences", "one number per seed", f"shape {differences.shape}")
    if not np.isfinite(differences).all():
        seeds = ", ".join(map(str, np.flatnonzero(~np.isfinite(differences))))
        raise InputError("differences", "finite numbers", f"NaN or infinity at position {seeds}")
    return differences


def _mean_and_error(differences: np.ndarray) -> tuple[float, float]:
    n = len(differences)
    mean = float(differences.mean())
    return mean, float(differences.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan


def _p_above(differences: np.ndarray, bound: float) -> float:
    """One-sided p-value of the hypothesis that the mean is at most `bound`."""
    mean, error = _mean_and_error(differences)
    if math.isnan(error):
        return math.nan
    if error == 0:
        return 0.0 if mean > bound else 1.0
    return float(stdtr(len(differences) - 1, -(mean - bound) / error))
