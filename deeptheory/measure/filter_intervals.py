"""Means over the filters of a stage with their intervals."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

LEVEL = 0.95
Counts = NDArray[np.integer] | NDArray[np.bool_]  # one per filter
WithError = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Estimate:
    """A mean over the filters of a stage with its interval (95 %) over filters, not over seeds."""

    value: float
    low: float
    high: float


def mean_estimate(values: Counts, samples: NDArray[np.int64]) -> Estimate:
    """Mean over filters; arguments as in `ratio_estimate`."""
    return _studentised(_with_error(values, None), _with_error(values[samples], None))


def ratio_estimate(sizes: Counts, counts: Counts, samples: NDArray[np.int64]) -> Estimate:
    r"""Sum of the sizes over that of the counts, 0 where there is none, with its studentised bootstrap interval.

    .. math:: [R - t_{0.975}\, s,\ R - t_{0.025}\, s], \qquad
              s = \frac{\sqrt C}{\sum_f c_f}\, \mathrm{std}_f (x_f - R c_f), \qquad t = (R^* - R)/s^*

    with starred numbers those of resampled filters. Of simulated counts of 16 filters it covers 90 to 96 %, where
    the percentiles of R* cover 82 to 94 %; of 64 filters 91 to 95 and 89 to 95 %. Skewed counts stay below 95 %.
    Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 12.

    Parameters
    ----------
    sizes, counts : int array (C,)
        x_f and c_f.
    samples : int array (B, C)
        Filters of every resampling.
    """
    return _studentised(_with_error(sizes, counts), _with_error(sizes[samples], counts[samples]))


def _studentised(found: WithError, of_samples: WithError) -> Estimate:
    (value, error), (resampled, errors) = found, of_samples
    varied = errors > 1e-12 * error  # less is rounding, of filters that are all alike
    if error == 0 or not varied.any():
        return Estimate(float(value), float(value), float(value))
    studentised = (resampled[varied] - value) / errors[varied]
    lower, upper = np.quantile(studentised, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = value - upper * error, value - lower * error
    return Estimate(float(value), float(max(0.0, min(low, value))), float(max(high, value)))


def share_estimate(chosen: NDArray[np.bool_]) -> Estimate:
    r"""Share of the filters with Wilson's interval; resampling would call none among 16 a certainty.

    .. math:: \frac{2 n p + z^2 \pm z \sqrt{4 n p (1 - p) + z^2}}{2 (n + z^2)}

    (Wilson, "Probable inference, the law of succession, and statistical inference", 1927), its ends at 0 and 1
    where no filter and every filter is chosen.
    """
    k, n = int(chosen.sum()), len(chosen)
    share, z = k / n, float(ndtri(0.5 + 0.5 * LEVEL))
    width = 2 * (n + z**2)
    centre = (2 * n * share + z**2) / width
    half = z / width * math.sqrt(4 * n * share * (1 - share) + z**2)
    low, high = 0.0 if k == 0 else centre - half, 1.0 if k == n else centre + half
    return Estimate(float(chosen.mean()), low, high)


def _with_error(sizes: Counts, counts: Counts | None) -> WithError:
    """Ratio of the sums over the last axis, or the mean, and its standard error."""
    n_filters = sizes.shape[-1]
    total = n_filters if counts is None else np.maximum(counts.sum(axis=-1), 1).astype(np.float64)
    ratio = sizes.sum(axis=-1) / total
    expected = np.expand_dims(ratio, -1)
    deviation = sizes - (expected if counts is None else expected * counts)
    scatter = deviation.std(axis=-1) * np.sqrt(n_filters / max(n_filters - 1, 1))
    return ratio, np.sqrt(n_filters) * scatter / total
