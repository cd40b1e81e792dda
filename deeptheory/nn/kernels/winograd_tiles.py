"""The three transforms of Winograd's algorithm and where their results lie.

U is stored panel by panel of output channels, in each panel the 36 frequencies, in each frequency (in, columns of
the panel). V and M are 36 times (tile, channel). `winograd` says what they are.
"""

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import fused_norm
from deeptheory.nn.kernels.generated.transforms import (
    bounded_tile_transform,
    kernel_gradient_transform,
    kernel_transform,
    tile_transform,
)
from deeptheory.nn.kernels.matrix_products import SLACK, WIDEST, panel_width
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES, ONE, ZERO, add_double, fill, fma, load, store, where_kept
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
    """By tiles: elements from frequency to frequency in V and in M, and where M and the output tile start."""
    v_step, m_step = matrix_size(chunk, row_size(n_in)), matrix_size(chunk, row_size(n_out))
    return v_step, m_step, FREQUENCIES * v_step, FREQUENCIES * (v_step + m_step)


@njit()
def weight_line(panel):
    """Elements from frequency to frequency in the block of some rows of U."""
    return WEIGHT_ROWS * panel + LANES


@inner
def transform_panel(weight, p, n_in, panel, in_stride, out_stride, turned, block, u, u_at):
    """U = G g G^T of panel p; `turned` turns the 3 x 3 weights by half a turn."""
    run, line = WEIGHT_ROWS * panel, weight_line(panel)
    for start in range(0, n_in, WEIGHT_ROWS):
        for i in range(WEIGHT_ROWS):
            for o in range(0, panel, LANES):
                at, source = i * panel + o, (start + i) * in_stride + (p * panel + o) * out_stride
                if turned:
                    turned_weight_transform(block, at, PATCH * line, line, weight, source, out_stride)
                else:
                    weight_transform(block, at, PATCH * line, line, weight, source, out_stride)
        for k in range(FREQUENCIES):
            target = u_at + k * panel_size(n_in, panel) + start * panel
            for e in range(0, run, LANES):
                store(u, target + e, load(block, k * line + e))


@inner
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
    place = tile - image * per_image
    return image, place // across * TILE, place % across * TILE


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
def transform_inputs(x, height, width, channels, first, count, v, v_at, v_step):
    """V = B^T d B of `count` tiles from the `first`; V[k] starts at v_at + k * v_step."""
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
def transform_gradients(dout, height, width, channels, lowest, chosen, first, count, m, m_at, m_step):
    """dM = A dY A^T of `count` tiles from the `first`, of the `chosen` channels from the `lowest`."""
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
def transform_outputs(
    m,
    m_at,
    m_step,
    patch_at,
    first,
    count,
    out,
    height,
    width,
    channels,
    lowest,
    chosen,
    slope,
    shift,
    kind,
    size,
    sums,
    worker,
):
    """Y = A^T M A of `count` tiles from the `first`, of the `chosen` channels from the `lowest`, and the epilogue.

    m[patch_at] holds a tile in between. The sums of Y and of Y*Y are added to the 2*channels float64 of
    sums[worker], unless `sums` is empty; without an epilogue then.
    """
    row = row_size(chosen)
    image, top, left = _locate(first, height, width)
    for t in range(count):
        corner = ((image * height + top) * width + left) * channels + lowest
        direct = kind < 0 and top + TILE <= height and left + TILE <= width
        for channel in range(0, chosen, LANES):
            at = m_at + t * row + channel
            if direct:
                output_transform(
                    out, corner + channel, width * channels, channels, m, at, PATCH * m_step, m_step
                )
            else:
                output_transform(m, patch_at, TILE * LANES, LANES, m, at, PATCH * m_step, m_step)
                _finish(
                    m, patch_at, out, image, top, left, height, width, channels, lowest + channel,
                    slope, shift, kind, size,
                )  # fmt: skip
            if sums.size:
                rows, columns = min(TILE, height - top), min(TILE, width - left)
                place = corner + channel
                _add_sums(out, place, rows, columns, width, channels, lowest + channel, sums[worker])
        image, top, left = _next(image, top, left, height, width)


@inner
def _add_sums(out, corner, rows, columns, width, channels, channel, totals):
    """Add the sums of the part of a tile that lies in the image, and of its squares."""
    sum_y, sum_yy = fill(ZERO), fill(ZERO)
    for i in range(rows):
        for j in range(columns):
            value = load(out, corner + (i * width + j) * channels)
            sum_y = sum_y + value
            sum_yy = fma(value, value, sum_yy)
    add_double(totals, channel, sum_y)
    add_double(totals, channels + channel, sum_yy)


@inner
def _finish(m, patch_at, out, image, top, left, height, width, channels, channel, slope, shift, kind, size):
    """Write the part of a tile that lies in the image, after the epilogue."""
    half = size - 1  # positions are halved by shifts: divisions would take longer than the rest
    corner = (image * (height >> half) + (top >> half)) * (width >> half) + (left >> half)
    factor, offset = fill(ONE), fill(ZERO)
    if kind >= 0:
        factor, offset = load(slope, channel), load(shift, channel)
    for i in range(min(TILE, height - top) >> half):
        for j in range(min(TILE, width - left) >> half):
            place = patch_at + ((i << half) * TILE + (j << half)) * LANES
            value = load(m, place)
            if kind >= 0:
                value = fused_norm.activate(fma(value, factor, offset), kind)
            if size == 2:
                for k in range(1, 4):
                    rival = load(m, place + (k // 2 * TILE + k % 2) * LANES)
                    rival = fused_norm.activate(fma(rival, factor, offset), kind)
                    value = where_kept(value, rival, value, rival)
            store(out, (corner + i * (width >> half) + j) * channels + channel, value)
