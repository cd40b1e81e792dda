"""Convolution by 3 x 3 kernels of images so small that every output position sees every input position.

On images of 2 x 2 and less, with stride 1 and padding 1, the kernel connects every position p of the input with
every position q of the output, by its tap p - q + 1 (along either axis). With images as rows,

    out[q] = sum_p x[p] w[p-q+1],    dx[p] = sum_q dout[q] w[p-q+1]^T,    dw[t] = sum_(p-q+1=t) x[p]^T dout[q]:

16 products of channels where patches, with their share of padding, take 36. The positions of one row of an image
lie side by side, and so do the taps they meet, packed by taps: one product takes them all. Threads share panels of
output channels and pack, or sum, the weights of one panel at a time: nothing as large as all of them is copied.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import machine
from deeptheory.compiled import njit, prange
from deeptheory.nn.kernels.generate.panels import SHORT
from deeptheory.nn.kernels.generate.transforms import kernel_gradient_transform, kernel_transform
from deeptheory.nn.kernels.products import multiply, panel_width
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vector import LANES, explicit

SIDE = 3  # of the kernel
TAPS = SIDE * SIDE
CHUNK = (
    128  # input channels at a time in the gradient of the weights: their sums stay in the second-level cache
)

gather_taps = kernel_transform(np.eye(SIDE), turned=False)
scatter_taps = kernel_gradient_transform(np.eye(SIDE))


def applies(x: NDArray[Any], weight_shape: tuple[int, ...], stride: int, padding: int) -> bool:
    """Whether a convolution can be computed here: 3 x 3 on 2 x 2 images or less, float32, channels in sixteens.

    At least four images, which products take at a time.
    """
    return (
        tuple(weight_shape[2:]) == (SIDE, SIDE)
        and stride == 1
        and padding == 1
        and max(x.shape[1:3]) <= 2
        and len(x) >= SHORT
        and weight_shape[0] % LANES == 0
        and weight_shape[1] % LANES == 0
        and explicit(x.dtype)
    )


def forward(x: NDArray[Any], weight: NDArray[Any], out: NDArray[Any], scratch: Scratch) -> None:
    """Write the convolution of `x` (N, H, W, C) and `weight` (O, C, 3, 3) into `out` (N, H, W, O)."""
    n_in = weight.shape[1]
    _convolve(x, weight, (TAPS, n_in * TAPS), False, out, scratch)


def backward_data(dout: NDArray[Any], weight: NDArray[Any], dx: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the input (N, H, W, C) into `dx`, given that of the output `dout` (N, H, W, O)."""
    n_in = weight.shape[1]
    _convolve(dout, weight, (n_in * TAPS, TAPS), True, dx, scratch)


def backward_weights(x: NDArray[Any], dout: NDArray[Any], dweight: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the weights (O, C, 3, 3) into `dweight`."""
    n_images, height, width, n_in = x.shape
    n_out, workers = dout.shape[3], machine.threads()
    sums = scratch.array("small sums", (workers, TAPS * CHUNK * panel_width(n_out)), np.float32)
    _sum(
        _by_position("small inputs", x, scratch), _by_position("small gradients", dout, scratch),
        dweight.reshape(-1), n_images, height, width, n_in, n_out, sums,
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
    n_in, n_out = x.shape[3], out.shape[3]
    packed = scratch.array("small panels", (machine.threads(), TAPS * n_in * panel_width(n_out)), np.float32)
    _multiply(x.reshape(-1), weight.reshape(-1), *strides, turned, out.reshape(-1), *x.shape, n_out, packed)


def _by_position(name: str, x: NDArray[Any], scratch: Scratch) -> NDArray[np.float32]:
    """A flat copy as (position, image, channel), rows of `_row_size`."""
    n_images, height, width, channels = x.shape
    copy = scratch.array(name, (height * width, n_images, _row_size(channels)), np.float32)
    np.copyto(copy[:, :, :channels], x.reshape(n_images, -1, channels).transpose(1, 0, 2))
    return copy.reshape(-1)


@njit()
def _row_size(channels):
    """Elements from one image to the next: not a large power of two, which would crowd one cache set."""
    return channels + LANES


@njit()
def _pack(weight, p, n_in, panel, in_stride, out_stride, turned, packed):
    """The weights of panel p as (tap, in, columns of the panel); `turned` turns them by half a turn."""
    size = n_in * panel
    first, step = ((TAPS - 1) * size, -size) if turned else (0, size)
    for i in range(n_in):
        for o in range(0, panel, LANES):
            source = i * in_stride + (p * panel + o) * out_stride
            gather_taps(packed, first + i * panel + o, SIDE * step, step, weight, source, out_stride)


@njit(parallel=True)
def _multiply(x, weight, in_stride, out_stride, turned, out, n_images, height, width, n_in, n_out, packed):
    panel, workers, positions = panel_width(n_out), len(packed), height * width
    panels, blocks = n_out // panel, n_images // SHORT
    parts = min(
        (workers + panels - 1) // panels, blocks
    )  # of the images, where there are more threads than panels
    for worker in prange(workers):
        own = packed[worker]
        for job in range(worker, panels * parts, workers):
            p, part = job // parts, job % parts
            _pack(weight, p, n_in, panel, in_stride, out_stride, turned, own)
            start, whole = blocks * part // parts * SHORT, blocks * (part + 1) // parts * SHORT
            end = n_images if part == parts - 1 else whole
            for q in range(positions):
                for overlap in range(1 + (whole < end)):  # the last 4 images, in part for the second time
                    first, last = (end - SHORT, end) if overlap else (start, whole)
                    for row in range(height):
                        tap = (
                            (row - q // width + 1) * SIDE + 1 - q % width
                        )  # of the first position in the row
                        multiply(
                            out, (first * positions + q) * n_out + p * panel, positions * n_out,
                            x, (first * positions + row * width) * n_in, positions * n_in, 1, 0,
                            own, tap * n_in * panel, panel, last - first, panel, width * n_in, 1, row > 0,
                        )  # fmt: skip


@njit(parallel=True)
def _sum(x, dout, dweight, n_images, height, width, n_in, n_out, sums):
    panel, workers, positions = panel_width(n_out), len(sums), height * width
    x_row, dout_row, size = _row_size(n_in), _row_size(n_out), CHUNK * panel
    panels, blocks = n_out // panel, n_in // LANES
    parts = max(
        (n_in + CHUNK - 1) // CHUNK, min((workers + panels - 1) // panels, blocks)
    )  # of the input channels
    for worker in prange(workers):
        own = sums[worker]
        for job in range(worker, panels * parts, workers):
            p, part = job // parts, job % parts
            low, high = blocks * part // parts * LANES, blocks * (part + 1) // parts * LANES
            for tap in range(TAPS):
                accumulate = False
                for q in range(positions):
                    row, column = q // width + tap // SIDE - 1, q % width + tap % SIDE - 1
                    if 0 <= row < height and 0 <= column < width:
                        multiply(
                            own, tap * size, panel,
                            x, (row * width + column) * n_images * x_row + low, 1, x_row, 0,
                            dout, q * n_images * dout_row + p * panel, dout_row,
                            high - low, panel, n_images, 1, accumulate,
                        )  # fmt: skip
                        accumulate = True
                if not accumulate:
                    own[tap * size : (tap + 1) * size] = 0.0
            for o in range(0, panel, LANES):
                for i in range(high - low):
                    target = ((p * panel + o) * n_in + low + i) * TAPS
                    scatter_taps(dweight, target, n_in * TAPS, own, i * panel + o, SIDE * size, size, False)
