"""Winograd's convolution where every thread takes chunks of tiles through all steps: `winograd` says when.

Weights are transformed once and read again and again, so they must not be much larger than the second-level cache.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import fused_norm
from deeptheory.nn.kernels.matrix_products import multiply, panel_width
from deeptheory.nn.kernels.norm_rows import Normed
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.winograd_tiles import (
    FREQUENCIES,
    OUTPUT_TILE,
    WEIGHT_TAPS,
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
from deeptheory.system.compiled import inner, njit, prange, signed

CHUNK = 36  # tiles at most that are multiplied at a time: V and M stay in the second-level cache
NO_SUMS = np.empty((0, 0))


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
    _, _, _, end = layout(chunk, n_in, n_out)
    panels = max(n_out // panel_width(n_out), n_in // panel_width(n_in))
    gradient = group * images[1] * images[2] * n_out
    sizes = u_size(n_in, n_out), u_size(n_out, n_in)
    return _Plan(group, chunk, (workers, end + OUTPUT_TILE), panels, gradient, *sizes)


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
    """Write the convolution into `out`, after the epilogue; its channel sums into `sums` unless that is empty.

    `strides` lead from one input channel, and from one output channel, of `weight` to the next; `turned` turns
    its kernels by half a turn.
    """
    plan = _plan(x.shape[:3], x.shape[3], n_out, threadpools.threads(), CHUNK, by_images=False)
    _convolve(
        x.reshape(-1), weight.reshape(-1), *strides, turned, out.reshape(-1), *x.shape, n_out, plan.chunk,
        scratch.array("winograd tiles", plan.tiles, np.float32),
        weight_blocks(plan.panels, scratch),
        scratch.array("winograd u", (plan.u,), np.float32),
        *epilogue, sums, 0,
    )  # fmt: skip


def backward(
    x: NDArray[Any],
    dout: NDArray[Any],
    weight: NDArray[Any],
    norm: Normed,
    size: int,
    dweight: NDArray[Any],
    dx: NDArray[Any] | None,
    scratch: Scratch,
) -> None:
    """`winograd.backward`: groups of images one after the other, their gradient through the norm in the cache."""
    n_in, n_out = x.shape[3], len(weight)
    plan = _plan(x.shape[:3], n_in, n_out, threadpools.threads(), CHUNK, by_images=True)
    workers, gradient = plan.tiles[0], plan.gradient if norm.kind >= 0 else 0
    back = n_in * WEIGHT_TAPS, WEIGHT_TAPS  # from one channel of dout, one of dx, to the next
    _backward(
        x.reshape(-1), dout.reshape(-1), norm, size, weight.reshape(-1), *back, True, dweight.reshape(-1),
        x.reshape(-1)[:0] if dx is None else dx.reshape(-1), *x.shape, n_out, plan.group, plan.chunk,
        scratch.array("winograd tiles", plan.tiles, np.float32),
        weight_blocks(plan.panels, scratch),
        scratch.array("winograd gradients", (workers, gradient), np.float32),
        scratch.array("winograd u", (plan.back,), np.float32),
        scratch.array("winograd sums", (workers, plan.u), np.float32),
        *fused_norm.NO_EPILOGUE, NO_SUMS,
    )  # fmt: skip


@njit(parallel=True)
def _convolve(
    x, weight, in_stride, out_stride, turned, out, n_images, height, width, n_in, n_out, chunk, tiles, blocks, u,
    slope, shift, kind, size, sums, skipped,
):  # fmt: skip
    n_tiles, workers = tile_count(n_images, height, width), len(tiles)
    sums[:] = 0.0
    for index in prange(n_out // panel_width(n_out)):
        _transform_weights(
            weight, signed(index), n_in, n_out, in_stride, out_stride, turned, blocks[index], u
        )
    for index in prange(workers):
        worker = signed(index)
        _convolve_tiles(
            x, n_tiles * worker // workers, n_tiles * (worker + 1) // workers, skipped, u, out, height, width,
            n_in, n_out, chunk, tiles[worker], slope, shift, kind, size, sums, worker,
        )  # fmt: skip


@njit(inline="always")
def _transform_weights(weight, p, n_in, n_out, in_stride, out_stride, turned, block, u):
    """U of panel p."""
    panel = panel_width(n_out)
    at = p * FREQUENCIES * panel_size(n_in, panel)
    transform_panel(weight, p, n_in, panel, in_stride, out_stride, turned, block, u, at)


@inner
def _convolve_tiles(
    x,
    begin,
    end,
    skipped,
    u,
    out,
    height,
    width,
    n_in,
    n_out,
    chunk,
    own,
    slope,
    shift,
    kind,
    size,
    sums,
    worker,
):
    """The output tiles begin..end-1; `x` lacks the first `skipped` tiles."""
    v_step, m_step, m_at, patch_at = layout(chunk, n_in, n_out)
    panel = panel_width(n_out)
    u_step = panel_size(n_in, panel)
    for first in range(begin, end, chunk):
        count = min(chunk, end - first)
        transform_inputs(x, height, width, n_in, first - skipped, count, own, 0, v_step)
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
            slope, shift, kind, size, sums, worker,
        )  # fmt: skip


@njit(parallel=True)
def _backward(
    x, dout, norm, size, weight, in_stride, out_stride, turned, dweight, dx, n_images, height, width, n_in, n_out,
    group, chunk, tiles, blocks, gradients, u, sums, slope, shift, kind, whole, no_sums,
):  # fmt: skip
    """dweight, and dx unless it is empty, from the gradient `dout` of what `norm` makes of the output.

    From `slope` on follows what makes the gradient of the input an output without an epilogue.
    """
    per_image, workers = tile_count(1, height, width), len(tiles)
    if dx.size:
        for index in prange(n_in // panel_width(n_in)):
            _transform_weights(
                weight, signed(index), n_out, n_in, in_stride, out_stride, turned, blocks[index], u
            )
    for index in prange(workers):
        worker = signed(index)
        begin, end = n_images * worker // workers, n_images * (worker + 1) // workers
        for image in range(begin, end, group):
            stop = min(image + group, end)
            gradient, skipped = dout, 0
            if norm.kind >= 0:
                gradient, skipped = gradients[worker], image
                outputs = (height // size) * (width // size)
                fused_norm.write_gradient(
                    dout, norm, size, width // size, image * outputs, stop * outputs, gradient,
                    image * height * width * n_out,
                )  # fmt: skip
            _sum_tiles(
                x, image * per_image, stop * per_image, skipped * per_image, gradient, height, width, n_in, n_out,
                chunk, tiles[worker], sums[worker], image > begin,
            )  # fmt: skip
            if dx.size:
                _convolve_tiles(
                    gradient, image * per_image, stop * per_image, skipped * per_image, u, dx, height, width,
                    n_out, n_in, chunk, tiles[worker], slope, shift, kind, whole, no_sums, worker,
                )  # fmt: skip
    for index in prange(n_out // panel_width(n_out)):
        panel = panel_width(n_out)
        at = signed(index) * FREQUENCIES * panel_size(n_in, panel)
        untransform_panel(sums, at, 0, n_in, signed(index), n_in, panel, blocks[index], dweight, False)


@njit(inline="always")
def _sum_tiles(x, begin, end, skipped, gradient, height, width, n_in, n_out, chunk, own, total, accumulate):
    """dU (+)= V^T dM of the tiles begin..end-1; `gradient` lacks the first `skipped` tiles."""
    v_step, m_step, m_at, _ = layout(chunk, n_in, n_out)
    panel = panel_width(n_out)
    u_step = panel_size(n_in, panel)
    for first in range(begin, end, chunk):
        count = min(chunk, end - first)
        transform_inputs(x, height, width, n_in, first, count, own, 0, v_step)
        transform_gradients(
            gradient, height, width, n_out, 0, n_out, first - skipped, count, own, m_at, m_step
        )
        for k in range(FREQUENCIES):
            for p in range(n_out // panel):
                multiply(
                    total, (p * FREQUENCIES + k) * u_step, panel, own, k * v_step, 1, row_size(n_in), 0,
                    own, m_at + k * m_step + p * panel, row_size(n_out),
                    n_in, panel, count, 1, accumulate or first > begin,
                    (k + 1) * v_step, m_at + (k + 1) * m_step + p * panel,
                )  # fmt: skip
