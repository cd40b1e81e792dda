"""Convolution as products of image lines and weights, without patches written out.

In a padded image stored as (row, column, channel), the kw*C elements that a row of the kernel covers lie side by
side, and those of the next output position `stride`*C elements further on. So a product that steps through the kh
lines reads its patches where they lie. For kernels of any size and stride where Winograd's algorithm does not
apply, first of all the layer that sees the images.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from deeptheory.nn.kernels.compiled_kernel import Array, CompiledKernel, Geometry
from deeptheory.nn.kernels.fused_norm import NO_EPILOGUE, Epilogue, activate
from deeptheory.nn.kernels.gradient_parts import Back, Part, Sizes, going_back
from deeptheory.nn.kernels.matrix_products import (
    NOTHING_COMING,
    SLACK,
    Extent,
    Steps,
    multiply,
    panel_width,
)
from deeptheory.nn.kernels.norm_rows import PLAIN, Normed, add_sums, write_gradient
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES, ZERO, explicit, fill, fma, load, store
from deeptheory.system import threadpools
from deeptheory.system.apart import FLAT, INDEX, apart, make_ready
from deeptheory.system.compiled import inner, njit, prange, signed

NO_SUMS = np.empty((0, 0))


class _Gradient(NamedTuple):
    """What is added up going backward.

    Attributes
    ----------
    dout : flat gradient of what batch norm and activation make of the output
    gradients : of every worker, the gradient of an image through the norm
    totals : of every worker, the gradient of the weights; empty going forward
    padded : of every worker, the padded gradient of an image
    """

    dout: Array
    gradients: Array
    totals: Array
    padded: Array


_NOTHING = np.empty(0, np.float32)
_NO_ROWS = np.empty((0, 0), np.float32)
_NO_PARTS = np.empty((0, len(Part._fields)), np.int64)
SIZES, PARTS = Sizes(*13 * (1,)), types.Array(types.int64, 2, "C")
_FORWARD = _Gradient(_NOTHING, _NO_ROWS, _NO_ROWS, _NO_ROWS)


def applies(geometry: Geometry) -> bool:
    """Whether a convolution can be computed here: float32, O in sixteens, OW in fours."""
    _, _, out_width, n_out = geometry.outputs
    return _fit(geometry, n_out, out_width)


def applies_backward(geometry: Geometry) -> bool:
    """Whether the gradient of the input can: C in sixteens, W of the outputs in fours, all inputs are read.

    The outputs are as many as the inputs have strides, and with a stride of 1 the padding is less than the kernel.
    """
    _, height, width, n_in = geometry.images
    _, out_height, out_width, _ = geometry.outputs
    stride = geometry.stride
    if stride > 1:
        plain = (height, width) == (stride * out_height, stride * out_width)
        return plain and _fit(geometry, n_in, out_width)
    return geometry.padding < min(geometry.weights[2:]) and _fit(geometry, n_in, width)


def _fit(geometry: Geometry, channels: int, width: int) -> bool:
    return explicit(geometry.dtype) and channels % LANES == 0 and width % (SLACK + 1) == 0


def forward(geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch) -> None:
    """Write the convolution of `x` (N, H, W, C) and `weight` (O, C, kh, kw) into `out` (N, OH, OW, O)."""
    _convolve_forward(geometry, x, weight, NO_EPILOGUE, out, NO_SUMS, scratch)


def forward_with_epilogue(
    geometry: Geometry, x: Array, weight: Array, epilogue: Epilogue, out: Array, scratch: Scratch
) -> bool:
    """Write what `fused_norm.forward` makes of the convolution; False, and nothing done, with pooling."""
    if epilogue.size > 1 or not applies(geometry):
        return False
    _convolve_forward(geometry, x, weight, epilogue, out, NO_SUMS, scratch)
    return True


def forward_with_sums(
    geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch
) -> NDArray[np.float64]:
    """`forward`, and the sums of the outputs and of their squares: float64 (2, O)."""
    sums = scratch.array("line channel sums", (threadpools.threads(), 2 * len(weight)), np.float64)
    _convolve_forward(geometry, x, weight, NO_EPILOGUE, out, sums, scratch)
    return sums.sum(axis=0).reshape(2, -1)


def backward_data(geometry: Geometry, dout: Array, weight: Array, dx: Array, scratch: Scratch) -> None:
    """Write the gradient of the input (N, H, W, C) into `dx`."""
    sizes, parts, packed = going_back(geometry, weight, scratch)
    _convolve(dout, packed, parts, sizes, NO_EPILOGUE, dx, NO_SUMS, scratch)


def backward_weights(geometry: Geometry, x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    """Write the gradient of the weights (O, C, kh, kw) into `dweight`; threads add in a fixed order."""
    _backward(geometry, x, dout, dweight, PLAIN, dweight, None, scratch)


def joins_norm(geometry: Geometry, size: int, input_gradient: bool) -> bool:
    """Whether `backward_through_norm` can be used: without pooling."""
    return size == 1 and (applies_backward(geometry) or not input_gradient)


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
    """Both gradients, given that of what batch norm and activation make of the output; `dx` may be None."""
    _backward(geometry, x, dout, weight, norm, dweight, dx, scratch)


def _backward(
    geometry: Geometry, x: Array, dout: Array, weight: Array, norm: Normed, dweight: Array, dx: Array | None,
    scratch: Scratch,
) -> None:  # fmt: skip
    n_out, n_in, kh, kw = dweight.shape
    workers = min(threadpools.threads(), len(x))
    lines = kh, kw * n_in + SLACK, n_out
    sums = scratch.rows("line sums", workers, math.prod(lines), np.float32)
    rows = dout.shape[1] * dout.shape[2] if norm.kind >= 0 else 0
    gradients = scratch.rows("line gradients", workers, rows * n_out, np.float32)
    sizes = _sizes(geometry)
    padded = _padded("padded image", sizes, workers, scratch)
    back, padded_back, flat_dx = Back(sizes, _NO_PARTS, _NOTHING), padded, _NOTHING
    if dx is not None:
        back, flat_dx = going_back(geometry, weight, scratch), dx.reshape(-1)
        padded_back = _padded("padded gradient", back.sizes, workers, scratch)
    backward = _Gradient(dout.reshape(-1), gradients, sums, padded_back)
    make_ready(_convolve_images, _sum_images)
    _run(
        x.reshape(-1), back.packed, back.parts, NO_EPILOGUE, flat_dx, NO_SUMS, norm, backward, sizes, back.sizes,
        padded,
    )  # fmt: skip
    first, *others = (row[: math.prod(lines)].reshape(lines)[:, : kw * n_in] for row in sums)
    total = sum(others, start=first)
    np.copyto(dweight, total.reshape(kh, kw, n_in, n_out).transpose(3, 2, 0, 1))


def _sizes(geometry: Geometry) -> Sizes:
    border = geometry.padding, geometry.padding
    return Sizes(*geometry.images, *geometry.outputs[1:], *geometry.weights[2:], geometry.stride, *border, 1)


def _convolve_forward(
    geometry: Geometry,
    x: Array,
    weight: Array,
    epilogue: Epilogue,
    out: Array,
    sums: NDArray[np.float64],
    scratch: Scratch,
) -> None:
    n_out, n_in, kh, kw = weight.shape
    sizes, panel = _sizes(geometry), panel_width(n_out)
    packed = scratch.array("packed lines", (n_out // panel, kh, kw, n_in, panel), np.float32)
    np.copyto(packed, weight.transpose(2, 3, 1, 0).reshape(kh, kw, n_in, -1, panel).transpose(3, 0, 1, 2, 4))
    part = np.array([Part(0, 0, 0, 0, kh, kw, 0)], np.int64)
    sums.fill(0)
    _convolve(x, packed.reshape(-1), part, sizes, epilogue, out, sums, scratch)


def _convolve(
    x: Array, packed: Array, parts: NDArray[np.int64], sizes: Sizes, epilogue: Epilogue, out: Array,
    sums: NDArray[np.float64], scratch: Scratch,
) -> None:  # fmt: skip
    padded = _padded("padded image", sizes, min(threadpools.threads(), len(x)), scratch)
    make_ready(_convolve_images, _sum_images)
    _run(x.reshape(-1), packed, parts, epilogue, out.reshape(-1), sums, PLAIN, _FORWARD, sizes, sizes, padded)


def _padded(name: str, sizes: Sizes, workers: int, scratch: Scratch) -> NDArray[np.float32]:
    """Scratch for one padded image of every worker, and what products read after its last line."""
    size = (sizes.height + 2 * sizes.top) * (sizes.width + 2 * sizes.left) * sizes.n_in + (SLACK + 1) * LANES
    return scratch.rows(name, workers, -(-size // LANES) * LANES, np.float32)


@inner
def _clear(padded):
    for e in range(0, padded.size, LANES):
        store(padded, e, fill(ZERO))


@inner
def _pad(x, at, sizes, padded):
    """Copy the image at `at` into the middle of `padded`, whose border is zero."""
    line, padded_line = sizes.width * sizes.n_in, (sizes.width + 2 * sizes.left) * sizes.n_in
    whole = line // LANES * LANES
    for row in range(sizes.height):
        source, target = at + row * line, (sizes.top + row) * padded_line + sizes.left * sizes.n_in
        for e in range(0, whole, LANES):  # numbers one by one are scattered, three cycles each
            store(padded, target + e, load(x, source + e))
        for e in range(whole, line):
            padded[target + e] = x[source + e]


@inner
def _finish_line(out, at, width, channels, slope, shift, kind):
    for position in range(width):
        for c in range(0, channels, LANES):
            z_at = at + position * channels + c
            z = fma(load(out, z_at), load(slope, c), load(shift, c))
            store(out, z_at, activate(z, kind))


@inner
def _convolve_row(lines, packed, parts, out, image, row, sizes):
    """One row of the outputs of every part, from a padded image."""
    _, _, width, n_in, out_height, out_width, n_out, _, _, stride, _, left, spread = sizes
    panel, line = panel_width(n_out), (width + 2 * left) * n_in
    steps, out_line = Steps(stride * n_in, 1, line), spread * out_width * n_out
    for part in range(len(parts)):
        below, column, up, back, kh = (
            parts[part, 0],
            parts[part, 1],
            parts[part, 2],
            parts[part, 3],
            parts[part, 4],
        )
        depth, first = parts[part, 5] * n_in, parts[part, 6]
        extent = Extent(out_width, panel, depth, kh, 0)
        target = (spread * (image * out_height + row) + below) * out_line + column * n_out
        for p in range(n_out // panel):
            multiply(
                out, target + p * panel, spread * n_out, lines, (row * stride + up) * line + back * n_in, steps,
                packed, first + p * kh * depth * panel, panel, extent, NOTHING_COMING,
            )  # fmt: skip


@apart(FLAT, FLAT, PARTS, NO_EPILOGUE, FLAT, SIZES, INDEX, INDEX, FLAT, NO_SUMS, INDEX)
def _convolve_images(x, packed, parts, epilogue, out, sizes, first, last, lines, channel_sums, worker):
    """The outputs of the images first..last-1, after the epilogue, and a worker's sums of them if asked for."""
    slope, shift, kind, _ = epilogue
    width, channels = sizes.out_width, sizes.n_out
    _clear(lines)
    for image in range(first, last):
        _pad(x, image * sizes.height * sizes.width * sizes.n_in, sizes, lines)
        for row in range(sizes.out_height):
            _convolve_row(lines, packed, parts, out, image, row, sizes)
            at = (image * sizes.out_height + row) * width * channels
            if kind >= 0:
                _finish_line(out, at, width, channels, slope, shift, kind)
            if channel_sums.size:
                add_sums(out, at, width, channels, channel_sums[worker])


@apart(FLAT, FLAT, PLAIN, SIZES, INDEX, INDEX, FLAT, FLAT, FLAT, FLAT, PARTS, FLAT, SIZES, FLAT)
def _sum_images(x, dout, norm, sizes, first, last, lines, gradient, total, packed, parts, dx, turned, padded):
    """The gradients of the weights and unless it is empty of the inputs, from the images first..last-1.

    `gradient` has room for that of an image, `padded` for the same with a border.
    """
    _, height, width, n_in, out_height, out_width, n_out, kh, kw, stride, _, left, _ = sizes
    panel, line, depth = panel_width(n_out), (width + 2 * left) * n_in, kw * n_in
    positions, steps = out_height * out_width, Steps(1, stride * n_in, stride * line)
    _clear(lines)
    if dx.size:
        _clear(padded)
    for image in range(first, last):
        _pad(x, image * height * width * n_in, sizes, lines)
        source, at = dout, image * positions * n_out
        if norm.kind >= 0:
            write_gradient(dout, at, positions, norm, gradient, signed(0))
            source, at = gradient, signed(0)
        extent = Extent(depth, panel, out_width, out_height, int(image > first))
        for ky in range(kh):
            for p in range(n_out // panel):
                multiply(
                    total, ky * (depth + SLACK) * n_out + p * panel, n_out, lines, ky * line, steps,
                    source, at + p * panel, n_out, extent, NOTHING_COMING,
                )  # fmt: skip
        if dx.size:
            _pad(source, at, turned, padded)
            for row in range(turned.out_height):
                _convolve_row(padded, packed, parts, dx, image, row, turned)


@njit(parallel=True)
def _run(x, packed, parts, epilogue, out, channel_sums, norm, backward, sizes, turned, padded):
    """Write the convolution of x into `out`, or if `backward` has totals, sum the gradient of the weights.

    Then `out` is that of the inputs, by a convolution with the sizes `turned`, or empty.
    """
    dout, gradients, totals, padded_back = backward
    n_images, workers = sizes.n_images, len(padded)
    for index in prange(workers):
        worker = signed(index)
        first, last = n_images * worker // workers, n_images * (worker + 1) // workers
        lines = padded[worker]
        if totals.size:
            _sum_images(
                x, dout, norm, sizes, first, last, lines, gradients[worker], totals[worker], packed, parts, out,
                turned, padded_back[worker],
            )  # fmt: skip
        else:
            _convolve_images(x, packed, parts, epilogue, out, sizes, first, last, lines, channel_sums, worker)


KERNEL = CompiledKernel(
    applies,
    forward,
    backward_data,
    backward_weights,
    applies_backward,
    forward_with_sums=forward_with_sums,
    forward_with_epilogue=forward_with_epilogue,
    joins_norm=joins_norm,
    backward_through_norm=backward_through_norm,
)
