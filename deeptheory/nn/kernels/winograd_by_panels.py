"""Winograd's convolution where every thread takes one panel of output channels after the other.

For weights whose transforms U are larger than the cache: U of a panel is made, used and forgotten by one thread.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels.compiled_kernel import Array
from deeptheory.nn.kernels.fused_norm import Epilogue
from deeptheory.nn.kernels.matrix_products import Coming, Extent, Steps, multiply, panel_width
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES
from deeptheory.nn.kernels.winograd_tiles import (
    FREQUENCIES,
    OUTPUT_TILE,
    Image,
    Products,
    Sizes,
    Weights,
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
from deeptheory.system.apart import make_ready
from deeptheory.system.compiled import inner, njit, prange, signed

CHUNK = 100  # tiles at most that are multiplied at a time, with M one panel wide
SHARED_BYTES = 1 << 23  # of V


class _Buffers(NamedTuple):
    """Scratch: V of all workers together, and of every worker U, M with one output tile, and rows of U."""

    v: Array
    u: Array
    m: Array
    blocks: Array


class _Panels(NamedTuple):
    """How the work is cut.

    Attributes
    ----------
    width, number : int
        Output channels of a panel, and panels.
    parts : int
        Parts of every panel's work, where there are more threads than panels.
    shared : int
        Tiles in V.
    v_row, v_step, m_row, m_step, u_step : int
        Elements from tile to tile and from frequency to frequency.
    """

    width: int
    number: int
    parts: int
    shared: int
    v_row: int
    v_step: int
    m_row: int
    m_step: int
    u_step: int


def convolve(
    x: Array, weights: Weights, epilogue: Epilogue, out: Array, sums: NDArray[np.float64], scratch: Scratch
) -> None:
    """As `winograd_by_tiles.convolve`."""
    sizes, shared, buffers = _cut(x, weights.n_out, scratch)
    make_ready(transform_panel)
    _convolve(x.reshape(-1), weights, epilogue, out.reshape(-1), sizes, shared, buffers, sums)


def backward_weights(x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    """`winograd.backward_weights`: every thread sums over all tiles for its panels."""
    make_ready(untransform_panel)
    _sum(x.reshape(-1), dout.reshape(-1), dweight.reshape(-1), *_cut(x, dout.shape[3], scratch))


def _cut(x: Array, n_out: int, scratch: Scratch) -> tuple[Sizes, int, _Buffers]:
    """Sizes with the tiles per chunk of M, the tiles in V, and scratch."""
    n_in, panel, workers = x.shape[3], panel_width(n_out), threadpools.threads()
    n_tiles = tile_count(*x.shape[:3])
    shared = evenly(n_tiles, max(SHARED_BYTES // (4 * FREQUENCIES * n_in), CHUNK))
    chunk = evenly(shared, CHUNK)
    v = scratch.array("winograd v", (FREQUENCIES * matrix_size(shared, row_size(n_in)),), np.float32)
    u = scratch.rows("winograd panels", workers, u_size(n_in, panel), np.float32)
    m_size = FREQUENCIES * matrix_size(chunk, row_size(panel)) + OUTPUT_TILE
    m = scratch.rows("winograd tiles", workers, m_size, np.float32)
    return Sizes.of(x, n_out, chunk), shared, _Buffers(v, u, m, weight_blocks(workers, scratch))


@inner
def _panels(sizes, shared, workers):
    width = panel_width(sizes.n_out)
    number = sizes.n_out // width
    v_row, m_row = row_size(sizes.n_in), row_size(width)
    return _Panels(
        width, number, (workers + number - 1) // number, shared, v_row, matrix_size(shared, v_row), m_row,
        matrix_size(sizes.chunk, m_row), panel_size(sizes.n_in, width),
    )  # fmt: skip


@njit(parallel=True)
def _convolve(x, weights, epilogue, out, sizes, shared, buffers, sums):
    n_images, height, width, n_in, n_out, chunk = sizes
    v, u, m, blocks = buffers
    n_tiles, workers = tile_count(n_images, height, width), len(u)
    panel, panels, parts, _, v_row, v_step, m_row, m_step, u_step = _panels(sizes, shared, workers)
    sums[:] = 0.0
    for begin in range(0, n_tiles, shared):
        in_v = min(shared, n_tiles - begin)
        for index in prange(in_v):
            t = signed(index)
            transform_inputs(x, Image(height, width, n_in), begin + t, 1, v, t * v_row, v_step)
        for index in prange(workers):
            worker = signed(index)
            own_u, own_m = u[worker], m[worker]
            steps, products = Steps(v_row, 1, 0), Products(0, m_step, FREQUENCIES * m_step)
            for job in range(worker, panels * parts, workers):
                p, part = job // parts, job % parts
                transform_panel(weights, p, n_in, panel, blocks[worker], own_u, signed(0))
                end = in_v * (part + 1) // parts
                for first in range(in_v * part // parts, end, chunk):
                    count = min(chunk, end - first)
                    for k in range(FREQUENCIES):
                        multiply(
                            own_m, k * m_step, m_row, v, k * v_step + first * v_row, steps,
                            own_u, k * u_step, panel, Extent(count, panel, n_in, 1, 0),
                            Coming((k + 1) * v_step + first * v_row, (k + 1) * u_step),
                        )  # fmt: skip
                    transform_outputs(
                        own_m, products, begin + first, count, out, Image(height, width, n_out), p * panel,
                        panel, epilogue, sums, worker,
                    )  # fmt: skip


@njit(parallel=True)
def _sum(x, dout, dweight, sizes, shared, buffers):
    n_images, height, width, n_in, n_out, chunk = sizes
    v, u, m, blocks = buffers
    n_tiles, workers = tile_count(n_images, height, width), len(u)
    panel, panels, parts, _, v_row, v_step, m_row, m_step, u_step = _panels(sizes, shared, workers)
    for begin in range(0, n_tiles, shared):
        in_v = min(shared, n_tiles - begin)
        for index in prange(in_v):
            t = signed(index)
            transform_inputs(x, Image(height, width, n_in), begin + t, 1, v, t * v_row, v_step)
        for index in prange(workers):
            worker = signed(index)
            own_u, own_m, sums = u[worker], m[worker], u[worker : worker + 1]
            for job in range(worker, panels * parts, workers):  # a part is one of the input channels
                p, part = job // parts, job % parts
                blocks_in = n_in // LANES
                low, high = blocks_in * part // parts * LANES, blocks_in * (part + 1) // parts * LANES
                for first in range(0, in_v, chunk):
                    count = min(chunk, in_v - first)
                    shape, v_at = Image(height, width, n_out), first * v_row + low
                    transform_gradients(dout, shape, p * panel, panel, begin + first, count, own_m, 0, m_step)
                    for k in range(FREQUENCIES):
                        multiply(
                            own_u, k * u_step + low * panel, panel,
                            v, k * v_step + v_at, Steps(1, v_row, 0), own_m, k * m_step, m_row,
                            Extent(high - low, panel, count, 1, int(first > 0)),
                            Coming((k + 1) * v_step + v_at, (k + 1) * m_step),
                        )  # fmt: skip
                untransform_panel(
                    sums, signed(0), low, high, p, n_in, panel, blocks[worker], dweight, begin > 0
                )
