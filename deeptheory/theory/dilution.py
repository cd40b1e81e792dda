"""Dilution that an AFCC mask would reach if the label sets of the filters had no structure."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, xlog1py

_SMALL = 0.1  # below it the terms of a series to the power 19 suffice
_ASYMPTOTIC = 1000.0  # from here on the series of Stirling is exact to 1e-18


def random_dilution(n_labels: int, served_in: ArrayLike, served_out: ArrayLike) -> NDArray[np.float64]:
    r"""Probability that two filters with independent, uniform label sets share no label.

    .. math:: P = \binom{K - s_1}{s_2} \Big/ \binom{K}{s_2}

    Status: exact for label sets drawn independently and uniformly at the given sizes. Source: deeptheory
    (the hypergeometric distribution).

    Parameters
    ----------
    n_labels : int
        Number of labels K, at least 2.
    served_in, served_out : array_like of int, broadcast together
        Number of labels served by the filter before and after the kernel, 0 to K.

    Returns
    -------
    float64 array of the broadcast shape (0-dimensional for two numbers)
        Expected share of kernels an AFCC mask removes. A high value is **no** sign of structure: with 100
        labels and 3 served labels per filter it is 0.912 by chance alone.

    Raises
    ------
    ValueError
        If K < 2 or a size is not an integer within 0..K.
    """
    sizes_in = _checked_sizes(n_labels, served_in, "served_in")
    sizes_out = _checked_sizes(n_labels, served_out, "served_out")
    free = n_labels - sizes_in
    possible = free >= sizes_out
    left = np.where(possible, free - sizes_out, 0)
    apart = _log_factorial_difference(n_labels, sizes_in, sizes_out, left)
    return np.where(possible, np.exp(np.minimum(apart, 0.0)), 0.0)


def _log_factorial_difference(
    n_labels: int, one: NDArray[np.int64], other: NDArray[np.int64], left: NDArray[np.int64]
) -> NDArray[np.float64]:
    """ln of (K - s1)! (K - s2)! / (K! (K - s1 - s2)!), without the cancellation of the logarithms at large K.

    Of Stirling's leading terms, x ln x - x, those in ln K and the linear ones drop out.
    """
    K = float(n_labels)
    shares = (np.asarray(number / K, np.float64) for number in (one, other, K - left))
    first, second, both = map(_curved, shares)
    rest: NDArray[np.float64] = (
        K * (first + second - both)
        + _beyond_stirling(K - one)
        + _beyond_stirling(K - other)
        - _beyond_stirling(left)
    )
    return rest - _beyond_stirling(K)


def _curved(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1 - x) ln(1 - x) + x, of order x^2."""
    small = np.minimum(x, _SMALL)
    series: NDArray[np.float64] = np.sum([small**k / (k * (k - 1)) for k in range(2, 20)], axis=0)
    exact: NDArray[np.float64] = xlog1py(1 - x, -x) + x
    return np.where(x < _SMALL, series, exact)


def _beyond_stirling(x: ArrayLike) -> NDArray[np.float64]:
    """ln x! - (x ln x - x)."""
    number = np.asarray(x, np.float64)
    small, large = np.clip(number, 1e-300, _ASYMPTOTIC), np.maximum(number, _ASYMPTOTIC)
    exact = gammaln(small + 1) - (small * np.log(small) - small)
    series = 0.5 * np.log(2 * np.pi * large) + 1 / (12 * large) - 1 / (360 * large**3)
    return np.where(number < _ASYMPTOTIC, exact, series)


def expected_dilution(n_labels: int, sizes_in: ArrayLike, sizes_out: ArrayLike) -> float:
    """Dilution expected between two stages without structure: `random_dilution` averaged over filter pairs.

    Status: exact in expectation for independent, uniform label sets of the given sizes. Source: deeptheory.

    Parameters
    ----------
    n_labels : int
        Number of labels K, at least 2.
    sizes_in : array_like of int (C_a,)
        Number of served labels of each filter of the earlier stage.
    sizes_out : array_like of int (C_b,)
        The same for the later stage.

    Returns
    -------
    float
        Expected share of kernels removed. It is the null value a measured dilution is compared with; the
        difference between the two, not the dilution, is what label structure contributes.
    """
    values_in, count_in = np.unique(_checked_sizes(n_labels, sizes_in, "sizes_in"), return_counts=True)
    values_out, count_out = np.unique(_checked_sizes(n_labels, sizes_out, "sizes_out"), return_counts=True)
    if not values_in.size or not values_out.size:
        raise ValueError("sizes_in and sizes_out must each hold at least one filter, found none")
    pairs = random_dilution(n_labels, values_in[:, None], values_out[None, :])
    return float(count_in @ pairs @ count_out / (count_in.sum() * count_out.sum()))


def head_dilution(n_labels: int, sizes: ArrayLike) -> float:
    r"""Dilution of an AFCC-masked head, :math:`1 - \sum_f |D_f| / (C K)`.

    Status: exact, a count. It depends on the sizes only, so a label-permuted mask has the same value: it says
    nothing about which labels are served.

    Parameters
    ----------
    n_labels : int
        Number of labels K, at least 2.
    sizes : array_like of int (C,)
        Number of served labels of each filter of the last stage.
    """
    served = _checked_sizes(n_labels, sizes, "sizes")
    if not served.size:
        raise ValueError("sizes must hold at least one filter, found none")
    return float(1.0 - served.mean() / n_labels)


def _checked_sizes(n_labels: int, sizes: ArrayLike, name: str) -> NDArray[np.int64]:
    if n_labels < 2:
        raise ValueError(f"n_labels must be at least 2, found {n_labels}")
    array = np.asarray(sizes)
    if array.size and (np.any(array != np.floor(array)) or array.min() < 0 or array.max() > n_labels):
        raise ValueError(f"{name} must be whole numbers within 0..{n_labels} (n_labels), found {array}")
    return array.astype(np.int64)
