"""Convolution of channels by themselves: products and sums over the patch of a kernel of given size."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from deeptheory.nn.kernels.vectors import (
    LANES,
    constant,
    grid,
    load_vector,
    multiply_add,
    pointer,
    store_vector,
)


def _patch(builder: Any, size: int, corner: Any, row: Any) -> list[Any]:
    """The size x size vectors from `corner` on, those of a row next to each other, in generated code."""
    at = grid(builder, corner, row, ir.Constant(row.type, LANES))
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
                with cgutils.for_range(builder, columns_) as column:
                    corner = builder.gep(line_from, [builder.mul(column.index, across)])
                    total = constant(0.0)
                    for tap, vector in zip(
                        taps_held, _patch(builder, size, corner, source_row_), strict=True
                    ):
                        total = multiply_add(builder, tap, vector, total)
                    store_vector(
                        builder, total, builder.gep(line_to, [builder.mul(column.index, to_column_)])
                    )
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
                with cgutils.for_range(builder, columns_) as column:
                    offset = builder.mul(column.index, across)
                    value = load_vector(builder, builder.gep(line_factors, [offset]))
                    vectors = _patch(builder, size, builder.gep(line_from, [offset]), source_row_)
                    for total, vector in zip(totals, vectors, strict=True):
                        builder.store(multiply_add(builder, value, vector, builder.load(total)), total)
            places = grid(builder, first, ir.Constant(step_.type, size * LANES), lane)
            for number, total in enumerate(totals):
                place = places(*divmod(number, size))
                store_vector(builder, builder.fadd(load_vector(builder, place), builder.load(total)), place)
            return context.get_dummy_value()

        return types.void(sums, i, factor, i, i, i, i, source, i, i, i), generate

    return product
