"""Signal-to-noise ratio of a stage: mean field, measured, and of the complete fields."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.measure.labels import label_counts


@dataclass(frozen=True)
class MeanFieldSNR:
    """Signal, internal and external noise of a stage, counted in filters, and their ratio."""

    signal: float
    internal_noise: float
    external_noise: float
    snr: float


def mean_field_snr(
    n_filters: int, n_labels: int, clusters_per_filter: float, cluster_size: float, noise: float
) -> MeanFieldSNR:
    """Mean-field SNR of a stage from its average cluster numbers.

    S = C N_c C_s / K;  n_I = S (C_s - 1)/(K - 1);  n_E = C n / (K (K - 1));  SNR = S / (n_I + n_E).
    A model: our reconstruction of "Towards a universal mechanism for successful deep learning", whose exact
    normalisation was not available.

    Parameters
    ----------
    n_filters, n_labels : int
        C and K.
    clusters_per_filter, cluster_size, noise : float
        N_c, C_s and n of the stage.

    Returns
    -------
    MeanFieldSNR
        The ratio is infinite without noise and NaN without signal and noise. It is a ratio of counts of
        filters: neither the size of the fields nor their spread over inputs is in it, so it is NOT the SNR of
        a decision; and it depends on the threshold of clipping.

    Raises
    ------
    InputError
        Fewer than two labels: noise is a field of another label.
    """
    _check_labels(n_labels)
    signal = n_filters * clusters_per_filter * cluster_size / n_labels
    internal = signal * (cluster_size - 1) / (n_labels - 1) if signal else 0.0
    external = n_filters * noise / (n_labels * (n_labels - 1))
    return MeanFieldSNR(signal, internal, external, _ratio(signal, internal + external))


@dataclass(frozen=True)
class MeasuredSNR:
    """The counts that the mean field approximates.

    Attributes
    ----------
    signal_per_label : int array (K,)
        S_j: filters that serve label j.
    noise_per_pair : int array (K, K)
        n_ij: filters with a one at input label i and output j; the diagonal is 0.
    snr : float
        mean(S_j) / mean over i != j of n_ij.
    """

    signal_per_label: NDArray[np.int64]
    noise_per_pair: NDArray[np.int64]
    snr: float

    @property
    def labels_unserved(self) -> NDArray[np.int64]:
        """Labels that no filter serves."""
        return np.flatnonzero(self.signal_per_label == 0)


def measured_snr(ones: NDArray[np.bool_] | NDArray[np.integer]) -> MeasuredSNR:
    """Measured counterpart of `mean_field_snr`. Source: deeptheory.

    Parameters
    ----------
    ones : bool array (C, K, K), or int array (K, K)
        The clipped fields of all filters of a stage, or their sum over filters.

    Returns
    -------
    MeasuredSNR
        As in the mean field, a ratio of counts: not the SNR of a decision.

    Raises
    ------
    InputError
        Fewer than two labels.
    """
    counts = (ones.sum(axis=0) if ones.ndim == 3 else ones).astype(np.int64)
    signal = np.diagonal(counts).copy()
    noise = counts - np.diag(signal)
    n_labels = len(signal)
    _check_labels(n_labels)
    mean_noise = noise.sum() / (n_labels * (n_labels - 1))
    return MeasuredSNR(signal, noise, _ratio(float(signal.mean()), float(mean_noise)))


@dataclass(frozen=True)
class FieldSNR:
    """Margins of the complete fields for each label i of the input (rows) and rival j (columns).

    Attributes
    ----------
    mean : float64 array (K, K)
        m_ij = E[H_i - H_j | i].
    variance : float64 array (K, K)
        v_ij = Var[H_i - H_j | i].
    snr : float64 array (K, K)
        m_ij / sqrt(v_ij); NaN on the diagonal.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    snr: NDArray[np.float64]


def field_snr(fields: NDArray[np.floating], labels: NDArray[np.integer]) -> FieldSNR:
    """SNR of the margin between the true label's field and every rival's. Source: deeptheory.

    Parameters
    ----------
    fields : array (N, K)
        Complete fields of a probe (`complete_fields`), on inputs it was not fitted to.
    labels : int array (N,)

    Returns
    -------
    FieldSNR
        For Gaussian margins P(H_i > H_j) = Phi(SNR_ij). It does NOT give the accuracy: that needs all rivals
        at once, with their correlations. Needs 24 K^2 bytes.
    """
    n_labels = fields.shape[1]
    label_counts(labels, n_labels, len(fields))
    mean, variance = np.empty((n_labels, n_labels)), np.empty((n_labels, n_labels))
    for label in range(n_labels):
        rows = fields[labels == label]
        margins = rows[:, [label]] - rows
        mean[label], variance[label] = margins.mean(axis=0), margins.var(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        snr = mean / np.sqrt(variance)
    np.fill_diagonal(snr, np.nan)
    return FieldSNR(mean, variance, snr)


def _check_labels(n_labels: int) -> None:
    if n_labels < 2:
        raise InputError("number of labels of an SNR", "at least 2", f"{n_labels}")


def _ratio(signal: float, noise: float) -> float:
    if noise:
        return signal / noise
    return np.inf if signal else np.nan
