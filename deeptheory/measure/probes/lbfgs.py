"""Limited-memory BFGS for one large float32 array, with a preconditioner."""

import functools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Pair = tuple[Array, Array, float]  # change of x, change of the gradient, and their product
Objective = Callable[[Array], tuple[float, Array]]
Preconditioner = Callable[[Array], Array]

MEMORY = 10  # pairs kept: 20 arrays of the size of the variable
ROUNDING = 1e-7  # relative error of a loss summed from float32 terms: a rise below it is not a rise


@dataclass(frozen=True)
class Iterate:
    """State of `minimise` between two iterations: resumed from here it gives the same bits."""

    x: Array
    value: float
    gradient: Array
    iteration: int
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Minimum:
    """Where `minimise` stopped; `converged` when the gradient criterion was met."""

    x: Array
    value: float
    gradient_norm: float
    iterations: int
    converged: bool


def minimise(
    objective: Objective,
    start: Array,
    precondition: Preconditioner,
    gradient_norm: float,
    max_iterations: int,
    report: Callable[[float], None] = lambda norm: None,
    resume_from: Iterate | None = None,
    keep: Callable[[Callable[[], Iterate]], None] = lambda iterate: None,
) -> Minimum:
    """Minimise a smooth convex function with L-BFGS (Liu and Nocedal 1989).

    Parameters
    ----------
    objective : callable
        x -> (value, gradient).
    start : array
    precondition : callable
        Gradient -> approximate inverse Hessian times gradient; linear, symmetric and positive definite.
    gradient_norm : float
        Stop when the Euclidean norm of the gradient is at most this.
    max_iterations : int
    report : callable, optional
        Called with the gradient norm after each iteration.
    resume_from : Iterate, optional
        Continue from here instead of from `start`.
    keep : callable, optional
        Called after each iteration with a function that returns the `Iterate`; it may stop by an exception.

    Notes
    -----
    Steps are accepted by the Armijo rule. The minimisation stops when a line search finds no decrease: the value
    is then at the rounding level of its arithmetic, and `converged` tells whether the gradient criterion was met.
    """
    first = resume_from or Iterate(start, *objective(start), 0, ())
    x, value, gradient = first.x, first.value, first.gradient
    pairs = deque(first.pairs, maxlen=MEMORY)
    norm = float(np.linalg.norm(gradient))
    for iteration in range(first.iteration, max_iterations):
        if norm <= gradient_norm:
            return Minimum(x, value, norm, iteration, True)
        direction = -_inverse_hessian_product(gradient, pairs, precondition)
        slope = float(np.vdot(gradient, direction))
        accepted = _backtrack(objective, x, value, direction, slope)
        if accepted is None:
            return Minimum(x, value, norm, iteration, False)
        new_x, value, new_gradient = accepted
        change, bend = new_x - x, new_gradient - gradient
        curvature = float(np.vdot(change, bend))
        if curvature > 0:
            pairs.append((change, bend, curvature))
        x, gradient = new_x, new_gradient
        norm = float(np.linalg.norm(gradient))
        keep(functools.partial(Iterate, x, value, gradient, iteration + 1, tuple(pairs)))
        report(norm)
    return Minimum(x, value, norm, max_iterations, norm <= gradient_norm)


def _inverse_hessian_product(gradient: Array, pairs: deque[Pair], precondition: Preconditioner) -> Array:
    """The two-loop recursion, without newest pairs whose bend is too small for a square in single precision."""
    usable, scale = list(pairs), 1.0
    while usable:
        _, bend, curvature = usable[-1]
        square = float(np.vdot(bend, precondition(bend)))
        if square > 0:
            scale = curvature / square
            break
        usable.pop()
    work, coefficients = gradient.copy(), []
    for change, bend, curvature in reversed(usable):
        coefficient = float(np.vdot(change, work)) / curvature
        work -= np.float32(coefficient) * bend
        coefficients.append(coefficient)
    work = np.float32(scale) * precondition(work)
    for (change, bend, curvature), coefficient in zip(usable, reversed(coefficients), strict=True):
        work += np.float32(coefficient - float(np.vdot(bend, work)) / curvature) * change
    return work


def _backtrack(
    objective: Objective, x: Array, value: float, direction: Array, slope: float
) -> tuple[Array, float, Array] | None:
    """The first step along the direction that satisfies the Armijo rule, with its value and gradient."""
    step = 1.0
    while step > 1e-4:
        new_x = x + np.float32(step) * direction
        new_value, gradient = objective(new_x)
        if new_value <= value + 1e-4 * step * slope + ROUNDING * abs(value):
            return new_x, new_value, gradient
        rise = new_value - value - step * slope
        parabola = -0.5 * slope * step**2 / rise if np.isfinite(rise) else 0.0
        step = min(max(parabola, 0.1 * step), 0.5 * step)
    return None
