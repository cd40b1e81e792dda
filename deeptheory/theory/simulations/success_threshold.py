"""The load at which half of the instances succeed, with its interval."""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit


class HalfPoint(NamedTuple):
    """Load at which half of the instances succeed, its standard error, and the width of the transition."""

    load: float
    error: float
    width: float


def half_point(loads: ArrayLike, successes: ArrayLike, trials: ArrayLike) -> HalfPoint:
    r"""Fit :math:`P(\mathrm{success}) = 1 / (1 + e^{(\alpha - \alpha_{1/2}) / w})` by maximum likelihood.

    Status: model (the shape of the transition); the standard error is that of the binomial likelihood
    (inverse Fisher information). Source: logistic regression.

    Parameters
    ----------
    loads : array_like (n,)
        Loads alpha.
    successes, trials : array_like of int (n,)
        Instances that succeeded and all instances at each load.

    Returns
    -------
    HalfPoint
        The half point and its standard error, and w. Not the limit of large systems: that takes several sizes.

    Raises
    ------
    ValueError
        If the loads do not resolve a transition from success to failure.
    """
    load, good, total = (np.asarray(array, np.float64) for array in (loads, successes, trials))
    share = good / total
    mixed = (share > 0) & (share < 1)
    if mixed.sum() < 2 or not load[share > 0.5].size or not load[share < 0.5].size:
        raise ValueError("loads must lie on both sides of the half point and two within the transition")
    first = np.array([load[mixed].mean(), np.log(max(np.ptp(load[mixed]), 1e-2 * np.ptp(load)) / 4)])

    def loss(parameters: NDArray[np.float64]) -> float:
        argument = (load - parameters[0]) / np.exp(parameters[1])
        return float(np.sum(good * np.logaddexp(0, argument) + (total - good) * np.logaddexp(0, -argument)))

    half, log_width = scipy.optimize.minimize(
        loss, first, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9}
    ).x
    width = float(np.exp(log_width))
    argument = (load - half) / width
    weight = total * expit(argument) * expit(-argument)
    slopes = np.array([np.full_like(load, -1 / width), -argument])  # by the half point and by log w
    information = (weight * slopes) @ slopes.T
    return HalfPoint(float(half), float(np.sqrt(np.linalg.inv(information)[0, 0])), width)
