"""Convolution by the kernels kept of 3 x 3 ones, with stride 1 and padding 1, and sparse matrix products.

A removed kernel costs nothing: every output is the sum over the list of its kernels. The lanes of a vector are 16
images (`batch_lanes`), so any number of channels will do, and the vectors of one input are multiplied where they
lie. A vector has to be used more than once when it is read, or reading decides: Winograd's transform along both
axes takes the fewest products, each with its own vector. So only the rows are transformed, F(4, 3), and columns
are summed directly: with V = d B of every row of an input and U = g G^T of every row of a kernel,

    M[y, k] = sum over i of V[y + i - 1, k] U[i, k] at each of the 6 frequencies k,    Y[y] = M[y] A,

and V[y, k] serves three rows of the output. All of one frequency, or more, stay in the registers over all kernels
kept. Images of at most 4 and 8 rows are one tile high, others are cut into tiles of 8 rows. Images of 2 x 2 are
summed without any transform. Errors against float64 are below 1e-5 relative to the largest value.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deeptheory.nn.kernels import batch_lanes
from deeptheory.nn.kernels.compiled_kernel import Array
from deeptheory.nn.kernels.fused_norm import NO_EPILOGUE, Epilogue
from deeptheory.nn.kernels.matrix_products import WIDE
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.sparse_tiles import (
    IMAGE_2,
    IMAGE_4,
    IMAGE_8,
    MIXED,
    PART,
    POSITION,
    SIDE,
    Buffers,
    Shape,
    locate_positions,
    read_tile,
    write_outputs,
)
from deeptheory.nn.kernels.vectors import LANES, explicit
from deeptheory.nn.kernels.winograd_tiles import PATCH, TILE, G
from deeptheory.system import threadpools
from deeptheory.system.compiled import inner, njit, prange, signed

OUTPUT_COST = 8  # of an output without kernels, in kernels
G_TURNED = np.ascontiguousarray(G.T, np.float32)


def applies(dtype: DTypeLike, kernel: tuple[int, ...], stride: int, padding: int) -> bool:
    """Whether a convolution can be computed here: 3 x 3, stride 1, padding 1, float32."""
    return tuple(kernel) == (SIDE, SIDE) and stride == 1 and padding == 1 and explicit(dtype)


def shape_of_tiles(height: int, width: int) -> Shape:
    """The shape of the tiles that images are cut into, and whether their rows are transformed."""
    if max(height, width) <= 2:
        return IMAGE_2
    if height <= 4:
        return IMAGE_4
    return IMAGE_8 if height <= 8 and WIDE else PART


class Plan(NamedTuple):
    """What is known of a convolution before its values: for given kernels kept, images and threads.

    Attributes
    ----------
    images : (N, H, W, C)
    shape : Shape
    starts : (O + 1,) int64 array
        The kernels of output o are starts[o] .. starts[o+1] - 1.
    places : (n_kept,) int64 array
        Where the input of each kernel begins in V.
    step : int
        Elements from one input to the next in V.
    shares : int64 array
        Where the part of each worker begins, counted in outputs of one tile after the other.
    """

    images: tuple[int, int, int, int]
    shape: Shape
    starts: NDArray[np.int64]
    places: NDArray[np.int64]
    step: int
    shares: NDArray[np.int64]


def plan(images: tuple[int, ...], starts: NDArray[np.int64], inputs: NDArray[np.int64]) -> Plan:
    """The plan for images (N, H, W, C), or (N, C) for `product`; `inputs` are those of the kernels kept."""
    n, height, width, n_in = images if len(images) == 4 else (images[0], 1, 1, images[1])
    shape = shape_of_tiles(height, width) if len(images) == 4 else POSITION
    step = PATCH * (shape.rows + 2 * shape.halo) * LANES if shape.kind == MIXED else LANES
    tiles = batch_lanes.groups(n) * -(-height // shape.rows) * -(-width // shape.columns)
    return Plan(
        (n, height, width, n_in), shape, starts.copy(), inputs * step, step,
        _shares(starts, tiles, threadpools.threads()),
    )  # fmt: skip


def convolve(
    x: NDArray[np.float32],
    plan: Plan,
    values: Array,
    epilogue: Epilogue,
    out: NDArray[np.float32],
    scratch: Scratch,
) -> None:
    """Write what `fused_norm.forward` makes of `definitions.sparse_convolution` with padding 1 into `out`.

    `x` and `out` have images as lanes; `values` (n_kept, 3, 3) are the kernels kept.
    """
    taps = values.reshape(-1)
    if plan.shape.kind == MIXED:
        taps = scratch.array("sparse taps", (values.size // SIDE, PATCH), np.float32)
        np.matmul(values.reshape(-1, SIDE), G_TURNED, out=taps)  # U = g G^T
    _run(x, plan, taps.reshape(-1), epilogue, out, scratch)


def product(
    x: NDArray[np.float32], plan: Plan, values: Array, out: NDArray[np.float32], scratch: Scratch
) -> None:
    """Write the sums over the i of output o of values[i] x[n, inputs[i]] into `out`; images as lanes."""
    _run(x, plan, values, NO_EPILOGUE, out, scratch)


def _run(
    x: NDArray[np.float32],
    plan: Plan,
    taps: Array,
    epilogue: Epilogue,
    out: NDArray[np.float32],
    scratch: Scratch,
) -> None:
    n_in, workers = plan.images[3], len(plan.shares) - 1
    rows, columns = plan.shape.rows, plan.shape.columns
    zeros = batch_lanes.groups(plan.images[0]) * math.prod(plan.images[1:]) * LANES
    x[zeros : zeros + n_in * LANES] = 0  # of all inputs of a position
    # V, the sums of all frequencies, and the tile of an output
    v, sums, y = (
        n_in * plan.step if plan.shape.kind == MIXED else 0,
        PATCH * rows * LANES,
        rows * columns * LANES,
    )
    buffers = Buffers(
        scratch.array("sparse inputs", (workers, v), np.float32),
        scratch.array("sparse sums", (workers, sums), np.float32),
        scratch.array("sparse output", (workers, y), np.float32),
        scratch.array("sparse places", (workers, TILE**2), np.int64),
    )
    _compute(x, *plan, taps, epilogue, out, zeros, buffers)


def _shares(starts: NDArray[np.int64], tiles: int, workers: int) -> NDArray[np.int64]:
    """`Plan.shares`: parts of about equally many kernels; two workers may transform one and the same tile."""
    done = np.cumsum(np.diff(starts) + OUTPUT_COST)
    targets = done[-1] * tiles * np.arange(workers + 1) // workers
    return targets // done[-1] * len(done) + np.searchsorted(done, targets % done[-1], side="right")


@njit(parallel=True)
def _compute(x, images, shape, starts, places, step, shares, taps, epilogue, out, zeros, buffers):
    v, sums, y, table = buffers
    for index in prange(len(v)):
        worker = signed(index)
        own = Buffers(v[worker], sums[worker], y[worker], table[worker])
        plan = Plan(images, shape, starts, places, step, shares)  # parallel loops take no tuple in a tuple
        _compute_share(x, plan, shares[worker], shares[worker + 1], taps, epilogue, out, zeros, own)


@inner
def _compute_share(x, plan, begin, end, taps, epilogue, out, zeros, buffers):
    """The outputs begin..end-1, counted through all tiles."""
    (_, height, width, n_in), shape, size, n_out = (
        plan.images,
        plan.shape,
        epilogue.size,
        len(plan.starts) - 1,
    )
    down, across = (height + shape.rows - 1) // shape.rows, (width + shape.columns - 1) // shape.columns
    out_height, out_width = height // size, width // size
    job = begin
    while job < end:
        tile, o = job // n_out, job % n_out
        last = min(n_out, o + end - job)
        job += last - o
        group, number = tile // (down * across), tile % (down * across)
        top, left = number // across * shape.rows, number % across * shape.columns
        rows, columns = min(shape.rows, height - top), min(shape.columns, width - left)
        images, source = group * height * width * n_in * LANES, x
        if shape.kind == MIXED:
            source = buffers.v
            read_tile(x, images, height, width, n_in, top, left, shape, buffers.v, plan.step)
        else:
            locate_positions(images, height, width, n_in, shape, zeros, buffers.table)
        at = ((group * out_height + top // size) * out_width + left // size) * n_out * LANES
        write_outputs(plan, source, buffers, taps, o, last, epilogue, out, at, rows, columns, out_width)
