"""Preconditioner of the exact probe: curvature of the cross-entropy in the leading feature subspace."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.measure.probes.crossentropy import residuals
from deeptheory.measure.probes.lbfgs import Preconditioner
from deeptheory.system import threadpools

RANK = 128  # leading directions of feature space in which the curvature is computed
ROWS = 4096  # inputs from which the subspace is estimated


@dataclass(frozen=True)
class Subspace:
    """The leading directions of the uncentred second moment of the features.

    Attributes
    ----------
    basis : float64 array (D, r)
        Orthonormal columns.
    moments : array (r,)
        Second moment of the features along each column, increasing.
    rest : float
        Mean second moment along the other directions.
    """

    basis: NDArray[np.float64]
    moments: NDArray[np.float64]
    rest: float

    @threadpools.kernel_threads()  # too small for several threads
    def preconditioner(
        self,
        curvatures: NDArray[np.floating],
        n_labels: int,
        l2: float,
        mask: NDArray[np.bool_] | None,
    ) -> Preconditioner:
        """Inverse of the block-diagonal Hessian approximation, one block per output unit.

        The block of output unit k is ``c + M Q S_k Q^T M``: Q the basis, S_k its curvature there, M its row
        of the mask, c the L2 coefficient plus the mean curvature outside the subspace. Its inverse (Woodbury)
        is ``(1 - M Q S_k (c + Q^T M Q S_k)^-1 Q^T M) / c``.

        Parameters
        ----------
        curvatures : array (K, r, r) or (r, r)
            S_k, or one matrix for all output units.
        n_labels : int
        l2 : float
        mask : bool array (K, D), optional
        """
        basis, rank = self.basis, self.basis.shape[1]
        level = l2 + uniform_curvature(n_labels) * self.rest
        inner = np.empty((n_labels, rank, rank))
        overlap = np.eye(rank)
        for k in range(n_labels):
            curvature = curvatures if curvatures.ndim == 2 else curvatures[k]
            if mask is not None:
                kept = basis[mask[k]]
                overlap = kept.T @ kept
            block = np.linalg.solve(level * np.eye(rank) + curvature @ overlap, curvature)
            inner[k] = 0.5 * (block + block.T)

        def apply(gradient: NDArray[np.float32]) -> NDArray[np.float32]:
            # float64: where the curvature is large, two nearly equal terms are subtracted.
            along = np.matmul(inner, (gradient @ basis)[:, :, None])[:, :, 0] @ basis.T
            direction: NDArray[np.float32] = ((gradient - along) / level).astype(np.float32)
            return direction if mask is None else direction * mask

        return apply


def uniform_curvature(n_labels: int) -> float:
    """p (1 - p) of a softmax over K labels at zero weights."""
    return (1 - 1 / n_labels) / n_labels


def label_curvatures(
    reduced: NDArray[np.float32], logits: NDArray[np.float32], labels: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Mean of p_k (1 - p_k) z z^T over inputs, for each output unit k.

    Parameters
    ----------
    reduced : float32 array (n, r)
        The features z in the basis of the subspace.
    logits : float32 array (n, K)
        Overwritten.
    labels : int array (n,)

    Returns
    -------
    float32 array (K, r, r)
    """
    variance = logits
    residuals(variance, labels)
    variance[np.arange(len(labels)), labels] += 1  # p
    variance *= 1 - variance
    curvatures = np.empty((variance.shape[1], reduced.shape[1], reduced.shape[1]), np.float32)
    for k, unit_variance in enumerate(variance.T):
        weighted = reduced * np.sqrt(np.maximum(unit_variance, 0) / np.float32(len(reduced)))[:, None]
        curvatures[k] = weighted.T @ weighted
    return curvatures


@threadpools.kernel_threads()  # its QR is too small for several threads
def leading_subspace(features: NDArray[np.float32], rng: np.random.Generator) -> Subspace:
    """Leading subspace of the features by a randomised range finder with one power iteration.

    "Finding structure with randomness" (Halko, Martinsson, Tropp 2011), on at most 4096 inputs.
    """
    n_inputs, n_features = features.shape
    rank = min(RANK, n_features, n_inputs)
    rows = rng.choice(n_inputs, min(ROWS, n_inputs), replace=False, shuffle=False)
    sample = features[np.sort(rows)]
    directions = rng.standard_normal((n_features, rank), np.float32)
    for _ in range(2):
        directions = np.linalg.qr(sample.T @ (sample @ directions))[0]
    basis = np.linalg.qr(directions.astype(np.float64))[0]  # orthonormal beyond float32
    reduced = sample @ basis.astype(np.float32)
    moments, rotation = np.linalg.eigh(reduced.T.astype(np.float64) @ reduced / len(sample))
    moments = np.maximum(moments, 0)
    total = float(np.vdot(sample, sample)) / len(sample)
    rest = max(0.0, total - float(moments.sum())) / max(1, n_features - rank)
    return Subspace(basis @ rotation, moments, rest)
