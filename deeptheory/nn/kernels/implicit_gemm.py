"""Convolution as products of image lines and weights, without patches written out.

In a padded image stored as (row, column, channel), the kw*C elements that a row of the kernel covers lie side by
side, and those of the next output position `stride`*C elements further on. So a product that steps through the kh
lines reads its patches where they lie. For kernels of any size and stride where Winograd's algorithm does not
apply, first of all the layer that sees the images.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels.compiled_kernel import Array, CompiledKernel, Geometry
from deeptheory.nn.kernels.fused_norm import NO_EPILOGUE, Epilogue, activate
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
from deeptheory.nn.kernels.vectors import LANES, explicit, fma, load, store
from deeptheory.system import threadpools
from deeptheory.system.apart import FLAT, INDEX, apart, make_ready
from deeptheory.system.compiled import inner, njit, prange, signed

NO_SUMS = np.empty((0, 0))


class _Sizes(NamedTuple):
    """Sizes of a convolution; images are padded by `top` rows and `left` columns on either side."""

    n_images: int
    height: int
    width: int
    n_in: int
    out_height: int
    out_width: int
    n_out: int
    kh: int
    kw: int
    stride: int
    top: int
    left: int


class _Gradient(NamedTuple):
    """What is added up going backward.

    Attributes
    ----------
    dout : flat gradient of what batch norm and activation make of the output
    gradients : of every worker, the gradient of an image through the norm
    totals : of every worker, the gradient of the weights; empty going forward
    """

    dout: Array
    gradients: Array
    totals: Array


_NOTHING = np.empty(0, np.float32)
SIZES = _Sizes(*12 * (1,))
_FORWARD = _Gradient(_NOTHING, np.empty((0, 0), np.float32), np.empty((0, 0), np.float32))


def applies(geometry: Geometry) -> bool:
    """Whether a convolution can be computed here: float32, O in sixteens, OW in fours."""
    _, _, out_width, n_out = geometry.outputs
    return _fit(geometry, n_out, out_width)


def applies_backward(geometry: Geometry) -> bool:
    """Whether the gradient of the input can: stride 1 and less padding than kernel, C in sixteens, W in fours."""
    _, _, width, n_in = geometry.images
    plain = geometry.stride == 1 and geometry.padding < min(geometry.weights[2:])
    return plain and _fit(geometry, n_in, width)


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
    """Write the gradient of the input (N, H, W, C) into `dx`, for a stride of 1."""
    kh, kw = weight.shape[2:]
    # The convolution of dout with the weights turned by half a turn and in and out exchanged.
    turned = weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)
    border = kh - 1 - geometry.padding, kw - 1 - geometry.padding
    sizes = _Sizes(*geometry.outputs, *geometry.images[1:], kh, kw, 1, *border)
    _convolve(dout, turned, sizes, NO_EPILOGUE, dx, NO_SUMS, scratch)


def backward_weights(geometry: Geometry, x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    """Write the gradient of the weights (O, C, kh, kw) into `dweight`; threads add in a fixed order."""
    _backward_weights(geometry, x, dout, PLAIN, dweight, scratch)


def joins_norm(geometry: Geometry, size: int, input_gradient: bool) -> bool:
    """Whether `backward_through_norm` can be used: without pooling or a gradient of the input."""
    return size == 1 and not input_gradient


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
    """`backward_weights`, given the gradient of what batch norm and activation make of the output."""
    _backward_weights(geometry, x, dout, norm, dweight, scratch)


def _backward_weights(
    geometry: Geometry, x: Array, dout: Array, norm: Normed, dweight: Array, scratch: Scratch
) -> None:
    n_out, n_in, kh, kw = dweight.shape
    workers = min(threadpools.threads(), len(x))
    sums = scratch.array("line sums", (workers, kh, kw * n_in + SLACK, n_out), np.float32)
    rows = dout.shape[1] * dout.shape[2] if norm.kind >= 0 else 0
    gradients = scratch.array("line gradients", (workers, rows * n_out), np.float32)
    sizes = _sizes(geometry)
    padded = _padded(sizes, workers, scratch)
    backward = _Gradient(dout.reshape(-1), gradients, sums.reshape(workers, -1))
    make_ready(_convolve_images, _sum_images)
    _run(x.reshape(-1), _NOTHING, NO_EPILOGUE, _NOTHING, NO_SUMS, norm, backward, sizes, padded)
    total = sums[0, :, : kw * n_in]
    for worker in range(1, workers):
        total += sums[worker, :, : kw * n_in]
    np.copyto(dweight, total.reshape(kh, kw, n_in, n_out).transpose(3, 2, 0, 1))


def _sizes(geometry: Geometry) -> _Sizes:
    border = geometry.padding, geometry.padding
    return _Sizes(*geometry.images, *geometry.outputs[1:], *geometry.weights[2:], geometry.stride, *border)


def _convolve_forward(
    geometry: Geometry,
    x: Array,
    weight: Array,
    epilogue: Epilogue,
    out: Array,
    sums: NDArray[np.float64],
    scratch: Scratch,
) -> None:
    _convolve(x, weight.transpose(2, 3, 1, 0), _sizes(geometry), epilogue, out, sums, scratch)


def _convolve(
    x: Array,
    weight: Array,
    sizes: _Sizes,
    epilogue: Epilogue,
    out: Array,
    sums: NDArray[np.float64],
    scratch: Scratch,
) -> None:
    """`weight` is (kh, kw, C, O)."""
    kh, kw, n_in, n_out = weight.shape
    panel = panel_width(n_out)
    packed = scratch.array("packed lines", (n_out // panel, kh, kw, n_in, panel), np.float32)
    np.copyto(packed, weight.reshape(kh, kw, n_in, -1, panel).transpose(3, 0, 1, 2, 4))
    padded = _padded(sizes, min(threadpools.threads(), len(x)), scratch)
    sums.fill(0)
    make_ready(_convolve_images, _sum_images)
    _run(x.reshape(-1), packed.reshape(-1), epilogue, out.reshape(-1), sums, PLAIN, _FORWARD, sizes, padded)


def _padded(sizes: _Sizes, workers: int, scratch: Scratch) -> NDArray[np.float32]:
    """Scratch for one padded image of every worker, and what products read after its last line."""
    size = (sizes.height + 2 * sizes.top) * (sizes.width + 2 * sizes.left) * sizes.n_in + (SLACK + 1) * LANES
    padded = scratch.array("padded image", (workers, -(-size // LANES) * LANES), np.float32)
    padded[:] = 0
    return padded


@inner
def _pad(x, image, sizes, padded):
    """Copy an image into the middle of `padded`, whose border is zero."""
    _, height, width, n_in, _, _, _, _, _, _, top, left = sizes
    line, padded_line = width * n_in, (width + 2 * left) * n_in
    for row in range(height):
        source, target = (image * height + row) * line, (top + row) * padded_line + left * n_in
        for e in range(line):  # an assignment of slices takes two seconds to compile
            padded[target + e] = x[source + e]


@inner
def _finish_line(out, at, width, channels, slope, shift, kind):
    for position in range(width):
        for c in range(0, channels, LANES):
            z_at = at + position * channels + c
            z = fma(load(out, z_at), load(slope, c), load(shift, c))
            store(out, z_at, activate(z, kind))


@apart(FLAT, FLAT, NO_EPILOGUE, FLAT, SIZES, INDEX, INDEX, FLAT, NO_SUMS, INDEX)
def _convolve_images(x, packed, epilogue, out, sizes, first, last, lines, channel_sums, worker):
    """The outputs of the images first..last-1, after the epilogue, and a worker's sums of them if asked for."""
    _, _, width, n_in, out_height, out_width, n_out, kh, kw, stride, _, left = sizes
    slope, shift, kind, _ = epilogue
    panel, line, depth = panel_width(n_out), (width + 2 * left) * n_in, kw * n_in
    steps, extent = Steps(stride * n_in, 1, line), Extent(out_width, panel, depth, kh, 0)
    for image in range(first, last):
        _pad(x, image, sizes, lines)
        for row in range(out_height):
            target = (image * out_height + row) * out_width * n_out
            for p in range(n_out // panel):
                multiply(
                    out, target + p * panel, n_out, lines, row * stride * line, steps,
                    packed, p * kh * depth * panel, panel, extent, NOTHING_COMING,
                )  # fmt: skip
            if kind >= 0:
                _finish_line(out, target, out_width, n_out, slope, shift, kind)
            if channel_sums.size:
                add_sums(out, target, out_width, n_out, channel_sums[worker])


@apart(FLAT, FLAT, PLAIN, SIZES, INDEX, INDEX, FLAT, FLAT, FLAT)
def _sum_images(x, dout, norm, sizes, first, last, lines, gradient, total):
    """The gradient of the weights from the images first..last-1; `gradient` has room for that of an image."""
    _, _, width, n_in, out_height, out_width, n_out, kh, kw, stride, _, left = sizes
    panel, line, depth = panel_width(n_out), (width + 2 * left) * n_in, kw * n_in
    positions, steps = out_height * out_width, Steps(1, stride * n_in, stride * line)
    for image in range(first, last):
        _pad(x, image, sizes, lines)
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


@njit(parallel=True)
def _run(x, packed, epilogue, out, channel_sums, norm, backward, sizes, padded):
    """Write the convolution of x into `out`, or if `backward` has totals, sum the gradient of the weights."""
    dout, gradients, totals = backward
    n_images, workers = sizes.n_images, len(padded)
    for index in prange(workers):
        worker = signed(index)
        first, last = n_images * worker // workers, n_images * (worker + 1) // workers
        lines = padded[worker]
        if totals.size:
            _sum_images(x, dout, norm, sizes, first, last, lines, gradients[worker], totals[worker])
        else:
            _convolve_images(x, packed, epilogue, out, sizes, first, last, lines, channel_sums, worker)


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
