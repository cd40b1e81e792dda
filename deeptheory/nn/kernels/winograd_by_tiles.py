"""Winograd's convolution where every thread takes chunks of tiles through all steps: `winograd` says when.

Weights are transformed once and read again and again, so they must not be much larger than the second-level cache.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import fused_norm
from deeptheory.nn.kernels.compiled_kernel import Array
from deeptheory.nn.kernels.matrix_products import Coming, Extent, Steps, multiply, panel_width
from deeptheory.nn.kernels.norm_rows import PLAIN, Normed
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.winograd_tiles import (
    FREQUENCIES,
    NO_SUMS,
    OUTPUT_TILE,
    Image,
    Sizes,
    Weights,
    evenly,
    layout,
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
from deeptheory.system.apart import FLAT, INDEX, apart, make_ready
from deeptheory.system.compiled import njit, prange, signed

CHUNK = 36  # tiles at most that are multiplied at a time: V and M stay in the second-level cache


class _Buffers(NamedTuple):
    """Scratch, of every worker but for U; the last two are empty going forward.

    Attributes
    ----------
    tiles : V, M and one output tile
    blocks : some rows of a panel of U
    u : U, backward that of the turned weights
    gradients : the gradient of a group of images through the norm
    sums : dU
    """

    tiles: Array
    blocks: Array
    u: Array
    gradients: Array
    sums: Array


class _Gradient(NamedTuple):
    """What is added up going backward.

    Attributes
    ----------
    dout : flat gradient of what batch norm, activation and pooling make of the output
    size : 2 with 2 x 2 pooling, else 1
    dweight : flat gradient of the weights, empty going forward
    group : images that go backward together
    """

    dout: Array
    size: int
    dweight: Array
    group: int


_NOTHING = np.empty(0, np.float32)
SIZES = Sizes(1, 1, 1, 1, 1, 1)
_FORWARD = _Gradient(_NOTHING, 1, _NOTHING, 1)


class _Plan(NamedTuple):
    """Sizes of the scratch arrays.

    Attributes
    ----------
    group : int
        Images that go backward together.
    chunk : int
        Tiles that are multiplied at a time.
    tiles : (int, int)
        Workers, and elements of V, M and one output tile.
    panels : int
        Panels of the channels of which there are more.
    gradient : int
        Elements of the gradient of a group.
    u, back : int
        Elements of U, forward and turned.
    """

    group: int
    chunk: int
    tiles: tuple[int, int]
    panels: int
    gradient: int
    u: int
    back: int


@cache
def _plan(images: tuple[int, ...], n_in: int, n_out: int, threads: int, most: int, by_images: bool) -> _Plan:
    """The plan for images (N, H, W) with at most `most` tiles per chunk, with a worker's share in whole images."""
    n_tiles, per_image = tile_count(*images), tile_count(1, *images[1:])
    group = max(most // per_image, 1)
    workers = min(threads, images[0] if by_images else n_tiles)
    chunk = evenly(group * per_image if by_images else -(-n_tiles // workers), most)
    _, products = layout(chunk, n_in, n_out)
    panels = max(n_out // panel_width(n_out), n_in // panel_width(n_in))
    gradient = group * images[1] * images[2] * n_out
    sizes = u_size(n_in, n_out), u_size(n_out, n_in)
    return _Plan(group, chunk, (workers, products.patch_at + OUTPUT_TILE), panels, gradient, *sizes)


def convolve(
    x: Array,
    weights: Weights,
    epilogue: fused_norm.Epilogue,
    out: Array,
    sums: NDArray[np.float64],
    scratch: Scratch,
) -> None:
    """Write the convolution into `out`, after the epilogue; its channel sums into `sums` unless that is empty."""
    plan = _plan(x.shape[:3], x.shape[3], weights.n_out, threadpools.threads(), CHUNK, by_images=False)
    sizes, buffers = Sizes.of(x, weights.n_out, plan.chunk), _buffers(plan, plan.u, 0, 0, scratch)
    sums.fill(0)
    make_ready(_convolve_tiles, _go_backward)
    _run(x.reshape(-1), weights, epilogue, out.reshape(-1), sums, PLAIN, _FORWARD, sizes, buffers)


def backward(
    x: Array,
    dout: Array,
    weight: Array,
    norm: Normed,
    size: int,
    dweight: Array,
    dx: Array | None,
    scratch: Scratch,
) -> None:
    """Groups of images one after the other, their gradient through the norm in the cache.

    Arguments as in `winograd.backward_through_norm`.
    """
    n_in, n_out = x.shape[3], len(weight)
    plan = _plan(x.shape[:3], n_in, n_out, threadpools.threads(), CHUNK, by_images=True)
    buffers = _buffers(plan, plan.back, plan.gradient if norm.kind >= 0 else 0, plan.u, scratch)
    make_ready(_convolve_tiles, _go_backward)
    _run(
        x.reshape(-1), Weights.backward(weight), fused_norm.NO_EPILOGUE,
        _NOTHING if dx is None else dx.reshape(-1), NO_SUMS, norm,
        _Gradient(dout.reshape(-1), size, dweight.reshape(-1), plan.group),
        Sizes.of(x, n_out, plan.chunk), buffers,
    )  # fmt: skip


def _buffers(plan: _Plan, u: int, gradient: int, sums: int, scratch: Scratch) -> _Buffers:
    """Scratch with so many elements of U, and of the gradient and dU of every worker."""
    workers = plan.tiles[0]
    return _Buffers(
        scratch.array("winograd tiles", plan.tiles, np.float32),
        weight_blocks(plan.panels, scratch),
        scratch.array("winograd u", (u,), np.float32),
        scratch.array("winograd gradients", (workers, gradient), np.float32),
        scratch.array("winograd sums", (workers, sums), np.float32),
    )


@njit(inline="always")
def _transform_weights(weights, p, n_in, n_out, block, u):
    """U of panel p."""
    panel = panel_width(n_out)
    transform_panel(weights, p, n_in, panel, block, u, p * FREQUENCIES * panel_size(n_in, panel))


@apart(FLAT, INDEX, INDEX, INDEX, FLAT, fused_norm.NO_EPILOGUE, FLAT, SIZES, FLAT, NO_SUMS, INDEX)
def _convolve_tiles(x, begin, end, skipped, u, epilogue, out, sizes, tiles, sums, worker):
    """The output tiles begin..end-1; `x` lacks the first `skipped` tiles."""
    _, height, width, n_in, n_out, chunk = sizes
    v_step, products = layout(chunk, n_in, n_out)
    panel, steps = panel_width(n_out), Steps(row_size(n_in), 1, 0)
    u_step = panel_size(n_in, panel)
    for first in range(begin, end, chunk):
        count = min(chunk, end - first)
        extent = Extent(count, panel, n_in, 1, 0)
        transform_inputs(x, Image(height, width, n_in), first - skipped, count, tiles, 0, v_step)
        for k in range(FREQUENCIES):
            for p in range(n_out // panel):  # M[k] = V[k] U[k]
                next_u = ((p + 1) * FREQUENCIES + k) * u_step if p + 1 < n_out // panel else (k + 1) * u_step
                multiply(
                    tiles, products.at + k * products.step + p * panel, row_size(n_out),
                    tiles, k * v_step, steps, u, (p * FREQUENCIES + k) * u_step, panel, extent,
                    Coming((k + 1) * v_step, next_u),
                )  # fmt: skip
        shape = Image(height, width, n_out)
        transform_outputs(tiles, products, first, count, out, shape, 0, n_out, epilogue, sums, worker)


@njit(inline="always")
def _sum_tiles(x, begin, end, skipped, gradient, sizes, tiles, total, accumulate):
    """dU (+)= V^T dM of the tiles begin..end-1; `gradient` lacks the first `skipped` tiles."""
    _, height, width, n_in, n_out, chunk = sizes
    v_step, products = layout(chunk, n_in, n_out)
    m_at, m_step, _ = products
    panel, steps = panel_width(n_out), Steps(1, row_size(n_in), 0)
    u_step = panel_size(n_in, panel)
    for first in range(begin, end, chunk):
        count = min(chunk, end - first)
        extent = Extent(n_in, panel, count, 1, int(accumulate or first > begin))
        transform_inputs(x, Image(height, width, n_in), first, count, tiles, 0, v_step)
        shape = Image(height, width, n_out)
        transform_gradients(gradient, shape, 0, n_out, first - skipped, count, tiles, m_at, m_step)
        for k in range(FREQUENCIES):
            for p in range(n_out // panel):
                column = m_at + p * panel
                multiply(
                    total, (p * FREQUENCIES + k) * u_step, panel, tiles, k * v_step, steps,
                    tiles, column + k * m_step, row_size(n_out), extent,
                    Coming((k + 1) * v_step, column + (k + 1) * m_step),
                )  # fmt: skip


@apart(
    FLAT, FLAT, PLAIN, INDEX, FLAT, SIZES, INDEX, fused_norm.NO_EPILOGUE, NO_SUMS, FLAT, FLAT, FLAT, FLAT, INDEX,
    INDEX,
)  # fmt: skip
def _go_backward(
    x, dout, norm, size, dx, sizes, group, no_epilogue, no_sums, tiles, u, gradients, total, worker, workers
):  # fmt: skip
    """dU of a worker's share of the images, and unless it is empty dx."""
    n_images, height, width, n_in, n_out, chunk = sizes
    per_image = tile_count(1, height, width)
    turned = Sizes(n_images, height, width, n_out, n_in, chunk)
    begin, end = n_images * worker // workers, n_images * (worker + 1) // workers
    for image in range(begin, end, group):
        stop = min(image + group, end)
        gradient, skipped = dout, signed(0)
        if norm.kind >= 0:
            gradient, skipped = gradients, image
            outputs = (height // size) * (width // size)
            fused_norm.write_gradient(
                dout, norm, size, width // size, image * outputs, stop * outputs, gradient,
                image * height * width * n_out,
            )  # fmt: skip
        first, last, skipped = image * per_image, stop * per_image, skipped * per_image
        _sum_tiles(x, first, last, skipped, gradient, sizes, tiles, total, image > begin)
        if dx.size:
            _convolve_tiles(
                gradient, first, last, skipped, u, no_epilogue, dx, turned, tiles, no_sums, worker
            )


@njit(parallel=True)
def _run(x, weights, epilogue, out, sums, norm, backward, sizes, buffers):
    """The convolution of x into `out`, or where `backward` has a dweight, that, and dx into `out` unless empty."""
    n_images, height, width, n_in, n_out, _ = sizes
    dout, size, dweight, group = backward
    tiles, blocks, u, gradients, totals = buffers
    per_image, workers = tile_count(1, height, width), len(tiles)
    n_read, n_written = (n_out, n_in) if dweight.size else (n_in, n_out)
    if out.size:
        for index in prange(n_written // panel_width(n_written)):
            _transform_weights(weights, signed(index), n_read, n_written, blocks[index], u)
    for index in prange(workers):
        worker = signed(index)
        if dweight.size:
            _go_backward(
                x, dout, norm, size, out, sizes, group, epilogue, sums, tiles[worker], u, gradients[worker],
                totals[worker], worker, workers,
            )  # fmt: skip
        else:
            n_tiles = n_images * per_image
            begin, end = n_tiles * worker // workers, n_tiles * (worker + 1) // workers
            _convolve_tiles(x, begin, end, signed(0), u, epilogue, out, sizes, tiles[worker], sums, worker)
    if dweight.size:
        for index in prange(n_out // panel_width(n_out)):
            panel, p = panel_width(n_out), signed(index)
            at = p * FREQUENCIES * panel_size(n_in, panel)
            untransform_panel(totals, at, 0, n_in, p, n_in, panel, blocks[index], dweight, False)
