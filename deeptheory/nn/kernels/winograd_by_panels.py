"""Winograd's convolution where every thread takes one panel of output channels after the other.

For weights whose transforms U are larger than the cache: U of a panel is made, used and forgotten by one thread.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import fused_norm
from deeptheory.nn.kernels.matrix_products import multiply, panel_width
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES
from deeptheory.nn.kernels.winograd_tiles import (
    FREQUENCIES,
    OUTPUT_TILE,
    evenly,
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
    weight_blocks,
)
from deeptheory.system import threadpools
from deeptheory.system.compiled import njit, prange, signed

CHUNK = 100  # tiles at most that are multiplied at a time, with M one panel wide
SHARED_BYTES = 1 << 23  # of V


def convolve(
    x: NDArray[Any],
    weight: NDArray[Any],
    n_out: int,
    strides: tuple[int, int],
    turned: bool,
    out: NDArray[Any],
    sums: NDArray[np.float64],
    scratch: Scratch,
    epilogue: fused_norm.Epilogue,
) -> None:
    """As `winograd_by_tiles.convolve`."""
    _convolve(
        x.reshape(-1), weight.reshape(-1), *strides, turned, out.reshape(-1), *x.shape, n_out,
        *_arrays(x, n_out, scratch), *epilogue, sums,
    )  # fmt: skip


def backward_weights(x: NDArray[Any], dout: NDArray[Any], dweight: NDArray[Any], scratch: Scratch) -> None:
    """`winograd.backward_weights`: every thread sums over all tiles for its panels."""
    n_out = dout.shape[3]
    _sum(x.reshape(-1), dout.reshape(-1), dweight.reshape(-1), *x.shape, n_out, *_arrays(x, n_out, scratch))


def _arrays(
    x: NDArray[Any], n_out: int, scratch: Scratch
) -> tuple[int, int, NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Tiles per chunk of V and of M, V, and scratch of every worker: U, M and one output tile, weight blocks."""
    n_in, panel, workers = x.shape[3], panel_width(n_out), threadpools.threads()
    n_tiles = tile_count(*x.shape[:3])
    shared = evenly(n_tiles, max(SHARED_BYTES // (4 * FREQUENCIES * n_in), CHUNK))
    chunk = evenly(shared, CHUNK)
    v = scratch.array("winograd v", (FREQUENCIES * matrix_size(shared, row_size(n_in)),), np.float32)
    u = scratch.array("winograd panels", (workers, u_size(n_in, panel)), np.float32)
    m = scratch.array(
        "winograd tiles",
        (workers, FREQUENCIES * matrix_size(chunk, row_size(panel)) + OUTPUT_TILE),
        np.float32,
    )
    return shared, chunk, v, u, m, weight_blocks(workers, scratch)


@njit(parallel=True)
def _convolve(
    x, weight, in_stride, out_stride, turned, out, n_images, height, width, n_in, n_out,
    shared, chunk, v, u, m, blocks, slope, shift, kind, size, sums,
):  # fmt: skip
    n_tiles, workers = tile_count(n_images, height, width), len(u)
    panel = panel_width(n_out)
    panels = n_out // panel
    parts = (workers + panels - 1) // panels  # of the tiles, where there are more threads than panels
    v_row, m_row, u_step = row_size(n_in), row_size(panel), panel_size(n_in, panel)
    v_step, m_step = matrix_size(shared, v_row), matrix_size(chunk, m_row)
    sums[:] = 0.0
    for begin in range(0, n_tiles, shared):
        own_tiles = min(shared, n_tiles - begin)
        for index in prange(own_tiles):
            t = signed(index)
            transform_inputs(x, height, width, n_in, begin + t, 1, v, t * v_row, v_step)
        for index in prange(workers):
            worker = signed(index)
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
                        sums, worker,
                    )  # fmt: skip


@njit(parallel=True)
def _sum(x, dout, dweight, n_images, height, width, n_in, n_out, shared, chunk, v, u, m, blocks):
    n_tiles, workers = tile_count(n_images, height, width), len(u)
    panel = panel_width(n_out)
    panels = n_out // panel
    parts = (workers + panels - 1) // panels  # of the input channels, where there are more threads
    v_row, m_row, u_step = row_size(n_in), row_size(panel), panel_size(n_in, panel)
    v_step, m_step = matrix_size(shared, v_row), matrix_size(chunk, m_row)
    for begin in range(0, n_tiles, shared):
        own_tiles = min(shared, n_tiles - begin)
        for index in prange(own_tiles):
            t = signed(index)
            transform_inputs(x, height, width, n_in, begin + t, 1, v, t * v_row, v_step)
        for index in prange(workers):
            worker = signed(index)
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
