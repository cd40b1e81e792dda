"""Magnitude pruning of Gaussian weights: overlap of the pruned vector with the original one."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri


def magnitude_overlap(kept: ArrayLike) -> NDArray[np.float64]:
    r"""SQUARED overlap :math:`R^2` of a Gaussian vector with itself after magnitude pruning.

    .. math:: R^2 = f + 2 B \varphi(B), \qquad f = 2 (1 - \Phi(B))

    where :math:`R = w \cdot w' / (|w| |w'|)` and w' keeps the fraction f of largest magnitude. Random pruning
    keeps :math:`R^2 = f`. Status: exact for independent Gaussian weights, N to infinity. Source: deeptheory.

    Parameters
    ----------
    kept : array_like
        Fraction f of weights kept (density), in (0, 1].

    Returns
    -------
    float64 array of the shape of `kept`
        R squared (take the square root for the cosine). It is not an accuracy: trained weights are neither
        Gaussian nor independent, and the loss weighs directions unequally.

    Raises
    ------
    ValueError
        If a value of `kept` is outside (0, 1].
    """
    fraction = checked_kept(kept)
    threshold = -ndtri(fraction / 2)
    density = np.exp(-(threshold**2) / 2) / np.sqrt(2 * np.pi)
    squared: NDArray[np.float64] = fraction + 2 * threshold * density
    return squared


def sign_disagreement(squared_overlap: ArrayLike) -> NDArray[np.float64]:
    r"""Probability that two linear outputs differ in sign, :math:`\arccos(R) / \pi`.

    Status: exact for isotropic Gaussian inputs, and for N to infinity wherever both fields become Gaussian.
    Source: the orthant probability of two Gaussians (Sheppard).

    Parameters
    ----------
    squared_overlap : array_like
        :math:`R^2` in [0, 1], as `magnitude_overlap` returns it; for random pruning the kept fraction itself.

    Returns
    -------
    float64 array
        Share of inputs whose sign changes: an error with respect to the unpruned output, not to the true
        label.

    Raises
    ------
    ValueError
        If a value is outside [0, 1].
    """
    squared = np.asarray(squared_overlap, dtype=np.float64)
    if not np.all((squared >= 0) & (squared <= 1)):
        raise ValueError(f"squared_overlap must be within [0, 1], found {squared}")
    return np.arccos(np.sqrt(squared)) / np.pi


def checked_kept(kept: ArrayLike) -> NDArray[np.float64]:
    """`kept` as float64 after checking that every value lies in (0, 1]."""
    fraction = np.asarray(kept, dtype=np.float64)
    if not np.all((fraction > 0) & (fraction <= 1)):
        raise ValueError(f"kept (density) must be within (0, 1], found {fraction}")
    return fraction
