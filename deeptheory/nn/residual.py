"""What residual blocks are made of besides convolutions."""

from typing import Any

import numpy as np

from deeptheory.errors import InputError
from deeptheory.nn.layer import Array, Layer, Shape


class Sum(Layer):
    """Sum of several outputs of the same shape (He et al., "Deep residual learning")."""

    joins = True

    def output_shape(self, input_shape: Any) -> Shape:
        if len(set(input_shape)) != 1:
            raise InputError("inputs", "the same shape", " and ".join(map(str, input_shape)))
        return input_shape[0]

    def forward(self, x: Any, training: bool = False) -> Array:
        out = self.scratch.array("out", x[0].shape, x[0].dtype)
        np.copyto(out, x[0])
        for term in x[1:]:
            out += term
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        return dout
