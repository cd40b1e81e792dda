"""Convolution (cross-correlation) with zero padding, by the kernels that are fastest for its shape.

`patches` takes any shape and dtype, `small` 3 x 3 convolutions of images of 2 x 2 and less, `winograd` the 3 x 3
convolutions that make up the networks of this field, `pointwise` the 1 x 1 convolutions, `implicit` float32
kernels of any size and stride.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import fused, implicit, patches, pointwise, small, winograd
from deeptheory.nn.kernels.rows import PLAIN
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vector import LANES


def conv2d_forward(
    x: NDArray[Any], weight: NDArray[Any], stride: int, padding: int, out: NDArray[Any], scratch: Scratch
) -> None:
    """Write the convolution of `x` and `weight` into `out`.

    Parameters
    ----------
    x : array (N, H, W, C)
    weight : array (O, C, kh, kw)
    stride, padding : int
        The same along both axes.
    out : array (N, OH, OW, O)
        Overwritten. OH = (H + 2*padding - kh)//stride + 1, OW likewise.
    scratch : Scratch
        Memory shared by all layers.
    """
    if small.applies(x, weight.shape, stride, padding):
        small.forward(x, weight, out, scratch)
    elif winograd.applies(x, weight.shape, stride, padding):
        winograd.forward(x, weight, out, scratch)
    elif pointwise.applies(x, weight.shape, stride, padding):
        pointwise.forward(x, weight, out, scratch)
    elif implicit.applies(out, weight.shape):
        implicit.forward(x, weight, stride, padding, out, scratch)
    else:
        patches.forward(x, weight, stride, padding, out, scratch)


def forward_with_epilogue(
    x: NDArray[Any],
    weight: NDArray[Any],
    stride: int,
    padding: int,
    epilogue: fused.Epilogue,
    out: NDArray[Any],
    scratch: Scratch,
) -> bool:
    """Write `fused.forward` of the convolution into `out`; False, and nothing done, where no kernel does both."""
    if small.applies(x, weight.shape, stride, padding):
        return False
    if winograd.applies(x, weight.shape, stride, padding):
        winograd.forward(x, weight, out, scratch, epilogue)
        return True
    if epilogue.size == 1 and implicit.applies(out, weight.shape):
        implicit.forward(x, weight, stride, padding, out, scratch, epilogue)
        return True
    return False


def forward_with_sums(
    x: NDArray[Any], weight: NDArray[Any], stride: int, padding: int, out: NDArray[Any], scratch: Scratch
) -> NDArray[np.float64] | None:
    """`conv2d_forward`, and the sums of the outputs and of their squares for each channel: float64 (2, O).

    None, and nothing done, where no kernel does both.
    """
    if len(weight) % LANES or small.applies(x, weight.shape, stride, padding):
        return None
    if winograd.applies(x, weight.shape, stride, padding):
        return winograd.forward_with_sums(x, weight, out, scratch)
    if pointwise.applies(x, weight.shape, stride, padding):
        return pointwise.forward_with_sums(x, weight, out, scratch)
    if implicit.applies(out, weight.shape):
        return implicit.forward_with_sums(x, weight, stride, padding, out, scratch)
    return None


def conv2d_backward_data(
    dout: NDArray[Any], weight: NDArray[Any], stride: int, padding: int, dx: NDArray[Any], scratch: Scratch
) -> None:
    """Write the gradient of the loss with respect to the input of `conv2d_forward` into `dx`.

    Parameters
    ----------
    dout : array (N, OH, OW, O)
        Gradient with respect to the output.
    weight : array (O, C, kh, kw)
    dx : array (N, H, W, C)
        Overwritten.
    """
    if small.applies(dx, weight.shape, stride, padding):
        small.backward_data(dout, weight, dx, scratch)
    elif winograd.applies(dx, weight.shape, stride, padding):
        winograd.backward_data(dout, weight, dx, scratch)
    elif pointwise.applies(dx, weight.shape, stride, padding):
        pointwise.backward_data(dout, weight, dx, scratch)
    elif stride == 1 and padding < min(weight.shape[2:]) and implicit.applies(dx, weight.shape[1:2]):
        implicit.backward_data(dout, weight, padding, dx, scratch)
    else:
        patches.backward_data(dout, weight, stride, padding, dx, scratch)


def conv2d_backward_weights(
    x: NDArray[Any], dout: NDArray[Any], stride: int, padding: int, dweight: NDArray[Any], scratch: Scratch
) -> None:
    """Write the gradient of the loss with respect to the weights of `conv2d_forward` into `dweight`.

    The same number of threads gives the same bits.

    Parameters
    ----------
    x : array (N, H, W, C)
    dout : array (N, OH, OW, O)
    dweight : array (O, C, kh, kw)
        Overwritten.
    """
    if small.applies(x, dweight.shape, stride, padding):
        small.backward_weights(x, dout, dweight, scratch)
    elif winograd.applies(x, dweight.shape, stride, padding):
        winograd.backward_weights(x, dout, dweight, scratch)
    elif pointwise.applies(x, dweight.shape, stride, padding):
        pointwise.backward_weights(x, dout, dweight, scratch)
    elif implicit.applies(dout, dweight.shape):
        implicit.backward_weights(x, dout, PLAIN, stride, padding, dweight, scratch)
    else:
        patches.backward_weights(x, dout, stride, padding, dweight, scratch)
