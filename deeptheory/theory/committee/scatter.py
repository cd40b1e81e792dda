"""Fluctuations of the order parameters of one network of N inputs about the learning curve."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from deeptheory.theory.committee.deletion import checked_units
from deeptheory.theory.committee.learning import (
    LearningCurve,
    checked_alpha,
    checked_rate,
    learning_curve,
    packed,
    rates,
    unpacked,
)
from deeptheory.theory.committee.order_parameters import (
    OrderParameters,
    error_with_signs,
    joint_covariance,
    output_signs,
)

_STEP = 0.1  # of alpha, at most
_DIFFERENCE = 1e-5  # of order parameters, for slopes


@dataclass(frozen=True, eq=False)
class LearningScatter:
    """A learning curve and the covariance of the deviations from it, times N.

    Parameters
    ----------
    curve : LearningCurve
        Order parameters at n times.
    covariance : float64 array (n, P, P)
        Of one triangle of Q and all of R, P = K (K + 1) / 2 + K M numbers, times N.
    """

    curve: LearningCurve
    covariance: NDArray[np.float64]

    @property
    def generalisation_error(self) -> NDArray[np.float64]:
        """Root of N times the standard deviation of the generalisation error, (n,)."""
        return self.without(())

    def without(self, units: Iterable[int]) -> NDArray[np.float64]:
        """The same immediately after student units are deleted.

        Raises
        ------
        ValueError
            As `delete_units`.
        """
        K, M = self.curve.R.shape[1:]
        signs = output_signs(K, M)
        signs[checked_units(K, units)] = 0.0

        def error(states: NDArray[np.float64]) -> NDArray[np.float64]:
            return error_with_signs(joint_covariance(*unpacked(states, K, M), self.curve.T), signs)[..., None]

        gradients = np.array([_slopes(error, state)[0] for state in packed(self.curve.Q, self.curve.R)])
        variance: NDArray[np.float64] = np.einsum("ta,tab,tb->t", gradients, self.covariance, gradients)
        return np.sqrt(variance)


def learning_scatter(
    start: OrderParameters,
    learning_rate: float,
    alpha: ArrayLike,
    rng: np.random.Generator,
    n_draws: int = 20_000,
) -> LearningScatter:
    r"""Scatter of one network of N inputs about its `learning_curve`, to first order in N^(-1/2).

    The order parameters x = (Q, R) change by :math:`f(x, \xi) / N` per input. With their rates F = <f> and
    :math:`D = \mathrm{Cov} f` on the curve, deviations :math:`N^{-1/2} y` have :math:`\Sigma = \langle y y^T
    \rangle` with

    .. math:: \frac{d\Sigma}{d\alpha} = A \Sigma + \Sigma A^T + D, \qquad A = \frac{\partial F}{\partial x},
              \qquad N\,\mathrm{Var}\,\epsilon_g = (\nabla \epsilon_g)^T \Sigma\, \nabla \epsilon_g

    and :math:`\Sigma = 0` at the start. Status: first order in N^(-1/2), a model at finite N.
    Source: expansion in the system size (van Kampen, "Stochastic Processes in Physics and Chemistry", 1981);
    applied to committees by us.

    Parameters
    ----------
    start : OrderParameters
        The overlaps from which every network starts.
    learning_rate : float
        eta > 0.
    alpha : array_like (n,)
        Times from 0 on, increasing.
    rng : numpy.random.Generator
        Draws the fields over which D is averaged, the same at every time.
    n_draws : int
        Number of draws, at least 2; 20,000 leave a relative error of about 1 %.

    Returns
    -------
    LearningScatter
        To be multiplied by N^(-1/2). It does NOT say how far the mean of many networks is from the curve, which is
        of order 1/N. At the end of a plateau, after a symmetric start, deviations exceed the first order.

    Raises
    ------
    ValueError
        As `learning_curve`, or if n_draws is below 2.
    """
    eta, times = checked_rate(learning_rate), checked_alpha(alpha)
    if n_draws < 2:
        raise ValueError(f"n_draws must be at least 2, found {n_draws}")
    K, M = start.R.shape
    normal = rng.standard_normal((K + M, n_draws))

    def flow(states: NDArray[np.float64]) -> NDArray[np.float64]:
        return packed(*rates(joint_covariance(*unpacked(states, K, M), start.T), K, eta))

    ends = np.unique(np.append(0.0, times))
    pieces = [np.linspace(a, b, ceil((b - a) / _STEP) + 1)[1:] for a, b in pairwise(ends)]
    grid = np.concatenate([[0.0], *pieces])
    curve = learning_curve(start, eta, np.append(0.0, (grid[1:] + grid[:-1]) / 2))
    covariance = np.zeros((len(grid), *(K * (K + 1) // 2 + K * M,) * 2))
    for number, step in enumerate(np.diff(grid), 1):
        middle = curve.at(number)
        half = scipy.linalg.expm(step / 2 * _slopes(flow, packed(middle.Q, middle.R)))
        noise = step * _step_covariance(middle.covariance, K, eta, normal)
        covariance[number] = half @ (half @ covariance[number - 1] @ half.T + noise) @ half.T
    return LearningScatter(learning_curve(start, eta, times), covariance[np.searchsorted(grid, times)])


def _slopes(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]], state: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Derivatives (m, P) of a function (..., P) -> (..., m), by central differences."""
    change = _DIFFERENCE * np.eye(len(state))
    return (function(state + change) - function(state - change)).T / (2 * _DIFFERENCE)


def _step_covariance(
    covariance: NDArray[np.float64], K: int, eta: float, normal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Covariance (P, P) of N times the change of the order parameters by one input, over draws (K + M, n)."""
    variance, direction = np.linalg.eigh(covariance)
    fields = ((direction * np.sqrt(np.maximum(variance, 0.0))) @ normal).T
    students, teachers = fields[:, :K], fields[:, K:]
    difference = erf(fields / np.sqrt(2)) @ output_signs(K, fields.shape[1] - K)
    steps = eta * np.sqrt(2 / np.pi) * np.exp(-(students**2) / 2) * difference[:, None]
    crossed = steps[:, :, None] * students[:, None, :]
    # The squared length of an input is set to N: its scatter is of higher order.
    changes_q = crossed + np.swapaxes(crossed, 1, 2) + steps[:, :, None] * steps[:, None, :]
    return np.cov(packed(changes_q, steps[:, :, None] * teachers[:, None, :]), rowvar=False)
