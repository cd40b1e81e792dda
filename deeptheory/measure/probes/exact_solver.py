"""The exact probe: the minimum of a convex function, by preconditioned L-BFGS."""

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.measure.probes.bar import FIRST_PASSES, passes_left
from deeptheory.measure.probes.crossentropy import CrossEntropy
from deeptheory.measure.probes.curvature import (
    ROWS,
    Subspace,
    coupled_rank,
    curvature_rows,
    label_curvatures,
    leading_subspace,
    subspace_rank,
    uniform_curvature,
)
from deeptheory.measure.probes.lbfgs import Iterate, Minimum, minimise
from deeptheory.measure.probes.task import ProbeFit, ProbeTask
from deeptheory.store.typed_readers import StoredTree
from deeptheory.system import interruption

MAX_ITERATIONS = 300
FIRST_ITERATIONS = 12  # with the curvature at zero weights; then that of each output unit is worth measuring
PAIR = ("change", "bend", "curvature")  # names of a `Pair` of L-BFGS in a checkpoint
RECENT = 4  # iterations whose gradients tell the time left
ENOUGH_WITHIN = 0.03  # fall of the gradient within the subspace: that outside is larger then
WITHIN = 60  # iterations that the minimum within the subspace takes, about


def fit_exactly(task: ProbeTask, tolerance: float) -> ProbeFit:
    """Stop at a gradient of `tolerance` relative to zero weights; parameters and errors as in `fit_probe`."""
    weight = task.zero_weight
    value, gradient = task.objective(weight)
    if not (math.isfinite(value) and np.isfinite(gradient).all()):
        raise InputError(
            "features", "finite values", "NaN or infinite values", "train with a smaller learning rate"
        )
    first_norm = float(np.linalg.norm(gradient))
    if first_norm == 0:  # features or mask are all zero
        return ProbeFit(weight, value, 0, True, 0.0, 0.0)
    end = _minimum(task, tolerance * first_norm, _Report(task, first_norm, tolerance))
    relative, excess = end.gradient_norm / first_norm, end.gradient_norm**2 / (2 * task.objective.l2)
    return ProbeFit(end.x, end.value, end.iterations, end.converged, relative, excess)


class _Report:
    """How far one fit has come, in passes over its features and in work that takes as long."""

    def __init__(self, task: ProbeTask, first_norm: float, tolerance: float) -> None:
        self.bar, self.first_norm, self.tolerance = task.bar, first_norm, tolerance
        n_inputs, n_features = task.objective.features.shape
        rank = subspace_rank(n_features, task.n_labels)
        products = rank * (6 * min(ROWS, n_inputs) + 2 * n_inputs) / (4 * n_inputs * task.n_labels)
        self.found, self.started = 1 + products, 1 + products + WITHIN * rank / n_features
        self.resumed_at = self.iterations = 0
        self.recent: deque[float] = deque(maxlen=RECENT)

    def subspace_found(self) -> None:
        """The leading directions of the features are known."""
        self.bar.advance(self.found, self.started - self.found + FIRST_PASSES)

    def iterating_from(self, iteration: int) -> None:
        """The iterations on all features begin here, or go on."""
        self.resumed_at = self.iterations = iteration
        self.bar.advance(self.started, FIRST_PASSES)

    def __call__(self, norm: float) -> None:
        """One iteration more, and where the gradient norm is."""
        self.iterations += 1
        self.recent.append(norm / self.first_norm)
        made = self.started + self.iterations - self.resumed_at
        left = passes_left(self.iterations, self.recent, self.tolerance)
        self.bar.advance(made, left, f"relative gradient {norm / self.first_norm:.1e}")


def _minimum(task: ProbeTask, gradient_norm: float, report: _Report) -> Minimum:
    objective, rng, n_labels = task.objective, task.rng, task.n_labels
    features, labels, l2, mask = objective.features, objective.labels, objective.l2, objective.mask
    n_inputs, n_features = features.shape
    n_coupled = coupled_rank(n_features, n_labels)
    rank = subspace_rank(n_features, n_labels) if mask is None else n_coupled
    subspace, reduced = leading_subspace(features, rank, rng)
    report.subspace_found()
    rows = np.sort(rng.choice(n_inputs, curvature_rows(n_inputs, n_features, n_labels), replace=False))
    if mask is None:
        within = _minimum_within(subspace, reduced, objective, n_labels, n_coupled, gradient_norm, rows)
        start, logits = within @ subspace.basis.astype(np.float32).T, reduced[rows] @ within.T
    else:  # weights within the subspace would not obey the mask
        precondition = subspace.preconditioner(subspace.at_zero_weights(n_labels), l2, mask)
        start = minimise(objective, task.zero_weight, precondition, gradient_norm, FIRST_ITERATIONS).x
        logits = features[rows] @ start.T
    curvature = label_curvatures(reduced[rows], logits, labels[rows], n_coupled)
    del reduced, logits
    precondition = subspace.preconditioner(curvature, l2, mask)
    state = task.resume("x")
    resumed = None if state is None else _iterate(state)
    report.iterating_from(resumed.iteration if resumed else 0)
    with interruption.deferred():
        return minimise(
            objective,
            start,
            precondition,
            gradient_norm,
            MAX_ITERATIONS,
            report,
            resumed,
            lambda iterate: task.pause(lambda: _state(iterate())),
        )


def _minimum_within(
    subspace: Subspace,
    reduced: NDArray[np.float32],
    full: CrossEntropy,
    n_labels: int,
    n_coupled: int,
    gradient_norm: float,
    rows: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Minimum (K, r) over weights within the subspace, where an iteration costs little."""
    objective, moments = CrossEntropy(reduced, full.labels, full.l2), subspace.moments
    flat = (1 / (uniform_curvature(n_labels) * moments + full.l2)).astype(np.float32)
    start = np.zeros((n_labels, len(moments)), np.float32)
    first = minimise(objective, start, lambda g: flat * g, gradient_norm, FIRST_ITERATIONS)
    logits = reduced[rows] @ first.x.T
    curvature = label_curvatures(reduced[rows], logits, full.labels[rows], n_coupled)
    gradient_norm = max(gradient_norm, ENOUGH_WITHIN * first.gradient_norm)
    return minimise(objective, first.x, curvature.inverse(full.l2), gradient_norm, MAX_ITERATIONS).x


def _state(iterate: Iterate) -> dict[str, Any]:
    """Checkpoint of an iteration."""
    pairs = {str(n): dict(zip(PAIR, pair, strict=True)) for n, pair in enumerate(iterate.pairs)}
    return {
        "x": iterate.x,
        "value": iterate.value,
        "gradient": iterate.gradient,
        "iteration": iterate.iteration,
        "pairs": pairs,
    }


def _iterate(state: StoredTree) -> Iterate:
    """The iteration of a checkpoint."""
    stored = state.read_trees("pairs")
    pairs = tuple(
        (pair.read_array("change"), pair.read_array("bend"), pair.read_number("curvature"))
        for pair in (stored[str(n)] for n in range(len(stored)))
    )
    x, gradient = state.read_array("x"), state.read_array("gradient")
    return Iterate(x, state.read_number("value"), gradient, int(state.read_number("iteration")), pairs)
