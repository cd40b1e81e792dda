"""The step of Adam and AdamW."""

from typing import NamedTuple

import numpy as np

from deeptheory.nn.kernels.elementwise import SHARE
from deeptheory.system.compiled import njit, prange


class AdamStep(NamedTuple):
    """The numbers of one step, each of the dtype of the weights.

    Attributes
    ----------
    rate : float
        Learning rate, over 1 - beta1**t of the correction of the bias.
    root : float
        1/sqrt(1 - beta2**t), the correction of the root of the mean square.
    epsilon : float
        Added to the corrected root.
    keep, gain : float
        beta1 and 1 - beta1.
    keep_square, gain_square : float
        beta2 and 1 - beta2.
    l2 : float
        Added to the gradient, times the weight.
    shrink : float
        Factor on the weight before the step: 1 - rate*decay for AdamW, else 1.
    """

    rate: float
    root: float
    epsilon: float
    keep: float
    gain: float
    keep_square: float
    gain_square: float
    l2: float
    shrink: float


@njit(parallel=True)
def adam_by_threads(weight, gradient, velocity, mean_square, step):
    """`adam`, shared among the threads."""
    n = (weight.size + SHARE - 1) // SHARE
    for part in prange(n):
        share = slice(part * SHARE, min((part + 1) * SHARE, weight.size))
        adam(weight[share], gradient[share], velocity[share], mean_square[share], step)


@njit(error_model="numpy")  # a check of every division for zero would keep the loop from vectors
def adam(weight, gradient, velocity, mean_square, step):
    """One step of Adam on flat arrays, in place (Kingma & Ba, "Adam: a method for stochastic optimization").

    g = gradient + l2*weight;  velocity = beta1*velocity + (1 - beta1)*g;
    mean_square = beta2*mean_square + (1 - beta2)*g**2;
    weight = shrink*weight - rate*velocity/(sqrt(mean_square)*root + epsilon).
    """
    for i in range(weight.size):
        g = gradient[i] + step.l2 * weight[i]
        velocity[i] = step.keep * velocity[i] + step.gain * g
        mean_square[i] = step.keep_square * mean_square[i] + step.gain_square * g * g
        denominator = np.sqrt(mean_square[i]) * step.root + step.epsilon
        weight[i] = step.shrink * weight[i] - step.rate * velocity[i] / denominator
