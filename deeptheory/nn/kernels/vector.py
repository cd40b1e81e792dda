"""Explicit vector arithmetic: three operations on rows of 16 channels, written out for the compiler.

Numba cannot prove that flat arrays with run-time strides do not overlap and falls back to scalar code. These
intrinsics emit the vector instructions themselves. LLVM splits a vector of 16 where the machine's registers are
narrower (AVX2: two, SSE: four), so the same code runs everywhere.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16  # float32 channels per vector
VECTOR = ir.VectorType(ir.FloatType(), LANES)
INDEX = ir.IntType(32)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [offset])


def _load(builder: Any, pointer: Any) -> Any:
    return builder.load(builder.bitcast(pointer, VECTOR.as_pointer()), align=4)


def _store(builder: Any, vector: Any, pointer: Any) -> None:
    builder.store(vector, builder.bitcast(pointer, VECTOR.as_pointer()), align=4)


def _constant(value: float) -> Any:
    return ir.Constant(VECTOR, [value] * LANES)


def _broadcast(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(INDEX, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(INDEX, LANES), [0] * LANES))


def _multiply_add(builder: Any, total: Any, a: Any, b: Any) -> Any:
    # One instruction, not flags that let the compiler reassociate: it does so differently when it compiles a
    # kernel and when a later process loads it from the cache, and two runs would differ in the last bits.
    of_type = ir.FunctionType(VECTOR, [VECTOR] * 3)
    multiply_add = cgutils.get_or_insert_function(builder.module, of_type, f"llvm.fmuladd.v{LANES}f32")
    return builder.call(multiply_add, [a, b, total])


def _combine(builder: Any, coefficients: Sequence[float], vectors: Sequence[Any]) -> Any:
    """sum_a coefficients[a] vectors[a], without the zeros and without multiplications by one."""
    total = None
    for coefficient, vector in zip(coefficients, vectors, strict=True):
        if coefficient == 0:
            continue
        if total is None:
            total = vector if coefficient == 1 else builder.fmul(_constant(coefficient), vector)
        elif coefficient == 1:
            total = builder.fadd(total, vector)
        elif coefficient == -1:
            total = builder.fsub(total, vector)
        else:
            total = _multiply_add(builder, total, _constant(coefficient), vector)
    return total


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
    n_in = len(lines[0])

    @intrinsic
    def transform(typingctx, to, to_at, to_row, to_column, source, source_at, source_row, source_column):
        i = types.intp
        signature = types.void(to, i, i, i, source, i, i, i)

        def generate(context, builder, signature, arguments):
            to_, to_at_, to_row_, to_column_, source_, source_at_, source_row_, source_column_ = arguments
            target = _pointer(context, builder, signature.args[0], to_, to_at_)
            origin = _pointer(context, builder, signature.args[4], source_, source_at_)

            def at(base, row, column, row_stride, column_stride):
                index = row_stride.type
                down = builder.mul(ir.Constant(index, row), row_stride)
                across = builder.mul(ir.Constant(index, column), column_stride)
                return builder.gep(base, [builder.add(down, across)])

            half = []  # half[b][i] = sum_a matrix[i, a] source[a, b]
            for b in range(n_in):
                column = [_load(builder, at(origin, a, b, source_row_, source_column_)) for a in range(n_in)]
                half.append([_combine(builder, line, column) for line in lines])
            for row in range(len(lines)):
                across = [half[b][row] for b in range(n_in)]
                for column_out, line in enumerate(lines):
                    place = at(target, row, column_out, to_row_, to_column_)
                    _store(builder, _combine(builder, line, across), place)
            return context.get_dummy_value()

        return signature, generate

    return transform


def micro_kernel(n_rows: int, n_vectors: int) -> Callable[..., None]:
    """Compiled ``c (+)= a b`` for `n_rows` rows and ``16 * n_vectors`` columns, summed in registers.

    Parameters
    ----------
    n_rows, n_vectors : int
        Their product is the number of vector registers that hold sums.

    Returns
    -------
    callable
        ``kernel(c, c_at, c_row, a, a_at, a_row, a_depth, b, b_at, b_depth, depth, accumulate)``: flat float32
        arrays, each with the index of its first element and its strides, in elements. Columns are contiguous
        in `b` and `c`.
    """

    @intrinsic
    def kernel(typingctx, c, c_at, c_row, a, a_at, a_row, a_depth, b, b_at, b_depth, depth, accumulate):
        i = types.intp
        signature = types.void(c, i, i, a, i, i, i, b, i, i, i, types.boolean)

        def generate(context, builder, signature, arguments):
            c_, c_at_, c_row_, a_, a_at_, a_row_, a_depth_, b_, b_at_, b_depth_, depth_, accumulate_ = (
                arguments
            )
            c_start = _pointer(context, builder, signature.args[0], c_, c_at_)
            a_start = _pointer(context, builder, signature.args[3], a_, a_at_)
            b_start = _pointer(context, builder, signature.args[7], b_, b_at_)

            def number(value):
                return ir.Constant(depth_.type, value)

            def place(row, vector):
                down = builder.mul(number(row), c_row_)
                return builder.gep(c_start, [builder.add(down, number(vector * LANES))])

            blocks = [(row, vector) for row in range(n_rows) for vector in range(n_vectors)]
            sums = {
                block: cgutils.alloca_once(builder, VECTOR) for block in blocks
            }  # LLVM keeps them in registers
            with builder.if_else(accumulate_) as (add, start):
                with add:
                    for block in blocks:
                        builder.store(_load(builder, place(*block)), sums[block])
                with start:
                    for block in blocks:
                        builder.store(_constant(0.0), sums[block])
            with cgutils.for_range(builder, depth_) as loop:
                b_line = builder.gep(b_start, [builder.mul(loop.index, b_depth_)])
                b_vectors = [
                    _load(builder, builder.gep(b_line, [number(v * LANES)])) for v in range(n_vectors)
                ]
                a_column = builder.gep(a_start, [builder.mul(loop.index, a_depth_)])
                for row in range(n_rows):
                    scalar = builder.load(builder.gep(a_column, [builder.mul(number(row), a_row_)]))
                    factor = _broadcast(builder, scalar)
                    for vector in range(n_vectors):
                        held = sums[row, vector]
                        builder.store(
                            _multiply_add(builder, builder.load(held), factor, b_vectors[vector]), held
                        )
            for block in blocks:
                _store(builder, builder.load(sums[block]), place(*block))
            return context.get_dummy_value()

        return signature, generate

    return kernel


def _copy_lanes(typingctx, to, to_at, source, source_at):
    """Compiled ``to[to_at : to_at + 16] = source[source_at : source_at + 16]`` of flat float32 arrays."""

    def generate(context, builder, signature, arguments):
        vector = _load(builder, _pointer(context, builder, signature.args[2], arguments[2], arguments[3]))
        _store(builder, vector, _pointer(context, builder, signature.args[0], arguments[0], arguments[1]))
        return context.get_dummy_value()

    return types.void(to, types.intp, source, types.intp), generate


def _clear_lanes(typingctx, to, to_at):
    """Compiled ``to[to_at : to_at + 16] = 0`` of a flat float32 array."""

    def generate(context, builder, signature, arguments):
        _store(builder, _constant(0.0), _pointer(context, builder, signature.args[0], *arguments))
        return context.get_dummy_value()

    return types.void(to, types.intp), generate


copy_lanes: Callable[..., None] = intrinsic(_copy_lanes)
clear_lanes: Callable[..., None] = intrinsic(_clear_lanes)
