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
WEIGHT_TAPS = 9

CHUNK_ELEMENTS = 100_000  # float32 of V and M together: they share a second-level cache of 1 MiB with U
FEWEST_TILES = 64  # per chunk: with fewer, wide layers read U too often

weight_transform = tile_transform(G)
weight_gradient_transform = tile_transform(G.T)
input_transform = tile_transform(B_T)
output_transform = tile_transform(A_T)
gradient_transform = tile_transform(A_T.T)
product_12x2 = micro_kernel(12, 2)
product_4x2 = micro_kernel(4, 2)
product_16x1 = micro_kernel(16, 1)


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
        and x.dtype == np.float32
        and min(x.shape[1:3]) >= 2
        and JIT
    )


def forward(x: NDArray[Any], weight: NDArray[Any], out: NDArray[Any], scratch: Scratch) -> None:
    """Write the convolution of `x` (N, H, W, C) and `weight` (O, C, 3, 3) into `out` (N, H, W, O)."""
    n_out, n_in = weight.shape[:2]
    strides = (WEIGHT_TAPS, n_in * WEIGHT_TAPS)  # from one input channel, one output channel, to the next
    _convolve(x, weight, n_in, n_out, strides, False, out, scratch)


def backward_data(dout: NDArray[Any], weight: NDArray[Any], dx: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the input (N, H, W, C) into `dx`, given that of the output `dout` (N, H, W, O)."""
    n_out, n_in = weight.shape[:2]
    _convolve(dout, weight, n_out, n_in, (n_in * WEIGHT_TAPS, WEIGHT_TAPS), True, dx, scratch)


def backward_weights(x: NDArray[Any], dout: NDArray[Any], dweight: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the weights (O, C, 3, 3) into `dweight`.

    Every thread sums over its own part of the tiles and the parts are added in a fixed order: the same number
    of threads gives the same bits.
    """
    n_in, n_out = x.shape[3], dout.shape[3]
    workers, chunk, tiles = _partition(x, n_in, n_out, scratch)
    sums = scratch.array("winograd sums", (workers, FREQUENCIES * _step(n_in, n_out)), x.dtype)
    _sum_products(x.reshape(-1), dout.reshape(-1), sums, *x.shape, n_out, chunk, tiles)
    blocks = scratch.array("winograd weights", (n_in, 2 * WEIGHT_TAPS * LANES), x.dtype)
    _untransform_weights(sums, n_in, n_out, blocks, dweight.reshape(-1))


def _convolve(
    x: NDArray[Any],
    weight: NDArray[Any],
    n_in: int,
    n_out: int,
    strides: tuple[int, int],
    turned: bool,
    out: NDArray[Any],
    scratch: Scratch,
) -> None:
    u = scratch.array("winograd u", (FREQUENCIES * _step(n_in, n_out),), x.dtype)
    blocks = scratch.array("winograd weights", (n_in, 2 * WEIGHT_TAPS * LANES), x.dtype)
    _transform_weights(weight.reshape(-1), n_in, n_out, strides[0], strides[1], turned, blocks, u)
    _, chunk, tiles = _partition(x, n_in, n_out, scratch)
    _multiply_tiles(x.reshape(-1), u, out.reshape(-1), *x.shape, n_out, chunk, tiles)


def _partition(x: NDArray[Any], n_in: int, n_out: int, scratch: Scratch) -> tuple[int, int, NDArray[Any]]:
    """Number of workers, tiles per chunk, and the scratch (workers, elements) of V, M and one patch."""
    n_tiles = len(x) * -(-x.shape[1] // TILE) * -(-x.shape[2] // TILE)
    workers = min(machine.threads(), n_tiles)
    most = max(CHUNK_ELEMENTS // (FREQUENCIES * (n_in + n_out)), FEWEST_TILES)
    rounds = -(-n_tiles // (workers * most))
    chunk = -(-n_tiles // (workers * rounds))
    _, v_step, m_step = _layout(chunk, n_in, n_out)
    shape = (workers, FREQUENCIES * (v_step + m_step + LANES))
    return workers, chunk, scratch.array("winograd tiles", shape, x.dtype)


@njit()
def _step(rows, columns):
    """Elements from one frequency of a (rows, columns) matrix to the next.

    One vector more than needed: steps of a power of two would put all frequencies into one set of the cache.
    """
    return rows * columns + LANES


@njit(parallel=True)
def _transform_weights(weight, n_in, n_out, in_stride, out_stride, turned, blocks, u):
    """U = G g G^T, (36, in, out); `turned` turns the 3 x 3 weights by half a turn."""
    step, panel = _step(n_in, n_out), _panel(n_out)
    for i in prange(n_in):
        block = blocks[i]
        for o in range(0, n_out, LANES):
            for tap in range(WEIGHT_TAPS):
                source = i * in_stride + o * out_stride + (WEIGHT_TAPS - 1 - tap if turned else tap)
                for lane in range(LANES):
                    block[tap * LANES + lane] = weight[source + lane * out_stride]
            weight_transform(u, _place(i, o, n_in, panel), PATCH * step, step, block, 0, 3 * LANES, LANES)


@njit(parallel=True)
def _untransform_weights(sums, n_in, n_out, blocks, dweight):
    """dg = G^T dU G, summed over the workers in their order; `dweight` is (out, in, 3, 3)."""
    step, panel = _step(n_in, n_out), _panel(n_out)
    for i in prange(n_in):
        block = blocks[i]
        for o in range(0, n_out, LANES):
            for worker in range(len(sums)):
                at = 0 if worker == 0 else WEIGHT_TAPS * LANES
                weight_gradient_transform(
                    block, at, 3 * LANES, LANES, sums[worker], _place(i, o, n_in, panel), PATCH * step, step
                )
                if worker > 0:
                    for e in range(WEIGHT_TAPS * LANES):
                        block[e] += block[at + e]
            for lane in range(LANES):
                target = ((o + lane) * n_in + i) * WEIGHT_TAPS
                for tap in range(WEIGHT_TAPS):
                    dweight[target + tap] = block[tap * LANES + lane]


@njit()
def _layout(chunk, n_in, n_out):
    """Rows of V and M (the products round them up), and elements from one of their frequencies to the next."""
    rows = (chunk + LANES - 1) // LANES * LANES
    return rows, _step(rows, n_in), _step(rows, n_out)


@njit()
def _panel(columns):
    """Columns of one panel: U, M and the sums are stored panel by panel, so that a product reads them in line."""
    return 2 * LANES if columns % (2 * LANES) == 0 else LANES


@njit()
def _place(row, column, rows, panel):
    """Where a matrix of `rows` rows stored in panels has its element (row, column)."""
    return (column // panel * rows + row) * panel + column % panel


@njit()
def _multiply(c, c_at, c_rows, a, a_at, a_row, a_depth, b, b_at, b_rows, rows, columns, depth, accumulate):
    """c (+)= a b; b and c are in panels of `b_rows` and `c_rows` rows; `rows` is rounded up to 4 or 16."""
    panel = _panel(columns)
    for column in range(0, columns, panel):
        b_panel, c_panel, row = b_at + column * b_rows, c_at + column * c_rows, 0
        if panel == 2 * LANES:
            while rows - row >= 12:
                product_12x2(
                    c, c_panel + row * panel, panel, a, a_at + row * a_row, a_row, a_depth,
                    b, b_panel, panel, depth, accumulate,
                )  # fmt: skip
                row += 12
            while row < rows:
                product_4x2(
                    c, c_panel + row * panel, panel, a, a_at + row * a_row, a_row, a_depth,
                    b, b_panel, panel, depth, accumulate,
                )  # fmt: skip
                row += 4
        else:
            while row < rows:
                product_16x1(
                    c, c_panel + row * panel, panel, a, a_at + row * a_row, a_row, a_depth,
                    b, b_panel, panel, depth, accumulate,
                )  # fmt: skip
                row += 16


@njit()
def _gather(to, to_at, side, x, image, top, left, height, width, channels, channel):
    """Copy a side x side patch of 16 channels, zero outside the image."""
    for i in range(side):
        for j in range(side):
            row, column, at = top + i, left + j, to_at + (i * side + j) * LANES
            if 0 <= row < height and 0 <= column < width:
                copy_lanes(to, at, x, ((image * height + row) * width + column) * channels + channel)
            else:
                clear_lanes(to, at)


@njit()
def _transform_inputs(x, height, width, channels, first, count, v, v_at, v_step, patch_at):
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
def _multiply_tiles(x, u, out, n_images, height, width, n_in, n_out, chunk, tiles):
    down, across = (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
    n_tiles, workers = n_images * down * across, len(tiles)
    rows, v_step, m_step = _layout(chunk, n_in, n_out)
    m_at = FREQUENCIES * v_step
    patch_at = m_at + FREQUENCIES * m_step
    share = (n_tiles + workers - 1) // workers
    u_step, panel = _step(n_in, n_out), _panel(n_out)
    for worker in prange(workers):
        own = tiles[worker]
        end = min((worker + 1) * share, n_tiles)
        for first in range(worker * share, end, chunk):
            count = min(chunk, end - first)
            _transform_inputs(x, height, width, n_in, first, count, own, 0, v_step, patch_at)
            for k in range(FREQUENCIES):
                _multiply(
                    own, m_at + k * m_step, rows, own, k * v_step, n_in, 1, u, k * u_step, n_in,
                    count, n_out, n_in, False,
                )  # fmt: skip
            for t in range(count):
                image, place = divmod(first + t, down * across)
                top, left = place // across * TILE, place % across * TILE
                for channel in range(0, n_out, LANES):
                    source = m_at + _place(t, channel, rows, panel)
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
def _sum_products(x, dout, sums, n_images, height, width, n_in, n_out, chunk, tiles):
    down, across = (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
    n_tiles, workers = n_images * down * across, len(tiles)
    rows, v_step, m_step = _layout(chunk, n_in, n_out)
    m_at = FREQUENCIES * v_step
    patch_at = m_at + FREQUENCIES * m_step
    share = (n_tiles + workers - 1) // workers
    u_step, panel = _step(n_in, n_out), _panel(n_out)
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
                    at = m_at + _place(t, channel, rows, panel)
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
                    sums[worker], k * u_step, n_in, own, k * v_step, 1, n_in, own, m_at + k * m_step, rows,
                    n_in, n_out, count, first > worker * share,
                )  # fmt: skip
