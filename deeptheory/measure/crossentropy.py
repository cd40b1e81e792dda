"""Mean cross-entropy of a linear probe with L2, its gradient, and its curvature in the leading feature subspace."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.compiled import njit, prange
from deeptheory.measure.lbfgs import Preconditioner

SUBSPACE = 256  # leading directions of feature space whose curvature is measured
SUBSPACE_ROWS = 4096  # inputs it is measured on


@njit(parallel=True)
def _residuals(logits, labels, losses):  # type: ignore[no-untyped-def]
    """Replace logits (N, K) by softmax minus one-hot label; fill losses (N,)."""
    for x in prange(logits.shape[0]):
        row = logits[x]
        largest = row.max()
        right = row[labels[x]] - largest
        total = np.float32(0)
        for j in range(row.size):
            row[j] = np.exp(row[j] - largest)
            total += row[j]
        losses[x] = np.log(total) - right
        scale = np.float32(1) / total
        for j in range(row.size):
            row[j] *= scale
        row[labels[x]] -= np.float32(1)


def residuals(logits: NDArray, labels: NDArray) -> float:
    """Replace float32 logits (N, K) by softmax minus one-hot label; return the mean cross-entropy."""
    losses = np.empty(len(logits), np.float32)
    _residuals(logits, labels, losses)
    return float(losses.mean(dtype=np.float64))


class CrossEntropy:
    """Mean cross-entropy + l2/2 ||W||^2 of a bias-free linear probe on features held in memory.

    Calling it with a weight (K, D) returns the value and the gradient (K, D), zero outside the mask.
    """

    def __init__(self, features: NDArray, labels: NDArray, l2: float, mask: NDArray | None = None) -> None:
        self.features, self.labels, self.l2, self.mask = features, labels, l2, mask

    def __call__(self, weight: NDArray) -> tuple[float, NDArray]:
        residual = self.features @ weight.T  # (N, K)
        value = residuals(residual, self.labels) + 0.5 * self.l2 * float(np.vdot(weight, weight))
        gradient = residual.T @ self.features
        gradient *= np.float32(1 / len(self.features))
        gradient += np.float32(self.l2) * weight
        if self.mask is not None:
            gradient *= self.mask
        return value, gradient


@dataclass(frozen=True)
class Subspace:
    """The leading directions of the uncentred second moment of the features.

    Attributes
    ----------
    basis : float32 array (D, r)
        Orthonormal columns.
    moments : array (r,)
        Second moment of the features along each column.
    rest : float
        Mean second moment along the other directions.
    """

    basis: NDArray
    moments: NDArray
    rest: float

    def average(self, n_labels: int, l2: float) -> Preconditioner:
        """Inverse of the Hessian at zero weights, where softmax is uniform: the same for every output unit."""
        uniform = (1 - 1 / n_labels) / n_labels
        outside = np.float32(1 / (uniform * self.rest + l2))
        inside = (1 / (uniform * self.moments + l2)).astype(np.float32) - outside

        def apply(gradient: NDArray) -> NDArray:
            return outside * gradient + ((gradient @ self.basis) * inside) @ self.basis.T

        return apply

    def block_inverses(self, reduced: NDArray, labels: NDArray, weight: NDArray, l2: float) -> NDArray:
        """Inverse Hessian of each output unit at `weight` (K, r), in the subspace: (K, r, r).

        `reduced` (n, r) are features in the basis, of the inputs the Hessian is averaged over.
        """
        share = reduced @ weight.T
        residuals(share, labels)
        share[np.arange(len(labels)), labels] += 1
        share *= 1 - share  # p_k (1 - p_k)
        ridge = np.float32(l2) * np.eye(reduced.shape[1], dtype=np.float32)
        blocks = np.empty((len(weight), *ridge.shape), np.float32)
        for k in range(len(weight)):
            weighted = reduced * np.sqrt(share[:, k, None] / len(reduced))
            blocks[k] = np.linalg.inv(weighted.T @ weighted + ridge)
        return blocks

    def per_label(self, blocks: NDArray, n_labels: int, l2: float) -> Preconditioner:
        """`block_inverses` inside the subspace, the average curvature outside."""
        outside = np.float32(1 / ((1 - 1 / n_labels) / n_labels * self.rest + l2))

        def apply(gradient: NDArray) -> NDArray:
            inside = gradient @ self.basis
            curved = np.matmul(blocks, inside[:, :, None])[:, :, 0] - outside * inside
            return outside * gradient + curved @ self.basis.T

        return apply


def leading_subspace(features: NDArray, rng: np.random.Generator) -> Subspace:
    """Leading subspace by a randomised range finder with one power iteration.

    "Finding structure with randomness" (Halko, Martinsson, Tropp 2011), on at most 4096 inputs.
    """
    n_inputs, n_features = features.shape
    rank = min(SUBSPACE, n_features, n_inputs)
    rows = rng.choice(n_inputs, min(SUBSPACE_ROWS, n_inputs), replace=False, shuffle=False)
    sample = features[np.sort(rows)]
    directions = rng.standard_normal((n_features, rank), np.float32)
    for _ in range(2):
        directions = np.linalg.qr(sample.T @ (sample @ directions))[0]
    reduced = sample @ directions
    moments, rotation = np.linalg.eigh(reduced.T @ reduced / np.float32(len(sample)))
    moments = np.maximum(moments, 0)
    total = float(np.einsum("nd,nd->", sample, sample)) / len(sample)
    rest = max(0.0, total - float(moments.sum())) / max(1, n_features - rank)
    return Subspace(directions @ rotation, moments, rest)
