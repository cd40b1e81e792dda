"""Probability that all components of a Gaussian vector are positive, for many vectors at once."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

# Added to the diagonal of correlations: makes a singular covariance factorisable, too small to move a probability.
# Rounding of the largest variances counts for more among the correlations of small ones.
_JITTER, _LARGEST_JITTER = 1e-10, 1e-6
_ROUNDING = (
    1e-5  # of eigenvalues of correlations: what covariances of few inputs, rounded, may have below zero
)
_CERTAIN = 1e6  # standard deviations
_ASYMMETRY = 1e-6  # relative to the largest element: what rounding in float32 may leave
_REPLICATES = 8
_BLOCK_ELEMENTS = 2_000_000


def orthant_probability(
    mean: NDArray[np.float64],
    covariance: NDArray[np.float64],
    rng: np.random.Generator,
    n_points: int = 128,
    first_index: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities P(every component of N(mean, covariance) > 0) and their standard errors.

    Method: separation of variables with the Cholesky factor, the components in order of increasing mean over
    standard deviation (so that the likeliest violations come first), integrated on a Kronecker lattice
    (square roots of primes) with the baker's transform and 8 independent random shifts, whose scatter is the
    error estimate. Status: unbiased; the standard error is that of the integration only. Source: Genz,
    "Numerical computation of multivariate normal probabilities" (1992).

    Alternatives at 99 dimensions and equal error: counting, with or without antithetic pairs, needs about 20 times
    more points; few scrambled Sobol points shared between integrals have correlated errors; conditional Monte
    Carlo along the main direction gains little over counting. A singular covariance is allowed: its dependent
    components become indicator functions, and the error grows towards that of counting.

    Parameters
    ----------
    mean : array (B, d)
        One mean per integral.
    covariance : array (B, d, d)
        Symmetric positive semi-definite. Its scales may differ by any factor: correlations are integrated. A
        component of variance 0 is positive if its mean is.
    rng : numpy.random.Generator
        Draws the shifts, independent for every integral.
    n_points : int
        Lattice points per shift, at least 1; 8 times as many evaluations per integral.
    first_index : int
        Number of the first integral, for error messages that name a covariance.

    Returns
    -------
    probability, standard_error : float64 arrays (B,)

    Raises
    ------
    ValueError
        If the shapes disagree, a number is not finite, or a covariance is not symmetric and positive
        semi-definite.
    """
    mean, covariance = np.asarray(mean, np.float64), np.asarray(covariance, np.float64)
    n_integrals, dimension = _checked_shapes(mean, covariance)
    if n_points < 1:
        raise ValueError(f"n_points must be at least 1, found {n_points}")
    probability = np.empty(n_integrals)
    standard_error = np.empty(n_integrals)
    block = block_size(dimension, n_points)
    for start in range(0, n_integrals, block):
        rows = slice(start, start + block)
        replicates = _replicates(mean[rows], covariance[rows], rng, n_points, first_index + start)
        probability[rows] = replicates.mean(axis=1)
        standard_error[rows] = replicates.std(axis=1, ddof=1) / np.sqrt(_REPLICATES)
    return probability, standard_error


def block_size(dimension: int, n_points: int) -> int:
    """Number of integrals to evaluate at once so that the working arrays stay near 50 MB."""
    return max(1, _BLOCK_ELEMENTS // (dimension * (dimension + 2 * _REPLICATES * n_points)))


def _replicates(
    mean: NDArray[np.float64],
    covariance: NDArray[np.float64],
    rng: np.random.Generator,
    n_points: int,
    first: int,
) -> NDArray[np.float64]:
    n_integrals, dimension = mean.shape
    variance = np.einsum("bii->bi", covariance)
    if variance.min() < 0:
        raise _not_definite(first, variance.min(axis=1))
    tiny = np.finfo(float).tiny
    deviation = np.where(variance > 0, np.sqrt(variance), 1.0)
    certain = np.where(mean > 0, _CERTAIN, -_CERTAIN)  # the sign of a component that does not vary
    standardised = np.where(variance > 0, mean / deviation, certain)
    relative = variance.mean(axis=1, keepdims=True) / np.maximum(variance, tiny)
    jitter = np.clip(_JITTER * relative, _JITTER, _LARGEST_JITTER)
    order = np.argsort(standardised, axis=1)
    mean = np.take_along_axis(standardised, order, axis=1)
    correlation = covariance / (deviation[:, :, None] * deviation[:, None, :])
    ordered = correlation[np.arange(n_integrals)[:, None, None], order[:, :, None], order[:, None, :]]
    ordered[:, np.arange(dimension), np.arange(dimension)] += np.take_along_axis(jitter, order, axis=1)
    factor = _cholesky(ordered, first)

    uniform = _lattice(n_integrals, dimension, n_points, rng)  # (B, d, 8 n)
    latent = np.empty_like(uniform)
    weight = np.ones((n_integrals, uniform.shape[2]))
    for k in range(dimension):
        shifted = (factor[:, k, None, :k] @ latent[:, :k])[:, 0] + mean[:, k, None]
        allowed = ndtr(shifted / factor[:, k, k, None])
        weight *= allowed
        latent[:, k] = -ndtri(np.maximum(allowed * uniform[:, k], tiny))
    replicates: NDArray[np.float64] = weight.reshape(n_integrals, _REPLICATES, n_points).mean(axis=2)
    return replicates


def _cholesky(correlation: NDArray[np.float64], first: int) -> NDArray[np.float64]:
    """Factors; eigenvalues that rounding has made negative become as small positive ones as the others may be."""
    try:
        return np.asarray(np.linalg.cholesky(correlation), dtype=np.float64)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(correlation)
    if values.min() < -_ROUNDING:
        raise _not_definite(first, values[:, 0])
    broken = values[:, 0] < _JITTER
    kept = np.maximum(values[broken], _JITTER)
    mended = correlation.copy()
    mended[broken] = (vectors[broken] * kept[:, None, :]) @ vectors[broken].swapaxes(1, 2)
    return np.asarray(np.linalg.cholesky(mended), dtype=np.float64)


def _lattice(
    n_integrals: int, dimension: int, n_points: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    steps = np.sqrt(_primes(dimension))[:, None] * np.arange(1, n_points + 1) % 1  # (d, n)
    shifts = rng.random((n_integrals, dimension, _REPLICATES, 1))
    points = (steps[None, :, None, :] + shifts) % 1
    baker: NDArray[np.float64] = np.clip(np.abs(2 * points - 1), 1e-15, 1 - 1e-15)
    return baker.reshape(n_integrals, dimension, _REPLICATES * n_points)


def _primes(count: int) -> NDArray[np.int64]:
    # The n-th prime is below n (ln n + ln ln n) for n >= 6.
    limit = int(max(15, count * (np.log(max(count, 2)) + np.log(np.log(max(count, 3)))) + 1))
    sieve = np.ones(limit + 1, dtype=bool)
    sieve[:2] = False
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = False
    return np.flatnonzero(sieve)[:count]


def _not_definite(first: int, lowest: NDArray[np.floating]) -> ValueError:
    index = int(np.argmin(lowest))
    return ValueError(
        f"covariance {first + index} must be positive semi-definite (eigenvalues within [0, inf)), "
        f"found {lowest[index]:.3g}"
    )


def _checked_shapes(mean: NDArray[np.float64], covariance: NDArray[np.float64]) -> tuple[int, int]:
    if mean.ndim != 2 or covariance.shape != (*mean.shape, mean.shape[-1]):
        raise ValueError(
            f"mean must be (B, d) and covariance (B, d, d), found {mean.shape} and {covariance.shape}"
        )
    if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(covariance))):
        raise ValueError("mean and covariance must be finite, found infinity or NaN")
    asymmetry = np.abs(covariance - covariance.swapaxes(1, 2)).max(initial=0.0)
    if asymmetry > _ASYMMETRY * np.abs(covariance).max(initial=0.0):
        raise ValueError(f"covariance must be symmetric, found elements that differ by {asymmetry:.3g}")
    return mean.shape
