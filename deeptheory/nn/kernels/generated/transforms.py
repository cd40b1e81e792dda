"""The tile and kernel transforms of Winograd's algorithm for given matrices, on 16 channels at once."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from deeptheory.nn.kernels.vectors import (
    FLOATS,
    LANES,
    array_grid,
    constant,
    first_lanes,
    grid,
    load_masked,
    load_vector,
    multiply_add,
    pointer,
    store_masked,
    store_vector,
)


def _combine(builder: Any, coefficients: Sequence[float], vectors: Sequence[Any]) -> Any:
    """sum_a coefficients[a] vectors[a], without the zeros and without multiplications by one."""
    total = None
    for coefficient, vector in zip(coefficients, vectors, strict=True):
        if coefficient == 0:
            continue
        if total is None:
            total = vector if coefficient == 1 else builder.fmul(constant(coefficient), vector)
        elif coefficient == 1:
            total = builder.fadd(total, vector)
        elif coefficient == -1:
            total = builder.fsub(total, vector)
        else:
            total = multiply_add(builder, constant(coefficient), vector, total)
    return total


def _transform(builder: Any, lines: list[list[float]], read: Callable, write: Callable) -> None:
    """write(i, j, sum_ab lines[i][a] lines[j][b] read(a, b)) for all i and j."""
    n_in = len(lines[0])
    half = []  # half[b][i] = sum_a lines[i][a] read(a, b)
    for b in range(n_in):
        column = [read(a, b) for a in range(n_in)]
        half.append([_combine(builder, line, column) for line in lines])
    for i in range(len(lines)):
        for j, line in enumerate(lines):
            write(i, j, _combine(builder, line, [half[b][i] for b in range(n_in)]))


def tile_transform(matrix: np.ndarray) -> Callable[..., None]:
    """Compiled ``to[i, j] = sum_ab matrix[i, a] matrix[j, b] source[a, b]`` on 16 channels at once.

    Parameters
    ----------
    matrix : (n_out, n_in) float array
        Its entries become constants of the code.

    Returns
    -------
    callable
        ``transform(to, to_at, to_row, to_column, source, source_at, source_row, source_column)``: flat float32
        arrays, each with the index of its first element and its strides, in elements.
    """
    lines = matrix.astype(float).tolist()

    @intrinsic
    def transform(typingctx, to, to_at, to_row, to_column, source, source_at, source_row, source_column):
        i = types.intp

        def generate(context, builder, signature, arguments):
            to_, to_at_, to_row_, to_column_, source_, source_at_, source_row_, source_column_ = arguments
            address = array_grid(context, builder, signature.args[0], to_, to_at_, to_row_, to_column_)
            origin = pointer(context, builder, signature.args[4], source_, source_at_)
            at = grid(builder, origin, source_row_, source_column_)
            _transform(
                builder,
                lines,
                lambda a, b: load_vector(builder, at(a, b)),
                lambda i, j, vector: store_vector(builder, vector, address(i, j)),
            )
            return context.get_dummy_value()

        return types.void(to, i, i, i, source, i, i, i), generate

    return transform


def line_transform(matrix: np.ndarray) -> Callable[..., None]:
    """Compiled ``to[i] = sum_a matrix[i, a] source[a]`` on 16 channels at once.

    Returns
    -------
    callable
        ``transform(to, to_at, to_step, source, source_at, source_step, start, size)``, as in `tile_transform`;
        source[a] counts as zero, and is not read, where start + a lies outside 0..size-1.
    """
    lines = matrix.astype(float).tolist()

    @intrinsic
    def transform(typingctx, to, to_at, to_step, source, source_at, source_step, start, size):
        i = types.intp

        def generate(context, builder, signature, arguments):
            to_, to_at_, to_step_, source_, source_at_, source_step_, start_, size_ = arguments
            address = array_grid(context, builder, signature.args[0], to_, to_at_, to_step_, to_step_)
            origin = pointer(context, builder, signature.args[3], source_, source_at_)
            at = grid(builder, origin, source_step_, source_step_)
            nothing = _nothing(builder, origin.type)
            vectors = []
            for a, inside in enumerate(_within(builder, start_, size_, len(lines[0]))):
                vectors.append(load_vector(builder, builder.select(inside, at(a, 0), nothing)))
            for number, line in enumerate(lines):
                store_vector(builder, _combine(builder, line, vectors), address(number, 0))
            return context.get_dummy_value()

        return types.void(to, i, i, source, i, i, i, i), generate

    return transform


def _nothing(builder: Any, address: Any) -> Any:
    """The address, of the given type, of a vector of zeros, in generated code."""
    zeros = cgutils.alloca_once(builder, FLOATS)
    builder.store(constant(0.0), zeros)
    return builder.bitcast(zeros, address)


def _within(builder: Any, start: Any, size: Any, count: int) -> list[Any]:
    """For each of the places start, start + 1, ... whether it lies in 0..size-1, in generated code."""
    places = [builder.add(start, ir.Constant(start.type, offset)) for offset in range(count)]
    return [builder.icmp_unsigned("<", place, size) for place in places]  # negative is huge


def bounded_tile_transform(matrix: np.ndarray) -> Callable[..., None]:
    """`tile_transform` of a patch that reaches over the border of its image, where it is zero.

    Returns
    -------
    callable
        As there, and ``..., top, left, height, width)``: where the patch begins and the size of the image; rows
        and columns outside the image are not read.
    """
    lines = matrix.astype(float).tolist()

    @intrinsic
    def transform(
        typingctx, to, to_at, to_row, to_column, source, source_at, source_row, source_column,
        top, left, height, width,
    ):  # fmt: skip
        i = types.intp

        def generate(context, builder, signature, arguments):
            to_, to_at_, to_row_, to_column_, source_, source_at_, source_row_, source_column_ = arguments[:8]
            top_, left_, height_, width_ = arguments[8:]
            address = array_grid(context, builder, signature.args[0], to_, to_at_, to_row_, to_column_)
            origin = pointer(context, builder, signature.args[4], source_, source_at_)
            at = grid(builder, origin, source_row_, source_column_)
            nothing = _nothing(builder, origin.type)
            rows = _within(builder, top_, height_, len(lines[0]))
            columns = _within(builder, left_, width_, len(lines[0]))

            def read(a, b):
                inside = builder.and_(rows[a], columns[b])
                return load_vector(builder, builder.select(inside, at(a, b), nothing))

            _transform(
                builder, lines, read, lambda i, j, vector: store_vector(builder, vector, address(i, j))
            )
            return context.get_dummy_value()

        return types.void(to, i, i, i, source, i, i, i, i, i, i, i), generate

    return transform


def transpose(builder: Any, vectors: Sequence[Any]) -> list[Any]:
    """Element j of vector i becomes element i of vector j, for 16 vectors (Eklundh's exchange of blocks)."""
    vectors, index, distance = list(vectors), ir.IntType(32), 1
    while distance < LANES:
        for i in range(LANES):
            if i & distance == 0:
                pair = vectors[i], vectors[i + distance]
                for offset in (0, distance):
                    chosen = [
                        (lane + offset if lane & distance == 0 else LANES + lane + offset - distance)
                        for lane in range(LANES)
                    ]
                    mask = ir.Constant(ir.VectorType(index, LANES), chosen)
                    vectors[i + offset] = builder.shuffle_vector(*pair, mask)
        distance *= 2
    return vectors


def kernel_transform(matrix: np.ndarray, turned: bool) -> Callable[..., None]:
    """Compiled ``to[i, j] = sum_ab matrix[i, a] matrix[j, b] g[a, b]`` for 16 kernels g at once.

    Parameters
    ----------
    matrix : (n_out, n_in) float array
    turned : bool
        Turn the kernels by half a turn.

    Returns
    -------
    callable
        ``transform(to, to_at, to_row, to_column, g, g_at, g_lane)``: flat float32 arrays. The n_in*n_in numbers of
        a kernel are contiguous, and g_lane elements apart from those of the next.
    """
    lines, n = matrix.astype(float).tolist(), matrix.shape[1]

    @intrinsic
    def transform(typingctx, to, to_at, to_row, to_column, g, g_at, g_lane):
        i = types.intp

        def generate(context, builder, signature, arguments):
            to_, to_at_, to_row_, to_column_, g_, g_at_, g_lane_ = arguments
            address = array_grid(context, builder, signature.args[0], to_, to_at_, to_row_, to_column_)
            kernel = array_grid(context, builder, signature.args[4], g_, g_at_, g_lane_, g_lane_)
            mask = first_lanes(n * n)
            taps = transpose(builder, [load_masked(builder, kernel(lane, 0), mask) for lane in range(LANES)])
            if turned:
                taps = taps[n * n - 1 :: -1]
            _transform(
                builder,
                lines,
                lambda a, b: taps[a * n + b],
                lambda i, j, vector: store_vector(builder, vector, address(i, j)),
            )
            return context.get_dummy_value()

        return types.void(to, i, i, i, g, i, i), generate

    return transform


def kernel_gradient_transform(matrix: np.ndarray) -> Callable[..., None]:
    """Compiled ``g[i, j] (+)= sum_ab matrix[i, a] matrix[j, b] source[a, b]`` for 16 kernels g at once.

    Returns
    -------
    callable
        ``transform(g, g_at, g_lane, source, source_at, source_row, source_column, accumulate)``, as in
        `kernel_transform`.
    """
    lines, n = matrix.astype(float).tolist(), matrix.shape[0]

    @intrinsic
    def transform(typingctx, g, g_at, g_lane, source, source_at, source_row, source_column, accumulate):
        i = types.intp

        def generate(context, builder, signature, arguments):
            g_, g_at_, g_lane_, source_, source_at_, source_row_, source_column_, accumulate_ = arguments
            at = array_grid(
                context, builder, signature.args[3], source_, source_at_, source_row_, source_column_
            )
            kernel = array_grid(context, builder, signature.args[0], g_, g_at_, g_lane_, g_lane_)
            taps = [constant(0.0)] * LANES

            def write(i, j, vector):
                taps[i * n + j] = vector

            _transform(builder, lines, lambda a, b: load_vector(builder, at(a, b)), write)
            kernels, mask = transpose(builder, taps), first_lanes(n * n)
            with builder.if_else(accumulate_) as (add, start):
                with add:
                    for lane, vector in enumerate(kernels):
                        held = load_masked(builder, kernel(lane, 0), mask)
                        store_masked(builder, builder.fadd(held, vector), kernel(lane, 0), mask)
                with start:
                    for lane, vector in enumerate(kernels):
                        store_masked(builder, vector, kernel(lane, 0), mask)
            return context.get_dummy_value()

        return types.void(g, i, i, source, i, i, i, types.boolean), generate

    return transform
