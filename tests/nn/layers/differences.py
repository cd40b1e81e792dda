"""Gradients by central differences, for the tests of layers."""

import numpy as np

STEP = 1e-6


def numerical_gradient(loss, array):
    """The gradient of `loss()` with respect to `array`, which the loss reads and which is left as it was."""
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + STEP
        above = loss()
        array[index] = kept - STEP
        gradient[index] = (above - loss()) / (2 * STEP)
        array[index] = kept
    return gradient
