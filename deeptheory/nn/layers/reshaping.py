"""Layers without parameters that act on single values: Flatten and ReLU."""

import math

import numpy as np

from deeptheory.nn import kernels
from deeptheory.nn.layers.base import Array, Layer, Shape


class Flatten(Layer):
    """`(N, H, W, C)` -> `(N, C*H*W)`, filter by filter: a row of the next weight reshapes to (C, H*W)."""

    def output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.shape = x.shape
        if x.ndim == 2:
            x = x[:, None, None]
        n, height, width, channels = x.shape
        out = self.scratch.array("out", (n, channels, height, width), x.dtype)
        np.copyto(out, x.transpose(0, 3, 1, 2))
        return out.reshape(n, -1)

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        if len(self.shape) == 2 or not input_gradient:
            return dout
        n, height, width, channels = self.shape
        dx = self.scratch.array("dx", self.shape, dout.dtype)
        np.copyto(dx, dout.reshape(n, channels, height, width).transpose(0, 2, 3, 1))
        return dx


class ReLU(Layer):
    """max(x, 0); it overwrites its input."""

    in_place = True

    def forward(self, x: Array, training: bool = False) -> Array:
        kernels.relu_forward(x.reshape(-1))
        self.out = x
        return x

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        kernels.relu_backward(dout.reshape(-1), self.out.reshape(-1))
        return dout
