"""Convolution by 3 x 3 kernels of images so small that every output position sees every input position.

On images of 2 x 2 and less, with stride 1 and padding 1, the kernel connects every position p of the input with
every position q of the output, by its tap p - q + 1 (along either axis). With images as rows,

    out[q] = sum_p x[p] w[p-q+1],    dx[p] = sum_q dout[q] w[p-q+1]^T,    dw[t] = sum_(p-q+1=t) x[p]^T dout[q]:

16 products of channels where patches, with their share of padding, take 36. The positions p of one row of an image
lie side by side, and so do the taps they meet, packed by taps: one product takes them all. Threads share panels of
output channels and pack, or sum, the weights of one panel at a time: nothing as large as all of them is copied.

One function computes all three, by products of one width: each more that calls them takes a second to compile.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels.generated.panels import SHORT
from deeptheory.nn.kernels.generated.transforms import kernel_gradient_transform, kernel_transform
from deeptheory.nn.kernels.matrix_products import WIDE, WIDEST, product_of_4
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES, ZERO, explicit, fill, store
from deeptheory.system import threadpools
from deeptheory.system.compiled import inner, njit, prange, signed

SIDE = 3  # of the kernel
TAPS = SIDE * SIDE
PANEL = WIDEST if WIDE else LANES  # columns of `product_of_4`

gather_taps = kernel_transform(np.eye(SIDE), turned=False)
scatter_taps = kernel_gradient_transform(np.eye(SIDE))


def applies(x: NDArray[Any], weight_shape: tuple[int, ...], stride: int, padding: int) -> bool:
    """Whether a convolution can be computed here: 3 x 3 on 2 x 2 images or less, float32, channels in panels.

    That is in 64s, by AVX2 in sixteens. At least four images, which products take at a time.
    """
    return (
        tuple(weight_shape[2:]) == (SIDE, SIDE)
        and stride == 1
        and padding == 1
        and max(x.shape[1:3]) <= 2
        and len(x) >= SHORT
        and weight_shape[0] % PANEL == 0
        and weight_shape[1] % PANEL == 0
        and explicit(x.dtype)
    )


def forward(x: NDArray[Any], weight: NDArray[Any], out: NDArray[Any], scratch: Scratch) -> None:
    """Write the convolution of `x` (N, H, W, C) and `weight` (O, C, 3, 3) into `out` (N, H, W, O)."""
    strides = TAPS, weight.shape[1] * TAPS  # from one input channel, one output channel, to the next
    _convolve(x, weight, strides, False, out, scratch)


def backward_data(dout: NDArray[Any], weight: NDArray[Any], dx: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the input (N, H, W, C) into `dx`, given that of the output `dout` (N, H, W, O)."""
    _convolve(dout, weight, (weight.shape[1] * TAPS, TAPS), True, dx, scratch)


def backward_weights(x: NDArray[Any], dout: NDArray[Any], dweight: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the weights (O, C, 3, 3) into `dweight`."""
    n_images, height, width, n_in = x.shape
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
    sums = scratch.array("small panels", (threadpools.threads(), TAPS * PANEL * PANEL), np.float32)
    strides = TAPS, n_in * TAPS
    _run(
        True, rows.reshape(-1), gradients.reshape(-1), dweight.reshape(-1), *strides, False,
        *x.shape, n_out, n_in // PANEL, sums,
    )  # fmt: skip


def _convolve(
    x: NDArray[Any],
    weight: NDArray[Any],
    strides: tuple[int, int],
    turned: bool,
    out: NDArray[Any],
    scratch: Scratch,
) -> None:
    """`strides` of the weights are from one channel of `x`, one channel of `out`, to the next."""
    n_in, n_out, workers = x.shape[3], out.shape[3], threadpools.threads()
    packed = scratch.array("small panels", (workers, TAPS * n_in * PANEL), np.float32)
    # Parts of the images, where there are more threads than panels.
    parts = min(-(-workers // (n_out // PANEL)), len(x) // SHORT)
    _run(
        False, x.reshape(-1), weight.reshape(-1), out.reshape(-1), *strides, turned,
        *x.shape, n_out, parts, packed,
    )  # fmt: skip


@inner
def _pack(weight, p, n_in, in_stride, out_stride, turned, packed):
    """The weights of panel p as (tap, in, column); `turned` turns them by half a turn."""
    size = n_in * PANEL
    first, step = ((TAPS - 1) * size, -size) if turned else (0, size)
    for i in range(n_in):
        for o in range(0, PANEL, LANES):
            source = i * in_stride + (p * PANEL + o) * out_stride
            gather_taps(packed, first + i * PANEL + o, SIDE * step, step, weight, source, out_stride)


@inner
def _unpack(sums, p, part, in_stride, out_stride, dweight):
    """The weights of panel p and of a part of the input channels from (tap, in, column)."""
    size = PANEL * PANEL
    for o in range(0, PANEL, LANES):
        for i in range(PANEL):
            target = (part * PANEL + i) * in_stride + (p * PANEL + o) * out_stride
            scatter_taps(dweight, target, out_stride, sums, i * PANEL + o, SIDE * size, size, False)


@inner
def _run_job(
    gradient, x, other, result, in_stride, out_stride, turned, n_images, height, width, n_in, n_out, p, part,
    parts, own,
):  # fmt: skip
    """`_run` for panel p of the outputs and a part of the images, or for a gradient of the input channels."""
    positions, blocks = height * width, n_images // SHORT
    if gradient:  # own[tap] += x[row]^T dout[q]
        for e in range(0, TAPS * PANEL * PANEL, LANES):
            store(own, e, fill(ZERO))
        start, whole, end, depth = 0, width * PANEL, width * PANEL, n_images
        c, c_at, c_row, c_position, c_tap = own, 0, PANEL, 0, PANEL * PANEL
        a_row, a_depth = 1, width * PANEL + LANES
        a_line = n_images * a_depth
        a_at = part * height * a_line
        b, b_position, b_tap = other, n_images * PANEL, 0
        b_at = p * positions * b_position
    else:  # result[q] (+)= x[row] own[tap]
        _pack(other, p, n_in, in_stride, out_stride, turned, own)
        start, whole = blocks * part // parts * SHORT, blocks * (part + 1) // parts * SHORT
        end, depth = n_images if part == parts - 1 else whole, width * n_in
        c, c_at, c_row, c_position, c_tap = result, p * PANEL, positions * n_out, n_out, 0
        a_row, a_depth, a_line, a_at = positions * n_in, 1, width * n_in, 0
        b, b_position, b_tap, b_at = own, 0, n_in * PANEL, 0
    for q in range(positions):
        for overlap in range(1 + (whole < end)):  # the last 4 images, in part for the second time
            first, last = (end - SHORT, end) if overlap else (start, whole)
            for row in range(height):
                tap = (row - q // width + 1) * SIDE + 1 - q % width  # of the first position in the row
                product_of_4(
                    c, c_at + first * c_row + q * c_position + tap * c_tap, c_row,
                    x, a_at + first * a_row + row * a_line, a_row, a_depth, 0,
                    b, b_at + q * b_position + tap * b_tap, PANEL,
                    last - first, depth, 1, gradient or row > 0, 0, 0,
                )  # fmt: skip
    if gradient:
        _unpack(own, p, part, in_stride, out_stride, result)


@njit(parallel=True)
def _run(
    gradient, x, other, result, in_stride, out_stride, turned, n_images, height, width, n_in, n_out, parts,
    scratch,
):  # fmt: skip
    """result = x * other; for a `gradient` of the weights `other` is dout, both laid out by `backward_weights`."""
    jobs, workers = n_out // PANEL * parts, len(scratch)
    for index in prange(workers):
        worker = signed(index)
        for job in range(worker, jobs, workers):
            _run_job(
                gradient, x, other, result, in_stride, out_stride, turned, n_images, height, width, n_in, n_out,
                job // parts, job % parts, parts, scratch[worker],
            )  # fmt: skip
