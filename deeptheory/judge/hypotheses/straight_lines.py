"""Straight lines through the numbers of every seed."""

import numpy as np


def slopes(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Slope of the straight line through the values of every seed by least squares, (S,)."""
    centred = x - x.mean()
    return (values - values.mean(axis=1, keepdims=True)) @ centred / (centred @ centred)
