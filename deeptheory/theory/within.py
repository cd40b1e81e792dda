"""Means and covariances of groups of inputs, shrunk towards the covariance pooled within groups."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Directions in which the pooled variance is below this share of the largest are constant up to rounding.
_RANK_TOLERANCE = 1e-12
_FEWEST_FOR_OWN_COVARIANCE = 4


@dataclass(frozen=True)
class Scatter:
    """Group statistics of fields.

    Attributes
    ----------
    counts : int64 array (G,)
    means : float64 array (G, K)
    pooled : float64 array (K, K)
        Covariance pooled within groups (divided by N - G).
    whitener : float64 array (K, r)
        Maps fields to r <= K coordinates in which the pooled covariance is the identity.
    """

    counts: NDArray[np.int64]
    means: NDArray[np.float64]
    pooled: NDArray[np.float64]
    whitener: NDArray[np.float64]
    _centred: NDArray[np.float64]
    _starts: NDArray[np.int64]

    def shrunk_covariance(self, group: int) -> NDArray[np.float64]:
        """Covariance (K, K) of a group, shrunk towards `pooled`, times 1 - 1/n (see `accuracy_from_mixture`)."""
        n_inputs = int(self.counts[group])
        start = self._starts[group]
        centred = self._centred[start : start + n_inputs]
        unbiased_mean = 1.0 - 1.0 / n_inputs
        if n_inputs < _FEWEST_FOR_OWN_COVARIANCE:
            return unbiased_mean * self.pooled
        intensity, scale = _shrinkage(centred @ self.whitener)
        own = centred.T @ centred / (n_inputs - 1)
        return unbiased_mean * ((1 - intensity) * own + intensity * scale * self.pooled)


def within_scatter(fields: NDArray[np.float64], group: NDArray[np.int64]) -> Scatter:
    """Statistics of fields (N, K) in groups 0..G-1, each with at least one input, N > G."""
    order = np.argsort(group, kind="stable")
    counts = np.bincount(group)
    starts = np.cumsum(counts) - counts
    in_order = fields[order]
    means = np.add.reduceat(in_order, starts, axis=0) / counts[:, None]
    centred = in_order - np.repeat(means, counts, axis=0)
    degrees = len(fields) - len(counts)
    pooled = centred.T @ centred / degrees
    variance, direction = np.linalg.eigh(pooled)
    used = variance > _RANK_TOLERANCE * variance[-1]
    if not used.any():
        raise ValueError("fields must vary within at least one group, found identical fields in all of them")
    whitener = direction[:, used] / np.sqrt(variance[used])
    return Scatter(counts, means, pooled, whitener, centred, starts)


def _shrinkage(whitened: NDArray[np.float64]) -> tuple[float, float]:
    """Ledoit-Wolf intensity towards scale * identity, for centred rows (n, r), from the n x n Gram matrix."""
    n_inputs, rank = whitened.shape
    gram = whitened @ whitened.T / (n_inputs - 1)
    scale = float(np.trace(gram)) / rank
    square = float((gram**2).sum())  # squared Frobenius norm of the sample covariance
    distance = square - rank * scale**2
    fourth = float((np.diag(gram) ** 2).sum()) * (n_inputs - 1) ** 2
    noise = max(fourth / n_inputs**2 - square / n_inputs, 0.0) * n_inputs / (n_inputs - 1)
    if noise >= distance:
        return 1.0, scale
    return noise / distance, scale


def checked_labels(fields: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """`labels` as int64 after checking fields (N, K) and labels (N,) in 0..K-1, at least 2 inputs each."""
    if fields.ndim != 2 or fields.shape[1] < 2 or labels.shape != (len(fields),):
        raise ValueError(
            "fields must be (N, K) with K at least 2 and labels (N,), "
            f"found {fields.shape} and {labels.shape}"
        )
    n_labels = fields.shape[1]
    if not np.all(np.isfinite(fields)):
        raise ValueError("fields must be finite")
    if len(labels) and (labels.min() < 0 or labels.max() >= n_labels):
        raise ValueError(f"labels must be within 0..{n_labels - 1}, found {labels.min()} to {labels.max()}")
    counts = np.bincount(labels, minlength=n_labels)
    if counts.min() < 2:
        few = int(counts.argmin())
        raise ValueError(f"every label needs at least 2 inputs, found {counts[few]} of label {few}")
    return labels.astype(np.int64)
