"""On-line learning of the weights of a soft committee machine, whose averages `theory.committee` gives."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deeptheory.system import threadpools
from deeptheory.system.compiled import njit
from deeptheory.theory.committee.learning import LearningCurve, checked_alpha, checked_rate
from deeptheory.theory.committee.order_parameters import OrderParameters, overlaps

_BLOCK = 1 << 18  # numbers drawn at a time: 2 MiB, which stay in the second-level cache until they are used


def draw_weights(
    parameters: OrderParameters, n_inputs: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Random weight vectors with exactly the given overlaps, in random directions.

    Parameters
    ----------
    parameters : OrderParameters
        Of K student and M teacher units.
    n_inputs : int
        N, at least K + M.
    rng : numpy.random.Generator

    Returns
    -------
    (float64 array (K, N), float64 array (M, N))
        Student and teacher. All seeds start at the same order parameters, so one theoretical curve holds for all
        of them; independent random vectors would scatter by N^(-1/2).

    Raises
    ------
    ValueError
        If n_inputs is below K + M.
    """
    K, M = parameters.R.shape
    if n_inputs < K + M:
        raise ValueError(f"n_inputs must be at least {K + M} (student and teacher units), found {n_inputs}")
    variance, direction = np.linalg.eigh(parameters.covariance)
    root = direction * np.sqrt(np.maximum(variance, 0.0))
    frame, _ = np.linalg.qr(rng.standard_normal((n_inputs, K + M)))
    weights = root @ frame.T
    return weights[:K].copy(), weights[K:].copy()


def learn(
    student: NDArray[np.float64],
    teacher: NDArray[np.float64],
    learning_rate: float,
    alpha: ArrayLike,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], LearningCurve]:
    r"""Gradient descent on one new Gaussian input per step, in float64, on one thread.

    .. math:: J_i \to J_i + \frac\eta N\, g'(x_i) (\tau - \sigma)\, \xi, \qquad x_i = J_i \cdot \xi

    with sigma and tau the outputs of student and teacher and g(x) = erf(x / sqrt 2).

    Parameters
    ----------
    student : float64 array (K, N)
        It is not changed. To remove units before further learning: ``numpy.delete(student, units, axis=0)``.
    teacher : float64 array (M, N)
    learning_rate : float
        eta > 0.
    alpha : array_like (n,)
        Times, steps / N counted from this call, at which order parameters are recorded; each is rounded to
        a whole step.
    rng : numpy.random.Generator
        Draws the inputs: the same state gives the same bits.

    Returns
    -------
    (float64 array (K, N), LearningCurve)
        The student at the last time, and the order parameters of these weights at every time. The generalisation
        error of the curve is the exact average over inputs for these weights, not a test error.

    Raises
    ------
    ValueError
        If shapes do not fit, or as `theory.committee.learning_curve` raises it.
    """
    if student.ndim != 2 or teacher.ndim != 2 or student.shape[1] != teacher.shape[1]:
        raise ValueError(
            f"student must be (K, N) and teacher (M, N), found {student.shape} and {teacher.shape}"
        )
    eta, times = checked_rate(learning_rate), checked_alpha(alpha)
    K, N = student.shape
    steps = np.rint(times * N).astype(np.int64)
    weights = np.concatenate([student, teacher]).astype(np.float64)
    inputs = np.empty((max(_BLOCK // N, 1), N))
    recorded, done = [], 0
    with threadpools.kernel_threads():
        for step in steps:
            while done < step:
                block = inputs[: min(step - done, len(inputs))]
                rng.standard_normal(out=block)
                _steps(weights, K, block, eta / N)
                done += len(block)
            recorded.append(overlaps(weights[:K], weights[K:]))
    Q, R = np.stack([state.Q for state in recorded]), np.stack([state.R for state in recorded])
    curve = LearningCurve(steps / N, Q, R, recorded[-1].T)
    return weights[:K].copy(), curve


@njit()
def _steps(weights: NDArray[np.float64], K: int, inputs: NDArray[np.float64], rate: float) -> None:
    """One step per input (B, N); `weights` (K + M, N), students first, are changed in place."""
    L, N = weights.shape
    fields = np.empty(L)
    for number in range(len(inputs)):
        xi = inputs[number]
        difference = 0.0
        for a in range(L):
            fields[a] = np.dot(weights[a], xi)
            output = math.erf(fields[a] / math.sqrt(2.0))
            difference += -output if a < K else output
        for i in range(K):
            slope = math.sqrt(2.0 / math.pi) * math.exp(-(fields[i] ** 2) / 2.0)
            step = rate * slope * difference
            for d in range(N):
                weights[i, d] += step * xi[d]
