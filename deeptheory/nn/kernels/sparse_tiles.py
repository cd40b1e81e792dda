"""Parts of the sparse convolution: a tile of the inputs, the sums over kernels, a tile of an output.

All in vectors of 16 images (`batch_lanes`). `sparse` says what the shapes of tiles are for.
"""

from typing import NamedTuple

import numpy as np

from deeptheory.nn.kernels import fused_norm
from deeptheory.nn.kernels.compiled_kernel import Array
from deeptheory.nn.kernels.generated.kept_sums import kept_sums
from deeptheory.nn.kernels.generated.transforms import line_transform
from deeptheory.nn.kernels.matrix_products import WIDE
from deeptheory.nn.kernels.vectors import LANES, ONE, ZERO, fill, fma, load, store, where_kept
from deeptheory.nn.kernels.winograd_tiles import A_T, B_T, PATCH, TILE
from deeptheory.system.compiled import inner

SIDE = 3  # of a kernel
TAPS = SIDE * SIDE
LINE_TAPS = SIDE * PATCH  # of a kernel whose rows are transformed
MIXED, DIRECT, SINGLE = 0, 1, 2  # kinds of tiles: rows transformed, images as they are, one position


class Shape(NamedTuple):
    """The shape of a tile of the output and how it is computed.

    Attributes
    ----------
    kind : int
        `MIXED`, `DIRECT` or `SINGLE`.
    rows, columns : int
    halo : int
        Rows that it reads above and below its own; a tile without is as high as the image.
    """

    kind: int
    rows: int
    columns: int
    halo: int


class Buffers(NamedTuple):
    """Scratch, of all workers or of one of them.

    Attributes
    ----------
    v : V of a tile of all inputs
    sums : the sums of all frequencies
    y : the tile of an output
    table : where the positions of a tile begin
    """

    v: Array
    sums: Array
    y: Array
    table: Array


TALL = 8 if WIDE else 4  # rows of a tile: more take more registers
IMAGE_2 = Shape(DIRECT, 2, 2, 0)
IMAGE_4 = Shape(MIXED, 4, TILE, 0)
IMAGE_8 = Shape(MIXED, 8, TILE, 0)
PART = Shape(MIXED, TALL, TILE, 1)
POSITION = Shape(SINGLE, 1, 1, 0)
SUMS = 24 if WIDE else 4  # that stay in the registers
AT_ONCE_4, AT_ONCE_8, AT_ONCE = SUMS // 4, max(SUMS // 8, 1), SUMS // TALL  # frequencies


def _mixed_terms(shape: Shape, frequencies: int) -> list[list[tuple[int, int]]]:
    """Vector V[k][y] adds to the sums M[k][y - i + 1] by the taps (i, k); some frequencies k at once."""
    terms = []
    for k in range(frequencies):
        for y in range(-shape.halo, shape.rows + shape.halo):
            rows = [(y - i + 1, i) for i in range(SIDE)]
            terms.append([(k * shape.rows + r, i * PATCH + k) for r, i in rows if 0 <= r < shape.rows])
    return terms


def _direct_terms(shape: Shape) -> list[list[tuple[int, int]]]:
    """Position (y, x) of an image adds to position (y - i + 1, x - j + 1) of the output by tap (i, j)."""
    rows, columns = range(shape.rows), range(shape.columns)
    return [
        [
            (shape.columns * (y - i + 1) + x - j + 1, SIDE * i + j)
            for i, j in np.ndindex(SIDE, SIDE)
            if y - i + 1 in rows and x - j + 1 in columns
        ]
        for y in rows
        for x in columns
    ]


sums_of_2 = kept_sums(_direct_terms(IMAGE_2), TAPS, 2)
sums_of_4 = kept_sums(_mixed_terms(IMAGE_4, AT_ONCE_4), LINE_TAPS, 1)
sums_of_8 = kept_sums(_mixed_terms(IMAGE_8, AT_ONCE_8), LINE_TAPS, 1)
sums_of_part = kept_sums(_mixed_terms(PART, AT_ONCE), LINE_TAPS, 1)
sums_of_position = kept_sums([[(0, 0)]], 1, 4)
input_line = line_transform(B_T)
output_line = line_transform(A_T)


@inner
def read_tile(x, at, height, width, n_in, top, left, shape, v, step):
    """V of the tile at (top, left) of all inputs, which lie `step` elements apart, from the images at x[at]."""
    rows, pixel = shape.rows + 2 * shape.halo, n_in * LANES
    for i in range(rows):
        y = top + i - shape.halo
        row = at + (y * width + left - 1) * pixel
        for c in range(n_in):
            to = c * step + i * LANES
            if 0 <= y < height:
                input_line(v, to, rows * LANES, x, row + c * LANES, pixel, left - 1, width)
            else:
                for k in range(PATCH):
                    store(v, to + k * rows * LANES, fill(ZERO))


@inner
def locate_positions(at, height, width, n_in, shape, zeros, table):
    """Where the positions of the images at element `at` begin; `zeros` for those of the tile that they lack."""
    for i in range(shape.rows):
        for j in range(shape.columns):
            inside = i < height and j < width
            table[i * shape.columns + j] = at + (i * width + j) * n_in * LANES if inside else zeros


@inner
def write_outputs(plan, v, buffers, taps, first, last, epilogue, out, at, rows, columns, width):
    """The outputs first..last-1 of a tile, after the epilogue of `fused_norm.forward`, to out[at].

    `v` is V of the tile, or the images themselves with the places of their positions in `buffers.table`.

    Of the tile, `rows` and `columns` lie in the image; that of `out` is `width` pixels wide.
    """
    _, shape, starts, places, _, _ = plan
    _, sums, y, table = buffers
    slope, shift, kind, size = epilogue
    n_out = len(starts) - 1
    # All outputs in one call: passing arrays on counts their references, which takes longer than a few kernels.
    line, v_line, half = shape.rows * LANES, (shape.rows + 2 * shape.halo) * LANES, size - 1
    for o in range(first, last):
        begin, end = starts[o], starts[o + 1]
        if shape.kind == SINGLE:
            sums_of_position(y, 0, v, table, places, taps, 0, begin, end)
        elif shape.kind == DIRECT:
            sums_of_2(y, 0, v, table, places, taps, 0, begin, end)
        elif shape.halo:
            for k in range(0, PATCH, AT_ONCE):
                sums_of_part(sums, k * line, v, k * v_line, places, taps, k, begin, end)
        elif shape.rows == 4:
            for k in range(0, PATCH, AT_ONCE_4):
                sums_of_4(sums, k * line, v, k * v_line, places, taps, k, begin, end)
        else:
            for k in range(0, PATCH, AT_ONCE_8):
                sums_of_8(sums, k * line, v, k * v_line, places, taps, k, begin, end)
        if shape.kind == MIXED:
            for i in range(shape.rows):
                output_line(y, i * TILE * LANES, LANES, sums, i * LANES, line, 0, PATCH)
        factor, offset = fill(ONE), fill(ZERO)
        if kind >= 0:
            factor, offset = fill(slope[o]), fill(shift[o])
        for i in range(rows >> half):  # shifts: divisions take longer than the rest
            for j in range(columns >> half):
                position = ((i << half) * shape.columns + (j << half)) * LANES
                value = load(y, position)
                if kind >= 0:
                    value = fused_norm.activate(fma(value, factor, offset), kind)
                if size == 2:
                    for k in range(1, 4):
                        rival = load(y, position + (k // 2 * shape.columns + k % 2) * LANES)
                        rival = fused_norm.activate(fma(rival, factor, offset), kind)
                        value = where_kept(value, rival, value, rival)
                store(out, at + ((i * width + j) * n_out + o) * LANES, value)
