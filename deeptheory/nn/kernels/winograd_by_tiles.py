"""Winograd's convolution where every thread takes chunks of tiles through all steps: `winograd` says when.

Weights are transformed once and read again and again, so they must not be much larger than the second-level cache.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory import machine
from deeptheory.compiled import njit, prange
from deeptheory.nn.kernels import fused
from deeptheory.nn.kernels.products import multiply, panel_width
from deeptheory.nn.kernels.rows import Normed
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
    epilogue: fused.Epilogue,
) -> None:
    """Write the convolution into `out`, after the epilogue; its channel sums into `sums` unless that is empty.

    `strides` lead from one input channel, and from one output channel, of `weight` to the next; `turned` turns
    its kernels by half a turn.
    """
    plan = _plan(x.shape[:3], x.shape[3], n_out, machine.threads(), CHUNK, by_images=False)
    _convolve(
        x.reshape(-1), weight.reshape(-1), *strides, turned, out.reshape(-1), *x.shape, n_out, plan.chunk,
        scratch.array("winograd tiles", plan.tiles, np.float32),
        weight_blocks(plan.panels, scratch),
        scratch.array("winograd u", (plan.u,), np.float32),
        *epilogue, sums,
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
    plan = _plan(x.shape[:3], n_in, n_out, machine.threads(), CHUNK, by_images=True)
    workers, gradient = plan.tiles[0], plan.gradient if norm.kind >= 0 else 0
    _backward(
        x.reshape(-1), dout.reshape(-1), norm, size, weight.reshape(-1), dweight.reshape(-1),
        x.reshape(-1)[:0] if dx is None else dx.reshape(-1), *x.shape, n_out, plan.group, plan.chunk,
        scratch.array("winograd tiles", plan.tiles, np.float32),
        weight_blocks(plan.panels, scratch),
        scratch.array("winograd gradients", (workers, gradient), np.float32),
        scratch.array("winograd u", (plan.back,), np.float32),
        scratch.array("winograd sums", (workers, plan.u), np.float32),
    )  # fmt: skip


@njit(parallel=True)
def _convolve(
    x, weight, in_stride, out_stride, turned, out, n_images, height, width, n_in, n_out, chunk, tiles, blocks, u,
    slope, shift, kind, size, sums,
):  # fmt: skip
    n_tiles, workers = tile_count(n_images, height, width), len(tiles)
    v_step, m_step, m_at, patch_at = layout(chunk, n_in, n_out)
    panel = panel_width(n_out)
    u_step = panel_size(n_in, panel)
    sums[:] = 0.0
    for p in prange(n_out // panel):
        transform_panel(
            weight, p, n_in, panel, in_stride, out_stride, turned, blocks[p], u, p * FREQUENCIES * u_step
        )
    for worker in prange(workers):
        own = tiles[worker]
        start, end = n_tiles * worker // workers, n_tiles * (worker + 1) // workers
        for first in range(start, end, chunk):
            count = min(chunk, end - first)
            transform_inputs(x, height, width, n_in, first, count, own, 0, v_step)
            _multiply_tiles(own, v_step, m_at, m_step, u, n_in, n_out, count)
            transform_outputs(
                own, m_at, m_step, patch_at, first, count, out, height, width, n_out, 0, n_out,
                slope, shift, kind, size, sums, worker,
            )  # fmt: skip


@njit(parallel=True)
def _backward(
    x, dout, norm, size, weight, dweight, dx, n_images, height, width, n_in, n_out, group, chunk, tiles, blocks,
    gradients, u, sums,
):  # fmt: skip
    """dweight, and dx unless it is empty, from the gradient `dout` of what `norm` makes of the output."""
    per_image, image_size, workers = tile_count(1, height, width), height * width * n_out, len(tiles)
    panel, back_panel = panel_width(n_out), panel_width(n_in)
    u_step, back_step = panel_size(n_in, panel), panel_size(n_out, back_panel)
    v_step, m_step, m_at, patch_at = layout(chunk, n_in, n_out)
    dm_step, dv_step, dv_at, _ = layout(chunk, n_out, n_in)
    if dx.size:
        for p in prange(n_in // back_panel):
            to = p * FREQUENCIES * back_step
            transform_panel(
                weight, p, n_out, back_panel, n_in * WEIGHT_TAPS, WEIGHT_TAPS, True, blocks[p], u, to
            )
    for worker in prange(workers):
        own = tiles[worker]
        begin, end = n_images * worker // workers, n_images * (worker + 1) // workers
        for image in range(begin, end, group):
            tiles_here, before = min(group, end - image) * per_image, image * per_image
            gradient, skipped = dout, 0
            if norm.kind >= 0:
                gradient, skipped = gradients[worker], image
                outputs = height * width // size**2
                fused.write_gradient(
                    dout, norm, size, width // size, image * outputs, min(image + group, end) * outputs,
                    gradient, image * image_size,
                )  # fmt: skip
            here = (image - skipped) * per_image
            for first in range(0, tiles_here, chunk):
                count = min(chunk, tiles_here - first)
                transform_inputs(x, height, width, n_in, before + first, count, own, 0, v_step)
                transform_gradients(
                    gradient, height, width, n_out, 0, n_out, here + first, count, own, m_at, m_step
                )
                for k in range(FREQUENCIES):
                    for p in range(n_out // panel):  # dU[k] (+)= V[k]^T dM[k]
                        multiply(
                            sums[worker], (p * FREQUENCIES + k) * u_step, panel,
                            own, k * v_step, 1, row_size(n_in), 0,
                            own, m_at + k * m_step + p * panel, row_size(n_out),
                            n_in, panel, count, 1, image > begin or first > 0,
                            (k + 1) * v_step, m_at + (k + 1) * m_step + p * panel,
                        )  # fmt: skip
            if dx.size:
                for first in range(0, tiles_here, chunk):
                    count = min(chunk, tiles_here - first)
                    transform_inputs(gradient, height, width, n_out, here + first, count, own, 0, dm_step)
                    _multiply_tiles(own, dm_step, dv_at, dv_step, u, n_out, n_in, count)
                    transform_outputs(
                        own, dv_at, dv_step, patch_at, before + first, count, dx, height, width, n_in, 0, n_in,
                        norm.slope, norm.shift, -1, 1, NO_SUMS, worker,
                    )  # fmt: skip
    for p in prange(n_out // panel):
        at = p * FREQUENCIES * u_step
        untransform_panel(sums, at, 0, n_in, p, n_in, panel, blocks[p], dweight, False)


@njit()
def _multiply_tiles(own, v_step, m_at, m_step, u, n_in, n_out, count):
    """M[k] = V[k] U[k] of a chunk."""
    panel = panel_width(n_out)
    u_step = panel_size(n_in, panel)
    for k in range(FREQUENCIES):
        for p in range(n_out // panel):
            multiply(
                own, m_at + k * m_step + p * panel, row_size(n_out), own, k * v_step, row_size(n_in), 1, 0,
                u, (p * FREQUENCIES + k) * u_step, panel, count, panel, n_in, 1, False,
                (k + 1) * v_step,
                ((p + 1) * FREQUENCIES + k) * u_step if p + 1 < n_out // panel else (k + 1) * u_step,
            )  # fmt: skip
