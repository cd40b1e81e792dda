"""The loss of a probe over its weights outside the leading feature subspace, minimal over those within."""

import math

import numpy as np
from numpy.typing import NDArray

from deeptheory.measure.probes.crossentropy import CrossEntropy, residuals
from deeptheory.measure.probes.curvature import (
    Subspace,
    coupled_rank,
    curvature_rows,
    label_curvatures,
    uniform_curvature,
)
from deeptheory.measure.probes.lbfgs import minimise

MAX_ITERATIONS = 300
FIRST_ITERATIONS = 12  # with the curvature at zero weights; then that of each output unit is worth measuring
FIRST_FALL = 0.03  # of the gradient within, before weights outside are looked at
AIM, ENOUGH = 0.1, 0.3  # gradient within, relative to that outside


class Eliminated:
    """Mean cross-entropy + l2/2 ||W||^2 at W = V + B Q^T, with the B that is best for V (variable projection).

    Calling it with V (K, D), orthogonal to the basis Q of the subspace, returns the value and the gradient (K, D).
    The large curvatures lie within the subspace, where an iteration takes r/D of the time of one on all features.

    Parameters
    ----------
    full : CrossEntropy
        Without a mask.
    n_labels : int
    subspace : Subspace
    reduced : float32 array (N, r)
        The features in its basis.
    rng : numpy.random.Generator
        Draws the inputs over which the curvature is averaged.
    least : float
        Gradient norm within the subspace below which it is not pursued.

    Attributes
    ----------
    within : float32 array (K, r)
        B of the last call.
    outside_norm : float
        Gradient norm of the last call. It and `within` decide, to the last bit, what the next call gives.
    passes : float
        Over the features so far, and what took as long.
    """

    def __init__(
        self,
        full: CrossEntropy,
        n_labels: int,
        subspace: Subspace,
        reduced: NDArray[np.float32],
        rng: np.random.Generator,
        least: float,
    ) -> None:
        self.full, self.reduced, self.least = full, reduced, least
        self.basis = subspace.basis.astype(np.float32)
        self.passes, self.outside_norm = 0.0, math.inf
        n_inputs, n_features = full.features.shape
        rows = np.sort(rng.choice(n_inputs, curvature_rows(n_inputs, n_features, n_labels), replace=False))
        start = np.zeros((n_labels, reduced.shape[1]), np.float32)
        flat = (1 / (uniform_curvature(n_labels) * subspace.moments + full.l2)).astype(np.float32)
        objective = CrossEntropy(reduced, full.labels, full.l2)
        first = minimise(objective, start, lambda g: flat * g, least, FIRST_ITERATIONS)
        self.within = first.x
        self._measure_curvature(rows, coupled_rank(n_features, n_labels))
        self._improve(objective, max(least, FIRST_FALL * first.gradient_norm))
        self._measure_curvature(rows, coupled_rank(n_features, n_labels))

    def __call__(self, outside: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        features, labels, l2 = self.full.features, self.full.labels, self.full.l2
        offset = features @ outside.T  # (N, K)
        objective = CrossEntropy(self.reduced, labels, l2, offset=offset)
        for _ in range(2):  # again where the gradient outside turns out smaller than the last one
            norm = self._improve(objective, max(self.least, AIM * self.outside_norm))
            residual = self.reduced @ self.within.T
            residual += offset
            value = residuals(residual, labels)
            gradient: NDArray[np.float32] = np.matmul(residual.T, features)
            gradient *= np.float32(1 / len(features))
            gradient += np.float32(l2) * outside
            gradient -= (gradient @ self.basis) @ self.basis.T
            self.outside_norm = float(np.linalg.norm(gradient))
            self.passes += 0.5
            if norm <= max(self.least, ENOUGH * self.outside_norm):
                break
        self.passes += 0.5
        squares = float(np.vdot(outside, outside)) + float(np.vdot(self.within, self.within))
        return value + 0.5 * l2 * squares, gradient

    def whole(self, outside: NDArray[np.float32]) -> NDArray[np.float32]:
        """W (K, D) of the last call."""
        weight: NDArray[np.float32] = self.within @ self.basis.T
        weight += outside
        return weight

    def _improve(self, objective: CrossEntropy, gradient_norm: float) -> float:
        """Bring B nearer to its minimum, and return the norm of its gradient."""
        end = minimise(objective, self.within, self.precondition, gradient_norm, MAX_ITERATIONS)
        self.within = end.x
        self.passes += (1 + end.iterations) * self.reduced.shape[1] / self.full.features.shape[1]
        return end.gradient_norm

    def _measure_curvature(self, rows: NDArray[np.int64], n_coupled: int) -> None:
        part = self.reduced[rows]
        curvature = label_curvatures(part, part @ self.within.T, self.full.labels[rows], n_coupled)
        self.precondition = curvature.inverse(self.full.l2)
