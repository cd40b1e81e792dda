"""Convolution by 3 x 3 kernels of images so small that every output position sees every input position.

On images of 2 x 2 and less, with stride 1 and padding 1, the kernel connects every position p of the input with
every position q of the output, by its tap p - q + 1 (along either axis). With images as rows,

    out[q] = sum_p x[p] w[p-q+1],    dx[p] = sum_q dout[q] w[p-q+1]^T,    dw[t] = sum_(p-q+1=t) x[p]^T dout[q]:

16 products of channels where patches, with their share of padding, take 36. The positions p of one row of an image
lie side by side, and so do the taps they meet, packed by taps: one product takes them all. Threads share panels of
output channels and pack, or sum, the weights of one panel at a time: nothing as large as all of them is copied.

One function computes all three: each more takes a second to compile.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from deeptheory.nn.kernels.compiled_kernel import Array, CompiledKernel, Geometry
from deeptheory.nn.kernels.generated.panels import SHORT
from deeptheory.nn.kernels.generated.transforms import kernel_gradient_transform, kernel_transform
from deeptheory.nn.kernels.matrix_products import NOTHING_COMING, WIDE, WIDEST, Extent, Steps, multiply
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES, ZERO, explicit, fill, store
from deeptheory.system import threadpools
from deeptheory.system.apart import FLAT, INDEX, apart, make_ready
from deeptheory.system.compiled import inner, njit, prange, signed

SIDE = 3  # of the kernel
TAPS = SIDE * SIDE
PANEL = WIDEST if WIDE else LANES  # columns of a product

gather_taps = kernel_transform(np.eye(SIDE), turned=False)
scatter_taps = kernel_gradient_transform(np.eye(SIDE))


class _Strides(NamedTuple):
    """How weights lie: elements from one input channel, one output channel, to the next; turned by half a turn."""

    n_in: int
    n_out: int
    turned: bool


class _Sizes(NamedTuple):
    """Sizes of the images and of their channels."""

    n_images: int
    height: int
    width: int
    n_in: int
    n_out: int


def applies(geometry: Geometry) -> bool:
    """Whether a convolution can be computed here: 3 x 3 on 2 x 2 images or less, float32, channels in panels.

    That is in 64s, by AVX2 in sixteens. At least four images, which products take at a time.
    """
    n_images, *sides, _ = geometry.images
    n_out, n_in = geometry.weights[:2]
    return (
        geometry.matches(SIDE, stride=1, padding=1)
        and max(sides) <= 2
        and n_images >= SHORT
        and n_out % PANEL == n_in % PANEL == 0
        and explicit(geometry.dtype)
    )


def forward(geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch) -> None:
    """Write the convolution of `x` (N, H, W, C) and `weight` (O, C, 3, 3) into `out` (N, H, W, O)."""
    _convolve(x, weight, _Strides(TAPS, weight.shape[1] * TAPS, False), out, scratch)


def backward_data(geometry: Geometry, dout: Array, weight: Array, dx: Array, scratch: Scratch) -> None:
    """Write the gradient of the input (N, H, W, C) into `dx`, given that of the output `dout` (N, H, W, O)."""
    _convolve(dout, weight, _Strides(weight.shape[1] * TAPS, TAPS, True), dx, scratch)


def backward_weights(geometry: Geometry, x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    """Write the gradient of the weights (O, C, 3, 3) into `dweight`."""
    n_images, height, width, n_in = geometry.images
    n_out = dout.shape[3]
    # As products read them: x as (panel, row, image, column, channel), dout as (panel, position, image, channel).
    # Rows end in free space: images a power of two apart would crowd one set of the cache.
    line = width * PANEL
    rows = scratch.array("small inputs", (n_in // PANEL, height, n_images, line + LANES), np.float32)
    lines = rows[..., :line].reshape(*rows.shape[:3], width, PANEL)
    np.copyto(lines, x.reshape(n_images, height, width, -1, PANEL).transpose(3, 1, 0, 2, 4))
    gradients = scratch.array(
        "small gradients", (n_out // PANEL, height * width, n_images, PANEL), np.float32
    )
    np.copyto(gradients, dout.reshape(n_images, height * width, -1, PANEL).transpose(2, 1, 0, 3))
    sums = scratch.rows("small panels", threadpools.threads(), TAPS * PANEL * PANEL, np.float32)
    strides = _Strides(TAPS, n_in * TAPS, False)
    flat = rows.reshape(-1), gradients.reshape(-1), dweight.reshape(-1)
    make_ready(_run_job)
    _run(True, *flat, strides, _Sizes(*geometry.images, n_out), n_in // PANEL, sums)


def _convolve(x: Array, weight: Array, strides: _Strides, out: Array, scratch: Scratch) -> None:
    """The convolution of `x` by weights that lie as `strides` say."""
    (n_images, height, width, n_in), n_out, workers = x.shape, out.shape[3], threadpools.threads()
    packed = scratch.rows("small panels", workers, TAPS * n_in * PANEL, np.float32)
    # Parts of the images, where there are more threads than panels.
    parts = min(-(-workers // (n_out // PANEL)), len(x) // SHORT)
    flat = x.reshape(-1), weight.reshape(-1), out.reshape(-1)
    make_ready(_run_job)
    _run(False, *flat, strides, _Sizes(n_images, height, width, n_in, n_out), parts, packed)


@inner
def _pack(weight, p, n_in, strides, packed):
    """The weights of panel p as (tap, in, column)."""
    size = n_in * PANEL
    first, step = ((TAPS - 1) * size, -size) if strides.turned else (0, size)
    for i in range(n_in):
        for o in range(0, PANEL, LANES):
            source = i * strides.n_in + (p * PANEL + o) * strides.n_out
            gather_taps(packed, first + i * PANEL + o, SIDE * step, step, weight, source, strides.n_out)


@inner
def _unpack(sums, p, part, strides, dweight):
    """The weights of panel p and of a part of the input channels from (tap, in, column)."""
    size = PANEL * PANEL
    for o in range(0, PANEL, LANES):
        for i in range(PANEL):
            target = (part * PANEL + i) * strides.n_in + (p * PANEL + o) * strides.n_out
            scatter_taps(dweight, target, strides.n_out, sums, i * PANEL + o, SIDE * size, size, False)


@apart(
    types.boolean, FLAT, FLAT, FLAT, _Strides(1, 1, True), _Sizes(1, 1, 1, 1, 1), INDEX, INDEX, INDEX, FLAT
)
def _run_job(gradient, x, other, result, strides, sizes, p, part, parts, packed):
    """`_run` for panel p of the outputs and a part of the images, or for a gradient of the input channels."""
    n_images, height, width, n_in, n_out = sizes
    positions, blocks = height * width, n_images // SHORT
    if gradient:  # packed[tap] += x[row]^T dout[q]
        for e in range(0, TAPS * PANEL * PANEL, LANES):
            store(packed, e, fill(ZERO))
        start, whole, end, depth = 0, width * PANEL, width * PANEL, n_images
        c, c_at, c_row, c_position, c_tap = packed, 0, PANEL, 0, PANEL * PANEL
        a_row, a_depth = 1, width * PANEL + LANES
        a_line = n_images * a_depth
        a_at = part * height * a_line
        b, b_position, b_tap = other, n_images * PANEL, 0
        b_at = p * positions * b_position
    else:  # result[q] (+)= x[row] packed[tap]
        _pack(other, p, n_in, strides, packed)
        start, whole = blocks * part // parts * SHORT, blocks * (part + 1) // parts * SHORT
        end, depth = n_images if part == parts - 1 else whole, width * n_in
        c, c_at, c_row, c_position, c_tap = result, p * PANEL, positions * n_out, n_out, 0
        a_row, a_depth, a_line, a_at = positions * n_in, 1, width * n_in, 0
        b, b_position, b_tap, b_at = packed, 0, n_in * PANEL, 0
    steps = Steps(a_row, a_depth, 0)
    for q in range(positions):
        for overlap in range(1 + (whole < end)):  # the last 4 images, in part for the second time
            first, last = (end - SHORT, end) if overlap else (start, whole)
            for row in range(height):
                tap = (row - q // width + 1) * SIDE + 1 - q % width  # of the first position in the row
                extent = Extent(last - first, PANEL, depth, 1, int(gradient or row > 0))
                multiply(
                    c, c_at + first * c_row + q * c_position + tap * c_tap, c_row,
                    x, a_at + first * a_row + row * a_line, steps,
                    b, b_at + q * b_position + tap * b_tap, extent.panel,
                    extent, NOTHING_COMING,
                )  # fmt: skip
    if gradient:
        _unpack(packed, p, part, strides, result)


@njit(parallel=True)
def _run(gradient, x, other, result, strides, sizes, parts, scratch):
    """result = x * other; for a `gradient` of the weights `other` is dout, both laid out by `backward_weights`."""
    jobs, workers = sizes.n_out // PANEL * parts, len(scratch)
    for index in prange(workers):
        worker = signed(index)
        for job in range(worker, jobs, workers):
            p, part = job // parts, job % parts
            _run_job(gradient, x, other, result, strides, sizes, p, part, parts, scratch[worker])


KERNEL = CompiledKernel(applies, forward, backward_data, backward_weights)
