"""Singular values of a weight matrix against those of pure noise (Marchenko and Pastur)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_ANGLES = np.linspace(0.0, np.pi, 4001)  # of the density's support: no square-root singularities at the edges


class NoiseEdges(NamedTuple):
    """Ends of the support of the eigenvalues of pure noise."""

    lower: float
    upper: float


class NoiseBulk(NamedTuple):
    """The components of a matrix that noise explains.

    Attributes
    ----------
    variance : float
        Estimated variance sigma^2 of the noise per element.
    edge : float
        Largest SINGULAR VALUE of such noise.
    signal_rank : int
        Number of components above the edge.
    prunable_rank : int
        Number of components below it.
    """

    variance: float
    edge: float
    signal_rank: int
    prunable_rank: int


def noise_edges(n_rows: int, n_columns: int, variance: float = 1.0) -> NoiseEdges:
    r"""Smallest and largest eigenvalue of :math:`W^T W / N` of pure noise W of shape (N, M).

    .. math:: \lambda_\pm = \sigma^2 (1 \pm \sqrt{M / N})^2

    Status: exact for independent elements of variance sigma^2, N and M to infinity at fixed ratio; at finite
    size the largest one scatters by a share of about :math:`N^{-2/3}`. Source: Marchenko and Pastur (1967).

    Parameters
    ----------
    n_rows, n_columns : int
        N and M, at least 1. For M > N there are also M - N eigenvalues 0.
    variance : float
        sigma^2 of an element, > 0.

    Returns
    -------
    NoiseEdges
        In units of the variance; a singular value of W is the square root of N times an eigenvalue. An eigenvalue
        within the edges does not show that its component is noise.

    Raises
    ------
    ValueError
        If a number is outside its range.
    """
    _check_shape(n_rows, n_columns)
    if not 0 < variance < np.inf:
        raise ValueError(f"variance must be within (0, inf), found {variance}")
    root = np.sqrt(n_columns / n_rows)
    return NoiseEdges(float(variance * (1 - root) ** 2), float(variance * (1 + root) ** 2))


def noise_density(eigenvalue: ArrayLike, n_rows: int, n_columns: int, variance: float = 1.0) -> Array:
    r"""Density of the eigenvalues of :math:`W^T W / N` of pure noise W of shape (N, M).

    .. math:: \rho(\lambda) = \frac{\sqrt{(\lambda_+ - \lambda)(\lambda - \lambda_-)}}
              {2 \pi \sigma^2 (M/N) \lambda}

    Status, source and errors: those of `noise_edges`.

    Parameters
    ----------
    eigenvalue : array_like
        Where to evaluate the density, which is 0 outside the edges and at 0.
    n_rows, n_columns, variance
        As in `noise_edges`.

    Returns
    -------
    float64 array of the shape of `eigenvalue`
        Integrates to one, for M > N to N/M: the other eigenvalues are 0. A spectrum of this shape does not prove
        noise either: the eigenvectors are not considered.
    """
    lower, upper = noise_edges(n_rows, n_columns, variance)
    values = np.asarray(eigenvalue, np.float64)
    inside = (values > max(lower, 0.0)) & (values < upper)
    safe = np.where(inside, values, upper)
    root = np.sqrt(np.maximum((upper - safe) * (safe - lower), 0.0))
    return root / (2 * np.pi * variance * n_columns / n_rows * safe)


def noise_bulk(singular_values: ArrayLike, n_rows: int, n_columns: int) -> NoiseBulk:
    r"""Variance of the noise in a matrix, and the components that it explains: the predicted prunable rank.

    The median of the squared singular values below the edge is matched to the median of the noise density.
    Components above the edge are left out, with one row and one column each, and the variance is estimated again
    until their number no longer changes. Status: model (signal of a rank well below half plus independent noise).
    Source: Gavish and Donoho, "The optimal hard threshold for singular values is 4/sqrt(3)" (2014), for the
    median; leaving out the components above the edge is ours.

    Parameters
    ----------
    singular_values : array_like (min(N, M),)
        Of the matrix, in any order.
    n_rows, n_columns : int
        N and M.

    Returns
    -------
    NoiseBulk
        A trained component below the edge can still matter: its singular value cannot be distinguished from noise,
        which does not mean that the loss does not depend on it.

    Raises
    ------
    ValueError
        If the number of values is not min(N, M), or one is negative or not finite, or all are zero.
    """
    _check_shape(n_rows, n_columns)
    values = np.sort(np.asarray(singular_values, np.float64))
    short, long = sorted((n_rows, n_columns))
    if values.shape != (short,) or not np.all((values >= 0) & np.isfinite(values)) or not values.any():
        raise ValueError(
            f"singular_values must be {short} finite numbers >= 0, not all 0, found {values.size}: {values}"
        )
    n_signal = 0
    while True:
        rows, columns = long - n_signal, short - n_signal
        variance = float(np.median(values[:columns] ** 2)) / (rows * _unit_median(rows, columns))
        edge = np.sqrt(rows * noise_edges(rows, columns, variance).upper) if variance > 0 else 0.0
        above = int(np.sum(values > edge))
        # A median needs at least one component.
        if above <= n_signal or above == short:
            return NoiseBulk(variance, float(edge), above, short - above)
        n_signal = above


def keep_components(matrix: Array, components: ArrayLike) -> Array:
    """The matrix with the named singular components only: ``range(r)`` keeps the r largest.

    Status: exact; for the r largest the best approximation of rank r in the sum of squares (Eckart and Young,
    1936), which is not the best for the network's loss.

    Parameters
    ----------
    matrix : array (N, M)
    components : array_like of int
        Indices in order of decreasing singular value, within 0 to min(N, M) - 1.

    Returns
    -------
    array (N, M) of the dtype of `matrix`

    Raises
    ------
    ValueError
        If an index is outside its range.
    """
    index = np.asarray(components, np.int64)
    if index.size and not (index.min() >= 0 and index.max() < min(matrix.shape)):
        raise ValueError(f"components must be within 0..{min(matrix.shape) - 1}, found {index}")
    left, values, right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    kept: Array = ((left[:, index] * values[index]) @ right[index]).astype(matrix.dtype)
    return kept


def _unit_median(long: int, short: int) -> float:
    """Median eigenvalue of noise of variance 1 and shape (long, short)."""
    lower, upper = noise_edges(long, short)
    eigenvalues = (upper + lower) / 2 - (upper - lower) / 2 * np.cos(_ANGLES)
    weight = np.zeros_like(eigenvalues)
    weight[1:] = noise_density(eigenvalues[1:], long, short) * (upper - lower) / 2 * np.sin(_ANGLES[1:])
    mass = np.cumsum(weight)
    return float(np.interp(0.5, mass / mass[-1], eigenvalues))


def _check_shape(n_rows: int, n_columns: int) -> None:
    for name, number in (("n_rows", n_rows), ("n_columns", n_columns)):
        if number < 1:
            raise ValueError(f"{name} must be at least 1, found {number}")
