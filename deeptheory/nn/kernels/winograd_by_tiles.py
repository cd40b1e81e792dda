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
from deeptheory.nn.kernels.winograd_fetching import NOTHING_AHEAD, Ahead, fetch, fetch_to_write, span
from deeptheory.nn.kernels.winograd_tiles import (
    ALL,
    FREQUENCIES,
    NO_SUMS,
    OUTPUT_TILE,
    Image,
    Part,
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
from deeptheory.system.compiled import inner, njit, prange, signed

CHUNK = 36  # tiles at most that are multiplied at a time: V and M stay in the second-level cache
FETCHED = 1 << 17  # numbers of the next images that fit into the second-level cache beside V and M
FEW = 1 << 10  # kernels that are transformed sooner than another thread is woken


class Buffers(NamedTuple):
    """Scratch, of every worker but for U; the last two are empty going forward.

    Attributes
    ----------
    tiles : V, M and one output tile
    blocks : some rows of a panel of U
    u : U, backward that of the turned weights; one for all, or one for each where kernels are few
    gradients : the gradient of a group of images through the norm
    sums : dU
    """

    tiles: Array
    blocks: Array
    u: Array
    gradients: Array
    sums: Array


class Gradient(NamedTuple):
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
FORWARD = Gradient(_NOTHING, 1, _NOTHING, 1)


class Plan(NamedTuple):
    """Sizes of the scratch arrays.

    Attributes
    ----------
    group : int
        Images that go backward together.
    chunk : int
        Tiles that are multiplied at a time.
    tiles : (int, int)
        Workers, and elements of V, M and one output tile.
    blocks : int
        Panels of the channels of which there are more, or copies of U if these are more.
    gradient : int
        Elements of the gradient of a group.
    u, back : int
        Elements of U, forward and turned.
    copies : int
        How often U is made: by every worker for itself where kernels are few.
    """

    group: int
    chunk: int
    tiles: tuple[int, int]
    blocks: int
    gradient: int
    u: int
    back: int
    copies: int


@cache
def plan_of(images: tuple[int, ...], n_in: int, n_out: int, threads: int, most: int, by_images: bool) -> Plan:
    """The plan for images (N, H, W) with at most `most` tiles per chunk, with a worker's share in whole images."""
    n_tiles, per_image = tile_count(*images), tile_count(1, *images[1:])
    group = max(most // per_image, 1)
    workers = min(threads, images[0] if by_images else n_tiles)
    chunk = evenly(group * per_image if by_images else -(-n_tiles // workers), most)
    _, products = layout(chunk, n_in, n_out)
    panels = max(n_out // panel_width(n_out), n_in // panel_width(n_in))
    gradient = group * images[1] * images[2] * n_out
    sizes = u_size(n_in, n_out), u_size(n_out, n_in)
    copies = workers if n_in * n_out <= FEW else 1
    blocks = max(panels, copies)
    return Plan(group, chunk, (workers, products.patch_at + OUTPUT_TILE), blocks, gradient, *sizes, copies)


def convolve(
    x: Array,
    weights: Weights,
    epilogue: fused_norm.Epilogue,
    out: Array,
    sums: NDArray[np.float64],
    scratch: Scratch,
) -> None:
    """Write the convolution into `out`, after the epilogue; its channel sums into `sums` unless that is empty."""
    plan = plan_of(x.shape[:3], x.shape[3], weights.n_out, threadpools.threads(), CHUNK, by_images=False)
    sizes, buffers = Sizes.of(x, weights.n_out, plan.chunk), _buffers(plan, plan.u, 0, 0, scratch)
    sums.fill(0)
    make_ready(transform_panel, convolve_tiles, go_backward, untransform_panel)
    _run(x.reshape(-1), weights, epilogue, out.reshape(-1), sums, PLAIN, FORWARD, sizes, buffers)


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
    plan = plan_of(x.shape[:3], n_in, n_out, threadpools.threads(), CHUNK, by_images=True)
    buffers = _buffers(plan, plan.back, plan.gradient if norm.kind >= 0 else 0, plan.u, scratch)
    make_ready(transform_panel, convolve_tiles, go_backward, untransform_panel)
    _run(
        x.reshape(-1), Weights.backward(weight), fused_norm.NO_EPILOGUE,
        _NOTHING if dx is None else dx.reshape(-1), NO_SUMS, norm,
        Gradient(dout.reshape(-1), size, dweight.reshape(-1), plan.group),
        Sizes.of(x, n_out, plan.chunk), buffers,
    )  # fmt: skip


def backward_weights(x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    """`winograd.backward_weights`: every thread sums over its own share of the images."""
    backward(x, dout, dweight, PLAIN, 1, dweight, None, scratch)


def _buffers(plan: Plan, u: int, gradient: int, sums: int, scratch: Scratch) -> Buffers:
    """Scratch with so many elements of U, and of the gradient and dU of every worker."""
    workers, tiles = plan.tiles
    of_all = plan.copies < workers
    return Buffers(
        scratch.rows("winograd tiles", workers, tiles, np.float32),
        weight_blocks(plan.blocks, scratch),
        scratch.rows("winograd u of all" if of_all else "winograd u", plan.copies, u, np.float32),
        scratch.rows("winograd gradients", workers, gradient, np.float32),
        scratch.rows("winograd sums", workers, sums, np.float32),
    )


@apart(
    FLAT, INDEX, INDEX, INDEX, FLAT, fused_norm.NO_EPILOGUE, FLAT, SIZES, ALL, FLAT, NO_SUMS, INDEX, NOTHING_AHEAD
)  # fmt: skip
def convolve_tiles(x, begin, end, skipped, u, epilogue, out, sizes, part, tiles, sums, share, ahead):
    """A part of the channels of the output tiles begin..end-1; `x` lacks the first `skipped` tiles.

    What is `ahead` has as many channels as x.
    """
    _, height, width, n_in, n_out, chunk = sizes
    lowest, chosen, panel = part
    v_step, products = layout(chunk, n_in, chosen)
    steps, u_step, panels = Steps(row_size(n_in), 1, 0), panel_size(n_in, panel), chosen // panel
    for first in range(begin, end, chunk):
        count = min(chunk, end - first)
        extent = Extent(count, panel, n_in, 1, 0)
        shape_in, shape = Image(height, width, n_in), Image(height, width, n_out)
        transform_inputs(x, shape_in, first - skipped, count, tiles, 0, v_step)
        in_x = span(ahead.x, first + ahead.lead, count, shape_in, 1)
        in_y = span(ahead.y, first + ahead.lead, count, shape_in, ahead.pooled)
        in_out = span(out, first, count, shape, epilogue.size * epilogue.size)
        for k in range(FREQUENCIES):
            fetch(ahead.x, in_x, k)
            fetch(ahead.y, in_y, k)
            if chosen == n_out:  # else other threads write a part of every line
                fetch_to_write(out, in_out, k)
            for p in range(panels):  # M[k] = V[k] U[k]
                next_u = ((p + 1) * FREQUENCIES + k) * u_step if p + 1 < panels else (k + 1) * u_step
                multiply(
                    tiles, products.at + k * products.step + p * panel, row_size(chosen),
                    tiles, k * v_step, steps, u, (p * FREQUENCIES + k) * u_step, panel, extent,
                    Coming((k + 1) * v_step, next_u),
                )  # fmt: skip
        transform_outputs(tiles, products, first, count, out, shape, lowest, chosen, epilogue, sums, share)


@njit(inline="always")
def _sum_tiles(x, begin, end, skipped, gradient, sizes, part, tiles, total, accumulate, coming):
    """dU (+)= V^T dM of a part of the channels and the tiles begin..end-1.

    `gradient` lacks the first `skipped` tiles; `coming` is the same unless that is in the cache, then empty.
    """
    _, height, width, n_in, n_out, chunk = sizes
    lowest, chosen, panel = part
    v_step, products = layout(chunk, n_in, chosen)
    m_at, m_step, _ = products
    steps, u_step = Steps(1, row_size(n_in), 0), panel_size(n_in, panel)
    for first in range(begin, end, chunk):
        count = min(chunk, end - first)
        extent = Extent(n_in, panel, count, 1, int(accumulate or first > begin))
        shape_in, shape = Image(height, width, n_in), Image(height, width, n_out)
        transform_inputs(x, shape_in, first, count, tiles, 0, v_step)
        transform_gradients(gradient, shape, lowest, chosen, first - skipped, count, tiles, m_at, m_step)
        in_x = span(x, first + chunk, count, shape_in, 1)
        in_gradient = span(coming, first + chunk, count, shape, 1)
        for k in range(FREQUENCIES):
            fetch(x, in_x, k)
            fetch(coming, in_gradient, k)
            for p in range(chosen // panel):
                column = m_at + p * panel
                multiply(
                    total, (p * FREQUENCIES + k) * u_step, panel, tiles, k * v_step, steps,
                    tiles, column + k * m_step, row_size(chosen), extent,
                    Coming((k + 1) * v_step, column + (k + 1) * m_step),
                )  # fmt: skip


@apart(
    FLAT, FLAT, PLAIN, INDEX, FLAT, SIZES, INDEX, ALL, ALL, fused_norm.NO_EPILOGUE, NO_SUMS, FLAT, FLAT, FLAT,
    FLAT, INDEX, INDEX,
)  # fmt: skip
def go_backward(
    x, dout, norm, size, dx, sizes, group, outputs, inputs, no_epilogue, no_sums, tiles, u, gradients, total,
    share, shares,
):  # fmt: skip
    """dU of some outputs from a share of the images, and unless it is empty dx of some inputs."""
    n_images, height, width, n_in, n_out, chunk = sizes
    per_image = tile_count(1, height, width)
    turned = Sizes(n_images, height, width, n_out, n_in, chunk)
    begin, end = n_images * share // shares, n_images * (share + 1) // shares
    normed = norm.kind >= 0
    ahead = Ahead(norm.x[:0], dout[:0], per_image * group, size * size)
    if normed and 2 * group * height * width * n_out <= FETCHED:
        ahead = Ahead(norm.x, dout, ahead.lead, ahead.pooled)
    for image in range(begin, end, group):
        stop = min(image + group, end)
        gradient, coming, skipped = dout, dout, signed(0)
        if normed:
            gradient, coming, skipped = gradients, dout[:0], image
            positions = (height // size) * (width // size)
            fused_norm.write_gradient(
                dout, norm, size, width // size, image * positions, stop * positions, gradient,
                image * height * width * n_out,
            )  # fmt: skip
        first, last, skipped = image * per_image, stop * per_image, skipped * per_image
        _sum_tiles(x, first, last, skipped, gradient, sizes, outputs, tiles, total, image > begin, coming)
        if dx.size:
            convolve_tiles(
                gradient,
                first,
                last,
                skipped,
                u,
                no_epilogue,
                dx,
                turned,
                inputs,
                tiles,
                no_sums,
                share,
                ahead,
            )


@inner
def _add_shares(totals, p, n_in, panel, block, dweight):
    """The gradient of the weights of panel p."""
    at = p * FREQUENCIES * panel_size(n_in, panel)
    untransform_panel(totals, at, signed(0), n_in, p, n_in, panel, block, dweight, False)


@njit(parallel=True)
def _run(x, weights, epilogue, out, sums, norm, backward, sizes, buffers):
    """The convolution of x into `out`, or where `backward` has a dweight, that, and dx into `out` unless empty."""
    n_images, height, width, n_in, n_out, _ = sizes
    dout, size, dweight, group = backward
    tiles, blocks, u, gradients, totals = buffers
    per_image, workers = tile_count(1, height, width), len(tiles)
    n_read, n_written = (n_out, n_in) if dweight.size else (n_in, n_out)
    written = Part(0, n_written, panel_width(n_written))
    outputs = Part(0, n_out, panel_width(n_out))
    shared = len(u) < workers
    if out.size and shared:
        for index in prange(n_written // written.panel):
            p = signed(index)
            at = p * FREQUENCIES * panel_size(n_read, written.panel)
            transform_panel(weights, p, n_read, written.panel, blocks[index], u[0], at)
    for index in prange(workers):
        worker = signed(index)
        own_u = u[0 if shared else worker]
        if out.size and not shared:
            for p in range(n_written // written.panel):
                at = p * FREQUENCIES * panel_size(n_read, written.panel)
                transform_panel(weights, p, n_read, written.panel, blocks[worker], own_u, at)
        if dweight.size:
            go_backward(
                x, dout, norm, size, out, sizes, group, outputs, written, epilogue, sums, tiles[worker], own_u,
                gradients[worker], totals[worker], worker, workers,
            )  # fmt: skip
        else:
            n_tiles = n_images * per_image
            begin, end = n_tiles * worker // workers, n_tiles * (worker + 1) // workers
            convolve_tiles(
                x, begin, end, signed(0), own_u, epilogue, out, sizes, written, tiles[worker], sums, worker,
                Ahead(x, x[:0], sizes.chunk, 1),
            )  # fmt: skip
    if dweight.size and shared:
        for index in prange(n_out // outputs.panel):
            _add_shares(totals, signed(index), n_in, outputs.panel, blocks[index], dweight)
    elif dweight.size:
        for p in range(n_out // outputs.panel):
            _add_shares(totals, p, n_in, outputs.panel, blocks[0], dweight)
