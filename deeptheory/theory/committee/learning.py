"""On-line learning of a soft committee machine as differential equations of its order parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from deeptheory.theory.committee.averages import gradient_means, squared_gradient_means
from deeptheory.theory.committee.order_parameters import (
    OrderParameters,
    error_with_signs,
    joint_covariance,
    output_signs,
)

# A symmetric plateau multiplies small differences by orders of magnitude, and at the end the error is
# a small difference of large overlaps.
_RELATIVE, _ABSOLUTE = 1e-11, 1e-13
# Rates of this size, relative to the state: so near to a stable fixed point the equations are linear, where an
# explicit integration would go on in steps of order 1.
_NEARLY_AT_REST = 1e-9
_LARGEST_GROWTH = 0.01  # of a deviation until the last time, for a fixed point to count as stable
_DIFFERENCE = 1e-6


Flow = Callable[[float, NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Order parameters and generalisation error at n times.

    Parameters
    ----------
    alpha : float64 array (n,)
        Inputs seen per input dimension, steps / N.
    Q : float64 array (n, K, K)
    R : float64 array (n, K, M)
    T : float64 array (M, M)
        As in `OrderParameters`; the teacher does not change.
    """

    alpha: NDArray[np.float64]
    Q: NDArray[np.float64]
    R: NDArray[np.float64]
    T: NDArray[np.float64]

    @property
    def generalisation_error(self) -> NDArray[np.float64]:
        """`generalisation_error` at every time, (n,)."""
        return error_with_signs(joint_covariance(self.Q, self.R, self.T), output_signs(*self.R.shape[1:]))

    def at(self, index: int) -> OrderParameters:
        """Order parameters at ``alpha[index]``."""
        return OrderParameters(self.Q[index], self.R[index], self.T)


def order_parameter_rates(
    parameters: OrderParameters, learning_rate: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Change of Q and R per unit of alpha under gradient descent on one new input per step.

    The step is :math:`J_i \to J_i + (\eta / N)\, g'(x_i) (\tau - \sigma)\, \xi`, with x_i the student's
    fields, sigma its output and tau the teacher's.

    .. math:: \frac{dR_{in}}{d\alpha} = \eta \Bigl[\sum_m I_3(i, n, m) - \sum_j I_3(i, n, j)\Bigr]

    .. math:: \frac{dQ_{ik}}{d\alpha} = \eta \Bigl[\sum_m I_3(i, k, m) - \sum_j I_3(i, k, j)
              + (i \leftrightarrow k)\Bigr] + \eta^2 \Bigl[\sum_{nm} I_4(i, k, n, m)
              + \sum_{jl} I_4(i, k, j, l) - 2 \sum_{jn} I_4(i, k, j, n)\Bigr]

    with i, j, k, l students and n, m teachers. Status: exact as N to infinity. Source: Saad and Solla, Phys.
    Rev. Lett. 74, 4337 and Phys. Rev. E 52, 4225 (1995).

    Parameters
    ----------
    parameters : OrderParameters
    learning_rate : float
        eta > 0.

    Returns
    -------
    (float64 array (K, K), float64 array (K, M))
        dQ/dalpha and dR/dalpha: averages, about which a single network of N inputs scatters.

    Raises
    ------
    ValueError
        If the learning rate is not within (0, inf).
    """
    return rates(parameters.covariance, parameters.n_students, checked_rate(learning_rate))


def learning_curve(start: OrderParameters, learning_rate: float, alpha: ArrayLike) -> LearningCurve:
    """Order parameters along on-line learning: `order_parameter_rates` integrated from `start` at alpha = 0.

    Integrated until it is within 1e-9 of a stable fixed point, from there on linearised about it.

    Status: exact as N to infinity; at finite N the order parameters scatter by the order of N^(-1/2), and the end
    of a plateau depends on this scatter unless `start` has a definite asymmetry. Source: Saad and Solla (1995).

    Parameters
    ----------
    start : OrderParameters
        For a comparison with one network: its own overlaps at the start, not their averages.
    learning_rate : float
        eta > 0.
    alpha : array_like (n,)
        Times at which the curve is wanted, from 0 on, increasing.

    Returns
    -------
    LearningCurve

    Raises
    ------
    ValueError
        If the learning rate is not within (0, inf), or alpha is empty, negative, not increasing or not finite.
    ArithmeticError
        If the integration fails.
    """
    eta = checked_rate(learning_rate)
    times = checked_alpha(alpha)
    K, M = start.R.shape

    def flow(_: float, state: NDArray[np.float64]) -> NDArray[np.float64]:
        Q, R = unpacked(state, K, M)
        return packed(*rates(joint_covariance(Q, R, start.T), K, eta))

    return LearningCurve(times, *unpacked(_integrated(flow, packed(start.Q, start.R), times), K, M), start.T)


def _integrated(flow: Flow, start: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """States (n, P) at the times, from `start` at 0."""

    def moving(alpha: float, state: NDArray[np.float64]) -> float:
        return float(np.abs(flow(alpha, state)).max() - _NEARLY_AT_REST * (1 + np.abs(state).max()))

    moving.terminal = True  # type: ignore[attr-defined]  # solve_ivp ends there
    begun, state, states = 0.0, start, [np.empty((0, len(start)))]
    at_rest = moving(begun, state) <= 0
    while len(left := times[times >= begun]):
        if at_rest and (linear := _linearised(flow, state, left - begun)) is not None:
            return np.concatenate([*states, linear])
        solution = scipy.integrate.solve_ivp(
            flow,
            (
                begun,
                left[-1] if left[-1] > begun else begun + 1,
            ),  # nothing is returned for a span of length 0
            state,
            method="DOP853",
            t_eval=left,
            events=None if at_rest else moving,  # from a fixed point that is not stable to the end
            rtol=_RELATIVE,
            atol=_ABSOLUTE,
        )
        if not solution.success:
            raise ArithmeticError(f"learning curve: {solution.message}")
        states.append(np.asarray(solution.y).T.reshape(-1, len(start)))
        if solution.status == 0:
            break
        at_rest = True
        state, begun = solution.y_events[0][-1], np.nextafter(solution.t_events[0][-1], np.inf)
    return np.concatenate(states)


def _linearised(
    flow: Flow, state: NDArray[np.float64], times: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """States (n, P) at times from now near a stable fixed point; None if deviations from it grow."""
    steps = _DIFFERENCE * np.eye(len(state))
    columns = [(flow(0.0, state + step) - flow(0.0, state - step)) / (2 * _DIFFERENCE) for step in steps]
    jacobian = np.stack(columns, axis=1)
    if np.linalg.eigvals(jacobian).real.max() * times[-1] > _LARGEST_GROWTH:
        return None
    rates_now = flow(0.0, state)[:, None]
    homogeneous = np.block([[jacobian, rates_now], [np.zeros((1, len(state) + 1))]])
    return np.stack([state + scipy.linalg.expm(time * homogeneous)[:-1, -1] for time in times])


def packed(Q: NDArray[np.float64], R: NDArray[np.float64]) -> NDArray[np.float64]:
    """One triangle of Q (..., K, K) and all of R (..., K, M) as one state (..., P)."""
    K = Q.shape[-1]
    return np.concatenate([Q[(..., *np.triu_indices(K))], R.reshape(*R.shape[:-2], -1)], axis=-1)


def unpacked(state: NDArray[np.float64], K: int, M: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Q (..., K, K) and R (..., K, M) of a state (..., P): the inverse of `packed`."""
    rows, columns = np.triu_indices(K)
    Q = np.empty((*state.shape[:-1], K, K))
    Q[..., rows, columns] = Q[..., columns, rows] = state[..., : len(rows)]
    return Q, state[..., len(rows) :].reshape(*state.shape[:-1], K, M)


def checked_alpha(alpha: ArrayLike) -> NDArray[np.float64]:
    """`alpha` as a float64 array (n,) after checking that it is a list of times."""
    times = np.asarray(alpha, dtype=np.float64)
    valid = times.ndim == 1 and times.size and np.all(np.isfinite(times))
    if not valid or times[0] < 0 or np.any(np.diff(times) <= 0):
        raise ValueError(f"alpha must be times (n,) within [0, inf), increasing, found {times}")
    return times


def checked_rate(learning_rate: float) -> float:
    """`learning_rate` after checking that it is positive and finite."""
    if not 0 < learning_rate < np.inf:
        raise ValueError(f"learning_rate must be within (0, inf), found {learning_rate}")
    return learning_rate


def rates(
    covariance: NDArray[np.float64], K: int, eta: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`order_parameter_rates` without checks, of any stack of covariances (..., L, L)."""
    L = covariance.shape[-1]
    signs = output_signs(K, L - K)
    # <delta_i field_a>, (..., K, L)
    linear = eta * gradient_means(_sub_covariances(covariance, K, L, L)) @ signs
    quadratic = squared_gradient_means(_sub_covariances(covariance, K, K, L, L)) @ signs @ signs
    students = linear[..., :K]
    return students + np.swapaxes(students, -1, -2) + eta**2 * quadratic, linear[..., K:]


def _sub_covariances(covariance: NDArray[np.float64], *sizes: int) -> NDArray[np.float64]:
    """Covariances of all tuples of fields, the r-th of the first ``sizes[r]``: (..., *sizes, n, n) for n sizes."""
    fields = _tuples(sizes)
    return covariance[..., fields[..., :, None], fields[..., None, :]]


@cache
def _tuples(sizes: tuple[int, ...]) -> NDArray[np.int64]:
    return np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1)
