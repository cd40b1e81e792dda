"""Accuracy when the answer is restricted to a subset of the labels, averaged over all subsets."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, log_ndtr, logsumexp, ndtr, ndtri_exp

from deeptheory.system.compiled import njit, prange
from deeptheory.theory.checks import check_fields, check_label_counts

# The trapezoid rule, as in `detection`; against `detection_accuracy` its error is below 1e-12 up to 1000 labels.
_STEP = 0.1
_NODES = np.arange(-9.0, 9.0 + _STEP / 2, _STEP)
_WEIGHTS = _STEP * np.exp(-(_NODES**2) / 2) / np.sqrt(2 * np.pi)


def counted_subset_accuracy(
    fields: NDArray[np.floating], labels: NDArray[np.integer], sizes: Sequence[int]
) -> NDArray[np.float64]:
    r"""Accuracy among k of the K labels, counted, and averaged over all subsets of k labels.

    An input with r rivals above its true label is correct if none of them is among the k - 1 rivals drawn:

    .. math:: \frac1K \sum_i \Big\langle \binom{K-1-r}{k-1} \Big/ \binom{K-1}{k-1} \Big\rangle_{x \in i}

    Status: exact for the given inputs; every label counts alike. Source: deeptheory.

    Parameters
    ----------
    fields : float array (N, K)
        Complete fields; the largest one within the subset is the answer.
    labels : int array (N,)
        Labels 0..K-1, each at least once.
    sizes : sequence of int
        Numbers k of labels in a subset, within 2 and K.

    Returns
    -------
    float64 array (len(sizes),)
        Not the accuracy of networks trained on k labels: this one was trained on all.

    Raises
    ------
    ValueError
        If shapes, labels or sizes do not fit.
    """
    check_fields(fields, labels)
    n_labels = fields.shape[1]
    drawn = _checked_sizes(sizes, n_labels) - 1
    counts = check_label_counts(labels, n_labels, 1)
    true_field = np.take_along_axis(fields, labels[:, None], axis=1)
    n_above = np.count_nonzero(fields >= true_field, axis=1) - 1  # a tie counts as lost
    weight = 1 / (n_labels * counts[labels])
    shares = np.bincount(n_above, weight, minlength=n_labels)  # of inputs with r rivals above
    n_below = n_labels - 1 - np.arange(n_labels)[:, None]
    possible = n_below >= drawn
    log_share = _log_binomial(np.where(possible, n_below, drawn), drawn) - _log_binomial(n_labels - 1, drawn)
    chance = np.where(possible, np.exp(log_share), 0.0)
    return np.asarray(shares @ chance, np.float64)


def pair_distance(snr: NDArray[np.floating]) -> float:
    r"""The one d' with the same mean accuracy between two labels as the field SNRs.

    .. math:: \Phi(d'/\sqrt 2) = \frac1{K(K-1)} \sum_{i \ne j} \Phi(\mathrm{SNR}_{ij})

    The mean is taken over accuracies and not over SNRs, because `detection_accuracy` at K = 2 is then right for
    any spread of Gaussian margins: its error at larger K is due to the spread and to correlations.

    Status: exact for Gaussian margins at K = 2, a model beyond. Source: deeptheory.

    Parameters
    ----------
    snr : float array (K, K)
        `measure.field_snr`: rows = label of the input, columns = rival. The diagonal is not used.

    Returns
    -------
    float
        In units of one field's standard deviation. Below sqrt(2) times the mean SNR: the closest pairs count most.

    Raises
    ------
    ValueError
        If the shape is not (K, K) with K at least 2, or a number off the diagonal is not finite.
    """
    log_errors = log_ndtr(-_checked_snr(snr))  # errors of large SNRs are below the smallest number
    return float(-np.sqrt(2) * ndtri_exp(logsumexp(log_errors) - np.log(log_errors.size)))


def pairwise_subset_accuracy(snr: NDArray[np.floating], sizes: Sequence[int]) -> NDArray[np.float64]:
    r"""`pairwise_accuracy` among k of the K labels, averaged over all subsets of k labels.

    .. math:: \frac1K \sum_i \Big\langle \prod_{j \in S} \Phi(\mathrm{SNR}_{ij}) \Big\rangle_{|S| = k-1}

    Status: model, independent Gaussian margins. Source: deeptheory.

    Parameters
    ----------
    snr : float array (K, K)
        As in `pair_distance`.
    sizes : sequence of int
        Numbers k of labels in a subset, within 2 and K.

    Returns
    -------
    float64 array (len(sizes),)
        Too low as a forecast: margins share the field of the true label.

    Raises
    ------
    ValueError
        As `pair_distance`, or a size is out of range.
    """
    checked = _checked_snr(snr)
    drawn = _checked_sizes(sizes, len(checked)) - 1
    accuracy: NDArray[np.float64] = _mean_products(ndtr(checked), int(drawn.max()))[:, drawn].mean(axis=0)
    return accuracy


def detection_subset_accuracy(snr: NDArray[np.floating], sizes: Sequence[int]) -> NDArray[np.float64]:
    r"""`detection_accuracy` with a distance for every pair, averaged over all subsets of k labels.

    .. math:: \frac1K \sum_i \int Dz \Big\langle \prod_{j \in S} \Phi(z + \sqrt 2\,\mathrm{SNR}_{ij})
              \Big\rangle_{|S| = k-1}

    Status: model: exact for independent Gaussian fields with the same variance for one label of the input; equal
    to `detection_accuracy` when all SNRs are. Source: deeptheory.

    Parameters and errors: those of `pairwise_subset_accuracy`.

    Returns
    -------
    float64 array (len(sizes),)
        Costs 181 K^2 max(sizes) multiplications. Real rivals are correlated beyond the field that they share.
    """
    checked = _checked_snr(snr)
    drawn = _checked_sizes(sizes, len(checked)) - 1
    per_label = [
        _WEIGHTS @ _mean_products(np.exp(log_ndtr(_NODES[:, None] + np.sqrt(2) * row)), int(drawn.max()))
        for row in checked
    ]
    accuracy: NDArray[np.float64] = np.mean(per_label, axis=0)[drawn]
    return accuracy


@njit(parallel=True)
def _mean_products(factors: NDArray[np.float64], largest: int) -> NDArray[np.float64]:
    """Mean product over all choices of m of the n factors of each row: (rows, n) -> (rows, largest + 1)."""
    means = np.empty((len(factors), largest + 1))
    for row in prange(len(factors)):
        before, after = np.zeros(largest + 1), np.zeros(largest + 1)
        before[0] = after[0] = 1
        for n in range(1, factors.shape[1] + 1):
            factor, per_chosen = factors[row, n - 1], 1 / n
            # Of n factors, m chosen ones include the last with probability m/n; more than n cannot be chosen.
            for m in range(1, min(n, largest) + 1):
                after[m] = before[m] + m * per_chosen * (factor * before[m - 1] - before[m])
            before, after = after, before
        means[row] = before
    return means


def _log_binomial(n: int | NDArray[np.integer], k: NDArray[np.integer]) -> NDArray[np.float64]:
    total = np.asarray(n, np.float64)
    logarithm: NDArray[np.float64] = gammaln(total + 1) - gammaln(k + 1.0) - gammaln(total - k + 1)
    return logarithm


def _checked_snr(snr: NDArray[np.floating]) -> NDArray[np.float64]:
    """The numbers off the diagonal, (K, K-1)."""
    n_labels = len(snr)
    if n_labels < 2 or snr.shape != (n_labels, n_labels):
        raise ValueError(f"snr must be (K, K) with K at least 2, found {snr.shape}")
    pairs = np.asarray(snr, np.float64)[~np.eye(n_labels, dtype=bool)].reshape(n_labels, -1)
    if not np.all(np.isfinite(pairs)):
        raise ValueError("snr must be finite off the diagonal")
    return pairs


def _checked_sizes(sizes: Sequence[int], n_labels: int) -> NDArray[np.int64]:
    checked = np.asarray(sizes, np.int64)
    outside = checked[(checked < 2) | (checked > n_labels)]
    if checked.ndim != 1 or not checked.size or outside.size:
        raise ValueError(f"sizes must be within 2 and {n_labels}, found {list(sizes)}")
    return checked
