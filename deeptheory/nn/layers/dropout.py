"""Dropout."""

import numpy as np

from deeptheory.nn.layers.base import Array, Shape
from deeptheory.nn.layers.residual import StochasticDepth


class Dropout(StochasticDepth):
    """In training, sets each number to zero with probability p, and divides the others by 1 - p.

    It overwrites its input. The draws follow from seed and counter as in `StochasticDepth`. (Srivastava et al.,
    "Dropout: a simple way to prevent neural networks from overfitting".)
    """

    def _draws(self, rng: np.random.Generator, n_inputs: int, shape: Shape) -> Array:
        return rng.random((n_inputs, *shape), np.float32)
