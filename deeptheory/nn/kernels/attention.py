"""Attention of one image after the other, by vectors: projection, scores and mixing while they are in the cache.

Queries, keys and values of a token lie side by side, head by head: `qkv` is (N, T, heads, 3, d) in order. Outputs
have the heads last, (N, T, d, heads), so that a head is a filter. Scores are kept transposed, a row for every key,
so that the sums over keys run through whole vectors of queries; they are never stored. Backward computes them
again: reading them would take as long, and they are T numbers for every token and head. The gradient of `qkv` is
not stored either: those of the input and of the weights follow while it is in the cache.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deeptheory.nn.kernels.generated.lane_transposes import turn
from deeptheory.nn.kernels.generated.panels import SHORT
from deeptheory.nn.kernels.matrix_products import (
    NOTHING_COMING,
    SLACK,
    Extent,
    Steps,
    multiply,
    next_panel,
)
from deeptheory.nn.kernels.norm_rows import add_bias, add_row_sums
from deeptheory.nn.kernels.pointwise import NO_BIAS, NO_SUMS, add_columns, multiply_panels, packed_weights
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import (
    LANES,
    ONE,
    ZERO,
    exp,
    explicit,
    fill,
    fma,
    load,
    prefetch_far,
    store,
    where_less,
)
from deeptheory.system import threadpools
from deeptheory.system.apart import FLAT, INDEX, apart, make_ready
from deeptheory.system.compiled import inner, njit, prange, signed

Array = NDArray[Any]
LOWEST = np.float32(-3e38)
READ_BEYOND = SLACK  # tokens that must be readable behind the last of `qkv`
GROUP_BYTES = 1 << 19  # of gradients of `qkv` that wait for the products of several images at once


class Sizes(NamedTuple):
    """Sizes of an attention.

    Attributes
    ----------
    tokens, channels : int
        Of an input.
    heads, depth : int
        `depth` numbers of a token in each head.
    width : int
        The tokens filled up to a multiple of 16.
    scale : float
        On the scores.
    """

    tokens: int
    channels: int
    heads: int
    depth: int
    width: int
    scale: Any


class _Rows(NamedTuple):
    """Working memory of one thread, flat float32.

    Attributes
    ----------
    turned : (d, width)
        Queries, or gradients of outputs, as columns; zero beyond the tokens.
    weights, dweights : (T and a few more, width)
        Of attention, and their gradient.
    mixed : (heads, T and a few more, d)
        The outputs head by head, or their gradient.
    dqkv : (images of a group, T, heads, 3, d), and a few tokens more
    """

    turned: Array
    weights: Array
    dweights: Array
    mixed: Array
    dqkv: Array


_FLAT, _FLAGS = np.empty(0, np.float32), np.empty(0, np.bool_)
SIZES = Sizes(1, 1, 1, 1, 1, ONE)
_ROWS = _Rows(*5 * (_FLAT,))


def applies(dtype: DTypeLike, tokens: int, channels: int, depth: int) -> bool:
    """Whether an attention can be computed here: float32, channels and numbers of a head in sixteens."""
    return depth % LANES == channels % LANES == 0 and tokens >= SHORT and explicit(dtype)


def sizes_of(tokens: int, weight: Array, scale: np.float32) -> Sizes:
    """The sizes of an attention by a weight (heads, C, 3, d)."""
    heads, channels, _, depth = weight.shape
    return Sizes(tokens, channels, heads, depth, -(-tokens // LANES) * LANES, scale)


def forward(
    x: Array, kept: Array, matrix: Array, bias: Array | None, sizes: Sizes, qkv: Array, stats: Array, out: Array,
    scratch: Scratch,
) -> None:  # fmt: skip
    """Write queries, keys and values, and the outputs of all heads.

    Parameters
    ----------
    x : float32 array (N, T, 1, C)
    kept : bool array (N, T)
        Which tokens are no padding.
    matrix : float32 array (heads*3*d, C)
    bias : float32 array (heads*3*d,) or None
    sizes : Sizes
    qkv : float32 array (N, T, heads, 3, d)
        Written, with `READ_BEYOND` tokens of memory behind it.
    stats : float32 array (N, heads, 2, width)
        Written for `backward`: of every query the largest score and the reciprocal of the sum.
    out : float32 array (N, T, d, heads)
        Written.
    scratch : Scratch
    """
    n_out, n_in = matrix.shape
    packed = packed_weights(matrix, n_in, n_out, (1, n_in), scratch)
    rows, workers = _rows(sizes, len(x), 0, scratch)
    make_ready(_image_forward, _image_backward, _group_products)
    _forward(
        x.reshape(-1), kept.reshape(-1), packed, NO_BIAS if bias is None else bias, sizes, workers, rows,
        qkv.reshape(-1), stats.reshape(-1), out.reshape(-1),
    )  # fmt: skip


def backward(
    x: Array, kept: Array, matrix: Array, sizes: Sizes, qkv: Array, stats: Array, dout: Array, dmatrix: Array,
    dbias: Array | None, dx: Array | None, scratch: Scratch,
) -> None:  # fmt: skip
    """Write the gradients of the matrix, of the bias and of the input, the last two unless None.

    The arrays are those of `forward` and their gradients. Every thread sums over its own images, and the sums are
    added in a fixed order: the same number of threads gives the same bits.
    """
    n_out, n_in = matrix.shape
    packed = packed_weights(matrix, n_out, n_in, (n_in, 1), scratch) if dx is not None else _FLAT
    group = max(1, GROUP_BYTES // (4 * n_out * sizes.tokens))
    rows, workers = _rows(sizes, len(x), group, scratch)
    sums = scratch.array("attention sums", (workers, n_out * n_in), np.float32)
    bias_sums = NO_SUMS if dbias is None else scratch.array("attention bias", (workers, n_out), np.float64)
    bias_sums[:] = 0.0
    make_ready(_image_forward, _image_backward, _group_products)
    _backward(
        x.reshape(-1), kept.reshape(-1), packed, sizes, len(x), group, rows, qkv.reshape(-1), stats.reshape(-1),
        dout.reshape(-1), sums, bias_sums, _FLAT if dx is None else dx.reshape(-1),
    )  # fmt: skip
    np.sum(sums, axis=0, out=dmatrix.reshape(-1))
    if dbias is not None:
        dbias[:] = bias_sums.sum(axis=0)


def _rows(sizes: Sizes, n_images: int, group: int, scratch: Scratch) -> tuple[_Rows, int]:
    """Working memory (workers, ...) for every thread, and their number; `group` is 0 going forward."""
    tokens, _, heads, depth, width, _ = sizes
    workers, above = min(threadpools.threads(), n_images), tokens + SLACK
    numbers = {
        "turned": depth * width,
        "weights": above * width,
        "dweights": above * width * (group > 0),
        "mixed": heads * above * depth,
        "dqkv": (group * tokens + SLACK) * 3 * heads * depth,
    }
    rows = _Rows(**{
        name: scratch.array(f"attention {name}", (workers, n), np.float32) for name, n in numbers.items()
    })  # fmt: skip
    rows.turned[:] = 0.0
    return rows, workers


@inner
def _transpose(source, at, row, n_rows, n_columns, to, width):
    """to[c, r] = source[r, c], rows of `to` `width` elements apart; columns in sixteens."""
    whole = n_rows // LANES * LANES
    for r in range(0, whole, LANES):
        for c in range(0, n_columns, LANES):
            turn(to, c * width + r, width, source, at + r * row + c, row)
    for r in range(whole, n_rows):
        for c in range(n_columns):
            to[c * width + r] = source[at + r * row + c]


@inner
def _product(c, c_at, c_row, a, a_at, a_row, a_depth, b, b_at, b_row, rows, columns, depth):
    """c = a b; columns a multiple of 16."""
    column = 0
    while column < columns:
        panel = next_panel(columns - column)
        multiply(
            c, c_at + column, c_row, a, a_at, Steps(a_row, a_depth, 0), b, b_at + column, b_row,
            Extent(rows, panel, depth, 1, 0), NOTHING_COMING,
        )  # fmt: skip
        column += panel


@inner
def _normalise(scores, kept, first, sizes, stats, at):
    """Turn scores (T, width) into exp(scale*(score - largest)), 0 for keys that are not kept.

    `kept` of the image begins at `first`. `stats` gets for every query the largest score and the reciprocal of the
    sum.
    """
    width, scale = sizes.width, fill(sizes.scale)
    for t in range(0, width, LANES):
        largest, total = fill(LOWEST), fill(ZERO)
        for j in range(sizes.tokens):
            if kept[first + j]:
                score = load(scores, j * width + t)
                largest = where_less(largest, score, score, largest)
        for j in range(sizes.tokens):
            if kept[first + j]:
                power = exp((load(scores, j * width + t) - largest) * scale)
                total = total + power
                store(scores, j * width + t, power)
            else:
                store(scores, j * width + t, fill(ZERO))
        store(stats, at + t, largest)
        store(stats, at + width + t, fill(ONE) / total)


@inner
def _weights(scores, kept, first, sizes, stats, at):
    """Turn scores (T, width) into the weights of attention, given the `stats` of `_normalise`."""
    width, scale = sizes.width, fill(sizes.scale)
    for t in range(0, width, LANES):
        largest, share = load(stats, at + t), load(stats, at + width + t)
        for j in range(sizes.tokens):
            if kept[first + j]:
                power = exp((load(scores, j * width + t) - largest) * scale)
                store(scores, j * width + t, power * share)
            else:
                store(scores, j * width + t, fill(ZERO))


@inner
def _score_gradient(weights, dweights, sizes):
    """dweights = scale*weights*(dweights - mean), the mean by weights: the gradient of queries times keys."""
    scale = fill(sizes.scale)
    for t in range(0, sizes.width, LANES):
        mean = fill(ZERO)
        for j in range(sizes.tokens):
            at = j * sizes.width + t
            mean = fma(load(weights, at), load(dweights, at), mean)
        for j in range(sizes.tokens):
            at = j * sizes.width + t
            store(dweights, at, load(weights, at) * (load(dweights, at) - mean) * scale)


@inner
def _fetch(array, at, count):
    for place in range(at, at + count, LANES):
        prefetch_far(array, place)


@apart(FLAT, _FLAGS, FLAT, FLAT, SIZES, INDEX, _ROWS, FLAT, FLAT, FLAT)
def _image_forward(x, kept, packed, bias, sizes, n, rows, qkv, stats, out):
    """`forward` for image n."""
    tokens, channels, heads, depth, width, _ = sizes
    row, above = 3 * depth * heads, (tokens + SLACK) * depth
    first, mixed, scores = n * tokens, rows.mixed, rows.weights
    multiply_panels(x, first * channels, packed, channels, row, tokens, qkv, first * row)
    if bias.size:
        add_bias(qkv, first * row, tokens, bias)
    _fetch(x, (first + tokens) * channels, tokens * channels)  # of the next image
    for h in range(heads):
        q, at = first * row + h * 3 * depth, (n * heads + h) * 2 * width
        _transpose(qkv, q, row, tokens, depth, rows.turned, width)
        _product(scores, 0, width, qkv, q + depth, row, 1, rows.turned, 0, width, tokens, width, depth)
        _normalise(scores, kept, first, sizes, stats, at)
        _product(mixed, h * above, depth, scores, 0, 1, width, qkv, q + 2 * depth, row, tokens, depth, tokens)
    for t in range(tokens):
        target = (first + t) * depth * heads
        for h in range(heads):
            share, source = stats[((n * heads + h) * 2 + 1) * width + t], h * above + t * depth
            for e in range(depth):
                out[target + e * heads + h] = mixed[source + e] * share


@apart(FLAT, _FLAGS, SIZES, INDEX, INDEX, _ROWS, FLAT, FLAT, FLAT)
def _image_backward(x, kept, sizes, n, place, rows, qkv, stats, dout):
    """The gradient of `qkv` of image n, at `place` in its group."""
    tokens, channels, heads, depth, width, _ = sizes
    row, size = 3 * depth * heads, tokens * depth
    turned, weights, dweights, mixed, dqkv = rows
    first = n * tokens
    for t in range(tokens):
        source = (first + t) * depth * heads
        for h in range(heads):
            target = h * size + t * depth
            for e in range(depth):
                mixed[target + e] = dout[source + e * heads + h]
    for h in range(heads):
        own, at = place * tokens * row + h * 3 * depth, (n * heads + h) * 2 * width
        q = first * row + h * 3 * depth
        k, v = q + depth, q + 2 * depth
        _fetch(qkv, (first + tokens) * row + 3 * h * size, 3 * size)  # of the next image
        _transpose(qkv, q, row, tokens, depth, turned, width)
        _product(weights, 0, width, qkv, k, row, 1, turned, 0, width, tokens, width, depth)
        _weights(weights, kept, first, sizes, stats, at)
        _product(
            dqkv, own + 2 * depth, row, weights, 0, width, 1, mixed, h * size, depth, tokens, depth, tokens
        )
        _transpose(mixed, h * size, depth, tokens, depth, turned, width)
        _product(dweights, 0, width, qkv, v, row, 1, turned, 0, width, tokens, width, depth)
        _score_gradient(weights, dweights, sizes)
        _product(dqkv, own + depth, row, dweights, 0, width, 1, qkv, q, row, tokens, depth, tokens)
        _product(dqkv, own, row, dweights, 0, 1, width, qkv, k, row, tokens, depth, tokens)
    _fetch(dout, (first + tokens) * depth * heads, size * heads)
    _fetch(x, first * channels, tokens * channels)


@apart(FLAT, FLAT, SIZES, INDEX, INDEX, INDEX, FLAT, FLAT, NO_SUMS, INDEX, FLAT)
def _group_products(x, packed, sizes, n, count, adds, dqkv, sums, bias_sums, worker, dx):
    """Gradients of the matrix, of the bias and of the inputs n..n+count-1, the first two summed.

    Those of the matrix replace what is in `sums` unless `adds`.
    """
    row, first, tokens = 3 * sizes.depth * sizes.heads, n * sizes.tokens, count * sizes.tokens
    channels = sizes.channels
    add_columns(dqkv, 0, row, x, first * channels, channels, 0, channels, tokens, sums, adds)
    if bias_sums.size:
        add_row_sums(dqkv, 0, tokens, row, bias_sums[worker])
    if packed.size:
        multiply_panels(dqkv, 0, packed, row, channels, tokens, dx, first * channels)


@njit(parallel=True)
def _forward(x, kept, packed, bias, sizes, workers, rows, qkv, stats, out):
    n_images = kept.size // sizes.tokens
    for index in prange(workers):
        worker = signed(index)
        own = _Rows(
            rows.turned[worker], rows.weights[worker], rows.dweights[worker], rows.mixed[worker],
            rows.dqkv[worker],
        )  # fmt: skip
        for n in range(n_images * worker // workers, n_images * (worker + 1) // workers):
            _image_forward(x, kept, packed, bias, sizes, n, own, qkv, stats, out)


@njit(parallel=True)
def _backward(x, kept, packed, sizes, n_images, group, rows, qkv, stats, dout, sums, bias_sums, dx):
    workers = len(sums)
    for index in prange(workers):
        worker = signed(index)
        own = _Rows(
            rows.turned[worker], rows.weights[worker], rows.dweights[worker], rows.mixed[worker],
            rows.dqkv[worker],
        )  # fmt: skip
        start, end = n_images * worker // workers, n_images * (worker + 1) // workers
        for n in range(start, end, group):
            count = min(group, end - n)
            for place in range(count):
                _image_backward(x, kept, sizes, n + place, place, own, qkv, stats, dout)
            adds = signed(n > start)
            _group_products(x, packed, sizes, n, count, adds, own.dqkv, sums[worker], bias_sums, worker, dx)
