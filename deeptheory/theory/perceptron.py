"""Storage capacity of the spherical perceptron, full and diluted."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from deeptheory.theory.magnitude import checked_kept, magnitude_overlap


def capacity(margin: ArrayLike = 0.0) -> NDArray[np.float64]:
    r"""Largest number of random patterns per coupling that a perceptron can store with a margin.

    .. math:: 1/\alpha_c(\kappa) = \int_{-\kappa}^\infty Dt\,(t + \kappa)^2
              = (1 + \kappa^2) \Phi(\kappa) + \kappa \varphi(\kappa), \qquad \alpha_c(0) = 2

    Status: exact for N to infinity, independent unbiased patterns and margin >= 0. Source: Gardner, "The
    space of interactions in neural network models" (1988); Cover (1965) for margin 0.

    Parameters
    ----------
    margin : array_like
        Stability kappa >= 0, in units of the norm of the couplings.

    Returns
    -------
    float64 array
        Patterns per coupling. It bounds what can be stored, not what a learning rule finds or generalises to.

    Raises
    ------
    ValueError
        If a margin is negative or not finite.
    """
    kappa = np.asarray(margin, dtype=np.float64)
    if not np.all((kappa >= 0) & np.isfinite(kappa)):
        raise ValueError(f"margin must be within [0, inf), found {kappa}")
    return 1.0 / ((1 + kappa**2) * ndtr(kappa) + kappa * np.exp(-(kappa**2) / 2) / np.sqrt(2 * np.pi))


def quenched_capacity(kept: ArrayLike, margin: ArrayLike = 0.0) -> NDArray[np.float64]:
    r"""Capacity per ORIGINAL coupling, kept couplings chosen before learning: :math:`f \alpha_c(\kappa)`.

    Status: exact (a perceptron of f N inputs). Source: Bouten, Engel, Komoda, Serneels, "Quenched versus
    annealed dilution in neural networks" (1990).

    Parameters
    ----------
    kept : array_like
        Fraction f of couplings kept, in (0, 1].
    margin : array_like
        Stability kappa >= 0, in units of the norm of the kept couplings.

    Returns
    -------
    float64 array
        Patterns per original coupling; divide by f for patterns per kept coupling.
    """
    return checked_kept(kept) * capacity(margin)


def annealed_capacity(kept: ArrayLike, margin: ArrayLike = 0.0) -> NDArray[np.float64]:
    r"""Capacity per ORIGINAL coupling when the best couplings to keep are chosen with the patterns known.

    .. math:: \alpha_c(f, \kappa) = [f + 2 B \varphi(B)]\, \alpha_c(\kappa), \qquad f = 2 (1 - \Phi(B))

    Status: model (replica symmetric): treat it as an upper bound. Source: Bouten, Engel, Komoda, Serneels,
    "Quenched versus annealed dilution in neural networks" (1990).

    Parameters
    ----------
    kept : array_like
        Fraction f of couplings kept, in (0, 1].
    margin : array_like
        Stability kappa >= 0, in units of the norm of the kept couplings.

    Returns
    -------
    float64 array
        Patterns per original coupling. Choosing the couplings is a hard search: no practical procedure is
        promised to reach it.
    """
    return magnitude_overlap(kept) * capacity(margin)
