"""The three transforms of Winograd's algorithm and where their results lie.

U is stored panel by panel of output channels, in each panel the 36 frequencies, in each frequency (in, columns of
the panel). V and M are 36 times (tile, channel). `winograd` says what they are.
"""

from typing import NamedTuple, Self

import numpy as np
from numba import types
from numpy.typing import NDArray

from deeptheory.nn.kernels import fused_norm
from deeptheory.nn.kernels.compiled_kernel import Array
from deeptheory.nn.kernels.generated.transforms import (
    bounded_tile_transform,
    kernel_gradient_transform,
    kernel_transform,
    tile_transform,
)
from deeptheory.nn.kernels.matrix_products import SLACK, WIDEST, panel_width
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import (
    LANES,
    ONE,
    ZERO,
    add_double,
    fill,
    fma,
    load,
    store,
    where_kept,
)  # fmt: skip
from deeptheory.system.apart import FLAT, INDEX, apart
from deeptheory.system.compiled import inner, njit

TILE, PATCH = 4, 6  # side of an output tile and of the input tile it needs
FREQUENCIES = PATCH * PATCH
OUTPUT_TILE = TILE * TILE * LANES  # elements of one in 16 channels
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
NO_SUMS = np.empty((0, 0))  # channel sums that are not asked for
_NOTHING = np.empty(0, np.float32)


class Sizes(NamedTuple):
    """Sizes of a convolution, and the number of tiles that are multiplied at a time."""

    n_images: int
    height: int
    width: int
    n_in: int
    n_out: int
    chunk: int

    @classmethod
    def of(cls, x: Array, n_out: int, chunk: int) -> Self:
        """The sizes of a convolution of `x` (N, H, W, C)."""
        n_images, height, width, n_in = x.shape
        return cls(n_images, height, width, n_in, n_out, chunk)


class Part(NamedTuple):
    """Some channels: the first of them, how many there are, and in panels of how many they are multiplied."""

    lowest: int
    chosen: int
    panel: int


class Image(NamedTuple):
    """The shape of an image."""

    height: int
    width: int
    channels: int


class Weights(NamedTuple):
    """The kernels of a convolution as they lie in memory.

    Attributes
    ----------
    values : flat float32 array
    n_out : int
        Output channels of this convolution.
    in_stride, out_stride : int
        Elements from one input channel, and from one output channel, to the next.
    turned : bool
        The 3 x 3 numbers are read in reverse order, turned by half a turn.
    """

    values: Array
    n_out: int
    in_stride: int
    out_stride: int
    turned: bool

    @classmethod
    def forward(cls, weight: Array) -> Self:
        """For outputs from inputs; `weight` is (O, C, 3, 3)."""
        n_out, n_in = weight.shape[:2]
        return cls(weight.reshape(-1), n_out, WEIGHT_TAPS, n_in * WEIGHT_TAPS, False)

    @classmethod
    def backward(cls, weight: Array) -> Self:
        """For the gradient of the inputs from that of the outputs."""
        n_in = weight.shape[1]
        return cls(weight.reshape(-1), n_in, n_in * WEIGHT_TAPS, WEIGHT_TAPS, True)


class Products(NamedTuple):
    """Where the products M of a chunk of tiles lie.

    Attributes
    ----------
    at : int
        Where M begins.
    step : int
        Elements from one frequency to the next.
    patch_at : int
        Where there is room for an output tile.
    """

    at: int
    step: int
    patch_at: int


ALL = Part(1, 1, 1)
NO_WEIGHTS = Weights(_NOTHING, 1, 1, 1, False)
weight_transform = kernel_transform(G, turned=False)
turned_weight_transform = kernel_transform(G, turned=True)
weight_gradient_transform = kernel_gradient_transform(G.T)
input_transform = tile_transform(B_T)
border_input_transform = bounded_tile_transform(B_T)
output_transform = tile_transform(A_T)
gradient_transform = tile_transform(A_T.T)
border_gradient_transform = bounded_tile_transform(A_T.T)


def evenly(n: int, most: int) -> int:
    """The size of equal chunks of n, at most `most`."""
    return -(-n // -(-n // most))


def weight_blocks(n: int, scratch: Scratch) -> NDArray[np.float32]:
    """n times the frequencies of some rows of a panel of U."""
    shape = (n, FREQUENCIES * weight_line(WIDEST))
    return scratch.array("winograd weights", shape, np.float32)


@njit()
def row_size(channels):
    """Elements from one tile to the next in V and M: not a large power of two, which would crowd one cache set."""
    return channels + LANES if channels >= 4 * LANES else channels


@njit()
def matrix_size(rows, row):
    """Elements from one frequency to the next: a vector more than the rows that a product may write."""
    return (rows + SLACK) * row + LANES


@njit()
def panel_size(n_in, panel):
    """Elements from one frequency to the next in a panel of U."""
    return n_in * panel + LANES


@njit()
def u_size(n_in, n_out):
    """Elements of U: panel by panel, in each the frequencies, in each (in, columns of the panel)."""
    panel = panel_width(n_out)
    return n_out // panel * FREQUENCIES * panel_size(n_in, panel)


@njit()
def layout(chunk, n_in, n_out):
    """By tiles: elements from frequency to frequency in V, which comes first, and where M lies."""
    v_step, m_step = matrix_size(chunk, row_size(n_in)), matrix_size(chunk, row_size(n_out))
    return v_step, Products(FREQUENCIES * v_step, m_step, FREQUENCIES * (v_step + m_step))


@njit()
def weight_line(panel):
    """Elements from frequency to frequency in the block of some rows of U."""
    return WEIGHT_ROWS * panel + LANES


@apart(NO_WEIGHTS, INDEX, INDEX, INDEX, FLAT, FLAT, INDEX)
def transform_panel(weights, p, n_in, panel, block, u, u_at):
    """U = G g G^T of panel p."""
    run, line = WEIGHT_ROWS * panel, weight_line(panel)
    values, _, in_stride, out_stride, turned = weights
    for start in range(0, n_in, WEIGHT_ROWS):
        for i in range(WEIGHT_ROWS):
            for o in range(0, panel, LANES):
                at, source = i * panel + o, (start + i) * in_stride + (p * panel + o) * out_stride
                if turned:
                    turned_weight_transform(block, at, PATCH * line, line, values, source, out_stride)
                else:
                    weight_transform(block, at, PATCH * line, line, values, source, out_stride)
        for k in range(FREQUENCIES):
            target = u_at + k * panel_size(n_in, panel) + start * panel
            for e in range(0, run, LANES):
                store(u, target + e, load(block, k * line + e))


@apart(np.empty((0, 0), np.float32), *6 * (INDEX,), FLAT, FLAT, types.boolean)
def untransform_panel(sums, sums_at, first, last, p, n_in, panel, block, dweight, accumulate):
    """dg (+)= G^T dU G of panel p, input channels first..last-1; `sums` of the workers are added in order."""
    run, line = WEIGHT_ROWS * panel, weight_line(panel)
    for start in range(first, last, WEIGHT_ROWS):
        for k in range(FREQUENCIES):
            source = sums_at + k * panel_size(n_in, panel) + start * panel
            for e in range(0, run, LANES):
                total = load(sums[0], source + e)
                for worker in range(1, len(sums)):
                    total = total + load(sums[worker], source + e)
                store(block, k * line + e, total)
        for i in range(WEIGHT_ROWS):
            for o in range(0, panel, LANES):
                target = ((p * panel + o) * n_in + start + i) * WEIGHT_TAPS
                weight_gradient_transform(
                    dweight, target, n_in * WEIGHT_TAPS, block, i * panel + o, PATCH * line, line, accumulate
                )


@njit()
def tile_count(n_images, height, width):
    """Output tiles of all images."""
    return n_images * ((height + TILE - 1) // TILE) * ((width + TILE - 1) // TILE)


@inner
def _locate(tile, height, width):
    """Image, top and left of a tile."""
    across, per_image = (width + TILE - 1) // TILE, tile_count(1, height, width)
    image = tile // per_image
    number = tile - image * per_image
    return image, number // across * TILE, number % across * TILE


@inner
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


@inner
def transform_inputs(x, shape, first, count, v, v_at, v_step):
    """V = B^T d B of `count` tiles from the `first` of images of a shape; V[k] starts at v_at + k * v_step."""
    height, width, channels = shape
    row = row_size(channels)
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


@inner
def transform_gradients(dout, shape, lowest, chosen, first, count, m, m_at, m_step):
    """dM = A dY A^T of `count` tiles from the `first`, of the `chosen` channels from the `lowest`."""
    height, width, channels = shape
    row = row_size(chosen)
    image, top, left = _locate(first, height, width)
    for t in range(count):
        corner = ((image * height + top) * width + left) * channels + lowest
        inside = top + TILE <= height and left + TILE <= width
        for channel in range(0, chosen, LANES):
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


@inner
def transform_outputs(m, products, first, count, out, shape, lowest, chosen, epilogue, sums, worker):
    """Y = A^T M A of `count` tiles from the `first`, of the `chosen` channels from the `lowest`, and the epilogue.

    The sums of Y and of Y*Y are added to the 2*channels float64 of sums[worker], unless `sums` is empty; without
    an epilogue then.
    """
    m_at, m_step, patch_at = products
    height, width, channels = shape
    row = row_size(chosen)
    image, top, left = _locate(first, height, width)
    for t in range(count):
        corner = ((image * height + top) * width + left) * channels + lowest
        direct = epilogue.kind < 0 and top + TILE <= height and left + TILE <= width
        for channel in range(0, chosen, LANES):
            at = m_at + t * row + channel
            if direct:
                output_transform(
                    out, corner + channel, width * channels, channels, m, at, PATCH * m_step, m_step
                )
            else:
                output_transform(m, patch_at, TILE * LANES, LANES, m, at, PATCH * m_step, m_step)
                _finish(m, patch_at, out, shape, image, top, left, lowest + channel, epilogue)
            if sums.size:
                rows, columns = min(TILE, height - top), min(TILE, width - left)
                _add_sums(out, corner + channel, rows, columns, shape, lowest + channel, sums[worker])
        image, top, left = _next(image, top, left, height, width)


@inner
def _add_sums(out, corner, rows, columns, shape, channel, totals):
    """Add the sums of the part of a tile that lies in the image, and of its squares."""
    _, width, channels = shape
    sum_y, sum_yy = fill(ZERO), fill(ZERO)
    for i in range(rows):
        for j in range(columns):
            value = load(out, corner + (i * width + j) * channels)
            sum_y = sum_y + value
            sum_yy = fma(value, value, sum_yy)
    add_double(totals, channel, sum_y)
    add_double(totals, channels + channel, sum_yy)


@inner
def _finish(m, patch_at, out, shape, image, top, left, channel, epilogue):
    """Write the part of a tile that lies in the image, after the epilogue."""
    height, width, channels = shape
    slope, shift, kind, size = epilogue
    half = size - 1  # positions are halved by shifts: divisions would take longer than the rest
    corner = (image * (height >> half) + (top >> half)) * (width >> half) + (left >> half)
    factor, offset = fill(ONE), fill(ZERO)
    if kind >= 0:
        factor, offset = load(slope, channel), load(shift, channel)
    for i in range(min(TILE, height - top) >> half):
        for j in range(min(TILE, width - left) >> half):
            position = patch_at + ((i << half) * TILE + (j << half)) * LANES
            value = load(m, position)
            if kind >= 0:
                value = fused_norm.activate(fma(value, factor, offset), kind)
            if size == 2:
                for k in range(1, 4):
                    rival = load(m, position + (k // 2 * TILE + k % 2) * LANES)
                    rival = fused_norm.activate(fma(rival, factor, offset), kind)
                    value = where_kept(value, rival, value, rival)
            store(out, (corner + i * (width >> half) + j) * channels + channel, value)
