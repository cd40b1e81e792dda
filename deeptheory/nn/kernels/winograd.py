"""Convolution by 3 x 3 kernels with stride 1 and padding 1 as Winograd's F(4 x 4, 3 x 3).

Lavin & Gray, "Fast algorithms for convolutional neural networks" (CVPR 2016): an output tile of 4 x 4 needs the
input tile d of 6 x 6 and 36 products instead of 144. With U = G g G^T of the weights,

    V = B^T d B,    M[k] = V[k] U[k] at each of the 36 frequencies k,    Y = A^T M A.

The gradient of the input is the same convolution of the output's gradient with the weights turned by half a
turn; the gradient of the weights is dg = G^T (sum over tiles of V[k]^T (A dY A^T)[k]) G.

Where U is not much larger than the second-level cache, every thread takes chunks of tiles through all three steps
("by tiles"). Where it is, all threads transform a larger chunk, then share the frequencies, so that each U[k] is
read by one thread only ("by frequencies"). Errors against float64 are a few 1e-6 relative to the largest value.
Channels must be multiples of 16: `applies` says which layers qualify.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import machine
from deeptheory.compiled import JIT, njit, prange
from deeptheory.nn.kernels import fused
from deeptheory.nn.kernels.generated import bounded_tile_transform, tile_transform
from deeptheory.nn.kernels.products import SLACK, multiply, panel_width
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vector import LANES, fma, load, store, where_kept

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
WEIGHT_ROWS = 8  # input channels whose U is written at a time: longer runs in each of the 36 places


U_BYTES = 1 << 22  # of weights that every thread may read again and again: more go by frequencies
TILES, SHARED_TILES = 40, 100  # at most in a chunk, by tiles and by frequencies: V and M stay in the cache

NO_VALUES = np.empty(0, np.float32)
PLAIN = fused.Epilogue(NO_VALUES, NO_VALUES, -1, 1)  # the convolution alone

weight_transform = tile_transform(G)
weight_gradient_transform = tile_transform(G.T)
input_transform = tile_transform(B_T)
border_input_transform = bounded_tile_transform(B_T)
output_transform = tile_transform(A_T)
gradient_transform = tile_transform(A_T.T)
border_gradient_transform = bounded_tile_transform(A_T.T)


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
        and machine.vectors() != "plain"
    )


def forward(
    x: NDArray[Any],
    weight: NDArray[Any],
    out: NDArray[Any],
    scratch: Scratch,
    epilogue: fused.Epilogue = PLAIN,
) -> None:
    """Write the convolution of `x` (N, H, W, C) and `weight` (O, C, 3, 3) into `out` (N, H, W, O).

    With an epilogue, `out` is what `fused.forward` makes of the convolution, half as high and wide with pooling.
    """
    n_out, n_in = weight.shape[:2]
    strides = (WEIGHT_TAPS, n_in * WEIGHT_TAPS)  # from one input channel, one output channel, to the next
    _convolve(x, weight, n_in, n_out, strides, False, out, scratch, epilogue)


def backward_data(dout: NDArray[Any], weight: NDArray[Any], dx: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the input (N, H, W, C) into `dx`, given that of the output `dout` (N, H, W, O)."""
    n_out, n_in = weight.shape[:2]
    _convolve(dout, weight, n_out, n_in, (n_in * WEIGHT_TAPS, WEIGHT_TAPS), True, dx, scratch, PLAIN)


def backward_weights(x: NDArray[Any], dout: NDArray[Any], dweight: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the weights (O, C, 3, 3) into `dweight`.

    By tiles every thread sums over its own part of them and the parts are added in a fixed order: the same number
    of threads gives the same bits.
    """
    n_in, n_out = x.shape[3], dout.shape[3]
    by_tiles, chunk, tiles = _partition(x, n_in, n_out, scratch)
    sums = scratch.array("winograd sums", (len(tiles), FREQUENCIES * _step(n_in, n_out)), x.dtype)
    sum_products = _sum_by_tiles if by_tiles else _sum_by_frequencies
    sum_products(x.reshape(-1), dout.reshape(-1), sums, *x.shape, n_out, chunk, tiles)
    blocks = _weight_blocks(n_out, scratch)
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
    epilogue: fused.Epilogue,
) -> None:
    u = scratch.array("winograd u", (FREQUENCIES * _step(n_in, n_out),), x.dtype)
    blocks = _weight_blocks(n_out, scratch)
    _transform_weights(weight.reshape(-1), n_in, n_out, strides[0], strides[1], turned, blocks, u)
    by_tiles, chunk, tiles = _partition(x, n_in, n_out, scratch)
    multiply_tiles = _multiply_by_tiles if by_tiles else _multiply_by_frequencies
    multiply_tiles(x.reshape(-1), u, out.reshape(-1), *x.shape, n_out, chunk, tiles, *epilogue)


def _weight_blocks(n_out: int, scratch: Scratch) -> NDArray[np.float32]:
    """For every panel, the frequencies of some rows and the nine taps of 16 weights."""
    panel = panel_width(n_out)
    shape = (n_out // panel, FREQUENCIES * _weight_line(panel) + WEIGHT_TAPS * LANES)
    return scratch.array("winograd weights", shape, np.float32)


def _partition(x: NDArray[Any], n_in: int, n_out: int, scratch: Scratch) -> tuple[bool, int, NDArray[Any]]:
    """Whether to go by tiles, tiles per chunk, and scratch for V, M and output tiles: (workers or 1, elements)."""
    n_tiles = len(x) * -(-x.shape[1] // TILE) * -(-x.shape[2] // TILE)
    by_tiles = 4 * FREQUENCIES * n_in * n_out <= U_BYTES
    workers = min(machine.threads(), n_tiles) if by_tiles else 1
    rounds = -(-n_tiles // (workers * (TILES if by_tiles else SHARED_TILES)))
    chunk = -(-n_tiles // (workers * rounds))
    v_step, m_step = _step(chunk, _row(n_in)), _step(chunk, _row(n_out))
    patches = TILE * TILE * LANES * (1 if by_tiles else chunk)
    shape = (workers, FREQUENCIES * (v_step + m_step) + patches)
    return by_tiles, chunk, scratch.array("winograd tiles", shape, x.dtype)


@njit()
def _row(channels):
    """Elements from one tile to the next in V and M: not a large power of two, which would crowd one cache set."""
    return channels + LANES if channels >= 4 * LANES else channels


@njit()
def _step(rows, row):
    """Elements from one frequency to the next: a vector more than the rows that a product may write."""
    return (rows + SLACK) * row + LANES


@njit()
def _weight_line(panel):
    """Elements from frequency to frequency in the block of some rows of U."""
    return WEIGHT_ROWS * panel + LANES


@njit(parallel=True)
def _transform_weights(weight, n_in, n_out, in_stride, out_stride, turned, blocks, u):
    """U = G g G^T, 36 times (in, out) in panels; `turned` turns the 3 x 3 weights by half a turn."""
    step, panel = _step(n_in, n_out), panel_width(n_out)
    run, line = WEIGHT_ROWS * panel, _weight_line(panel)
    for p in prange(n_out // panel):
        block, g = blocks[p], FREQUENCIES * line
        for start in range(0, n_in, WEIGHT_ROWS):
            for i in range(WEIGHT_ROWS):
                for o in range(0, panel, LANES):
                    origin = (start + i) * in_stride + (p * panel + o) * out_stride
                    for tap in range(WEIGHT_TAPS):
                        source = origin + (WEIGHT_TAPS - 1 - tap if turned else tap)
                        for lane in range(LANES):
                            block[g + tap * LANES + lane] = weight[source + lane * out_stride]
                    weight_transform(block, i * panel + o, PATCH * line, line, block, g, 3 * LANES, LANES)
            for k in range(FREQUENCIES):
                target = k * step + (p * n_in + start) * panel
                for e in range(0, run, LANES):
                    store(u, target + e, load(block, k * line + e))


@njit(parallel=True)
def _untransform_weights(sums, n_in, n_out, blocks, dweight):
    """dg = G^T dU G, summed over the workers in their order; `dweight` is (out, in, 3, 3)."""
    step, panel = _step(n_in, n_out), panel_width(n_out)
    run, line = WEIGHT_ROWS * panel, _weight_line(panel)
    for p in prange(n_out // panel):
        block, g = blocks[p], FREQUENCIES * line
        for start in range(0, n_in, WEIGHT_ROWS):
            for k in range(FREQUENCIES):
                source = k * step + (p * n_in + start) * panel
                for e in range(0, run, LANES):
                    total = load(sums[0], source + e)
                    for worker in range(1, len(sums)):
                        total = total + load(sums[worker], source + e)
                    store(block, k * line + e, total)
            for i in range(WEIGHT_ROWS):
                for o in range(0, panel, LANES):
                    weight_gradient_transform(
                        block, g, 3 * LANES, LANES, block, i * panel + o, PATCH * line, line
                    )
                    for lane in range(LANES):
                        target = ((p * panel + o + lane) * n_in + start + i) * WEIGHT_TAPS
                        for tap in range(WEIGHT_TAPS):
                            dweight[target + tap] = block[g + tap * LANES + lane]


@njit()
def _locate(tile, height, width):
    """Image, top and left of a tile."""
    down, across = (height + TILE - 1) // TILE, (width + TILE - 1) // TILE
    image = tile // (down * across)
    place = tile - image * down * across
    return image, place // across * TILE, place % across * TILE


@njit()
def _next(image, top, left, height, width):
    """Image, top and left of the tile after this one; cheaper than the divisions of `_locate`."""
    left += TILE
    if left >= width:
        left = 0
        top += TILE
        if top >= height:
            top = 0
            image += 1
    return image, top, left


@njit()
def _transform_inputs(x, height, width, channels, first, count, v, v_at, v_step):
    """V = B^T d B of `count` tiles from the `first`; V[k] starts at v_at + k * v_step."""
    row = _row(channels)
    image, top, left = _locate(first, height, width)
    for t in range(count):
        corner = ((image * height + top - 1) * width + left - 1) * channels
        inside = top > 0 and left > 0 and top + PATCH - 1 <= height and left + PATCH - 1 <= width
        for channel in range(0, channels, LANES):
            at = v_at + t * row + channel
            if inside:
                input_transform(
                    v, at, PATCH * v_step, v_step, x, corner + channel, width * channels, channels
                )
            else:
                border_input_transform(
                    v, at, PATCH * v_step, v_step, x, corner + channel, width * channels, channels,
                    top - 1, left - 1, height, width,
                )  # fmt: skip
        image, top, left = _next(image, top, left, height, width)


@njit()
def _transform_gradients(dout, height, width, channels, first, count, m, m_at, m_step):
    """dM = A dY A^T of `count` tiles from the `first`; dM[k] starts at m_at + k * m_step."""
    row = _row(channels)
    image, top, left = _locate(first, height, width)
    for t in range(count):
        corner = ((image * height + top) * width + left) * channels
        inside = top + TILE <= height and left + TILE <= width
        for channel in range(0, channels, LANES):
            at = m_at + t * row + channel
            if inside:
                gradient_transform(
                    m, at, PATCH * m_step, m_step, dout, corner + channel, width * channels, channels
                )
            else:
                border_gradient_transform(
                    m, at, PATCH * m_step, m_step, dout, corner + channel, width * channels, channels,
                    top, left, height, width,
                )  # fmt: skip
        image, top, left = _next(image, top, left, height, width)


@njit()
def _transform_outputs(
    m, m_at, m_step, first, count, out, height, width, channels, patch_at, slope, shift, kind, size
):
    """Y = A^T M A of `count` tiles from the `first`, and the epilogue; m[patch_at] holds a tile in between."""
    row = _row(channels)
    image, top, left = _locate(first, height, width)
    for t in range(count):
        corner = ((image * height + top) * width + left) * channels
        direct = kind < 0 and top + TILE <= height and left + TILE <= width
        for channel in range(0, channels, LANES):
            at = m_at + t * row + channel
            if direct:
                output_transform(
                    out, corner + channel, width * channels, channels, m, at, PATCH * m_step, m_step
                )
            else:
                output_transform(m, patch_at, TILE * LANES, LANES, m, at, PATCH * m_step, m_step)
                _finish(
                    m,
                    patch_at,
                    out,
                    image,
                    top,
                    left,
                    height,
                    width,
                    channels,
                    channel,
                    slope,
                    shift,
                    kind,
                    size,
                )
        image, top, left = _next(image, top, left, height, width)


@njit()
def _finish(m, patch_at, out, image, top, left, height, width, channels, channel, slope, shift, kind, size):
    """Write the part of a tile that lies in the image, after the epilogue."""
    for i in range(0, min(TILE, height - top), size):
        for j in range(0, min(TILE, width - left), size):
            place = patch_at + (i * TILE + j) * LANES
            value = load(m, place)
            if kind >= 0:
                factor, offset = load(slope, channel), load(shift, channel)
                value = fused.activate(fma(value, factor, offset), kind)
                if size == 2:
                    for k in range(1, 4):
                        rival = load(m, place + (k // 2 * TILE + k % 2) * LANES)
                        rival = fused.activate(fma(rival, factor, offset), kind)
                        value = where_kept(value, rival, value, rival)
            pixel = (image * (height // size) + (top + i) // size) * (width // size) + (left + j) // size
            store(out, pixel * channels + channel, value)


@njit()
def _multiply_frequency(tiles, k, v_step, m_at, m_step, u, n_in, n_out, count):
    """M[k] = V[k] U[k]."""
    panel = panel_width(n_out)
    multiply(
        tiles, m_at + k * m_step, _row(n_out), 1, tiles, k * v_step, _row(n_in), 1, 0,
        u, k * _step(n_in, n_out), panel, n_in, count, n_out, n_in, 1, False,
    )  # fmt: skip


@njit()
def _sum_frequency(tiles, k, v_step, m_at, m_step, sums, n_in, n_out, count, accumulate):
    """dU[k] (+)= V[k]^T dM[k]."""
    multiply(
        sums, k * _step(n_in, n_out), panel_width(n_out), n_in, tiles, k * v_step, 1, _row(n_in), 0,
        tiles, m_at + k * m_step, _row(n_out), 1, n_in, n_out, count, 1, accumulate,
    )  # fmt: skip


@njit()
def _layout(chunk, n_in, n_out):
    """Elements from frequency to frequency in V and in M, and where M and the output tiles start."""
    v_step, m_step = _step(chunk, _row(n_in)), _step(chunk, _row(n_out))
    return v_step, m_step, FREQUENCIES * v_step, FREQUENCIES * (v_step + m_step)


@njit(parallel=True)
def _multiply_by_tiles(
    x, u, out, n_images, height, width, n_in, n_out, chunk, tiles, slope, shift, kind, size
):
    n_tiles, workers = n_images * ((height + TILE - 1) // TILE) * ((width + TILE - 1) // TILE), len(tiles)
    v_step, m_step, m_at, patch_at = _layout(chunk, n_in, n_out)
    for worker in prange(workers):
        own = tiles[worker]
        start, end = n_tiles * worker // workers, n_tiles * (worker + 1) // workers
        for first in range(start, end, chunk):
            count = min(chunk, end - first)
            _transform_inputs(x, height, width, n_in, first, count, own, 0, v_step)
            for k in range(FREQUENCIES):
                _multiply_frequency(own, k, v_step, m_at, m_step, u, n_in, n_out, count)
            _transform_outputs(
                own, m_at, m_step, first, count, out, height, width, n_out, patch_at, slope, shift, kind, size
            )


@njit(parallel=True)
def _multiply_by_frequencies(
    x, u, out, n_images, height, width, n_in, n_out, chunk, tiles, slope, shift, kind, size
):
    n_tiles, shared = n_images * ((height + TILE - 1) // TILE) * ((width + TILE - 1) // TILE), tiles[0]
    v_step, m_step, m_at, patch_at = _layout(chunk, n_in, n_out)
    row_in, row_out = _row(n_in), _row(n_out)
    for first in range(0, n_tiles, chunk):
        count = min(chunk, n_tiles - first)
        for t in prange(count):
            _transform_inputs(x, height, width, n_in, first + t, 1, shared, t * row_in, v_step)
        for k in prange(FREQUENCIES):
            _multiply_frequency(shared, k, v_step, m_at, m_step, u, n_in, n_out, count)
        for t in prange(count):
            own_patch = patch_at + t * TILE * TILE * LANES
            _transform_outputs(
                shared, m_at + t * row_out, m_step, first + t, 1, out, height, width, n_out, own_patch,
                slope, shift, kind, size,
            )  # fmt: skip


@njit(parallel=True)
def _sum_by_tiles(x, dout, sums, n_images, height, width, n_in, n_out, chunk, tiles):
    n_tiles, workers = n_images * ((height + TILE - 1) // TILE) * ((width + TILE - 1) // TILE), len(tiles)
    v_step, m_step, m_at, _ = _layout(chunk, n_in, n_out)
    for worker in prange(workers):
        own = tiles[worker]
        start, end = n_tiles * worker // workers, n_tiles * (worker + 1) // workers
        for first in range(start, end, chunk):
            count = min(chunk, end - first)
            _transform_inputs(x, height, width, n_in, first, count, own, 0, v_step)
            _transform_gradients(dout, height, width, n_out, first, count, own, m_at, m_step)
            for k in range(FREQUENCIES):
                _sum_frequency(own, k, v_step, m_at, m_step, sums[worker], n_in, n_out, count, first > start)


@njit(parallel=True)
def _sum_by_frequencies(x, dout, sums, n_images, height, width, n_in, n_out, chunk, tiles):
    n_tiles, shared = n_images * ((height + TILE - 1) // TILE) * ((width + TILE - 1) // TILE), tiles[0]
    v_step, m_step, m_at, _ = _layout(chunk, n_in, n_out)
    row_in, row_out = _row(n_in), _row(n_out)
    for first in range(0, n_tiles, chunk):
        count = min(chunk, n_tiles - first)
        for t in prange(count):
            _transform_inputs(x, height, width, n_in, first + t, 1, shared, t * row_in, v_step)
            _transform_gradients(dout, height, width, n_out, first + t, 1, shared, m_at + t * row_out, m_step)
        for k in prange(FREQUENCIES):
            _sum_frequency(shared, k, v_step, m_at, m_step, sums[0], n_in, n_out, count, first > 0)
