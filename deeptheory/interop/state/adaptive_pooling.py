"""PyTorch's adaptive average pooling to 7 x 7 positions before a linear layer, as a part of that layer."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.nn.layers.base import Array

POOLED = 7  # positions along an axis that torchvision's VGG pools to
CLOSE = 1e-5  # largest difference of weights that go back, relative to the largest


def shares(positions: int) -> NDArray[np.float32]:
    """The share of every position in each of the 7 means: (7, positions), each row with the sum 1."""
    found = np.zeros((POOLED, positions), np.float32)
    for row, mean in enumerate(found):
        first, end = row * positions // POOLED, -(-(row + 1) * positions // POOLED)
        mean[first:end] = 1 / (end - first)
    return found


def folded(weight: Array, positions: tuple[int, int]) -> Array:
    """The weight (n_out, C*h*w) on unpooled features that gives the outputs of `weight` (n_out, C*7*7)."""
    grid = weight.reshape(len(weight), -1, POOLED, POOLED)
    return _applied(grid, shares(positions[0]), shares(positions[1])).reshape(len(weight), -1)


def unfolded(name: str, array: Array, positions: tuple[int, int]) -> Array:
    """A weight that `folded` turns into this one: the shortest; a mask that is one for all positions of a filter.

    Raises
    ------
    InputError
        There is none: more than 7 positions have been trained apart, or masked apart.
    """
    grid = array.reshape(len(array), -1, *positions)
    if array.dtype == np.bool_:
        first = grid[:, :, :1, :1]
        if (grid != first).any():
            expected, found = "one mask for all positions of a filter", "masks of single weights"
            raise InputError(f"mask of '{name}'", expected, found, "export with --to torch")
        return np.repeat(first.reshape(len(array), -1), POOLED**2, axis=1)
    inverse = [np.linalg.pinv(shares(axis).astype(np.float64)).astype(np.float32) for axis in positions]
    back = _applied(grid, *inverse).reshape(len(array), -1)
    if np.abs(folded(back, positions) - array).max() > CLOSE * np.abs(array).max():
        expected = f"weights that adaptive pooling to {POOLED} x {POOLED} positions can have"
        found = f"others, trained at {positions[0]} x {positions[1]} positions"
        raise InputError(f"'{name}'", expected, found, "export with --to torch")
    return back


def _applied(grid: Array, rows: Array, columns: Array) -> Array:
    """sum_pq grid[n, c, p, q] rows[p, y] columns[q, z]."""
    found: Array = np.tensordot(np.tensordot(grid, rows, axes=(2, 0)), columns, axes=(2, 0))
    return found
