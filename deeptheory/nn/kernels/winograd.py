"""Convolution by 3 x 3 kernels with stride 1 and padding 1 as Winograd's F(4 x 4, 3 x 3).

Lavin & Gray, "Fast algorithms for convolutional neural networks" (CVPR 2016): an output tile of 4 x 4 needs the
input tile d of 6 x 6 and 36 products instead of 144. With U = G g G^T of the weights,

    V = B^T d B,    M[k] = V[k] U[k] at each of the 36 frequencies k,    Y = A^T M A.

The gradient of the input is the same convolution of the output's gradient with the weights turned by half a
turn; the gradient of the weights is dg = G^T (sum over tiles of V[k]^T (A dY A^T)[k]) G.

Where U is not much larger than the second-level cache, every thread takes chunks of tiles through all three steps
("by tiles"). Where it is, all threads transform the tiles, then each takes one panel of output channels after the
other, so that U of a panel is made, used and forgotten by one thread ("by panels"). Errors against float64 are
below 1e-5 relative to the largest value. Channels must be multiples of 16: `applies` says which layers qualify.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import machine
from deeptheory.compiled import njit, prange
from deeptheory.nn.kernels import fused
from deeptheory.nn.kernels.products import WIDEST, multiply, panel_width
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vector import LANES, explicit
from deeptheory.nn.kernels.winograd_tiles import (
    FREQUENCIES,
    OUTPUT_TILE,
    WEIGHT_TAPS,
    layout,
    matrix_size,
    panel_size,
    row_size,
    tile_count,
    transform_gradients,
    transform_inputs,
    transform_outputs,
    transform_panel,
    u_size,
    untransform_panel,
    weight_line,
)

U_BYTES = 1 << 22  # of weights that every thread may read again and again: more go by panels
CHUNK = 36  # tiles at most that are multiplied at a time: V and M stay in the second-level cache
PANEL_CHUNK = 100  # the same by panels, where M is one panel wide
SHARED_BYTES = 1 << 23  # of V by panels


def applies(x: NDArray[Any], weight_shape: tuple[int, ...], stride: int, padding: int) -> bool:
    """Whether a convolution can be computed here: 3 x 3, stride 1, padding 1, float32, channels in sixteens.

    An image of 1 x 1 would leave most of a tile empty and is faster by patches.
    """
    return (
        tuple(weight_shape[2:]) == (3, 3)
        and stride == 1
        and padding == 1
        and weight_shape[0] % LANES == 0
        and weight_shape[1] % LANES == 0
        and explicit(x.dtype)
        and min(x.shape[1:3]) >= 2
    )


def forward(
    x: NDArray[Any],
    weight: NDArray[Any],
    out: NDArray[Any],
    scratch: Scratch,
    epilogue: fused.Epilogue = fused.NO_EPILOGUE,
) -> None:
    """Write the convolution of `x` (N, H, W, C) and `weight` (O, C, 3, 3) into `out` (N, H, W, O).

    With an epilogue, `out` is what `fused.forward` makes of the convolution, half as high and wide with pooling.
    """
    n_out, n_in = weight.shape[:2]
    strides = (WEIGHT_TAPS, n_in * WEIGHT_TAPS)  # from one input channel, one output channel, to the next
    _convolve(x, weight, n_in, n_out, strides, False, out, scratch, epilogue)


def backward_data(dout: NDArray[Any], weight: NDArray[Any], dx: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the input (N, H, W, C) into `dx`, given that of the output `dout` (N, H, W, O)."""
    n_out, n_in = weight.shape[:2]
    _convolve(
        dout, weight, n_out, n_in, (n_in * WEIGHT_TAPS, WEIGHT_TAPS), True, dx, scratch, fused.NO_EPILOGUE
    )


def backward_weights(x: NDArray[Any], dout: NDArray[Any], dweight: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the weights (O, C, 3, 3) into `dweight`.

    By tiles every thread sums over its own part of them and the parts are added in a fixed order: the same number
    of threads gives the same bits.
    """
    n_in, n_out = x.shape[3], dout.shape[3]
    arrays = x.reshape(-1), dout.reshape(-1), dweight.reshape(-1), *x.shape, n_out
    if _by_tiles(n_in, n_out):
        chunk, tiles = _tiles(x, n_in, n_out, scratch)
        sums = scratch.array("winograd sums", (len(tiles), u_size(n_in, n_out)), np.float32)
        _sum_by_tiles(*arrays, chunk, tiles, sums, _weight_blocks(n_out // panel_width(n_out), scratch))
    else:
        _sum_by_panels(*arrays, *_panels(x, n_in, n_out, scratch))


def _convolve(
    x: NDArray[Any],
    weight: NDArray[Any],
    n_in: int,
    n_out: int,
    strides: tuple[int, int],
    turned: bool,
    out: NDArray[Any],
    scratch: Scratch,
    epilogue: fused.Epilogue,
) -> None:
    flat, layout = weight.reshape(-1), (*strides, turned)
    if _by_tiles(n_in, n_out):
        u = scratch.array("winograd u", (u_size(n_in, n_out),), np.float32)
        blocks = _weight_blocks(n_out // panel_width(n_out), scratch)
        _transform_weights(flat, n_in, n_out, *layout, blocks, u)
        chunk, tiles = _tiles(x, n_in, n_out, scratch)
        _multiply_by_tiles(x.reshape(-1), u, out.reshape(-1), *x.shape, n_out, chunk, tiles, *epilogue)
    else:
        _multiply_by_panels(
            x.reshape(-1), flat, *layout, out.reshape(-1), *x.shape, n_out,
            *_panels(x, n_in, n_out, scratch), *epilogue,
        )  # fmt: skip


def _by_tiles(n_in: int, n_out: int) -> bool:
    return 4 * FREQUENCIES * n_in * n_out <= U_BYTES


def _evenly(n: int, most: int) -> int:
    """The size of equal chunks of n, at most `most`."""
    return -(-n // -(-n // most))


def _weight_blocks(n: int, scratch: Scratch) -> NDArray[np.float32]:
    """n times the frequencies of some rows of a panel."""
    shape = (n, FREQUENCIES * weight_line(WIDEST))
    return scratch.array("winograd weights", shape, np.float32)


def _tiles(x: NDArray[Any], n_in: int, n_out: int, scratch: Scratch) -> tuple[int, NDArray[np.float32]]:
    """Tiles per chunk, and scratch of every worker for V, M and one output tile."""
    n_tiles = tile_count(*x.shape[:3])
    workers = min(machine.threads(), n_tiles)
    chunk = _evenly(-(-n_tiles // workers), CHUNK)
    _, _, _, end = layout(chunk, n_in, n_out)
    return chunk, scratch.array("winograd tiles", (workers, end + OUTPUT_TILE), np.float32)


def _panels(
    x: NDArray[Any], n_in: int, n_out: int, scratch: Scratch
) -> tuple[int, int, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Tiles per chunk of V and of M, V, and scratch of every worker: U, M and one output tile, weight blocks."""
    n_tiles, panel, workers = tile_count(*x.shape[:3]), panel_width(n_out), machine.threads()
    shared = _evenly(n_tiles, max(SHARED_BYTES // (4 * FREQUENCIES * n_in), PANEL_CHUNK))
    chunk = _evenly(shared, PANEL_CHUNK)
    v = scratch.array("winograd v", (FREQUENCIES * matrix_size(shared, row_size(n_in)),), np.float32)
    u = scratch.array("winograd panels", (workers, u_size(n_in, panel)), np.float32)
    m = scratch.array(
        "winograd tiles",
        (workers, FREQUENCIES * matrix_size(chunk, row_size(panel)) + OUTPUT_TILE),
        np.float32,
    )
    return shared, chunk, v, u, m, _weight_blocks(workers, scratch)


@njit(parallel=True)
def _transform_weights(weight, n_in, n_out, in_stride, out_stride, turned, blocks, u):
    panel = panel_width(n_out)
    for p in prange(n_out // panel):
        u_at = p * FREQUENCIES * panel_size(n_in, panel)
        transform_panel(weight, p, n_in, panel, in_stride, out_stride, turned, blocks[p], u, u_at)


@njit(parallel=True)
def _multiply_by_tiles(
    x, u, out, n_images, height, width, n_in, n_out, chunk, tiles, slope, shift, kind, size
):
    n_tiles, workers = tile_count(n_images, height, width), len(tiles)
    v_step, m_step, m_at, patch_at = layout(chunk, n_in, n_out)
    panel = panel_width(n_out)
    u_step = panel_size(n_in, panel)
    for worker in prange(workers):
        own = tiles[worker]
        start, end = n_tiles * worker // workers, n_tiles * (worker + 1) // workers
        for first in range(start, end, chunk):
            count = min(chunk, end - first)
            transform_inputs(x, height, width, n_in, first, count, own, 0, v_step)
            for k in range(FREQUENCIES):
                for p in range(n_out // panel):  # M[k] = V[k] U[k]
                    multiply(
                        own, m_at + k * m_step + p * panel, row_size(n_out), own, k * v_step, row_size(n_in), 1, 0,
                        u, (p * FREQUENCIES + k) * u_step, panel, count, panel, n_in, 1, False,
                        (k + 1) * v_step,
                        ((p + 1) * FREQUENCIES + k) * u_step if p + 1 < n_out // panel else (k + 1) * u_step,
                    )  # fmt: skip
            transform_outputs(
                own, m_at, m_step, patch_at, first, count, out, height, width, n_out, 0, n_out,
                slope, shift, kind, size,
            )  # fmt: skip


@njit(parallel=True)
def _sum_by_tiles(x, dout, dweight, n_images, height, width, n_in, n_out, chunk, tiles, sums, blocks):
    n_tiles, workers = tile_count(n_images, height, width), len(tiles)
    v_step, m_step, m_at, _ = layout(chunk, n_in, n_out)
    panel = panel_width(n_out)
    u_step = panel_size(n_in, panel)
    for worker in prange(workers):
        own = tiles[worker]
        start, end = n_tiles * worker // workers, n_tiles * (worker + 1) // workers
        for first in range(start, end, chunk):
            count = min(chunk, end - first)
            transform_inputs(x, height, width, n_in, first, count, own, 0, v_step)
            transform_gradients(dout, height, width, n_out, 0, n_out, first, count, own, m_at, m_step)
            for k in range(FREQUENCIES):
                for p in range(n_out // panel):  # dU[k] (+)= V[k]^T dM[k]
                    multiply(
                        sums[worker], (p * FREQUENCIES + k) * u_step, panel, own, k * v_step, 1, row_size(n_in), 0,
                        own, m_at + k * m_step + p * panel, row_size(n_out), n_in, panel, count, 1, first > start,
                        (k + 1) * v_step, m_at + (k + 1) * m_step + p * panel,
                    )  # fmt: skip
    for p in prange(n_out // panel):
        sums_at = p * FREQUENCIES * u_step
        untransform_panel(sums, sums_at, 0, n_in, p, n_in, panel, blocks[p], dweight, False)


@njit(parallel=True)
def _multiply_by_panels(
    x, weight, in_stride, out_stride, turned, out, n_images, height, width, n_in, n_out,
    shared, chunk, v, u, m, blocks, slope, shift, kind, size,
):  # fmt: skip
    n_tiles, workers = tile_count(n_images, height, width), len(u)
    panel = panel_width(n_out)
    panels = n_out // panel
    parts = (workers + panels - 1) // panels  # of the tiles, where there are more threads than panels
    v_row, m_row, u_step = row_size(n_in), row_size(panel), panel_size(n_in, panel)
    v_step, m_step = matrix_size(shared, v_row), matrix_size(chunk, m_row)
    for begin in range(0, n_tiles, shared):
        own_tiles = min(shared, n_tiles - begin)
        for t in prange(own_tiles):
            transform_inputs(x, height, width, n_in, begin + t, 1, v, t * v_row, v_step)
        for worker in prange(workers):
            own = m[worker]
            for job in range(worker, panels * parts, workers):
                p, part = job // parts, job % parts
                transform_panel(
                    weight, p, n_in, panel, in_stride, out_stride, turned, blocks[worker], u[worker], 0
                )
                end = own_tiles * (part + 1) // parts
                for first in range(own_tiles * part // parts, end, chunk):
                    count = min(chunk, end - first)
                    for k in range(FREQUENCIES):
                        multiply(
                            own, k * m_step, m_row, v, k * v_step + first * v_row, v_row, 1, 0,
                            u[worker], k * u_step, panel, count, panel, n_in, 1, False,
                            (k + 1) * v_step + first * v_row, (k + 1) * u_step,
                        )  # fmt: skip
                    transform_outputs(
                        own, 0, m_step, FREQUENCIES * m_step, begin + first, count, out, height, width,
                        n_out, p * panel, panel, slope, shift, kind, size,
                    )  # fmt: skip


@njit(parallel=True)
def _sum_by_panels(x, dout, dweight, n_images, height, width, n_in, n_out, shared, chunk, v, u, m, blocks):
    n_tiles, workers = tile_count(n_images, height, width), len(u)
    panel = panel_width(n_out)
    panels = n_out // panel
    parts = (workers + panels - 1) // panels  # of the input channels, where there are more threads
    v_row, m_row, u_step = row_size(n_in), row_size(panel), panel_size(n_in, panel)
    v_step, m_step = matrix_size(shared, v_row), matrix_size(chunk, m_row)
    for begin in range(0, n_tiles, shared):
        own_tiles = min(shared, n_tiles - begin)
        for t in prange(own_tiles):
            transform_inputs(x, height, width, n_in, begin + t, 1, v, t * v_row, v_step)
        for worker in prange(workers):
            own, sums = m[worker], u[worker : worker + 1]
            for job in range(worker, panels * parts, workers):
                p, part = job // parts, job % parts
                blocks_in = n_in // LANES
                low, high = blocks_in * part // parts * LANES, blocks_in * (part + 1) // parts * LANES
                for first in range(0, own_tiles, chunk):
                    count = min(chunk, own_tiles - first)
                    transform_gradients(
                        dout, height, width, n_out, p * panel, panel, begin + first, count, own, 0, m_step
                    )
                    for k in range(FREQUENCIES):
                        multiply(
                            u[worker], k * u_step + low * panel, panel,
                            v, k * v_step + first * v_row + low, 1, v_row, 0,
                            own, k * m_step, m_row, high - low, panel, count, 1, first > 0,
                            (k + 1) * v_step + first * v_row + low, (k + 1) * m_step,
                        )  # fmt: skip
                untransform_panel(sums, 0, low, high, p, n_in, panel, blocks[worker], dweight, begin > 0)
