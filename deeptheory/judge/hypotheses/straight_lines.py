"""Straight lines through the numbers of every seed."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def slopes(x: Floats, values: Floats) -> Floats:
    """Slope of the straight line through the values (S, M) of every seed by least squares, (S,)."""
    fitted: Floats = (values - values.mean(axis=1, keepdims=True)) @ slope_weights(x)
    return fitted


def slope_weights(x: Floats) -> Floats:
    """The slope is the sum over the values with these weights, (M,)."""
    centred = x - x.mean()
    weights: Floats = centred / (centred @ centred)
    return weights
