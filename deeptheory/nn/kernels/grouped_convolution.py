"""Convolution in groups of channels: all in one group, each channel by itself (depthwise), or in between.

The weights are (O, C/groups, kh, kw); group g of the outputs reads group g of the inputs only. What the
arguments are is said in `convolution`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import (
    convolution,
    depthwise,
    depthwise_slabs,
    implicit_gemm,
    pointwise,
    tiny_images,
    winograd,
)
from deeptheory.nn.kernels.norm_rows import Normed
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES


def grouped_forward(
    x: NDArray[Any],
    weight: NDArray[Any],
    groups: int,
    stride: int,
    padding: int,
    out: NDArray[Any],
    scratch: Scratch,
) -> None:
    """Write the convolution of `x` (N, H, W, C) and `weight` into `out` (N, OH, OW, O)."""
    if groups == 1:
        convolution.conv2d_forward(x, weight, stride, padding, out, scratch)
    elif _is_depthwise(weight.shape, groups):
        depthwise.depthwise_forward(x, weight, stride, padding, out, scratch)
    else:
        for own_x, own_out, own in _groups(x, out, weight, groups):
            part = scratch.array("group of outputs", own_out.shape, out.dtype)
            gathered = _gather("group of inputs", own_x, scratch)
            convolution.conv2d_forward(gathered, own, stride, padding, part, scratch)
            np.copyto(own_out, part)


def grouped_backward_data(
    dout: NDArray[Any],
    weight: NDArray[Any],
    groups: int,
    stride: int,
    padding: int,
    dx: NDArray[Any],
    scratch: Scratch,
) -> None:
    """Write the gradient of the loss with respect to the input of `grouped_forward` into `dx`."""
    if groups == 1:
        convolution.conv2d_backward_data(dout, weight, stride, padding, dx, scratch)
    elif _is_depthwise(weight.shape, groups):
        depthwise.depthwise_backward_data(dout, weight, stride, padding, dx, scratch)
    else:
        for own_dx, own_dout, own in _groups(dx, dout, weight, groups):
            part = scratch.array("group of inputs", own_dx.shape, dx.dtype)
            gathered = _gather("group of outputs", own_dout, scratch)
            convolution.conv2d_backward_data(gathered, own, stride, padding, part, scratch)
            np.copyto(own_dx, part)


def grouped_backward_weights(
    x: NDArray[Any],
    dout: NDArray[Any],
    groups: int,
    stride: int,
    padding: int,
    dweight: NDArray[Any],
    scratch: Scratch,
) -> None:
    """Write the gradient of the loss with respect to the weights of `grouped_forward` into `dweight`."""
    if groups == 1:
        convolution.conv2d_backward_weights(x, dout, stride, padding, dweight, scratch)
    elif _is_depthwise(dweight.shape, groups):
        depthwise.depthwise_backward_weights(x, dout, stride, padding, dweight, scratch)
    else:
        for own_x, own_dout, own in _groups(x, dout, dweight, groups):
            inputs = _gather("group of inputs", own_x, scratch)
            outputs = _gather("group of outputs", own_dout, scratch)
            convolution.conv2d_backward_weights(inputs, outputs, stride, padding, own, scratch)


def joins_norm(
    x: NDArray[Any],
    dout: NDArray[Any],
    weight_shape: tuple[int, ...],
    groups: int,
    stride: int,
    padding: int,
    size: int,
    input_gradient: bool,
) -> bool:
    """Whether there is a kernel for the gradients of a convolution and what follows it together.

    That is a batch norm, an activation, and with a `size` of 2 also 2 x 2 pooling; `dout` is the gradient of
    what they make of the output.
    """
    if groups > 1:
        depthwise_applies = _is_depthwise(weight_shape, groups) and depthwise_slabs.applies(
            x, weight_shape, padding
        )
        return size == 1 and depthwise_applies
    kernel = convolution.specialised(x, weight_shape, stride, padding)
    if kernel is winograd:
        return winograd.joins_norm(x, weight_shape)
    if kernel is tiny_images or size == 2 or weight_shape[0] % LANES:
        return False
    first_layer = not input_gradient and implicit_gemm.applies(dout, weight_shape)
    return kernel is pointwise or first_layer


def forward_with_sums(
    x: NDArray[Any],
    weight: NDArray[Any],
    groups: int,
    stride: int,
    padding: int,
    out: NDArray[Any],
    scratch: Scratch,
) -> NDArray[np.float64] | None:
    """`grouped_forward`, and the sums of the outputs and of their squares for each channel: float64 (2, O).

    None, and nothing done, where no kernel does both.
    """
    if groups == 1:
        return convolution.forward_with_sums(x, weight, stride, padding, out, scratch)
    if _is_depthwise(weight.shape, groups) and depthwise_slabs.applies(x, weight.shape, padding):
        return depthwise_slabs.forward_with_sums(x, weight, stride, padding, out, scratch)
    return None


def backward_through_norm(
    x: NDArray[Any],
    dout: NDArray[Any],
    weight: NDArray[Any],
    norm: Normed,
    size: int,
    groups: int,
    stride: int,
    padding: int,
    dweight: NDArray[Any],
    dx: NDArray[Any] | None,
    scratch: Scratch,
) -> None:
    """Both gradients, given that of what norm, activation and pooling make of the output, if `joins_norm`.

    `dx` is None where it is not needed.
    """
    if groups > 1:
        depthwise_slabs.backward(x, dout, weight, norm, stride, padding, dweight, dx, scratch)
        return
    kernel = convolution.specialised(x, weight.shape, stride, padding)
    if kernel is winograd:
        winograd.backward(x, dout, weight, norm, size, dweight, dx, scratch)
    elif kernel is pointwise:
        pointwise.backward(x, dout, weight, norm, dweight, dx, scratch)
    else:
        implicit_gemm.backward_weights(x, dout, norm, stride, padding, dweight, scratch)


def _is_depthwise(weight_shape: tuple[int, ...], groups: int) -> bool:
    return weight_shape[:2] == (groups, 1)


def _groups(
    x: NDArray[Any], out: NDArray[Any], weight: NDArray[Any], groups: int
) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Views of the inputs, outputs and weights of each group."""
    n_in, n_out = x.shape[-1] // groups, out.shape[-1] // groups
    for g in range(groups):
        outputs = slice(g * n_out, (g + 1) * n_out)
        yield x[..., g * n_in : (g + 1) * n_in], out[..., outputs], weight[outputs]


def _gather(name: str, view: NDArray[Any], scratch: Scratch) -> NDArray[Any]:
    contiguous = scratch.array(name, view.shape, view.dtype)
    np.copyto(contiguous, view)
    return contiguous
