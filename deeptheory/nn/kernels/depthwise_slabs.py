"""Depthwise convolution of 16 channels of an image at a time, in slabs with a border of zeros.

A slab holds the 16 channels of one image next to each other, (height, width, 16), and stays in the cache. Its
border spares a branch at every tap; the gradients are spread to the strides of the convolution in theirs, so that
the gradient of the input is a convolution with stride 1 by the weights turned by half a turn. Backward, both
gradients and the gradient through the batch norm and activation that follow are computed in one pass. `applies`
says which layers qualify; `depthwise` is the definition and takes the others.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import depthwise
from deeptheory.nn.kernels.compiled_kernel import Array, CompiledKernel, Geometry
from deeptheory.nn.kernels.generated.channelwise import channelwise_product, channelwise_sums
from deeptheory.nn.kernels.norm_rows import PLAIN, Normed, add_channel_sums, input_gradient
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES, ZERO, explicit, fill, load, prefetch, store
from deeptheory.system import threadpools
from deeptheory.system.compiled import inner, njit, prange

SIZES = (3, 5)
NO_SUMS = np.empty((0, 0))

product_of_3, product_of_5 = channelwise_product(3), channelwise_product(5)
sums_of_3, sums_of_5 = channelwise_sums(3), channelwise_sums(5)


class _Sizes(NamedTuple):
    """Sizes of the images, of the kernels and of the outputs."""

    n_images: int
    height: int
    width: int
    channels: int
    size: int
    stride: int
    padding: int
    out_height: int
    out_width: int


def applies(geometry: Geometry) -> bool:
    """Whether a depthwise convolution can be computed here: 3 x 3 or 5 x 5, float32, channels in sixteens."""
    channels, _, height, width = geometry.weights
    return (
        depthwise.applies(geometry)
        and height == width
        and height in SIZES
        and geometry.padding < height
        and channels % LANES == 0
        and explicit(geometry.dtype)
    )


def forward(geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch) -> None:
    """`depthwise.forward`, by vectors."""
    _forward_images(geometry, x, weight, out, NO_SUMS, scratch)


def forward_with_sums(
    geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch
) -> NDArray[np.float64]:
    """`forward`, and the sums of the outputs and of their squares for each channel: float64 (2, C)."""
    channels = len(weight)
    sums = scratch.array("slab channel sums", (threadpools.threads(), 2 * channels), np.float64)
    _forward_images(geometry, x, weight, out, sums, scratch)
    return sums.sum(axis=0).reshape(2, channels)


def backward_data(geometry: Geometry, dout: Array, weight: Array, dx: Array, scratch: Scratch) -> None:
    """`depthwise.backward_data`, by vectors."""
    _backward_images(geometry, dx, dout, weight, PLAIN, None, dx, scratch)


def backward_weights(geometry: Geometry, x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    """`depthwise.backward_weights`, by vectors."""
    _backward_images(geometry, x, dout, dweight, PLAIN, dweight, None, scratch)


def joins_norm(geometry: Geometry, size: int, input_gradient: bool) -> bool:
    """Whether `backward_through_norm` can be used: without pooling."""
    return size == 1


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
    """Both gradients, given that of what batch norm and activation make of the output."""
    _backward_images(geometry, x, dout, weight, norm, dweight, dx, scratch)


def _backward_images(
    geometry: Geometry,
    x: Array,
    dout: Array,
    weight: Array,
    norm: Normed,
    dweight: Array | None,
    dx: Array | None,
    scratch: Scratch,
) -> None:
    """Write the gradients of the weights and of the input, those that are not None.

    `dout` is the gradient of what `norm` and its activation make of the output; with `PLAIN`, of the output.
    Every thread sums over a part of its own and the parts are added in a fixed order: the same number of threads
    gives the same bits.
    """
    sizes, workers, nothing = _sizes(geometry), threadpools.threads(), x.reshape(-1)[:0]
    channels, size = sizes.channels, sizes.size
    inputs = np.empty((workers, 0), np.float32)
    if dweight is not None:
        inputs = scratch.rows("slab", workers, _elements(sizes, 2 * sizes.padding), np.float32)
    gradients = scratch.rows("slab of gradients", workers, _elements(sizes, size - 1), np.float32)
    sums = scratch.rows("slab sums", workers, weight.size, np.float32)
    _backward(
        x.reshape(-1), dout.reshape(-1), _packed(weight[:, :, ::-1, ::-1], scratch), norm, sizes, inputs,
        gradients, sums, nothing if dx is None else dx.reshape(-1),
    )  # fmt: skip
    if dweight is not None:
        total = sums[:, : weight.size].sum(axis=0).reshape(channels // LANES, size, size, LANES)
        np.copyto(dweight[:, 0], total.transpose(0, 3, 1, 2).reshape(channels, size, size))


def _sizes(geometry: Geometry) -> _Sizes:
    steps = geometry.weights[2], geometry.stride, geometry.padding
    return _Sizes(*geometry.images, *steps, *geometry.outputs[1:3])


def _elements(sizes: _Sizes, borders: int) -> int:
    """Elements of a slab whose borders on both sides add up to `borders`."""
    return (sizes.height + borders) * (sizes.width + borders) * LANES


def _forward_images(
    geometry: Geometry, x: Array, weight: Array, out: Array, sums: NDArray[np.float64], scratch: Scratch
) -> None:
    sizes = _sizes(geometry)
    elements = _elements(sizes, 2 * sizes.padding)
    inputs = scratch.rows("slab", threadpools.threads(), elements, np.float32)
    _forward(x.reshape(-1), _packed(weight, scratch), sizes, inputs, sums, out.reshape(-1))


def _packed(weight: Array, scratch: Scratch) -> NDArray[np.float32]:
    """The taps in order of (sixteen, row, column, channel): flat."""
    channels, _, size, _ = weight.shape
    packed = scratch.array("slab taps", (channels // LANES, size, size, LANES), np.float32)
    np.copyto(packed, weight.reshape(-1, LANES, size, size).transpose(0, 2, 3, 1))
    return packed.reshape(-1)


@inner
def _multiply(to, to_at, to_row, to_column, rows, columns, source, source_row, step, taps, taps_at, size):
    if size == 3:
        product_of_3(to, to_at, to_row, to_column, rows, columns, source, 0, source_row, step, taps, taps_at)
    else:
        product_of_5(to, to_at, to_row, to_column, rows, columns, source, 0, source_row, step, taps, taps_at)


@inner
def _add_tap_sums(total, total_at, spread, middle, row, rows, columns, slab, input_row, step, size):
    if size == 3:
        sums_of_3(total, total_at, spread, middle, row, rows, columns, slab, 0, input_row, step)
    else:
        sums_of_5(total, total_at, spread, middle, row, rows, columns, slab, 0, input_row, step)


@inner
def _fill_slab(x, at, height, width, channels, padding, slab):
    """Copy 16 channels of an image into the middle of a slab; the next 16 are asked for."""
    row = (width + 2 * padding) * LANES
    for y in range(height):
        target = (padding + y) * row + padding * LANES
        for _ in range(width):
            store(slab, target, load(x, at))
            prefetch(x, at + LANES)
            at += channels
            target += LANES


@inner
def _fill_gradients(dout, at, sizes, c, norm, border, row, slab):
    """Spread 16 channels of the gradient of an image in a slab; the next 16 are asked for."""
    for y in range(sizes.out_height):
        target = (border + y * sizes.stride) * row + border * LANES
        for _ in range(sizes.out_width):
            prefetch(dout, at + LANES)
            if norm.kind >= 0:
                prefetch(norm.x, at + LANES)
                store(slab, target, input_gradient(dout, at, c, norm))
            else:
                store(slab, target, load(dout, at))
            at += sizes.channels
            target += sizes.stride * LANES


@inner
def _clear(slab):
    for e in range(0, slab.size, LANES):
        store(slab, e, fill(ZERO))


@njit(parallel=True)
def _forward(x, taps, sizes, inputs, sums, out):
    n_images, height, width, channels, size, stride, padding, out_height, out_width = sizes
    workers, sixteens = len(inputs), channels // LANES
    for worker in prange(workers):
        slab = inputs[worker]
        _clear(slab)
        if sums.size:
            sums[worker] = 0.0
        jobs = n_images * sixteens
        for job in range(jobs * worker // workers, jobs * (worker + 1) // workers):
            image, c = job // sixteens, job % sixteens * LANES
            _fill_slab(x, image * height * width * channels + c, height, width, channels, padding, slab)
            to_at = image * out_height * out_width * channels + c
            _multiply(
                out, to_at, out_width * channels, channels, out_height, out_width,
                slab, (width + 2 * padding) * LANES, stride, taps, c * size * size, size,
            )  # fmt: skip
            if sums.size:
                add_channel_sums(out, to_at, out_height * out_width, channels, c, sums[worker])


@njit(parallel=True)
def _backward(x, dout, taps, norm, sizes, inputs, gradients, sums, dx):
    n_images, height, width, channels, size, stride, padding, out_height, out_width = sizes
    workers, sixteens = len(gradients), channels // LANES
    border, row, input_row = size - 1 - padding, (width + size - 1) * LANES, (width + 2 * padding) * LANES
    middle = border * row + border * LANES
    for worker in prange(workers):
        slab, spread, total = inputs[worker], gradients[worker], sums[worker]
        _clear(slab)
        _clear(spread)
        _clear(total)
        jobs = n_images * sixteens
        for job in range(jobs * worker // workers, jobs * (worker + 1) // workers):
            image, c = job // sixteens, job % sixteens * LANES
            at, out_at = image * height * width * channels + c, image * out_height * out_width * channels + c
            tap = c * size * size
            _fill_gradients(dout, out_at, sizes, c, norm, border, row, spread)
            if slab.size:
                _fill_slab(x, at, height, width, channels, padding, slab)
                _add_tap_sums(
                    total, tap, spread, middle, row, out_height, out_width, slab, input_row, stride, size
                )
            if dx.size:
                _multiply(dx, at, width * channels, channels, height, width, spread, row, 1, taps, tap, size)


KERNEL = CompiledKernel(
    applies,
    forward,
    backward_data,
    backward_weights,
    forward_with_sums=forward_with_sums,
    joins_norm=joins_norm,
    backward_through_norm=backward_through_norm,
)
