"""Storage capacity of the spherical perceptron, full and diluted."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, ndtr

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
    integral: NDArray[np.float64] = (1 + kappa**2) * ndtr(kappa) + kappa * np.exp(-(kappa**2) / 2) / np.sqrt(
        2 * np.pi
    )
    return 1.0 / integral


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

    Raises
    ------
    ValueError
        If a fraction is outside (0, 1], or a margin is negative or not finite.
    """
    return checked_kept(kept) * capacity(margin)


def annealed_capacity(kept: ArrayLike, margin: ArrayLike = 0.0) -> NDArray[np.float64]:
    r"""Capacity per ORIGINAL coupling when the best couplings to keep are chosen with the patterns known.

    .. math:: \alpha_c(f, \kappa) = [f + 2 B \varphi(B)]\, \alpha_c(\kappa), \qquad f = 2 (1 - \Phi(B))

    Status: model (replica symmetric): treat it as an upper bound. Source: Bouten, Engel, Komoda, Serneels,
    "Quenched versus annealed dilution in neural networks" (1990).

    Parameters and errors: those of `quenched_capacity`.

    Returns
    -------
    float64 array
        Patterns per original coupling. Choosing the couplings is a hard search: no practical procedure is known
        to reach it.
    """
    return magnitude_overlap(kept) * capacity(margin)


def separable_share(n_patterns: ArrayLike, n_couplings: ArrayLike) -> NDArray[np.float64]:
    r"""Probability that a perceptron of N couplings can store P random patterns.

    .. math:: 2^{1-P} \sum_{k=0}^{N-1} \binom{P-1}{k}, \qquad \text{one half at } P = 2N

    Status: exact for every N, patterns in general position, random labels and margin 0. Source: Cover,
    "Geometrical and statistical properties of systems of linear inequalities" (1965).

    Parameters
    ----------
    n_patterns, n_couplings : array_like of int, broadcast together
        P and N, both at least 1.

    Returns
    -------
    float64 array of the broadcast shape
        For couplings chosen before the patterns are known; with the best choice of them more can be stored.

    Raises
    ------
    ValueError
        If a number is below 1 or not whole.
    """
    patterns, couplings = np.broadcast_arrays(np.asarray(n_patterns), np.asarray(n_couplings))
    for name, numbers in (("n_patterns", patterns), ("n_couplings", couplings)):
        if not np.all((numbers >= 1) & (numbers == np.floor(numbers))):
            raise ValueError(f"{name} must be whole numbers of at least 1, found {numbers}")
    all_stored = patterns <= couplings
    # The binomial distribution at one half as an incomplete beta function, which stays exact at large numbers.
    beyond = np.where(all_stored, 1, patterns - couplings)
    share: NDArray[np.float64] = betainc(beyond.astype(np.float64), couplings.astype(np.float64), 0.5)
    return np.where(all_stored, 1.0, share)
