"""Winograd's convolution where every thread takes some of the output channels through all steps.

For few tiles and many channels, where most of the time goes into the weights: every thread transforms those of its
own channels, and no other reads them, or the sums of their gradient. So no thread waits for another between the
steps, and what one core has just written need not be fetched by another. The inputs are transformed by every
thread again, which is little work where tiles are few. All sums are over the same shares of the images, in the
same order, as in `winograd_by_tiles`: the results are the same to the bit.
"""

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import fused_norm
from deeptheory.nn.kernels.compiled_kernel import Array, Geometry
from deeptheory.nn.kernels.matrix_products import panel_width
from deeptheory.nn.kernels.norm_rows import PLAIN, Normed
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES
from deeptheory.nn.kernels.winograd_by_tiles import (
    CHUNK,
    FORWARD,
    SIZES,
    Buffers,
    Gradient,
    Plan,
    convolve_tiles,
    go_backward,
    plan_of,
)
from deeptheory.nn.kernels.winograd_fetching import Ahead
from deeptheory.nn.kernels.winograd_tiles import (
    FREQUENCIES,
    NO_SUMS,
    NO_WEIGHTS,
    Part,
    Sizes,
    Weights,
    panel_size,
    tile_count,
    transform_panel,
    u_size,
    untransform_panel,
    weight_blocks,
)
from deeptheory.system import threadpools
from deeptheory.system.apart import FLAT, INDEX, apart, make_ready
from deeptheory.system.compiled import inner, njit, prange, signed

TILES = 4  # for each output channel, of which it pays to transform the inputs again and again
_NOTHING = np.empty(0, np.float32)
_ROWS = np.empty((0, 0), np.float32)


def applies(geometry: Geometry, threads: int) -> bool:
    """Whether tiles are few, and each of several threads gets as many channels of either side, in sixteens."""
    n_out, n_in = geometry.weights[:2]
    even = n_out % (LANES * threads) == n_in % (LANES * threads) == 0
    return threads > 1 and even and tile_count(*geometry.images[:3]) <= TILES * min(n_in, n_out)


def convolve(
    x: Array,
    weights: Weights,
    epilogue: fused_norm.Epilogue,
    out: Array,
    sums: NDArray[np.float64],
    scratch: Scratch,
) -> None:
    """As `winograd_by_tiles.convolve`."""
    n_in, threads = x.shape[3], threadpools.threads()
    plan = plan_of(x.shape[:3], n_in, weights.n_out, threads, CHUNK, by_images=False)
    u = u_size(n_in, weights.n_out // threads)
    sums.fill(0)
    _make_ready()
    _run(
        x.reshape(-1), weights, epilogue, out.reshape(-1), sums, PLAIN, FORWARD,
        Sizes.of(x, weights.n_out, plan.chunk), plan.tiles[0], _buffers(plan, threads, u, 0, 0, scratch),
    )  # fmt: skip


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
    """As `winograd_by_tiles.backward`; every thread computes the gradient through the norm for itself."""
    n_in, n_out, threads = x.shape[3], len(weight), threadpools.threads()
    plan = plan_of(x.shape[:3], n_in, n_out, threads, CHUNK, by_images=True)
    gradient = plan.gradient if norm.kind >= 0 else 0
    u, total = u_size(n_out, n_in // threads), u_size(n_in, n_out // threads)
    _make_ready()
    _run(
        x.reshape(-1), Weights.backward(weight), fused_norm.NO_EPILOGUE,
        _NOTHING if dx is None else dx.reshape(-1), NO_SUMS, norm,
        Gradient(dout.reshape(-1), size, dweight.reshape(-1), plan.group), Sizes.of(x, n_out, plan.chunk),
        plan.tiles[0], _buffers(plan, threads, u, gradient, total, scratch),
    )  # fmt: skip


def backward_weights(x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    """`winograd.backward_weights`."""
    backward(x, dout, dweight, PLAIN, 1, dweight, None, scratch)


def _make_ready() -> None:
    make_ready(transform_panel, convolve_tiles, go_backward, untransform_panel, _go_forward, _go_backward)


def _buffers(plan: Plan, threads: int, u: int, gradient: int, total: int, scratch: Scratch) -> Buffers:
    """Scratch of every thread; of the sums as much for each share of the images."""
    shares, tiles = plan.tiles
    return Buffers(
        scratch.rows("winograd tiles", threads, tiles, np.float32),
        weight_blocks(threads, scratch),
        scratch.rows("winograd u", threads, u, np.float32),
        scratch.rows("winograd gradients", threads, gradient, np.float32),
        scratch.rows("winograd sums", threads, shares * total, np.float32),
    )


@inner
def _part(channels, worker, workers):
    """The channels of a worker."""
    chosen = channels // workers
    return Part(worker * chosen, chosen, panel_width(chosen))


@inner
def _transform(weights, n_in, part, block, u):
    """U of a part of the output channels."""
    for p in range(part.chosen // part.panel):
        at = p * FREQUENCIES * panel_size(n_in, part.panel)
        transform_panel(weights, part.lowest // part.panel + p, n_in, part.panel, block, u, at)


@apart(FLAT, NO_WEIGHTS, fused_norm.NO_EPILOGUE, FLAT, NO_SUMS, SIZES, INDEX, INDEX, INDEX, FLAT, FLAT, FLAT)
def _go_forward(x, weights, epilogue, out, sums, sizes, shares, worker, workers, tiles, block, u):
    """The output channels of a worker."""
    part = _part(sizes.n_out, worker, workers)
    _transform(weights, sizes.n_in, part, block, u)
    n_tiles = tile_count(sizes.n_images, sizes.height, sizes.width)
    for share in range(shares):
        begin, end = n_tiles * share // shares, n_tiles * (share + 1) // shares
        ahead = Ahead(x, x[:0], sizes.chunk, 1)
        convolve_tiles(x, begin, end, signed(0), u, epilogue, out, sizes, part, tiles, sums, share, ahead)


@apart(
    FLAT, FLAT, NO_WEIGHTS, PLAIN, INDEX, FLAT, FLAT, SIZES, INDEX, fused_norm.NO_EPILOGUE, NO_SUMS, INDEX, INDEX,
    INDEX, FLAT, FLAT, FLAT, FLAT, _ROWS,
)  # fmt: skip
def _go_backward(
    x, dout, weights, norm, size, dweight, dx, sizes, group, no_epilogue, no_sums, shares, worker, workers, tiles,
    block, u, gradients, totals,
):  # fmt: skip
    """The gradients of the weights of a worker's output channels, and unless it is empty dx of its inputs."""
    outputs, inputs = _part(sizes.n_out, worker, workers), _part(sizes.n_in, worker, workers)
    if dx.size:
        _transform(weights, sizes.n_out, inputs, block, u)
    for share in range(shares):
        go_backward(
            x, dout, norm, size, dx, sizes, group, outputs, inputs, no_epilogue, no_sums, tiles, u, gradients,
            totals[share], share, shares,
        )  # fmt: skip
    for p in range(outputs.chosen // outputs.panel):
        at = p * FREQUENCIES * panel_size(sizes.n_in, outputs.panel)
        untransform_panel(
            totals, at, signed(0), sizes.n_in, outputs.lowest // outputs.panel + p, sizes.n_in, outputs.panel,
            block, dweight, False,
        )  # fmt: skip


@njit(parallel=True)
def _run(x, weights, epilogue, out, sums, norm, backward, sizes, shares, buffers):
    """As that of `winograd_by_tiles`, with the sums of every worker over `shares` of the images."""
    dout, size, dweight, group = backward
    tiles, blocks, u, gradients, totals = buffers
    workers = len(tiles)
    total = u_size(sizes.n_in, sizes.n_out // workers)
    for index in prange(workers):
        worker = signed(index)
        if dweight.size:
            _go_backward(
                x, dout, weights, norm, size, dweight, out, sizes, group, epilogue, sums, shares, worker, workers,
                tiles[worker], blocks[worker], u[worker], gradients[worker],
                totals[worker, : shares * total].reshape((shares, total)),
            )  # fmt: skip
        else:
            _go_forward(
                x, weights, epilogue, out, sums, sizes, shares, worker, workers, tiles[worker], blocks[worker],
                u[worker],
            )  # fmt: skip
