"""Code that is generated: the tile transforms of Winograd's algorithm and the product that stays in registers.

Both are written for given small matrices or blocks and unrolled completely, which compiled Python loops are not.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from deeptheory.nn.kernels.vector import (
    FLOATS,
    LANES,
    broadcast,
    constant,
    load_vector,
    multiply_add,
    pointer,
    store_vector,
)

SHORT = 4  # rows of the last blocks of a product
WIDE_PANEL = 4  # vectors of a panel whose product leaves time to fetch the next: narrow ones load more


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


def _grid(builder: Any, base: Any, row_stride: Any, column_stride: Any) -> Callable[[int, int], Any]:
    """The address of (row, column) in a patch that starts at `base`."""

    def address(row: int, column: int) -> Any:
        index = row_stride.type
        down = builder.mul(ir.Constant(index, row), row_stride)
        across = builder.mul(ir.Constant(index, column), column_stride)
        return builder.gep(base, [builder.add(down, across)])

    return address


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
    lines = [[float(entry) for entry in line] for line in matrix]

    @intrinsic
    def transform(typingctx, to, to_at, to_row, to_column, source, source_at, source_row, source_column):
        i = types.intp

        def generate(context, builder, signature, arguments):
            to_, to_at_, to_row_, to_column_, source_, source_at_, source_row_, source_column_ = arguments
            target = pointer(context, builder, signature.args[0], to_, to_at_)
            origin = pointer(context, builder, signature.args[4], source_, source_at_)
            at = _grid(builder, origin, source_row_, source_column_)
            place = _grid(builder, target, to_row_, to_column_)
            _transform(
                builder,
                lines,
                lambda a, b: load_vector(builder, at(a, b)),
                lambda i, j, vector: store_vector(builder, vector, place(i, j)),
            )
            return context.get_dummy_value()

        return types.void(to, i, i, i, source, i, i, i), generate

    return transform


def bounded_tile_transform(matrix: np.ndarray) -> Callable[..., None]:
    """`tile_transform` of a patch that reaches over the border of its image, where it is zero.

    Returns
    -------
    callable
        As there, and ``..., top, left, height, width)``: where the patch begins and the size of the image; rows
        and columns outside the image are not read.
    """
    lines = [[float(entry) for entry in line] for line in matrix]

    @intrinsic
    def transform(
        typingctx, to, to_at, to_row, to_column, source, source_at, source_row, source_column,
        top, left, height, width,
    ):  # fmt: skip
        i = types.intp

        def generate(context, builder, signature, arguments):
            to_, to_at_, to_row_, to_column_, source_, source_at_, source_row_, source_column_ = arguments[:8]
            top_, left_, height_, width_ = arguments[8:]
            target = pointer(context, builder, signature.args[0], to_, to_at_)
            origin = pointer(context, builder, signature.args[4], source_, source_at_)
            at = _grid(builder, origin, source_row_, source_column_)
            place = _grid(builder, target, to_row_, to_column_)
            zeros = cgutils.alloca_once(builder, FLOATS)
            builder.store(constant(0.0), zeros)
            nothing = builder.bitcast(zeros, origin.type)

            def within(start, limit):
                places = [
                    builder.add(start, ir.Constant(start.type, offset)) for offset in range(len(lines[0]))
                ]
                return [builder.icmp_unsigned("<", place, limit) for place in places]  # negative is huge

            rows, columns = within(top_, height_), within(left_, width_)

            def read(a, b):
                inside = builder.and_(rows[a], columns[b])
                return load_vector(builder, builder.select(inside, at(a, b), nothing))

            _transform(builder, lines, read, lambda i, j, vector: store_vector(builder, vector, place(i, j)))
            return context.get_dummy_value()

        return types.void(to, i, i, i, source, i, i, i, i, i, i, i), generate

    return transform


def _transpose(builder: Any, vectors: Sequence[Any]) -> list[Any]:
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


def _masked(builder: Any, n: int, address: Any, vector: Any = None) -> Any:
    """Load the first n floats from `address`, or store those of a vector."""
    place, number, mask = FLOATS.as_pointer(), ir.IntType(32), ir.VectorType(ir.IntType(1), LANES)
    alignment, chosen = ir.Constant(number, 4), ir.Constant(mask, [lane < n for lane in range(LANES)])
    address = builder.bitcast(address, place)
    if vector is None:
        of_type = ir.FunctionType(FLOATS, [place, number, mask, FLOATS])
        load = cgutils.get_or_insert_function(builder.module, of_type, "llvm.masked.load.v16f32.p0v16f32")
        return builder.call(load, [address, alignment, chosen, constant(0.0)])
    of_type = ir.FunctionType(ir.VoidType(), [FLOATS, place, number, mask])
    store = cgutils.get_or_insert_function(builder.module, of_type, "llvm.masked.store.v16f32.p0v16f32")
    return builder.call(store, [vector, address, alignment, chosen])


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
    lines, n = [[float(entry) for entry in line] for line in matrix], matrix.shape[1]

    @intrinsic
    def transform(typingctx, to, to_at, to_row, to_column, g, g_at, g_lane):
        i = types.intp

        def generate(context, builder, signature, arguments):
            to_, to_at_, to_row_, to_column_, g_, g_at_, g_lane_ = arguments
            place = _grid(
                builder, pointer(context, builder, signature.args[0], to_, to_at_), to_row_, to_column_
            )
            kernel = _grid(builder, pointer(context, builder, signature.args[4], g_, g_at_), g_lane_, g_lane_)
            taps = _transpose(builder, [_masked(builder, n * n, kernel(lane, 0)) for lane in range(LANES)])
            if turned:
                taps = taps[n * n - 1 :: -1]
            _transform(
                builder,
                lines,
                lambda a, b: taps[a * n + b],
                lambda i, j, vector: store_vector(builder, vector, place(i, j)),
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
    lines, n = [[float(entry) for entry in line] for line in matrix], matrix.shape[0]

    @intrinsic
    def transform(typingctx, g, g_at, g_lane, source, source_at, source_row, source_column, accumulate):
        i = types.intp

        def generate(context, builder, signature, arguments):
            g_, g_at_, g_lane_, source_, source_at_, source_row_, source_column_, accumulate_ = arguments
            origin = pointer(context, builder, signature.args[3], source_, source_at_)
            at = _grid(builder, origin, source_row_, source_column_)
            kernel = _grid(builder, pointer(context, builder, signature.args[0], g_, g_at_), g_lane_, g_lane_)
            taps = [constant(0.0)] * LANES

            def write(i, j, vector):
                taps[i * n + j] = vector

            _transform(builder, lines, lambda a, b: load_vector(builder, at(a, b)), write)
            kernels = _transpose(builder, taps)
            with builder.if_else(accumulate_) as (add, start):
                with add:
                    for lane, vector in enumerate(kernels):
                        held = _masked(builder, n * n, kernel(lane, 0))
                        _masked(builder, n * n, kernel(lane, 0), builder.fadd(held, vector))
                with start:
                    for lane, vector in enumerate(kernels):
                        _masked(builder, n * n, kernel(lane, 0), vector)
            return context.get_dummy_value()

        return types.void(g, i, i, source, i, i, i, types.boolean), generate

    return transform


def _prefetch(builder: Any, address: Any) -> None:
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    of_type = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    prefetch = cgutils.get_or_insert_function(builder.module, of_type, "llvm.prefetch.p0i8")
    read, second_level, data = (ir.Constant(number, n) for n in (0, 2, 1))
    builder.call(prefetch, [builder.bitcast(address, byte), read, second_level, data])


def panel_product(n_rows: int, n_vectors: int) -> Callable[..., None]:
    """Compiled ``c (+)= a b`` for ``16 * n_vectors`` columns, `n_rows` rows at a time summed in registers.

    Parameters
    ----------
    n_rows, n_vectors : int
        Their product is the number of vectors that hold sums. Rows left over are taken `SHORT` at a time.

    Returns
    -------
    callable
        ``product(c, c_at, c_row, a, a_at, a_row, a_depth, a_line, b, b_at, b_depth, rows, depth, lines,
        accumulate, a_next, b_next)``: flat float32 arrays, each with the index of its first element and its
        strides, in elements. The sum runs over `lines` lines of `depth` elements; `a` moves by a_line from line to
        line, `b` moves on evenly. So the lines of an image patch are multiplied where they lie. Columns are
        contiguous in `b` and `c`. Where `rows` is not a multiple of `SHORT`, up to ``SHORT - 1`` more are read
        from `a` and written to `c`. a[a_next] and b[b_next] are where the next product begins: wide panels fetch that
        meanwhile.
    """

    @intrinsic
    def product(
        typingctx, c, c_at, c_row, a, a_at, a_row, a_depth, a_line, b, b_at, b_depth, rows, depth, lines,
        accumulate, a_next, b_next,
    ):  # fmt: skip
        i = types.intp

        def generate(context, builder, signature, arguments):
            c_, c_at_, c_row_, a_, a_at_, a_row_, a_depth_, a_line_ = arguments[:8]
            b_, b_at_, b_depth_, rows_, depth_, lines_, accumulate_, a_next_, b_next_ = arguments[8:]
            a_coming = pointer(context, builder, signature.args[3], a_, a_next_)
            b_coming = pointer(context, builder, signature.args[8], b_, b_next_)
            transposed = builder.icmp_signed("==", a_row_, ir.Constant(a_row_.type, 1))
            c_start = pointer(context, builder, signature.args[0], c_, c_at_)
            a_start = pointer(context, builder, signature.args[3], a_, a_at_)
            b_start = pointer(context, builder, signature.args[8], b_, b_at_)

            def number(value):
                return ir.Constant(rows_.type, value)

            def block(height, first):
                c_first = builder.gep(c_start, [builder.mul(first, c_row_)])
                a_first = builder.gep(a_start, [builder.mul(first, a_row_)])
                number_of_block = builder.udiv(first, number(height))
                column = builder.mul(builder.urem(number_of_block, number(n_vectors)), number(LANES))
                a_share = builder.gep(a_coming, [builder.mul(first, a_row_)])
                a_pace = builder.select(transposed, a_depth_, number(height))
                coming = [(a_share, a_pace), (builder.gep(b_coming, [column]), b_depth_)]
                _block_product(
                    builder, height, n_vectors, c_first, c_row_, a_first, a_row_, a_depth_, a_line_,
                    b_start, b_depth_, depth_, lines_, accumulate_, coming if n_vectors == WIDE_PANEL else [],
                )  # fmt: skip

            whole = number(math.lcm(n_rows, SHORT))  # leaves a multiple of SHORT where it can
            tall = builder.mul(builder.udiv(rows_, whole), whole)
            with cgutils.for_range_slice(builder, number(0), tall, number(n_rows)) as (row, _):
                block(n_rows, row)
            with cgutils.for_range_slice(builder, tall, rows_, number(SHORT)) as (row, _):
                block(SHORT, row)
            return context.get_dummy_value()

        return types.void(c, i, i, a, i, i, i, i, b, i, i, i, i, i, types.boolean, i, i), generate

    return product


def _block_product(
    builder: Any, n_rows: int, n_vectors: int, c: Any, c_row: Any, a: Any, a_row: Any, a_depth: Any, a_line: Any,
    b: Any, b_depth: Any, depth: Any, lines: Any, accumulate: Any, coming: Sequence[tuple[Any, Any]],
) -> None:  # fmt: skip
    """The product of one block, in generated code; `c`, `a` and `b` are addresses.

    `coming` are addresses and steps of what is fetched from the cache for the next product meanwhile.
    """
    blocks = [(row, vector) for row in range(n_rows) for vector in range(n_vectors)]

    def number(value):
        return ir.Constant(depth.type, value)

    def place(row, vector):
        down = builder.mul(number(row), c_row)
        return builder.gep(c, [builder.add(down, number(vector * LANES))])

    # LLVM keeps the sums in registers.
    sums = {block: cgutils.alloca_once(builder, FLOATS) for block in blocks}
    with builder.if_else(accumulate) as (add, start):
        with add:
            for block in blocks:
                builder.store(load_vector(builder, place(*block)), sums[block])
        with start:
            for block in blocks:
                builder.store(constant(0.0), sums[block])
    with cgutils.for_range(builder, lines) as line:
        a_first = builder.gep(a, [builder.mul(line.index, a_line)])
        b_steps = builder.mul(line.index, depth)
        b_first = builder.gep(b, [builder.mul(b_steps, b_depth)])
        with cgutils.for_range(builder, depth) as loop:
            for address, step in coming:
                _prefetch(builder, builder.gep(address, [builder.mul(loop.index, step)]))
            b_line = builder.gep(b_first, [builder.mul(loop.index, b_depth)])
            b_vectors = [
                load_vector(builder, builder.gep(b_line, [number(v * LANES)])) for v in range(n_vectors)
            ]
            a_column = builder.gep(a_first, [builder.mul(loop.index, a_depth)])
            for row in range(n_rows):
                scalar = builder.load(builder.gep(a_column, [builder.mul(number(row), a_row)]))
                factor = broadcast(builder, scalar)
                for vector in range(n_vectors):
                    held = sums[row, vector]
                    total = multiply_add(builder, factor, b_vectors[vector], builder.load(held))
                    builder.store(total, held)
    for block in blocks:
        store_vector(builder, builder.load(sums[block]), place(*block))


def _patch(builder: Any, size: int, corner: Any, row: Any) -> list[Any]:
    """The size x size vectors from `corner` on, those of a row next to each other, in generated code."""
    at = _grid(builder, corner, row, ir.Constant(row.type, LANES))
    return [load_vector(builder, at(a, b)) for a in range(size) for b in range(size)]


def channelwise_product(size: int) -> Callable[..., None]:
    """Compiled ``to[i, j] = sum_ab taps[a, b] source[i*step + a, j*step + b]`` of 16 channels by themselves.

    Parameters
    ----------
    size : int
        a and b run from 0 to size - 1.

    Returns
    -------
    callable
        ``product(to, to_at, to_row, to_column, rows, columns, source, source_at, source_row, step, taps,
        taps_at)``: flat float32 arrays, each with the index of its first element and its strides, in elements;
        the columns of `source` and the taps lie next to each other.
    """

    @intrinsic
    def product(
        typingctx, to, to_at, to_row, to_column, rows, columns, source, source_at, source_row, step, taps, taps_at
    ):  # fmt: skip
        i = types.intp

        def generate(context, builder, signature, arguments):
            to_, to_at_, to_row_, to_column_, rows_, columns_ = arguments[:6]
            source_, source_at_, source_row_, step_, taps_, taps_at_ = arguments[6:]
            lane = ir.Constant(step_.type, LANES)
            target = pointer(context, builder, signature.args[0], to_, to_at_)
            origin = pointer(context, builder, signature.args[6], source_, source_at_)
            first = pointer(context, builder, signature.args[10], taps_, taps_at_)
            taps_held = _patch(builder, size, first, ir.Constant(step_.type, size * LANES))
            down, across = builder.mul(step_, source_row_), builder.mul(step_, lane)
            with cgutils.for_range(builder, rows_) as line:
                line_from = builder.gep(origin, [builder.mul(line.index, down)])
                line_to = builder.gep(target, [builder.mul(line.index, to_row_)])
                with cgutils.for_range(builder, columns_) as place:
                    corner = builder.gep(line_from, [builder.mul(place.index, across)])
                    total = constant(0.0)
                    for tap, vector in zip(
                        taps_held, _patch(builder, size, corner, source_row_), strict=True
                    ):
                        total = multiply_add(builder, tap, vector, total)
                    store_vector(builder, total, builder.gep(line_to, [builder.mul(place.index, to_column_)]))
            return context.get_dummy_value()

        return types.void(to, i, i, i, i, i, source, i, i, i, taps, i), generate

    return product


def channelwise_sums(size: int) -> Callable[..., None]:
    """Compiled ``sums[a, b] += sum_ij factor[i*step, j*step] source[i*step + a, j*step + b]``.

    The gradient of the taps of `channelwise_product`; arguments as there: ``(sums, sums_at, factor, factor_at,
    factor_row, rows, columns, source, source_at, source_row, step)``. The columns of `factor` lie next to each
    other too.
    """

    @intrinsic
    def product(
        typingctx, sums, sums_at, factor, factor_at, factor_row, rows, columns, source, source_at, source_row, step
    ):  # fmt: skip
        i = types.intp

        def generate(context, builder, signature, arguments):
            sums_, sums_at_, factor_, factor_at_, factor_row_, rows_, columns_ = arguments[:7]
            source_, source_at_, source_row_, step_ = arguments[7:]
            lane = ir.Constant(step_.type, LANES)
            first = pointer(context, builder, signature.args[0], sums_, sums_at_)
            factors = pointer(context, builder, signature.args[2], factor_, factor_at_)
            origin = pointer(context, builder, signature.args[7], source_, source_at_)
            # LLVM keeps the sums in registers.
            totals = [cgutils.alloca_once_value(builder, constant(0.0)) for _ in range(size * size)]
            for total in totals:
                builder.store(constant(0.0), total)
            across = builder.mul(step_, lane)
            with cgutils.for_range(builder, rows_) as line:
                row = builder.mul(line.index, step_)
                line_factors = builder.gep(factors, [builder.mul(row, factor_row_)])
                line_from = builder.gep(origin, [builder.mul(row, source_row_)])
                with cgutils.for_range(builder, columns_) as place:
                    offset = builder.mul(place.index, across)
                    value = load_vector(builder, builder.gep(line_factors, [offset]))
                    vectors = _patch(builder, size, builder.gep(line_from, [offset]), source_row_)
                    for total, vector in zip(totals, vectors, strict=True):
                        builder.store(multiply_add(builder, value, vector, builder.load(total)), total)
            places = _grid(builder, first, ir.Constant(step_.type, size * LANES), lane)
            for number, total in enumerate(totals):
                place = places(*divmod(number, size))
                store_vector(builder, builder.fadd(load_vector(builder, place), builder.load(total)), place)
            return context.get_dummy_value()

        return types.void(sums, i, factor, i, i, i, i, source, i, i, i), generate

    return product
