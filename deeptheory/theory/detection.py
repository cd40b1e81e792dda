"""Probability that the true one of K independent fields is the largest: the dependence on the number of labels."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtr

# The trapezoid rule converges exponentially for a smooth integrand that decays at both ends; with this range
# and step its error is below 1e-12 up to a million labels.
_STEP = 0.02
_NODES = np.arange(-12.0, 12.0 + _STEP / 2, _STEP)
_WEIGHTS = _STEP * np.exp(-(_NODES**2) / 2) / np.sqrt(2 * np.pi)


def detection_accuracy(distance: ArrayLike, n_labels: ArrayLike) -> NDArray[np.float64]:
    r"""Probability that the true label's field is the largest of K.

    .. math:: P = \int Dz\, \Phi(z + d')^{K-1}

    Status: exact for independent Gaussian fields of equal variance whose K-1 rivals have equal means; as a
    description of a network it is a model. Source: signal-detection theory (Green and Swets, m-alternative
    forced choice).

    Parameters
    ----------
    distance : array_like
        d', mean of the true field minus mean of a rival, in units of ONE field's standard deviation: sqrt(2)
        times the field SNR of the margin.
    n_labels : array_like of int, broadcast with `distance`
        Number of labels K, at least 2.

    Returns
    -------
    float64 array of the broadcast shape
        Accuracy. Real rivals are correlated and unequal: use `accuracy_from_fields` for a given network; this
        formula isolates the dependence on K at fixed d'.

    Raises
    ------
    ValueError
        If K < 2 or not whole, or a distance is not finite.
    """
    d, rivals = _checked(distance, n_labels)
    accuracy: NDArray[np.float64] = np.exp(rivals[..., None] * log_ndtr(_NODES + d[..., None])) @ _WEIGHTS
    return accuracy


def detection_error_linear(distance: ArrayLike, n_labels: ArrayLike) -> NDArray[np.float64]:
    r"""Small-error form of one minus `detection_accuracy`, :math:`(K - 1) \Phi(-d'/\sqrt 2)`.

    Status: exact as an upper bound (the union bound over rivals), a model as an estimate; linear in K at
    fixed d'. Source: deeptheory.

    Parameters
    ----------
    distance : array_like
        d' as in `detection_accuracy`.
    n_labels : array_like of int
        Number of labels K, at least 2.

    Returns
    -------
    float64 array
        Error estimate. It may exceed 1, where it says nothing; the true error ceases to be linear much earlier.
    """
    d, rivals = _checked(distance, n_labels)
    error: NDArray[np.float64] = rivals * ndtr(-d / np.sqrt(2))
    return error


def _checked(distance: ArrayLike, n_labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    d, labels = np.broadcast_arrays(np.asarray(distance, np.float64), np.asarray(n_labels, np.float64))
    wrong = labels[~((labels >= 2) & (labels == np.floor(labels)) & np.isfinite(labels))]
    if wrong.size:
        raise ValueError(f"n_labels must be whole numbers of at least 2, found {wrong[0]:g}")
    if not np.all(np.isfinite(d)):
        raise ValueError(f"distance must be finite, found {d}")
    return d, labels - 1
