"""Mean and interval of a quantity over seeds, or over test inputs where there is one seed only."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from deeptheory.errors import InputError

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Mean over seeds with the ends of its interval, each `(M,)`, and what its bars are, in words."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    meaning: str


def per_seed(name: str, values: ArrayLike, n_points: int) -> NDArray[np.float64]:
    """Values as `(n_seeds, n_points)`; a single row may come without its seed axis.

    Raises
    ------
    InputError
        When the shape is another one.
    """
    array = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if array.ndim != 2 or array.shape[0] == 0 or array.shape[1] != n_points:
        raise InputError(name, f"shape (seeds, {n_points})", f"shape {np.shape(values)}")
    return array


def per_seed_accuracy(name: str, values: ArrayLike, n_points: int) -> NDArray[np.float64]:
    """As `per_seed`, and every value an accuracy.

    Raises
    ------
    InputError
        When the shape is another one, or a value is not within 0 and 1.
    """
    array = per_seed(name, values, n_points)
    outside = array[~((array >= 0) & (array <= 1))]
    if outside.size:
        raise InputError(name, "shares within 0 and 1", f"{outside[0]:g}")
    return array


def interval(values: NDArray[np.float64], n_test: int | None = None) -> Interval:
    """Mean over seeds and its interval.

    Three seeds or more: Student's 95% interval of the mean. Two seeds: their range (Student's interval of two
    seeds is 9 times as long and says nothing). One seed: Wilson's 95% interval over the test inputs when
    their number is given, which leaves out the differences between seeds; otherwise no interval.

    Parameters
    ----------
    values : ndarray of shape (S, M)
        One row per seed.
    n_test : int, optional
        Number of test inputs behind each value (an accuracy).

    Returns
    -------
    Interval
        Of shape (M,).
    """
    n_seeds = len(values)
    mean = values.mean(axis=0)
    if n_seeds >= 3:
        with np.errstate(invalid="ignore"):  # an infinite SNR has no interval
            deviation = values.std(axis=0, ddof=1)
        half = stdtrit(n_seeds - 1, 0.5 + LEVEL / 2) * deviation / np.sqrt(n_seeds)
        return Interval(mean, mean - half, mean + half, f"bars: 95% interval of the mean, {n_seeds} seeds")
    if n_seeds == 2:
        return Interval(mean, values.min(axis=0), values.max(axis=0), "bars: range of 2 seeds")
    if n_test is None:
        return Interval(mean, mean, mean, "1 seed, no interval")
    low, high = wilson(mean, n_test)
    return Interval(mean, low, high, f"bars: 95% binomial, 1 seed, {n_test} inputs")


def accuracy_interval(values: NDArray[np.float64], n_test: int | None = None) -> Interval:
    """As `interval`, of accuracies: its ends are cut to 0 and 1."""
    of = interval(values, n_test)
    return Interval(of.mean, np.clip(of.low, 0, 1), np.clip(of.high, 0, 1), of.meaning)


def wilson(share: NDArray[np.float64], n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's 95% interval of a share observed on n independent inputs (Wilson 1927)."""
    z = ndtri(0.5 + LEVEL / 2)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return np.clip(centre - half, 0, share), np.clip(centre + half, share, 1)  # rounding errors at 0 and 1


def draw_chance(axes: Axes, chance: float, name: str = "chance") -> None:
    """Draw the line of chance into a panel whose limits are set; the legend says where it is."""
    limits = axes.get_ylim()
    outside = "" if min(limits) <= chance <= max(limits) else ", outside"
    axes.axhline(
        chance, color="0.5", linewidth=0.8, linestyle="-.", zorder=0, label=f"{name}: {chance:.3g}{outside}"
    )
    axes.set_ylim(limits)


def draw_interval(axes: Axes, x: ArrayLike, points: Interval, **look: Any) -> None:
    """Means as points with their intervals as bars; `look` goes to `Axes.errorbar`."""
    # An infinite or undefined mean has no bar; matplotlib leaves its point out.
    with np.errstate(invalid="ignore"):
        bars = np.nan_to_num([points.mean - points.low, points.high - points.mean], nan=0.0, posinf=0.0)
    axes.errorbar(x, points.mean, yerr=bars if bars.any() else None, elinewidth=0.8, capsize=1.5, **look)
