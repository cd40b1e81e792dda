"""What a compiled kernel of convolution is asked, and what it offers: a row of the table in `convolution`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


class Geometry(NamedTuple):
    """The sizes of a convolution.

    Attributes
    ----------
    images : (N, H, W, C)
        Shape of the inputs.
    weights : (O, C/groups, kh, kw)
        Group g of the outputs reads group g of the inputs only.
    groups, stride, padding : int
        Stride and padding are the same along both axes.
    dtype : float32 or float64
    """

    images: tuple[int, int, int, int]
    weights: tuple[int, int, int, int]
    groups: int
    stride: int
    padding: int
    dtype: DTypeLike

    @property
    def outputs(self) -> tuple[int, int, int, int]:
        """(N, OH, OW, O), OH = (H + 2*padding - kh)//stride + 1 and OW likewise."""
        (n, height, width, _), (n_out, _, kh, kw) = self.images, self.weights
        border = 2 * self.padding
        return n, (height + border - kh) // self.stride + 1, (width + border - kw) // self.stride + 1, n_out

    def matches(self, size: int, stride: int, padding: int) -> bool:
        """Whether it is a convolution in one group by `size` x `size` kernels, with this stride and padding."""
        return (*self.weights[2:], *self[2:5]) == (size, size, 1, stride, padding)


def geometry(x: Array, weight: Array, stride: int, padding: int, groups: int = 1) -> Geometry:
    """The sizes of the convolution of `x` (N, H, W, C) by `weight` (O, C/groups, kh, kw)."""
    (n, height, width, n_in), (n_out, inputs, kh, kw) = x.shape, weight.shape
    sizes = (n, height, width, n_in), (n_out, inputs, kh, kw)
    return Geometry(*sizes, groups, stride, padding, x.dtype)


class CompiledKernel(NamedTuple):
    """The functions of a compiled kernel; None where it does not offer one.

    All take the `Geometry` first. Arrays are C-contiguous: `x` and its gradient `dx` (N, H, W, C), `weight` and
    its gradient `dweight` (O, C/groups, kh, kw), `out` and its gradient `dout` (N, OH, OW, O). Gradients are those
    of the loss. What a function writes is overwritten; `Scratch` is memory shared by all layers. The same number
    of threads gives the same bits.

    Attributes
    ----------
    applies : (Geometry) -> bool
        Whether the kernel can compute such a convolution.
    forward : (Geometry, x, weight, out, Scratch)
        Write the convolution into `out`.
    backward_data : (Geometry, dout, weight, dx, Scratch)
        Write the gradient of the input; a kernel that lacks it goes forward only.
    backward_weights : (Geometry, x, dout, dweight, Scratch)
        Write the gradient of the weights; likewise.
    applies_backward : (Geometry) -> bool, optional
        The condition of `backward_data`, where it is another one than `applies`.
    forward_with_bias : (Geometry, x, weight, bias, out, Scratch)
        `forward`, and the bias (O,) added.
    backward_with_bias : (Geometry, x, dout, weight, dweight, dbias, dx or None, Scratch) -> bool
        All gradients in one pass, that of a bias (O,) among them; False, and nothing done, where it cannot.
    forward_with_sums : (Geometry, x, weight, out, Scratch) -> float64 array (2, O) or None
        `forward`, and the sums of the outputs and of their squares for each channel; None, and nothing done, where
        it cannot.
    forward_with_epilogue : (Geometry, x, weight, Epilogue, out, Scratch) -> bool
        Write what `fused_norm.forward` makes of the convolution into `out`; False, and nothing done, where it
        cannot.
    joins_norm : (Geometry, size, input_gradient) -> bool
        Whether `backward_through_norm` can be used: `size` is 2 with 2 x 2 pooling, else 1; `input_gradient` says
        whether `dx` is needed.
    backward_through_norm : (Geometry, x, dout, weight, Normed, size, dweight, dx or None, Scratch)
        Both gradients, given that of what batch norm, activation and pooling make of the output.
    """

    applies: Callable[[Geometry], bool]
    forward: Callable[..., None]
    backward_data: Callable[..., None] | None = None
    backward_weights: Callable[..., None] | None = None
    applies_backward: Callable[[Geometry], bool] | None = None
    forward_with_bias: Callable[..., None] | None = None
    backward_with_bias: Callable[..., bool] | None = None
    forward_with_sums: Callable[..., NDArray[np.float64] | None] | None = None
    forward_with_epilogue: Callable[..., bool] | None = None
    joins_norm: Callable[[Geometry, int, bool], bool] | None = None
    backward_through_norm: Callable[..., None] | None = None
