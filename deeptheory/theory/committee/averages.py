"""Gaussian averages of g(x) = erf(x / sqrt 2) and its derivative, in closed form."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Order parameters come from sums over inputs or from an integration: eigenvalues may be negative by this much.
_NEGATIVE = 1e-7


def I2(covariance: ArrayLike) -> NDArray[np.float64]:
    r"""Average of g(u) g(v) over two Gaussian fields of mean 0.

    .. math:: I_2 = \frac2\pi \arcsin \frac{C_{12}}{\sqrt{(1 + C_{11})(1 + C_{22})}}

    Status: exact. Source: Saad and Solla, "On-line learning in soft committee machines", Phys. Rev. E 52,
    4225 (1995).

    Parameters
    ----------
    covariance : array_like (..., 2, 2)
        Covariance C of (u, v), positive semi-definite.

    Returns
    -------
    float64 array (...)
        Not a correlation coefficient of g(u) and g(v): it is not divided by their standard deviations.

    Raises
    ------
    ValueError
        If the shape does not fit or a covariance is not finite, symmetric and positive semi-definite.
    """
    return pair_means(checked_covariance(covariance, 2))[..., 0, 1]


def I3(covariance: ArrayLike) -> NDArray[np.float64]:
    r"""Average of g'(u) v g(w) over three Gaussian fields of mean 0.

    .. math:: I_3 = \frac2\pi \frac{C_{23} (1 + C_{11}) - C_{12} C_{13}}{(1 + C_{11}) \sqrt{\Lambda_3}},
              \qquad \Lambda_3 = (1 + C_{11})(1 + C_{33}) - C_{13}^2

    Status: exact. Source: Saad and Solla, Phys. Rev. E 52, 4225 (1995).

    Parameters
    ----------
    covariance : array_like (..., 3, 3)
        Covariance C of (u, v, w), positive semi-definite. The order matters.

    Returns
    -------
    float64 array (...)

    Raises
    ------
    ValueError
        As `I2`.
    """
    return gradient_means(checked_covariance(covariance, 3))


def I4(covariance: ArrayLike) -> NDArray[np.float64]:
    r"""Average of g'(u) g'(v) g(w) g(z) over four Gaussian fields of mean 0.

    .. math:: I_4 = \frac4{\pi^2} \frac1{\sqrt{\Lambda_4}}
              \arcsin \frac{\Lambda_0}{\sqrt{\Lambda_1 \Lambda_2}}, \qquad
              \Lambda_4 = (1 + C_{11})(1 + C_{22}) - C_{12}^2

    .. math:: \Lambda_0 = \Lambda_4 C_{34} - C_{23} C_{24} (1 + C_{11}) - C_{13} C_{14} (1 + C_{22})
              + C_{12} C_{13} C_{24} + C_{12} C_{14} C_{23}

    .. math:: \Lambda_1 = \Lambda_4 (1 + C_{33}) - C_{23}^2 (1 + C_{11}) - C_{13}^2 (1 + C_{22})
              + 2 C_{12} C_{13} C_{23}

    and :math:`\Lambda_2` the same with 4 for 3. Status: exact. Source: Saad and Solla, Phys. Rev. E 52, 4225
    (1995).

    Parameters
    ----------
    covariance : array_like (..., 4, 4)
        Covariance C of (u, v, w, z), positive semi-definite. The order matters: the first two are derived.

    Returns
    -------
    float64 array (...)

    Raises
    ------
    ValueError
        As `I2`.
    """
    return squared_gradient_means(checked_covariance(covariance, 4))


def pair_means(c: NDArray[np.float64]) -> NDArray[np.float64]:
    """`I2` of every pair of L fields, (..., L, L), from their covariance (..., L, L)."""
    variance = np.diagonal(c, axis1=-2, axis2=-1)
    one, other = variance[..., :, None], variance[..., None, :]
    # The arcsine of I2 as an arctangent, which stays exact where its argument comes near 1.
    angle = np.arctan2(c, np.sqrt(1 + one + other + _positive(one * other - c**2)))
    means: NDArray[np.float64] = 2 / np.pi * angle
    return means


def gradient_means(c: NDArray[np.float64]) -> NDArray[np.float64]:
    """`I3` without checks."""
    c11, c33 = c[..., 0, 0], c[..., 2, 2]
    lambda3 = 1 + c11 + c33 + _positive(c11 * c33 - c[..., 0, 2] ** 2)
    numerator = c[..., 1, 2] + (c[..., 1, 2] * c11 - c[..., 0, 1] * c[..., 0, 2])
    means: NDArray[np.float64] = 2 / np.pi * numerator / ((1 + c11) * np.sqrt(lambda3))
    return means


def squared_gradient_means(c: NDArray[np.float64]) -> NDArray[np.float64]:
    """`I4` without checks: its determinants as sums of minors, which do not cancel at large covariances."""
    c11, c22 = c[..., 0, 0], c[..., 1, 1]
    c12, c13, c14 = c[..., 0, 1], c[..., 0, 2], c[..., 0, 3]
    c23, c24, c34 = c[..., 1, 2], c[..., 1, 3], c[..., 2, 3]
    minor = c11 * c22 - c12**2
    lambda4 = 1 + c11 + c22 + _positive(minor)
    pairs = (c11 * c34 - c13 * c14) + (c22 * c34 - c23 * c24)
    lambda0 = c34 + pairs + (c34 * minor - c11 * c23 * c24 - c22 * c13 * c14 + c12 * (c13 * c24 + c14 * c23))

    def of_third(variance: NDArray[np.float64], c1: NDArray[np.float64], c2: NDArray[np.float64]) -> Any:
        sums = _positive(c11 * variance - c1**2) + _positive(c22 * variance - c2**2)
        determinant = variance * minor - c11 * c2**2 - c22 * c1**2 + 2 * c12 * c1 * c2
        return lambda4 + variance + sums + _positive(determinant)

    scale = np.sqrt(of_third(c[..., 2, 2], c13, c23)) * np.sqrt(of_third(c[..., 3, 3], c14, c24))
    # Rounding may take the sine of fully correlated fields beyond 1.
    means: NDArray[np.float64] = 4 / np.pi**2 * np.arcsin(np.clip(lambda0 / scale, -1, 1))
    return means / np.sqrt(lambda4)


def _positive(minor: NDArray[np.float64]) -> NDArray[np.float64]:
    """A principal minor of a positive semi-definite matrix, which rounding may take below 0."""
    return np.maximum(minor, 0.0)


def checked_covariance(covariance: ArrayLike, n_fields: int) -> NDArray[np.float64]:
    """`covariance` as float64 after checking that it is one of `n_fields` fields, (..., L, L)."""
    c = np.asarray(covariance, dtype=np.float64)
    if c.shape[-2:] != (n_fields, n_fields):
        raise ValueError(f"covariance must be (..., {n_fields}, {n_fields}), found {c.shape}")
    if not np.all(np.isfinite(c)):
        raise ValueError("covariance must be finite, found infinity or NaN")
    transposed = np.swapaxes(c, -1, -2)
    if not np.allclose(c, transposed, rtol=1e-9, atol=1e-12):
        largest = np.abs(c - transposed).max()
        raise ValueError(f"covariance must be symmetric, found elements that differ by {largest:.3g}")
    eigenvalues = np.linalg.eigvalsh(c)
    if np.any(eigenvalues[..., 0] < -_NEGATIVE * np.maximum(eigenvalues[..., -1], 1.0)):
        raise ValueError(
            "covariance must be positive semi-definite (eigenvalues within [0, inf)), "
            f"found the eigenvalue {eigenvalues[..., 0].min():.3g}"
        )
    return c
