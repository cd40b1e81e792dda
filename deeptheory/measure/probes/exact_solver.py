"""The exact probe: the minimum of a convex function, by preconditioned L-BFGS."""

import math
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.measure.probes.bar import FIRST_PASSES, iterations_left
from deeptheory.measure.probes.curvature import (
    CURVATURE_ROWS,
    ROWS,
    coupled_rank,
    label_curvatures,
    leading_subspace,
    subspace_rank,
    uniform_curvature,
    without_common,
)
from deeptheory.measure.probes.elimination import FIRST_ITERATIONS, MAX_ITERATIONS, Eliminated
from deeptheory.measure.probes.lbfgs import Iterate, minimise
from deeptheory.measure.probes.task import ProbeFit, ProbeTask
from deeptheory.store.typed_readers import StoredTree
from deeptheory.system import interruption

PAIR = ("change", "bend", "curvature")  # names of a `Pair` of L-BFGS in a checkpoint
RECENT = 2  # iterations whose gradients tell the time left
STARTING = 40  # iterations within the leading directions before the first on all features, about
OUTSIDE, WITHIN = 0.3, 0.4  # of the gradient allowed: outside the leading directions the loss curves least


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
    if task.objective.mask is None:
        report = _Report(task, first_norm, OUTSIDE * tolerance)
        weight, iterations = _minimum(task, tolerance * first_norm, report)
        weight = without_common(weight)  # the minimum has no common part; what rounding left of it
    else:
        report = _Report(task, first_norm, tolerance)
        weight, iterations = _minimum_under_mask(task, tolerance * first_norm, report)
    value, gradient = task.objective(weight)
    norm = float(np.linalg.norm(gradient))
    relative, excess = norm / first_norm, norm**2 / (2 * task.objective.l2)
    return ProbeFit(weight, value, iterations, relative <= tolerance, relative, excess)


class _Report:
    """How far one fit has come, in passes over its features and in work that takes as long."""

    def __init__(self, task: ProbeTask, first_norm: float, tolerance: float) -> None:
        self.bar, self.first_norm, self.tolerance = task.bar, first_norm, tolerance
        n_inputs, n_features = task.objective.features.shape
        rank = subspace_rank(n_features, task.n_labels)
        products = rank * (6 * min(ROWS, n_inputs) + 2 * n_inputs) / (4 * n_inputs * task.n_labels)
        self.found, self.started = 1 + products, 1 + products + STARTING * rank / n_features
        self.resumed_at = self.iterations = 0
        self.recent: deque[float] = deque(maxlen=RECENT)
        self.bar.advance(0, self.started + FIRST_PASSES)  # from here on time is counted

    def subspace_found(self) -> None:
        """The leading directions of the features are known."""
        self.bar.advance(self.found, self.started - self.found + FIRST_PASSES)

    def iterating_from(self, iteration: int) -> None:
        """The iterations on all features begin here, or go on."""
        self.resumed_at = self.iterations = iteration
        self.bar.advance(self.started, FIRST_PASSES)

    def iterated(self, norm: float, passes: float) -> None:
        """One iteration more; where the gradient norm is, and the passes that all iterations took."""
        self.iterations += 1
        self.recent.append(norm / self.first_norm)
        left = iterations_left(self.iterations, self.recent, self.tolerance)
        each = passes / (self.iterations - self.resumed_at)
        self.bar.advance(self.started + passes, left * each, f"relative gradient {self.recent[-1]:.1e}")


def _minimum(task: ProbeTask, gradient_norm: float, report: _Report) -> tuple[NDArray[np.float32], int]:
    objective, rng, n_labels = task.objective, task.rng, task.n_labels
    rank = subspace_rank(objective.features.shape[1], n_labels)
    subspace, reduced = leading_subspace(objective.features, rank, rng)
    report.subspace_found()
    eliminated = Eliminated(objective, n_labels, subspace, reduced, rng, WITHIN * gradient_norm)
    level = np.float32(objective.l2 + uniform_curvature(n_labels) * subspace.rest)
    del subspace
    started = eliminated.passes
    state = task.resume(x=task.zero_weight.shape, within=eliminated.within.shape)
    resumed = None
    if state is not None:
        resumed = _iterate(state)
        eliminated.within = state.read_array("within")
        eliminated.outside_norm = state.read_number("outside_norm")
    report.iterating_from(resumed.iteration if resumed else 0)

    def keep(iterate: Callable[[], Iterate]) -> None:
        extra = {"within": eliminated.within, "outside_norm": eliminated.outside_norm}
        task.pause(lambda: _state(iterate()) | extra)

    with interruption.deferred():
        end = minimise(
            eliminated,
            task.zero_weight,
            lambda gradient: gradient / level,
            OUTSIDE * gradient_norm,
            MAX_ITERATIONS,
            lambda norm: report.iterated(norm, eliminated.passes - started),
            resumed,
            keep,
        )
    if not end.converged:  # the last call was a step that was not taken
        eliminated(end.x)
    return eliminated.whole(end.x), end.iterations


def _minimum_under_mask(
    task: ProbeTask, gradient_norm: float, report: _Report
) -> tuple[NDArray[np.float32], int]:
    """Weights within a subspace would not obey the mask: it serves the preconditioner only."""
    objective, rng, n_labels = task.objective, task.rng, task.n_labels
    features, labels, l2, mask = objective.features, objective.labels, objective.l2, objective.mask
    assert mask is not None
    n_inputs, n_features = features.shape
    subspace, reduced = leading_subspace(features, coupled_rank(n_features, n_labels), rng)
    report.subspace_found()
    average = uniform_curvature(n_labels) * np.diag(subspace.moments)
    precondition = subspace.masked_inverse(average, l2, mask)
    start = minimise(objective, task.zero_weight, precondition, gradient_norm, FIRST_ITERATIONS).x
    rows = np.sort(rng.choice(n_inputs, min(CURVATURE_ROWS, n_inputs), replace=False))
    rank = reduced.shape[1]
    curvature = label_curvatures(reduced[rows], features[rows] @ start.T, labels[rows], rank)
    del reduced
    precondition = subspace.masked_inverse(curvature.coupled, l2, mask)
    state = task.resume(x=start.shape)
    resumed = None if state is None else _iterate(state)
    report.iterating_from(resumed.iteration if resumed else 0)
    with interruption.deferred():
        end = minimise(
            objective,
            start,
            precondition,
            gradient_norm,
            MAX_ITERATIONS,
            lambda norm: report.iterated(norm, report.iterations + 1 - report.resumed_at),
            resumed,
            lambda iterate: task.pause(lambda: _state(iterate())),
        )
    return end.x, end.iterations


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
