"""Paired tests over seeds and the correction for several claims at once."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from deeptheory.errors import InputError

NORMALITY = 0.01
"""Differences are visibly not normal if the test of Shapiro and Wilk gives a p-value below this."""
MOST_FLIPS = 2**14  # up to 14 seeds all sign flips are counted, beyond as many are drawn
Floats = NDArray[np.float64]


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
        Coverage of the interval. It is the interval dual to the t test: before any correction for several
        claims, `p_t` < 1 - level if and only if the interval lies where the claim says.
    level : float
        Confidence level of the test.
    p : float
        p-value of the test, never 0: the larger of `p_t` and `p_flips`. NaN for one seed.
    p_t : float
        Of the t test.
    p_flips : float
        Of the exact sign-flip test; NaN where the differences are not visibly different from normal.
    normality : float
        p-value of the test of Shapiro and Wilk; NaN below three seeds and without scatter.
    excluded : bool
        The interval lies entirely where the claim is false, and so says the sign-flip test where it is asked.
    n_seeds : int
    """

    effect: float
    low: float
    high: float
    interval_level: float
    level: float
    p: float
    p_t: float
    p_flips: float
    normality: float
    excluded: bool
    n_seeds: int

    @property
    def visibly_not_normal(self) -> bool:
        """Whether the sign-flip test was asked too."""
        return self.normality < NORMALITY


def paired_interval(
    differences: ArrayLike, level: float = 0.95, sampling_error: float = 0.0
) -> tuple[float, float, float]:
    """Mean of the differences and its t interval.

    Parameters
    ----------
    differences : (n,) float array
        One difference per seed.
    level : float
        Coverage, within (0, 1).
    sampling_error : float
        Standard error of the mean that the finite test set alone gives, in the unit of the differences: the
        standard error is at least this.

    Returns
    -------
    tuple of float
        Mean, lower and upper end: mean +- t_{n-1}((1 + level)/2) max(s/sqrt(n), sampling_error). The ends are NaN
        for one seed.

    Raises
    ------
    InputError
        Differences that are not finite, none at all, or a level outside (0, 1).

    Notes
    -----
    The interval covers the mean over seeds. It does NOT cover another data set or another architecture, and a
    single new run may well lie outside it.
    """
    values = _checked(differences)
    check_level(level)
    effect, error = _mean_and_error(values, sampling_error)
    if len(values) == 1:
        return effect, math.nan, math.nan
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * error
    return effect, effect - half, effect + half


def non_inferiority(
    differences: ArrayLike, margin: float, level: float = 0.95, sampling_error: float = 0.0
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
    sampling_error : float
        As in `paired_interval`.

    Returns
    -------
    PairedTest
        p_t = P(t_{n-1} >= (mean + margin)/se), one-sided. Interval of coverage 2*level - 1, whose lower end is
        the one-sided bound. A large p does NOT show a loss.
    """
    check_margin(margin)
    values = _checked(differences)
    interval = paired_interval(values, one_sided_coverage(level), sampling_error)
    return _test([values + margin], interval, interval[2] < -margin, level, sampling_error)


def superiority(differences: ArrayLike, level: float = 0.95, sampling_error: float = 0.0) -> PairedTest:
    """Test that the mean difference is above 0: "beats".

    Parameters
    ----------
    differences : (n,) float array
        New minus reference, one per seed.
    level : float
        Confidence level of the two-sided interval.
    sampling_error : float
        As in `paired_interval`.

    Returns
    -------
    PairedTest
        p_t = min(1, 2 P(t_{n-1} >= mean/se)): the two-sided p of the paired t test when the mean is positive,
        and 1 when it is not (a loss, however significant, is no evidence for the claim). Interval of
        coverage `level`.
    """
    values = _checked(differences)
    interval = paired_interval(values, level, sampling_error)
    return _test([values], interval, interval[2] <= 0, level, sampling_error, two_sided=True)


def equivalence(
    differences: ArrayLike, margin: float, level: float = 0.95, sampling_error: float = 0.0
) -> PairedTest:
    """Test that the mean difference lies within -margin and +margin (two one-sided tests, Schuirmann 1987).

    Parameters
    ----------
    differences : (n,) float array
        For example predicted minus measured, one per seed.
    margin : float
        Largest difference that counts as agreement, in the unit of the differences, > 0.
    level : float
        Confidence level of each one-sided test.
    sampling_error : float
        As in `paired_interval`.

    Returns
    -------
    PairedTest
        p is the larger of the two one-sided p-values. Interval of coverage 2*level - 1. Agreement of the
        means does NOT say that single seeds agree.
    """
    check_margin(margin)
    values = _checked(differences)
    inside = [values + margin, margin - values]
    interval = paired_interval(values, one_sided_coverage(level), sampling_error)
    excluded = interval[2] < -margin or interval[1] > margin
    return _test(inside, interval, excluded, level, sampling_error)


def sign_flip_p(values: ArrayLike) -> float:
    """One-sided p-value of the hypothesis that the values are symmetric about 0, or smaller.

    Parameters
    ----------
    values : (n,) float array

    Returns
    -------
    float
        Share of all 2^n choices of signs whose mean is at least that of the values (Fisher 1935); at least 2^-n.
        Beyond 14 values, of 2^14 choices drawn by a fixed seed, of which the given one counts. It does NOT hold
        for the mean of skewed values: they are not symmetric.
    """
    numbers = _checked(values)
    n = len(numbers)
    if 2**n <= MOST_FLIPS:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    else:
        drawn = np.random.default_rng(0).choice([-1, 1], (MOST_FLIPS - 1, n))
        signs = np.concatenate([np.ones((1, n), np.int64), drawn])
    sums = signs @ numbers
    rounding = 1e-12 * float(np.abs(numbers).sum())
    return float(np.mean(sums >= sums[0] - rounding))


def holm(p_values: ArrayLike) -> Floats:
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
    given = np.asarray(p_values, dtype=np.float64)
    tested = np.where(np.isnan(given), 1.0, given)
    order = np.argsort(tested, kind="stable")
    factors = len(tested) - np.arange(len(tested))
    adjusted = np.empty_like(tested)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * tested[order]))
    return np.where(np.isnan(given), np.nan, adjusted)


def one_sided_coverage(level: float) -> float:
    """Coverage of the two-sided interval whose ends are one-sided bounds at `level`."""
    check_level(level)
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


def _checked(differences: ArrayLike) -> Floats:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise InputError("differences", "one number per seed", f"shape {values.shape}")
    if not np.isfinite(values).all():
        seeds = ", ".join(map(str, np.flatnonzero(~np.isfinite(values))))
        raise InputError("differences", "finite numbers", f"NaN or infinity at position {seeds}")
    return values


def _mean_and_error(values: Floats, sampling_error: float) -> tuple[float, float]:
    n = len(values)
    if n == 1:
        return float(values[0]), math.nan
    error = 0.0 if _are_equal(values) else float(values.std(ddof=1)) / math.sqrt(n)
    return float(values.mean()), max(error, sampling_error)


def _are_equal(values: Floats) -> bool:
    """Whether the values differ by rounding at most."""
    return bool(np.ptp(values) <= 1e-9 * np.abs(values).max())


def _test(
    inside: Sequence[Floats],
    interval: tuple[float, float, float],
    excluded: bool,
    level: float,
    sampling_error: float,
    two_sided: bool = False,
) -> PairedTest:
    """Test that the means of all of `inside`, distances to the bounds of the claim, are above 0."""
    check_level(level)
    tails, coverage = (2, level) if two_sided else (1, one_sided_coverage(level))
    p_t = min(tails * max(_p_above_zero(values, sampling_error) for values in inside), 1.0)  # NaN stays NaN
    p, p_flips, normality = p_t, math.nan, _normality(inside[0])
    if normality < NORMALITY:
        p_flips = min(tails * max(map(sign_flip_p, inside)), 1.0)
        p = max(p_t, p_flips)
        excluded = excluded and min(sign_flip_p(-values) for values in inside) < (1 - coverage) / 2
    return PairedTest(*interval, coverage, level, p, p_t, p_flips, normality, excluded, len(inside[0]))


def _normality(values: Floats) -> float:
    if len(values) < 3 or _are_equal(values):
        return math.nan
    return float(scipy.stats.shapiro(values).pvalue)


def _p_above_zero(values: Floats, sampling_error: float) -> float:
    """One-sided p-value of the hypothesis that the mean is at most 0; without any error that of a sign flip."""
    mean, error = _mean_and_error(values, sampling_error)
    if math.isnan(error):
        return math.nan
    if error == 0:
        return 0.5 ** len(values) if mean > 0 else 1.0
    return max(float(stdtr(len(values) - 1, -mean / error)), sys.float_info.min)
