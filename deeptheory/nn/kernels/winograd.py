"""Convolution by 3 x 3 kernels with stride 1 and padding 1 as Winograd's F(4 x 4, 3 x 3).

Lavin & Gray, "Fast algorithms for convolutional neural networks" (CVPR 2016): an output tile of 4 x 4 needs the
input tile d of 6 x 6 and 36 products instead of 144. With U = G g G^T of the weights,

    V = B^T d B,    M[k] = V[k] U[k] at each of the 36 frequencies k,    Y = A^T M A.

The gradient of the input is the same convolution of the output's gradient with the weights turned by half a
turn; the gradient of the weights is dg = G^T (sum over tiles of V[k]^T (A dY A^T)[k]) G.

Tiles are processed in chunks whose V and M stay in the second-level cache. Errors against float64 are a few 1e-6
relative to the largest value. Channels must be multiples of 16: `applies` says which layers qualify.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import machine
from deeptheory.compiled import JIT, njit, prange
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vector import LANES, clear_lanes, copy_lanes, micro_kernel, tile_transform

TILE, PATCH = 4, 6  # side of an output tile and of the input tile it needs
FREQUENCIES = PATCH * PATCH
B_T = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
G = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
A_T = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
G_PAIR = np.kron(G, G).astype(np.float32)  # (36, 9): G g G^T of a flattened g

CHUNK_ELEMENTS = 100_000  # float32 of V and M together: they share a second-level cache of 1 MiB with U
FEWEST_TILES = 64  # per chunk: with fewer, wide layers read U too often

input_transform = tile_transform(B_T)
output_transform = tile_transform(A_T)
gradient_transform = tile_transform(A_T.T)
product_12x2 = micro_kernel(12, 2)
product_4x2 = micro_kernel(4, 2)
product_16x1 = micro_kernel(16, 1)


def applies(x: NDArray[Any], weight_shape: tuple[int, ...], stride: int, padding: int) -> bool:
    """Whether a convolution can be computed here: 3 x 3, stride 1, padding 1, float32, channels in sixteens.

    An image below 3 x 3 would leave most of a tile empty and is slower than by patches.
    """
    return (
        tuple(weight_shape[2:]) == (3, 3)
        and stride == 1
        and padding == 1
        and weight_shape[0] % LANES == 0
        and weight_shape[1] % LANES == 0
        and x.dtype == np.float32
        and min(x.shape[1:3]) >= 3
        and JIT
    )


def forward(x: NDArray[Any], weight: NDArray[Any], out: NDArray[Any], scratch: Scratch) -> None:
    """Write the convolution of `x` (N, H, W, C) and `weight` (O, C, 3, 3) into `out` (N, H, W, O)."""
    taps = weight.transpose(2, 3, 1, 0)  # (3, 3, C, O)
    _convolve(x, taps, out, scratch)


def backward_data(dout: NDArray[Any], weight: NDArray[Any], dx: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the input (N, H, W, C) into `dx`, given that of the output `dout` (N, H, W, O)."""
    taps = weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)  # (3, 3, O, C)
    _convolve(dout, taps, dx, scratch)


def backward_weights(x: NDArray[Any], dout: NDArray[Any], dweight: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the weights (O, C, 3, 3) into `dweight`.

    Every thread sums over its own part of the tiles and the parts are added in a fixed order: the same number
    of threads gives the same bits.
    """
    n_in, n_out = x.shape[3], dout.shape[3]
    workers, chunk, tiles = _partition(x, n_in, n_out, scratch)
    sums = scratch.array("winograd sums", (workers, FREQUENCIES, n_in * n_out), x.dtype)
    _sum_products(x.reshape(-1), dout.reshape(-1), sums.reshape(-1), *x.shape, n_out, chunk, tiles)
    total = sums[0]
    for worker in range(1, workers):
        total += sums[worker]
    taps = scratch.array("winograd taps", (9, n_in * n_out), x.dtype)
    np.matmul(G_PAIR.T, total, out=taps)
    np.copyto(dweight, taps.reshape(3, 3, n_in, n_out).transpose(3, 2, 0, 1))


def _convolve(x: NDArray[Any], taps: NDArray[Any], out: NDArray[Any], scratch: Scratch) -> None:
    n_in, n_out = taps.shape[2:]
    packed = scratch.array("winograd taps", (3, 3, n_in, n_out), x.dtype)
    np.copyto(packed, taps)
    u = scratch.array("winograd u", (FREQUENCIES, n_in * n_out), x.dtype)
    np.matmul(G_PAIR, packed.reshape(9, -1), out=u)
    _, chunk, tiles = _partition(x, n_in, n_out, scratch)
    _multiply_tiles(x.reshape(-1), u.reshape(-1), out.reshape(-1), *x.shape, n_out, chunk, tiles)


def _partition(x: NDArray[Any], n_in: int, n_out: int, scratch: Scratch) -> tuple[int, int, NDArray[Any]]:
    """Number of workers, tiles per chunk, and the scratch (workers, elements) of V, M and one patch."""
    n_tiles = len(x) * -(-x.shape[1] // TILE) * -(-x.shape[2] // TILE)
    workers = min(machine.threads(), n_tiles)
    most = max(CHUNK_ELEMENTS // (FREQUENCIES * (n_in + n_out)), FEWEST_TILES)
    rounds = -(-n_tiles // (workers * most))
    chunk = -(-n_tiles // (workers * rounds))
    rows = -(-chunk // LANES) * LANES  # the micro-kernels round rows up
    shape = (workers, FREQUENCIES * (rows * (n_in + n_out) + 3 * LANES))
    return workers, chunk, scratch.array("winograd tiles", shape, x.dtype)


@njit()
def _multiply(c, c_at, a, a_at, a_row, a_depth, b, b_at, rows, columns, depth, accumulate):  # type: ignore[no-untyped-def]
    """c (+)= a b with b (depth, columns) and c (rows, columns) contiguous; rows are rounded up to 4."""
    column = 0
    while columns - column >= 2 * LANES:
        row = 0
        while rows - row >= 12:
            product_12x2(
                c, c_at + row * columns + column, columns, a, a_at + row * a_row, a_row, a_depth,
                b, b_at + column, columns, depth, accumulate,
            )  # fmt: skip
            row += 12
        while row < rows:
            product_4x2(
                c, c_at + row * columns + column, columns, a, a_at + row * a_row, a_row, a_depth,
                b, b_at + column, columns, depth, accumulate,
            )  # fmt: skip
            row += 4
        column += 2 * LANES
    if columns - column >= LANES:
        for row in range(0, rows, 16):
            product_16x1(
                c, c_at + row * columns + column, columns, a, a_at + row * a_row, a_row, a_depth,
                b, b_at + column, columns, depth, accumulate,
            )  # fmt: skip


@njit()
def _gather(to, to_at, side, x, image, top, left, height, width, channels, channel):  # type: ignore[no-untyped-def]
    """Copy a side x side patch of 16 channels, zero outside the image."""
    for i in range(side):
        for j in range(side):
            row, column, at = top + i, left + j, to_at + (i * side + j) * LANES
            if 0 <= row < height and 0 <= column < width:
                copy_lanes(to, at, x, ((image * height + row) * width + column) * channels + channel)
            else:
                clear_lanes(to, at)


@njit()
def _transform_inputs(x, height, width, channels, first, count, v, v_at, v_step, patch_at):  # type: ignore[no-untyped-def]
    """V = B^T d B of `count` tiles from the `first`; V[k] starts at v_at + k * v_step, (tile, channel)."""
    down, across = (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
    for t in range(count):
        image, place = divmod(first + t, down * across)
        top, left = place // across * TILE - 1, place % across * TILE - 1
        inside = top >= 0 and left >= 0 and top + PATCH <= height and left + PATCH <= width
        for channel in range(0, channels, LANES):
            at = v_at + t * channels + channel
            if inside:
                corner = ((image * height + top) * width + left) * channels + channel
                input_transform(v, at, PATCH * v_step, v_step, x, corner, width * channels, channels)
            else:
                _gather(v, patch_at, PATCH, x, image, top, left, height, width, channels, channel)
                input_transform(v, at, PATCH * v_step, v_step, v, patch_at, PATCH * LANES, LANES)


@njit(parallel=True)
def _multiply_tiles(x, u, out, n_images, height, width, n_in, n_out, chunk, tiles):  # type: ignore[no-untyped-def]
    down, across = (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
    n_tiles, workers = n_images * down * across, len(tiles)
    rows = (chunk + LANES - 1) // LANES * LANES
    # One vector more than needed: steps of a power of two would put all frequencies into one set of the cache.
    v_step, m_step = rows * n_in + LANES, rows * n_out + LANES
    m_at = FREQUENCIES * v_step
    patch_at = m_at + FREQUENCIES * m_step
    share = (n_tiles + workers - 1) // workers
    for worker in prange(workers):
        own = tiles[worker]
        end = min((worker + 1) * share, n_tiles)
        for first in range(worker * share, end, chunk):
            count = min(chunk, end - first)
            _transform_inputs(x, height, width, n_in, first, count, own, 0, v_step, patch_at)
            for k in range(FREQUENCIES):
                _multiply(
                    own, m_at + k * m_step, own, k * v_step, n_in, 1, u, k * n_in * n_out,
                    count, n_out, n_in, False,
                )  # fmt: skip
            for t in range(count):
                image, place = divmod(first + t, down * across)
                top, left = place // across * TILE, place % across * TILE
                for channel in range(0, n_out, LANES):
                    source = m_at + t * n_out + channel
                    if top + TILE <= height and left + TILE <= width:
                        corner = ((image * height + top) * width + left) * n_out + channel
                        output_transform(
                            out, corner, width * n_out, n_out, own, source, PATCH * m_step, m_step
                        )
                    else:
                        output_transform(
                            own, patch_at, TILE * LANES, LANES, own, source, PATCH * m_step, m_step
                        )
                        for i in range(min(TILE, height - top)):
                            for j in range(min(TILE, width - left)):
                                pixel = (image * height + top + i) * width + left + j
                                copy_lanes(
                                    out, pixel * n_out + channel, own, patch_at + (i * TILE + j) * LANES
                                )


@njit(parallel=True)
def _sum_products(x, dout, sums, n_images, height, width, n_in, n_out, chunk, tiles):  # type: ignore[no-untyped-def]
    down, across = (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
    n_tiles, workers = n_images * down * across, len(tiles)
    rows = (chunk + LANES - 1) // LANES * LANES
    # One vector more than needed: steps of a power of two would put all frequencies into one set of the cache.
    v_step, m_step = rows * n_in + LANES, rows * n_out + LANES
    m_at = FREQUENCIES * v_step
    patch_at = m_at + FREQUENCIES * m_step
    share = (n_tiles + workers - 1) // workers
    size = FREQUENCIES * n_in * n_out
    for worker in prange(workers):
        own = tiles[worker]
        end = min((worker + 1) * share, n_tiles)
        for first in range(worker * share, end, chunk):
            count = min(chunk, end - first)
            _transform_inputs(x, height, width, n_in, first, count, own, 0, v_step, patch_at)
            for t in range(count):
                image, place = divmod(first + t, down * across)
                top, left = place // across * TILE, place % across * TILE
                for channel in range(0, n_out, LANES):
                    at = m_at + t * n_out + channel
                    if top + TILE <= height and left + TILE <= width:
                        corner = ((image * height + top) * width + left) * n_out + channel
                        gradient_transform(
                            own, at, PATCH * m_step, m_step, dout, corner, width * n_out, n_out
                        )
                    else:
                        _gather(own, patch_at, TILE, dout, image, top, left, height, width, n_out, channel)
                        gradient_transform(
                            own, at, PATCH * m_step, m_step, own, patch_at, TILE * LANES, LANES
                        )
            for k in range(FREQUENCIES):
                _multiply(
                    sums, worker * size + k * n_in * n_out, own, k * v_step, 1, n_in, own, m_at + k * m_step,
                    n_in, n_out, count, first > worker * share,
                )  # fmt: skip
