"""Preconditioner of the exact probe: curvature of the cross-entropy in the leading feature subspace."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.measure.probes.crossentropy import residuals
from deeptheory.measure.probes.lbfgs import Preconditioner
from deeptheory.system import threadpools

ROWS = 2048  # inputs from which the subspace is estimated
CURVATURE_ROWS = 2048  # inputs over which the curvature is averaged, at least
NEGLIGIBLE = 1e-12  # squared length, relative to the largest, below which a direction is rounding


def subspace_rank(n_features: int, n_labels: int) -> int:
    """Leading directions of feature space in which the curvature is computed.

    128 to 1024, of an eighth of all: an iteration within them is cheap. 25 a label: so is finding them.
    """
    return min(n_features, max(128, min(1024, n_features // 8, 25 * n_labels)))


def coupled_rank(n_features: int, n_labels: int) -> int:
    """How many of them have the curvature between each other computed as well: 128 to 256, D/16."""
    return min(subspace_rank(n_features, n_labels), max(128, min(256, n_features // 16)))


def curvature_rows(n_inputs: int, n_features: int, n_labels: int) -> int:
    """Inputs over which the curvature is averaged: all, unless that takes longer than two gradients."""
    affordable = 4 * n_inputs * n_features // coupled_rank(n_features, n_labels) ** 2
    return min(n_inputs, max(CURVATURE_ROWS, affordable))


@dataclass(frozen=True)
class Curvature:
    """Curvature of the cross-entropy for each output unit, in the basis of a subspace.

    Attributes
    ----------
    coupled : array (K, c, c)
        Along the first c directions and between them.
    single : array (K, r - c)
        Along the others.
    """

    coupled: NDArray[np.floating]
    single: NDArray[np.floating]

    @threadpools.kernel_threads()  # many small matrices
    def inverse(self, l2: float) -> Preconditioner:
        """Inverse of the curvature with L2, for weights (K, r) within the subspace.

        What is common to all output units is taken out: it changes no probability, so the loss curves there by the
        L2 coefficient alone, which no block of one output unit tells, and the minimum has none of it.
        """
        n_coupled = self.coupled.shape[1]
        coupled = np.linalg.inv(self.coupled + np.float32(l2) * np.eye(n_coupled, dtype=np.float32))
        single = 1 / (self.single + np.float32(l2))

        def apply(gradient: NDArray[np.float32]) -> NDArray[np.float32]:
            gradient, direction = without_common(gradient), np.empty_like(gradient)
            direction[:, :n_coupled] = np.matmul(coupled, gradient[:, :n_coupled, None])[:, :, 0]
            direction[:, n_coupled:] = single * gradient[:, n_coupled:]
            return without_common(direction)

        return apply


@dataclass(frozen=True)
class Subspace:
    """The leading directions of the uncentred second moment of the features.

    Attributes
    ----------
    basis : float64 array (D, r)
        Orthonormal columns.
    moments : array (r,)
        Second moment of the features along each column, decreasing.
    rest : float
        Mean second moment along the other directions.
    """

    basis: NDArray[np.float64]
    moments: NDArray[np.float64]
    rest: float

    @threadpools.kernel_threads()  # too small for several threads
    def masked_inverse(
        self, curvatures: NDArray[np.floating], l2: float, mask: NDArray[np.bool_]
    ) -> Preconditioner:
        """Inverse of the block-diagonal Hessian approximation under a mask, one block per output unit.

        The block of output unit k is ``c + M Q S_k Q^T M``: Q the basis, S_k its curvature there, M its row
        of the mask, c the L2 coefficient plus the mean curvature outside the subspace. Its inverse (Woodbury)
        is ``(1 - M Q S_k (c + Q^T M Q S_k)^-1 Q^T M) / c``.

        Parameters
        ----------
        curvatures : array (K, r, r) or (r, r)
            S_k, or one matrix for all output units.
        l2 : float
        mask : bool array (K, D)
        """
        basis, rank, n_labels = self.basis, self.basis.shape[1], len(mask)
        level = l2 + uniform_curvature(n_labels) * self.rest
        inner = np.empty((n_labels, rank, rank))
        for k in range(n_labels):
            curvature = curvatures if curvatures.ndim == 2 else curvatures[k]
            kept = basis[mask[k]]
            block = np.linalg.solve(level * np.eye(rank) + curvature @ (kept.T @ kept), curvature)
            inner[k] = 0.5 * (block + block.T)

        def apply(gradient: NDArray[np.float32]) -> NDArray[np.float32]:
            # float64: where the curvature is large, two nearly equal terms are subtracted.
            along = np.matmul(inner, (gradient @ basis)[:, :, None])[:, :, 0] @ basis.T
            direction: NDArray[np.float32] = ((gradient - along) / level).astype(np.float32)
            return direction * mask

        return apply


def uniform_curvature(n_labels: int) -> float:
    """p (1 - p) of a softmax over K labels at zero weights."""
    return (1 - 1 / n_labels) / n_labels


def label_curvatures(
    reduced: NDArray[np.float32], logits: NDArray[np.float32], labels: NDArray[np.int64], n_coupled: int
) -> Curvature:
    """Mean of p_k (1 - p_k) z z^T over inputs, for each output unit k.

    Parameters
    ----------
    reduced : float32 array (n, r)
        The features z in the basis of the subspace.
    logits : float32 array (n, K)
        Overwritten.
    labels : int array (n,)
    n_coupled : int
        Of the first so many components of z the whole matrix is computed, of the others the diagonal.
    """
    variance = logits
    residuals(variance, labels)
    variance[np.arange(len(labels)), labels] += 1  # p
    variance *= 1 - variance
    np.maximum(variance, 0, out=variance)
    variance *= np.float32(1 / len(labels))
    first = np.ascontiguousarray(reduced[:, :n_coupled])
    coupled = np.empty((variance.shape[1], first.shape[1], first.shape[1]), np.float32)
    for k, unit_variance in enumerate(variance.T):
        weighted = first * np.sqrt(unit_variance)[:, None]
        coupled[k] = weighted.T @ weighted
    return Curvature(coupled, variance.T @ np.square(reduced[:, n_coupled:]))


def leading_subspace(
    features: NDArray[np.float32],
    rank: int,
    rng: np.random.Generator,
    advance: Callable[[], None] = lambda: None,
) -> tuple[Subspace, NDArray[np.float32]]:
    """Leading subspace of the features by a randomised range finder with one power iteration.

    "Finding structure with randomness" (Halko, Martinsson, Tropp 2011), on at most 2048 inputs.

    Returns
    -------
    Subspace
        Of `rank` directions, or fewer where the features have fewer; its moments are those of all inputs.
    reduced : float32 array (N, r)
        The features in its basis.
    """
    n_inputs, n_features = features.shape
    rows = rng.choice(n_inputs, min(ROWS, n_inputs), replace=False, shuffle=False)
    sample = features[np.sort(rows)]
    directions = sample.T @ rng.standard_normal((len(sample), min(rank, len(sample))), np.float32)
    mixtures = _orthonormal(sample @ directions).astype(np.float32)
    advance()
    basis = _orthonormal(sample.T @ mixtures)
    del sample, directions, mixtures
    advance()
    reduced = features @ basis.astype(np.float32)
    moments, rotation = np.linalg.eigh((reduced.T @ reduced).astype(np.float64) / n_inputs)
    moments, rotation = np.maximum(moments[::-1], 0), rotation[:, ::-1]
    total = float(np.einsum("xd,xd->x", features, features).mean(dtype=np.float64))
    rest = max(0.0, total - float(moments.sum())) / max(1, n_features - len(moments))
    return Subspace(basis @ rotation, moments, rest), reduced @ rotation.astype(np.float32)


def without_common(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows (K, D), one for each output unit, less their mean."""
    own: NDArray[np.float32] = rows - rows.mean(axis=0)
    return own


def _orthonormal(columns: NDArray[np.float32]) -> NDArray[np.float64]:
    """Orthonormal columns of the same span, without directions that are rounding."""
    exact = columns.astype(np.float64)  # the products below square the condition
    squares, rotation = np.linalg.eigh(exact.T @ exact)
    kept = squares > NEGLIGIBLE * squares[-1]
    orthonormal: NDArray[np.float64] = exact @ (rotation[:, kept] / np.sqrt(squares[kept]))
    return orthonormal
