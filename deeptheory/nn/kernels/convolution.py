"""Convolution (cross-correlation) with zero padding, by the kernels that are fastest for its shape.

`patches` takes any shape and dtype, `small` 3 x 3 convolutions of images of 2 x 2 and less, `winograd` the 3 x 3
convolutions that make up the networks of this field, `pointwise` the 1 x 1 convolutions, `implicit` float32
kernels of any size and stride.
"""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import fused_norm, im2col, implicit_gemm, pointwise, tiny_images, winograd
from deeptheory.nn.kernels.norm_rows import PLAIN
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES

KERNELS = tiny_images, winograd, pointwise  # by preference; what they take is the same


def specialised(
    x: NDArray[Any], weight_shape: tuple[int, ...], stride: int, padding: int
) -> ModuleType | None:
    """The module made for a convolution of this shape, or None: then it goes by `implicit` or `patches`."""
    return next((kernel for kernel in KERNELS if kernel.applies(x, weight_shape, stride, padding)), None)


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
    if kernel := specialised(x, weight.shape, stride, padding):
        kernel.forward(x, weight, out, scratch)
    elif implicit_gemm.applies(out, weight.shape):
        implicit_gemm.forward(x, weight, stride, padding, out, scratch)
    else:
        im2col.forward(x, weight, stride, padding, out, scratch)


def forward_with_epilogue(
    x: NDArray[Any],
    weight: NDArray[Any],
    stride: int,
    padding: int,
    epilogue: fused_norm.Epilogue,
    out: NDArray[Any],
    scratch: Scratch,
) -> bool:
    """Write `fused.forward` of the convolution into `out`; False, and nothing done, where no kernel does both."""
    kernel = specialised(x, weight.shape, stride, padding)
    if kernel is tiny_images:
        return False
    if kernel is winograd:
        winograd.forward(x, weight, out, scratch, epilogue)
        return True
    if epilogue.size == 1 and implicit_gemm.applies(out, weight.shape):
        implicit_gemm.forward(x, weight, stride, padding, out, scratch, epilogue)
        return True
    return False


def forward_with_sums(
    x: NDArray[Any], weight: NDArray[Any], stride: int, padding: int, out: NDArray[Any], scratch: Scratch
) -> NDArray[np.float64] | None:
    """`conv2d_forward`, and the sums of the outputs and of their squares for each channel: float64 (2, O).

    None, and nothing done, where no kernel does both.
    """
    kernel = specialised(x, weight.shape, stride, padding)
    if len(weight) % LANES or kernel is tiny_images:
        return None
    if kernel:
        return kernel.forward_with_sums(x, weight, out, scratch)
    if implicit_gemm.applies(out, weight.shape):
        return implicit_gemm.forward_with_sums(x, weight, stride, padding, out, scratch)
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
    if kernel := specialised(dx, weight.shape, stride, padding):
        kernel.backward_data(dout, weight, dx, scratch)
    elif stride == 1 and padding < min(weight.shape[2:]) and implicit_gemm.applies(dx, weight.shape[1:2]):
        implicit_gemm.backward_data(dout, weight, padding, dx, scratch)
    else:
        im2col.backward_data(dout, weight, stride, padding, dx, scratch)


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
    if kernel := specialised(x, dweight.shape, stride, padding):
        kernel.backward_weights(x, dout, dweight, scratch)
    elif implicit_gemm.applies(dout, dweight.shape):
        implicit_gemm.backward_weights(x, dout, PLAIN, stride, padding, dweight, scratch)
    else:
        im2col.backward_weights(x, dout, stride, padding, dweight, scratch)
