"""Covariances of a stage's activations within groups of inputs, in full or as diagonal plus low rank."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk

from deeptheory.errors import InputError
from deeptheory.nn.pass_sizes import MOST

BLOCK = 128  # rows mirrored at a time


@dataclass(frozen=True)
class FullCovariances:
    """Covariances of all pairs of activations.

    Attributes
    ----------
    matrices : float64 array (G, C*P, C*P)
        Sigma_g, filter-major, divided by the number of inputs; (1, C*P, C*P) when pooled.
    n_groups : int
        G.
    """

    matrices: NDArray[np.float64]
    n_groups: int

    def project(self, weight: NDArray[np.floating]) -> NDArray[np.float64]:
        """Field covariances of a head, exact up to rounding.

        Parameters
        ----------
        weight : float array (K, C*P) or (K, C, P)
            Full, masked or refitted.

        Returns
        -------
        float64 array (G, K, K)
            W Sigma_g W^T, read-only; when pooled G views of one matrix.

        Raises
        ------
        InputError
            The head has another number of weights per output.
        """
        head = _checked_head(weight, self.matrices.shape[-1])
        projected = np.stack([head @ sigma @ head.T for sigma in self.matrices])
        return np.broadcast_to(projected, (self.n_groups, *projected.shape[1:]))


@dataclass(frozen=True)
class LowRankCovariances:
    r"""Covariances as :math:`F_g^T F_g + \mathrm{diag}(d_g)`; the variances of single activations are exact.

    Attributes
    ----------
    factors : float64 array (G, r, C*P)
        F_g: leading principal directions times their standard deviations, filter-major, zero beyond the rank of
        Sigma_g.
    residual_variances : float64 array (G, C*P)
        d_g: variance of every activation that the factors leave.
    error_bounds : float64 array (G,)
        Largest possible error of the variance of w a for a weight vector w of length 1, from all that was
        dropped. Rigorous; 1 to 4 times the true largest error on synthetic spectra. The error of a head's
        fields, each a sum over many directions, is mostly much smaller.
    """

    factors: NDArray[np.float64]
    residual_variances: NDArray[np.float64]
    error_bounds: NDArray[np.float64]

    def project(self, weight: NDArray[np.floating]) -> NDArray[np.float64]:
        """Field covariances of a head, as `FullCovariances.project` with the error of the low rank.

        The covariances between activations that the factors do not hold are left out, those that lower the
        variance of a field as well as those that raise it.
        """
        head = _checked_head(weight, self.residual_variances.shape[-1])
        projected = np.empty((len(self.factors), len(head), len(head)))
        for group, (factor, residual) in enumerate(zip(self.factors, self.residual_variances, strict=True)):
            along = head @ factor.T
            projected[group] = along @ along.T + (head * residual) @ head.T
        return projected


class FullScatter:
    """Sums of products of centred rows, one matrix per group or one for all: 8 (C*P)^2 bytes each."""

    def __init__(self, counts: NDArray[np.int64], size: int, pooled: bool) -> None:
        self.counts = counts.sum(keepdims=True) if pooled else counts
        self.n_groups, self.pooled = len(counts), pooled
        self.sums = np.zeros((len(self.counts), size, size))

    def add(self, group: int, rows: NDArray[np.float64]) -> None:
        """Add the products of centred rows (m, C*P), one triangle only."""
        sums = self.sums[0 if self.pooled else group]
        dsyrk(1.0, rows.T, beta=1.0, c=sums.T, overwrite_c=1)

    def finish(self) -> FullCovariances:
        """The covariances, in place of the sums."""
        for sums, count in zip(self.sums, self.counts, strict=True):
            sums /= count
            _mirror(sums)
        return FullCovariances(self.sums, self.n_groups)


class LowRankScatter:
    """A sketch of the centred rows of one group after the other: 8 r C*P bytes for every finished group.

    Rows are collected. When there is no room for more they are replaced by the 2r leading principal directions
    of all so far, and by r when the group is finished. What is dropped is positive semi-definite each time, so its
    diagonal is known exactly and its largest eigenvalue is at most the sum of the largest ones dropped.
    """

    def __init__(self, counts: NDArray[np.int64], size: int, rank: int) -> None:
        self.counts, self.rank = counts, rank
        self.factors = np.zeros((len(counts), rank, size))
        self.residual_variances = np.zeros((len(counts), size))
        self.error_bounds = np.zeros(len(counts))
        self.rows, self.used, self.group = np.empty((sketch_rows(rank), size)), 0, 0

    def add(self, group: int, rows: NDArray[np.float64]) -> None:
        """Add centred rows (m, C*P) of a group; the rows of a group must come one after the other."""
        if group != self.group:
            self._close()
            self.group = group
        self.residual_variances[group] += np.einsum("md,md->d", rows, rows)
        while len(rows):
            if self.used == len(self.rows):
                self._compress(2 * self.rank)
            taken = min(len(rows), len(self.rows) - self.used)
            self.rows[self.used : self.used + taken] = rows[:taken]
            self.used += taken
            rows = rows[taken:]

    def finish(self) -> LowRankCovariances:
        """The covariances, once all groups were added."""
        self._close()
        return LowRankCovariances(self.factors, self.residual_variances, self.error_bounds)

    def _compress(self, kept: int) -> None:
        rows = self.rows[: self.used]
        values, vectors = np.linalg.eigh(rows @ rows.T)
        self.error_bounds[self.group] += values[: max(len(values) - kept, 0)].max(initial=0.0)
        leading = vectors[:, -kept:].T @ rows
        self.used = len(leading)
        self.rows[: self.used] = leading

    def _close(self) -> None:
        self._compress(self.rank)
        group, count = self.group, self.counts[self.group]
        factor, residual = self.factors[group], self.residual_variances[group]
        factor[: self.used] = self.rows[: self.used] / np.sqrt(count)
        residual /= count
        residual -= np.einsum("rd,rd->d", factor, factor)
        np.maximum(residual, 0.0, out=residual)  # rounding leaves -1e-17
        self.error_bounds[group] /= count
        self.used = 0


def sketch_rows(rank: int) -> int:
    """Rows a sketch has room for: twice the rank, and one batch with the step of its mean."""
    return 2 * rank + MOST + 1


def _mirror(matrix: NDArray[np.float64]) -> None:
    """Copy the lower triangle into the upper one, a block of rows at a time, in place."""
    for start in range(0, len(matrix), BLOCK):
        block = slice(start, start + BLOCK)
        matrix[block, start + BLOCK :] = matrix[start + BLOCK :, block].T
        corner = np.tril(matrix[block, block])
        matrix[block, block] = corner + np.tril(corner, -1).T


def _checked_head(weight: NDArray[np.floating], size: int) -> NDArray[np.float64]:
    head = np.asarray(weight, np.float64)
    if head.ndim not in (2, 3) or head[0].size != size:
        raise InputError("weight", f"shape (K, C*P) with C*P = {size}", f"shape {head.shape}")
    return head.reshape(len(head), size)
