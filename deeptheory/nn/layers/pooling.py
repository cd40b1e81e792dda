"""Pooling over square windows and over all positions."""

import numpy as np

from deeptheory.nn import kernels
from deeptheory.nn.kernels import channel_gates
from deeptheory.nn.layer_checks import check_padding
from deeptheory.nn.layers.base import Array, Layer, Shape, check_shape, convolved_shape


class Pool2d(Layer):
    """Square windows of `size` x `size` positions; `stride` is `size` by default."""

    padding = 0
    ceil_mode = False

    def __init__(self, size: int, stride: int | None = None) -> None:
        super().__init__()
        self.size, self.stride = size, stride or size

    def output_shape(self, input_shape: Shape) -> Shape:
        channels, size = input_shape[-1], (self.size, self.size)
        if not self.ceil_mode:
            return convolved_shape(input_shape, size, "C", channels, self.stride, self.padding)
        begun = self.size - self.stride + 1, self.size - self.stride + 1  # the least part of a window
        shape = convolved_shape(input_shape, begun, "C", channels, self.stride, self.padding)
        height, width = (
            n - ((n - 1) * self.stride >= axis + self.padding)  # a window that would begin beyond the image
            for n, axis in zip(shape, input_shape[:2], strict=False)
        )
        return height, width, channels

    def _out(self, x: Array) -> Array:
        self.shape = x.shape
        return self.scratch.array("out", self.shape_for(x), x.dtype)


class MaxPool2d(Pool2d):
    """Maximum of each window; among equal values the first gets the gradient.

    Parameters
    ----------
    padding : int
        How far windows reach beyond the image on every side, at most half of `size`; nothing there is a maximum.
    ceil_mode : bool
        Whether a last window counts that only begins in the image or its upper padding, as PyTorch has it.
    """

    def __init__(
        self, size: int, stride: int | None = None, padding: int = 0, ceil_mode: bool = False
    ) -> None:
        super().__init__(size, stride)
        self.padding, self.ceil_mode = padding, ceil_mode
        check_padding("MaxPool2d", padding, size)

    def forward(self, x: Array, training: bool = False) -> Array:
        out = self._out(x)
        self.winner = self.scratch.array("winner", out.shape, np.min_scalar_type(self.size**2 - 1))
        kernels.max_pool_forward(x, self.size, self.stride, self.padding, out, self.winner)
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        dx = self.gradient_memory(dout, self.shape)
        kernels.max_pool_backward(dout, self.winner, self.size, self.stride, self.padding, dx)
        return dx


class AvgPool2d(Pool2d):
    """Mean of each window."""

    def forward(self, x: Array, training: bool = False) -> Array:
        out = self._out(x)
        kernels.average_pool_forward(x, self.size, self.stride, out)
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        dx = self.gradient_memory(dout, self.shape)
        kernels.average_pool_backward(dout, self.size, self.stride, dx)
        return dx


class GlobalAveragePool(Layer):
    """Mean over all positions, `(N, H, W, C)` -> `(N, C)`."""

    def output_shape(self, input_shape: Shape) -> Shape:
        check_shape(input_shape, "H", "W", "C")
        return (input_shape[-1],)

    def forward(self, x: Array, training: bool = False) -> Array:
        self.shape = x.shape
        out = self.scratch.array("out", self.shape_for(x), x.dtype)
        channel_gates.position_means(x.reshape(len(x), -1, x.shape[-1]), out)
        return out

    def backward(self, dout: Array, input_gradient: bool = True) -> Array | None:
        dx = self.gradient_memory(dout, self.shape)
        np.divide(dout[:, None, None], self.shape[1] * self.shape[2], out=dx)
        return dx
