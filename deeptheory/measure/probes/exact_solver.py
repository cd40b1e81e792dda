"""The exact probe: the minimum of a convex function, by preconditioned L-BFGS."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.measure.probes.crossentropy import CrossEntropy
from deeptheory.measure.probes.curvature import (
    Subspace,
    label_curvatures,
    leading_subspace,
    uniform_curvature,
)
from deeptheory.measure.probes.lbfgs import Iterate, Minimum, minimise
from deeptheory.measure.probes.task import ProbeFit, ProbeTask
from deeptheory.store.typed_readers import StoredTree
from deeptheory.system import interruption, threadpools
from deeptheory.system.progress import Progress

MAX_ITERATIONS = 300
FIRST_ITERATIONS = 12  # with the curvature at zero weights; then that of each output unit is worth measuring
PAIR = ("change", "bend", "curvature")  # names of a `Pair` of L-BFGS in a checkpoint
CURVATURE_ROWS = 2048  # inputs over which the curvature of the output units is averaged


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
        return ProbeFit(weight, value, 0, True, 0.0)
    with Progress(task.title, 100, "%", task.quiet) as progress:

        def report(norm: float) -> None:
            reached = math.log(max(norm, 1e-30) / first_norm) / math.log(tolerance)
            progress.advance(
                int(100 * min(max(reached, 0.0), 1.0)), f"relative gradient {norm / first_norm:.1e}"
            )

        end = _minimum(task, tolerance * first_norm, report)
    return ProbeFit(end.x, end.value, end.iterations, end.converged, end.gradient_norm / first_norm)


def _minimum(task: ProbeTask, gradient_norm: float, report: Callable[[float], None]) -> Minimum:
    objective, rng, n_labels = task.objective, task.rng, task.n_labels
    features, labels, l2, mask = objective.features, objective.labels, objective.l2, objective.mask
    subspace = leading_subspace(features, rng)
    basis = subspace.basis.astype(np.float32)
    rows = np.sort(rng.choice(len(labels), min(CURVATURE_ROWS, len(labels)), replace=False))
    if mask is None:
        reduced = features @ basis
        start = _minimum_within(subspace, reduced, objective, n_labels, gradient_norm, rows) @ basis.T
        reduced = reduced[rows]
    else:  # weights within the subspace would not obey the mask
        average = uniform_curvature(n_labels) * np.diag(subspace.moments)
        precondition = subspace.preconditioner(average, n_labels, l2, mask)
        start = np.zeros((n_labels, len(basis)), np.float32)
        start = minimise(objective, start, precondition, gradient_norm, FIRST_ITERATIONS, report).x
        reduced = features[rows] @ basis
    curvatures = label_curvatures(reduced, features[rows] @ start.T, labels[rows])
    precondition = subspace.preconditioner(curvatures, n_labels, l2, mask)
    state = task.resume("x")
    with interruption.deferred():
        return minimise(
            objective,
            start,
            precondition,
            gradient_norm,
            MAX_ITERATIONS,
            report,
            None if state is None else _iterate(state),
            lambda iterate: task.pause(lambda: _state(iterate())),
        )


def _minimum_within(
    subspace: Subspace,
    reduced: NDArray[np.float32],
    full: CrossEntropy,
    n_labels: int,
    gradient_norm: float,
    rows: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Minimum (K, r) over weights within the subspace, where an iteration costs little."""
    objective, moments = CrossEntropy(reduced, full.labels, full.l2), subspace.moments
    inverse = (1 / (uniform_curvature(n_labels) * moments + full.l2)).astype(np.float32)
    start = np.zeros((n_labels, len(moments)), np.float32)
    first = minimise(objective, start, lambda g: inverse * g, gradient_norm, FIRST_ITERATIONS)
    blocks = label_curvatures(reduced[rows], reduced[rows] @ first.x.T, full.labels[rows])
    with threadpools.kernel_threads():  # many small matrices
        inverses = np.linalg.inv(blocks + np.float32(full.l2) * np.eye(len(moments), dtype=np.float32))

    def precondition(gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        product: NDArray[np.float32] = np.matmul(inverses, gradient[:, :, None])
        return product[:, :, 0]

    return minimise(objective, first.x, precondition, gradient_norm, MAX_ITERATIONS).x


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
