"""Convolution (cross-correlation) with zero padding, by the compiled kernel that is fastest for its geometry.

All channels are in one group, each is by itself (depthwise), or they are in groups in between. `KERNELS` is the
table of the compiled kernels; `CompiledKernel` says what each function takes and writes.
"""

import functools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import (
    depthwise,
    depthwise_slabs,
    im2col,
    implicit_gemm,
    one_image,
    pointwise,
    tiny_images,
    whole_rows,
    winograd,
)
from deeptheory.nn.kernels.compiled_kernel import Array, CompiledKernel, Geometry
from deeptheory.nn.kernels.fused_norm import Epilogue
from deeptheory.nn.kernels.norm_rows import Normed
from deeptheory.nn.kernels.reductions import channel_sums
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES, explicit
from deeptheory.system import threadpools


def forward(geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch) -> None:
    """Write the convolution of `x` and `weight` into `out`."""
    _kernel(geometry).forward(geometry, x, weight, out, scratch)


def forward_with_bias(
    geometry: Geometry, x: Array, weight: Array, bias: Array, out: Array, scratch: Scratch
) -> None:
    """`forward`, and the bias (O,) added."""
    kernel = _kernel(geometry)
    if kernel.forward_with_bias:
        kernel.forward_with_bias(geometry, x, weight, bias, out, scratch)
        return
    kernel.forward(geometry, x, weight, out, scratch)
    out += bias


def forward_with_sums(
    geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch
) -> NDArray[np.float64] | None:
    """`forward`, and the sums of the outputs and of their squares for each channel: float64 (2, O).

    None, and nothing done, where no compiled kernel does both.
    """
    compute = _kernel(geometry).forward_with_sums
    return compute(geometry, x, weight, out, scratch) if compute else None


def forward_with_epilogue(
    geometry: Geometry, x: Array, weight: Array, epilogue: Epilogue, out: Array, scratch: Scratch
) -> bool:
    """Write `fused_norm.forward` of the convolution into `out`.

    False, and nothing done, where no compiled kernel does both.
    """
    compute = _kernel(geometry).forward_with_epilogue
    return compute is not None and compute(geometry, x, weight, epilogue, out, scratch)


def backward_data(geometry: Geometry, dout: Array, weight: Array, dx: Array, scratch: Scratch) -> None:
    """Write the gradient of the loss with respect to the input of `forward` into `dx`."""
    for kernel in KERNELS:
        if kernel.backward_data and (kernel.applies_backward or kernel.applies)(geometry):
            kernel.backward_data(geometry, dout, weight, dx, scratch)
            return


def backward_weights(geometry: Geometry, x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    """Write the gradient of the loss with respect to the weights of `forward` into `dweight`."""
    compute = _kernel_backward(geometry).backward_weights
    assert compute is not None
    compute(geometry, x, dout, dweight, scratch)


def backward_with_bias(
    geometry: Geometry,
    x: Array,
    dout: Array,
    weight: Array,
    dweight: Array,
    dbias: Array,
    dx: Array | None,
    scratch: Scratch,
) -> None:
    """Write the gradients of the weights, of a bias (O,) and, unless `dx` is None, of the input."""
    compute = _kernel_backward(geometry).backward_with_bias
    if compute and compute(geometry, x, dout, weight, dweight, dbias, dx, scratch):
        return
    backward_weights(geometry, x, dout, dweight, scratch)
    rows = dout.reshape(-1, dout.shape[-1])
    dbias[:] = channel_sums(rows, rows)[0]
    if dx is not None:
        backward_data(geometry, dout, weight, dx, scratch)


def joins_norm(geometry: Geometry, size: int, input_gradient: bool) -> bool:
    """Whether `backward_through_norm` can be used; `size` is 2 with 2 x 2 pooling, else 1."""
    joins = _kernel_backward(geometry).joins_norm
    return joins is not None and joins(geometry, size, input_gradient)


def backward_through_norm(
    geometry: Geometry,
    x: Array,
    dout: Array,
    weight: Array,
    norm: Normed,
    size: int,
    dweight: Array,
    dx: Array | None,
    scratch: Scratch,
) -> None:
    """Both gradients, given that of what norm, activation and pooling make of the output, if `joins_norm`.

    `dx` is None where it is not needed.
    """
    compute = _kernel_backward(geometry).backward_through_norm
    assert compute is not None
    compute(geometry, x, dout, weight, norm, size, dweight, dx, scratch)


def _kernel(geometry: Geometry) -> CompiledKernel:
    return _first(geometry, threadpools.threads(), False)


def _kernel_backward(geometry: Geometry) -> CompiledKernel:
    return _first(geometry, threadpools.threads(), True)


@functools.lru_cache(1024)  # to ask every kernel takes as long as to compute a small layer
def _first(geometry: Geometry, threads: int, backward: bool) -> CompiledKernel:
    """The first kernel that applies with that many threads, of those that go backward too if asked for."""
    goes = (kernel for kernel in KERNELS if kernel.backward_weights or not backward)
    return next(kernel for kernel in goes if kernel.applies(geometry))


def _has_groups(geometry: Geometry) -> bool:
    return geometry.groups > 1


def _forward_groups(geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch) -> None:
    geometry = _in_sixteens(geometry)
    for one, inputs, outputs, own_weight in _groups(geometry, x, out, _blocks(geometry, weight, scratch)):
        part = scratch.array("group of outputs", outputs.shape, out.dtype)
        forward(one, _gather("group of inputs", inputs, scratch), own_weight, part, scratch)
        np.copyto(outputs, part)


def _backward_groups(geometry: Geometry, dout: Array, weight: Array, dx: Array, scratch: Scratch) -> None:
    geometry = _in_sixteens(geometry)
    for one, inputs, outputs, own_weight in _groups(geometry, dx, dout, _blocks(geometry, weight, scratch)):
        part = scratch.array("group of inputs", inputs.shape, dx.dtype)
        backward_data(one, _gather("group of outputs", outputs, scratch), own_weight, part, scratch)
        np.copyto(inputs, part)


def _backward_weights_groups(
    geometry: Geometry, x: Array, dout: Array, dweight: Array, scratch: Scratch
) -> None:
    geometry, own = _in_sixteens(geometry), dweight
    if dweight.shape != geometry.weights:
        dweight = scratch.array("blocks of groups", geometry.weights, dweight.dtype)
    for one, inputs, outputs, own_dweight in _groups(geometry, x, dout, dweight):
        own_x = _gather("group of inputs", inputs, scratch)
        backward_weights(one, own_x, _gather("group of outputs", outputs, scratch), own_dweight, scratch)
    if dweight is not own:
        for of_joined, of_group in _diagonal(geometry, dweight, own):
            of_group[:] = of_joined


def _in_sixteens(geometry: Geometry) -> Geometry:
    """The geometry with groups of sixteen filters, where each has a part of that: vectors hold as many."""
    n, groups = geometry.weights[1], geometry.groups
    joined = LANES // n
    small = n < LANES and LANES % n == 0 and geometry.weights[0] == geometry.images[3]
    if not small or groups % joined or not explicit(geometry.dtype):
        return geometry
    return geometry._replace(
        weights=(geometry.weights[0], LANES, *geometry.weights[2:]), groups=groups // joined
    )


def _blocks(geometry: Geometry, weight: Array, scratch: Scratch) -> Array:
    """The weight for that geometry: blocks on the diagonal of its groups, zeros between them."""
    if weight.shape == geometry.weights:
        return weight
    blocks = scratch.array("blocks of groups", geometry.weights, weight.dtype)
    blocks[:] = 0
    for of_joined, of_group in _diagonal(geometry, blocks, weight):
        of_joined[:] = of_group
    return blocks


def _diagonal(geometry: Geometry, blocks: Array, weight: Array) -> Iterator[tuple[Array, Array]]:
    """Views of the blocks on the diagonals, and of the same groups in `weight`."""
    n, kernel = weight.shape[1], weight.shape[2:]
    shape = geometry.groups, -1, n
    for place in range(geometry.weights[1] // n):
        columns = slice(place * n, (place + 1) * n)
        of_joined = blocks.reshape(*shape, geometry.weights[1], *kernel)[:, place, :, columns]
        yield of_joined, weight.reshape(*shape, n, *kernel)[:, place]


def _groups(
    geometry: Geometry, x: Array, out: Array, weight: Array
) -> Iterator[tuple[Geometry, Array, Array, Array]]:
    """The convolution in one group that each group is, and views of its inputs, outputs and weights."""
    n_in, n_out = geometry.weights[1], geometry.weights[0] // geometry.groups
    one = geometry._replace(
        images=(*geometry.images[:3], n_in), weights=(n_out, *geometry.weights[1:]), groups=1
    )
    for group in range(geometry.groups):
        inputs, outputs = (slice(group * n, (group + 1) * n) for n in (n_in, n_out))
        yield one, x[..., inputs], out[..., outputs], weight[outputs]


def _gather(name: str, view: Array, scratch: Scratch) -> Array:
    contiguous = scratch.array(name, view.shape, view.dtype)
    np.copyto(contiguous, view)
    return contiguous


KERNELS = (  # the first that applies computes
    depthwise_slabs.KERNEL,
    depthwise.KERNEL,
    CompiledKernel(_has_groups, _forward_groups, _backward_groups, _backward_weights_groups),
    one_image.KERNEL,
    tiny_images.KERNEL,
    winograd.KERNEL,
    pointwise.KERNEL,
    whole_rows.KERNEL,
    implicit_gemm.KERNEL,
    im2col.KERNEL,
)
