"""Softmax attention of one head after the other, by vectors: scores stay in the cache and are never stored.

Queries, keys and values of a token lie side by side, head by head: `qkv` is (N, T, heads, 3, d) in order. Outputs
have the heads last, (N, T, d, heads), so that a head is a filter. Scores are kept transposed, a row for every key,
so that the sums over keys run through whole vectors of queries. Backward computes them again: reading them would
take as long, and they are T numbers for every token and head.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deeptheory.nn.kernels.generated.lane_transposes import turn
from deeptheory.nn.kernels.matrix_products import (
    NOTHING_COMING,
    SLACK,
    Extent,
    Steps,
    multiply,
    next_panel,
)
from deeptheory.nn.kernels.vectors import LANES, ONE, ZERO, exp, explicit, fill, load, store, where_less
from deeptheory.system.compiled import inner, njit, prange, signed

Array = NDArray[Any]
LOWEST = np.float32(-3e38)
READ_BEYOND = SLACK  # tokens that must be readable behind the last of `qkv`


class Sizes(NamedTuple):
    """Tokens of an input, heads, numbers of a token in a head, and the tokens filled up to a multiple of 16."""

    tokens: int
    heads: int
    depth: int
    width: int


def applies(dtype: DTypeLike, depth: int) -> bool:
    """Whether heads of `depth` numbers a token can be computed here: float32, in sixteens."""
    return depth % LANES == 0 and explicit(dtype)


def sizes_of(tokens: int, heads: int, depth: int) -> Sizes:
    """The sizes that `forward` and `backward` take."""
    return Sizes(tokens, heads, depth, -(-tokens // LANES) * LANES)


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
def _product(c, a, a_at, a_row, a_depth, b, b_at, b_row, rows, columns, depth):
    """c = a b, rows of `c` `columns` elements apart; columns a multiple of 16."""
    column = 0
    while column < columns:
        panel = next_panel(columns - column)
        multiply(
            c, column, columns, a, a_at, Steps(a_row, a_depth, 0), b, b_at + column, b_row,
            Extent(rows, panel, depth, 1, 0), NOTHING_COMING,
        )  # fmt: skip
        column += panel


@inner
def _normalise(scores, kept, sizes, scale, stats, at):
    """Turn scores (T, width) into exp(scale*(score - largest)), 0 for keys that are not kept.

    `stats` gets for every query the largest score and the reciprocal of the sum.
    """
    width = sizes.width
    for t in range(0, width, LANES):
        largest, total = fill(LOWEST), fill(ZERO)
        for j in range(sizes.tokens):
            if kept[j]:
                score = load(scores, j * width + t)
                largest = where_less(largest, score, score, largest)
        for j in range(sizes.tokens):
            if kept[j]:
                power = exp((load(scores, j * width + t) - largest) * fill(scale))
                total = total + power
                store(scores, j * width + t, power)
            else:
                store(scores, j * width + t, fill(ZERO))
        store(stats, at + t, largest)
        store(stats, at + width + t, fill(ONE) / total)


@inner
def _weights(scores, kept, sizes, scale, stats, at):
    """Turn scores (T, width) into the weights of attention, given the `stats` of `_normalise`."""
    width = sizes.width
    for t in range(0, width, LANES):
        largest, share = load(stats, at + t), load(stats, at + width + t)
        for j in range(sizes.tokens):
            if kept[j]:
                power = exp((load(scores, j * width + t) - largest) * fill(scale))
                store(scores, j * width + t, power * share)
            else:
                store(scores, j * width + t, fill(ZERO))


@inner
def _score_gradient(weights, dweights, sizes, scale, means):
    """dweights = scale*weights*(dweights - means): the gradient of the products of queries and keys."""
    for t in range(0, sizes.width, LANES):
        mean = load(means, t)
        for j in range(sizes.tokens):
            at = j * sizes.width + t
            store(dweights, at, load(weights, at) * (load(dweights, at) - mean) * fill(scale))


@inner
def _copy_rows(source, depth, rows, to, at, row):
    for r in range(rows):
        for c in range(0, depth, LANES):
            store(to, at + r * row + c, load(source, r * depth + c))


@njit(parallel=True)
def forward(qkv, kept, sizes, scale, stats, out):
    """Write the outputs of all heads.

    `qkv` and `out` are flat; `kept` (N, T) says which tokens are no padding. `stats` (N, heads*2*width) is for
    `backward`.
    """
    tokens, heads, depth, width = sizes
    row = 3 * depth * heads
    for index in prange(len(kept)):
        n = signed(index)
        queries = np.zeros(depth * width, np.float32)
        scores = np.empty((tokens + SLACK) * width, np.float32)
        mixed = np.empty((heads, (tokens + SLACK) * depth), np.float32)
        for h in range(heads):
            q, at = (n * tokens * heads + h) * 3 * depth, h * 2 * width
            _transpose(qkv, q, row, tokens, depth, queries, width)
            _product(scores, qkv, q + depth, row, 1, queries, 0, width, tokens, width, depth)
            _normalise(scores, kept[n], sizes, scale, stats[n], at)
            _product(mixed[h], scores, 0, 1, width, qkv, q + 2 * depth, row, tokens, depth, tokens)
        target = n * tokens * depth * heads
        for t in range(tokens):
            for place in range(t * depth, (t + 1) * depth):
                for h in range(heads):
                    out[target] = mixed[h, place] * stats[n, (2 * h + 1) * width + t]
                    target += 1


@njit(parallel=True)
def backward(qkv, kept, sizes, scale, stats, out, dout, dqkv):
    """Write the gradient of `qkv`, given that of the outputs; all flat but `kept` and `stats`."""
    tokens, heads, depth, width = sizes
    row = 3 * depth * heads
    for index in prange(len(kept)):
        n = signed(index)
        turned = np.zeros(depth * width, np.float32)
        weights = np.empty((tokens + SLACK) * width, np.float32)
        dweights = np.empty((tokens + SLACK) * width, np.float32)
        gradient = np.empty((tokens + SLACK) * depth, np.float32)
        dmixed = np.empty((heads, tokens * depth), np.float32)
        means = np.zeros((heads, width), np.float32)
        source = n * tokens * depth * heads
        for t in range(tokens):
            for place in range(t * depth, (t + 1) * depth):
                for h in range(heads):
                    dmixed[h, place] = dout[source]
                    means[h, t] += dout[source] * out[source]
                    source += 1
        for h in range(heads):
            q, at = (n * tokens * heads + h) * 3 * depth, h * 2 * width
            k, v = q + depth, q + 2 * depth
            _transpose(qkv, q, row, tokens, depth, turned, width)
            _product(weights, qkv, k, row, 1, turned, 0, width, tokens, width, depth)
            _weights(weights, kept[n], sizes, scale, stats[n], at)
            _product(gradient, weights, 0, width, 1, dmixed[h], 0, depth, tokens, depth, tokens)
            _copy_rows(gradient, depth, tokens, dqkv, v, row)
            _transpose(dmixed[h], 0, depth, tokens, depth, turned, width)
            _product(dweights, qkv, v, row, 1, turned, 0, width, tokens, width, depth)
            _score_gradient(weights, dweights, sizes, scale, means[h])
            _product(gradient, dweights, 0, width, 1, qkv, q, row, tokens, depth, tokens)
            _copy_rows(gradient, depth, tokens, dqkv, k, row)
            _product(gradient, dweights, 0, 1, width, qkv, k, row, tokens, depth, tokens)
            _copy_rows(gradient, depth, tokens, dqkv, q, row)
