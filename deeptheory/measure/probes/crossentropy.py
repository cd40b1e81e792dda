"""Mean cross-entropy of a linear probe with L2, and its gradient."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.system.compiled import njit, prange


@njit(parallel=True)
def _residuals(logits: NDArray[np.float32], labels: NDArray[np.int64], losses: NDArray[np.float32]) -> None:
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


def residuals(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Replace logits (N, K) by softmax minus one-hot label; return the mean cross-entropy."""
    losses = np.empty(len(logits), np.float32)
    _residuals(logits, labels, losses)
    return float(losses.mean(dtype=np.float64))


class CrossEntropy:
    """Mean cross-entropy + l2/2 ||W||^2 of a bias-free linear probe on features held in memory.

    Calling it with a weight (K, D) returns the value and the gradient (K, D), zero outside the mask. An offset
    (N, K) is added to the logits.
    """

    def __init__(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.int64],
        l2: float,
        mask: NDArray[np.bool_] | None = None,
        offset: NDArray[np.float32] | None = None,
    ) -> None:
        self.features, self.labels, self.l2, self.mask, self.offset = features, labels, l2, mask, offset

    def __call__(self, weight: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        residual = self.features @ weight.T  # (N, K)
        if self.offset is not None:
            residual += self.offset
        value = residuals(residual, self.labels) + 0.5 * self.l2 * float(np.vdot(weight, weight))
        gradient: NDArray[np.float32] = np.matmul(residual.T, self.features)
        gradient *= np.float32(1 / len(self.features))
        gradient += np.float32(self.l2) * weight
        if self.mask is not None:
            gradient *= self.mask
        return value, gradient
