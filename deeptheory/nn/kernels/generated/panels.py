"""The product of matrices that stays in the registers."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from deeptheory.nn.kernels.vectors import (
    FLOATS,
    LANES,
    broadcast,
    constant,
    fetch,
    load_vector,
    multiply_add,
    pointer,
    store_vector,
)

SHORT = 4  # rows of the last blocks of a product
WIDE_PANEL = 4  # vectors of a panel whose product leaves time to fetch the next: narrow ones load more

llvmlite.binding.initialize_native_asmparser()  # for `_add_row_at_once`


def panel_product(n_rows: int, n_vectors: int) -> Callable[..., None]:
    """Compiled ``c (+)= a b`` for ``16 * n_vectors`` columns, `n_rows` rows at a time summed in registers.

    Parameters
    ----------
    n_rows, n_vectors : int
        Their product is the number of vectors that hold sums. Rows left over are taken `SHORT` at a time.

    Returns
    -------
    callable
        ``product(c, c_at, c_row, a, a_at, a_steps, b, b_at, b_depth, extent, coming)``: flat float32
        arrays, each with the index of its first element and its strides, in elements; `a_steps`, `extent` and
        `coming` are `matrix_products.Steps`, `Extent` and `Coming`. The sum runs over `lines` lines of `depth`
        elements; `a` moves by `a_steps.line` from line to line, `b` moves on evenly. So the lines of an image
        patch are multiplied where they lie. Columns are contiguous in `b` and `c`. Where `rows` is not a multiple
        of `SHORT`, up to ``SHORT - 1`` more are read from `a` and written to `c`. Wide panels fetch what the
        next product begins with meanwhile.
    """

    @intrinsic
    def product(typingctx, c, c_at, c_row, a, a_at, a_steps, b, b_at, b_depth, extent, coming):
        i = types.intp

        def generate(context, builder, signature, arguments):
            c_, c_at_, c_row_, a_, a_at_, a_steps_, b_, b_at_, b_depth_, *rest = arguments
            extent_, coming_ = rest
            a_row_, a_depth_, _ = steps = cgutils.unpack_tuple(builder, a_steps_)
            rows_, _, depth_, lines_, adds_ = cgutils.unpack_tuple(builder, extent_)
            accumulate = builder.icmp_signed("!=", adds_, ir.Constant(adds_.type, 0))
            a_next_, b_next_ = cgutils.unpack_tuple(builder, coming_)
            a_coming = pointer(context, builder, signature.args[3], a_, a_next_)
            b_coming = pointer(context, builder, signature.args[6], b_, b_next_)
            transposed = builder.icmp_signed("==", a_row_, ir.Constant(a_row_.type, 1))
            c_start = pointer(context, builder, signature.args[0], c_, c_at_)
            a_start = pointer(context, builder, signature.args[3], a_, a_at_)
            b_start = pointer(context, builder, signature.args[6], b_, b_at_)

            def number(value):
                return ir.Constant(rows_.type, value)

            def block(height, first):
                c_first = builder.gep(c_start, [builder.mul(first, c_row_)])
                a_first = builder.gep(a_start, [builder.mul(first, a_row_)])
                number_of_block = builder.udiv(first, number(height))
                column = builder.mul(builder.urem(number_of_block, number(n_vectors)), number(LANES))
                a_share = builder.gep(a_coming, [builder.mul(first, a_row_)])
                a_pace = builder.select(transposed, a_depth_, number(height))
                fetched = [(a_share, a_pace), (builder.gep(b_coming, [column]), b_depth_)]
                _block_product(
                    builder, (height, n_vectors), c_first, c_row_, a_first, steps, b_start, b_depth_,
                    (depth_, lines_), accumulate, fetched if n_vectors == WIDE_PANEL else [],
                )  # fmt: skip

            whole = number(math.lcm(n_rows, SHORT))  # leaves a multiple of SHORT where it can
            tall = builder.mul(builder.udiv(rows_, whole), whole)
            with cgutils.for_range_slice(builder, number(0), tall, number(n_rows)) as (row, _):
                block(n_rows, row)
            with cgutils.for_range_slice(builder, tall, rows_, number(SHORT)) as (row, _):
                block(SHORT, row)
            return context.get_dummy_value()

        return types.void(c, i, i, a, i, a_steps, b, i, i, extent, coming), generate

    return product


def _block_product(
    builder: Any, size: tuple[int, int], c: Any, c_row: Any, a: Any, a_steps: Sequence[Any], b: Any, b_depth: Any,
    summed: tuple[Any, Any], accumulate: Any, fetched: Sequence[tuple[Any, Any]],
) -> None:  # fmt: skip
    """The product of one block of `size` rows and vectors, in generated code; `c`, `a` and `b` are addresses.

    `summed` are the depth and the number of lines. `fetched` are addresses and steps of what is fetched from the
    cache for the next product meanwhile.
    """
    (n_rows, n_vectors), (a_row, a_depth, a_line), (depth, lines) = size, a_steps, summed
    blocks = [(row, vector) for row in range(n_rows) for vector in range(n_vectors)]

    def number(value):
        return ir.Constant(depth.type, value)

    def c_address(row, vector):
        down = builder.mul(number(row), c_row)
        return builder.gep(c, [builder.add(down, number(vector * LANES))])

    # LLVM keeps the sums in registers.
    add_row = _add_row_at_once if n_vectors > 1 else _add_row  # AVX-512 alone has wider panels than 1
    sums = {block: cgutils.alloca_once(builder, FLOATS) for block in blocks}
    with builder.if_else(accumulate) as (add, start):
        with add:
            for block in blocks:
                builder.store(load_vector(builder, c_address(*block)), sums[block])
        with start:
            for block in blocks:
                builder.store(constant(0.0), sums[block])
    with cgutils.for_range(builder, lines) as line:
        a_first = builder.gep(a, [builder.mul(line.index, a_line)])
        b_steps = builder.mul(line.index, depth)
        b_first = builder.gep(b, [builder.mul(b_steps, b_depth)])
        with cgutils.for_range(builder, depth) as loop:
            for address, step in fetched:
                fetch(builder, builder.gep(address, [builder.mul(loop.index, step)]), level=2)
            b_line = builder.gep(b_first, [builder.mul(loop.index, b_depth)])
            b_vectors = [
                load_vector(builder, builder.gep(b_line, [number(v * LANES)])) for v in range(n_vectors)
            ]
            a_column = builder.gep(a_first, [builder.mul(loop.index, a_depth)])
            for row in range(n_rows):
                scalar = builder.gep(a_column, [builder.mul(number(row), a_row)])
                held = [sums[row, vector] for vector in range(n_vectors)]
                before = [builder.load(place) for place in held]
                for total, place in zip(add_row(builder, scalar, b_vectors, before), held, strict=True):
                    builder.store(total, place)
    for block in blocks:
        store_vector(builder, builder.load(sums[block]), c_address(*block))


def _add_row(builder: Any, address: Any, vectors: Sequence[Any], sums: Sequence[Any]) -> list[Any]:
    """The sums and the vectors times the number at `address`, in generated code."""
    factor = broadcast(builder, builder.load(address))
    return [multiply_add(builder, factor, *pair) for pair in zip(vectors, sums, strict=True)]


def _add_row_at_once(builder: Any, address: Any, vectors: Sequence[Any], sums: Sequence[Any]) -> list[Any]:
    """`_add_row` in AVX-512 instructions that stay together.

    With 28 of 32 registers in use, LLVM otherwise reads the numbers of several rows ahead, and stores vectors in
    the innermost loop for it, or does not, as the code around the product is: the same products were half as
    fast in the process that compiled them as in those that read them from the cache.
    """
    n = len(vectors)
    factor, number = f"${n}", f"${n + 1}"
    lines = [f"vbroadcastss ({number}), {factor}"]
    lines += [f"vfmadd231ps ${n + 2 + i}, {factor}, ${i}" for i in range(n)]
    constraints = ["=&v"] * (n + 1) + ["r"] + ["v"] * n + [str(i) for i in range(n)] + ["~{memory}"]
    results = ir.LiteralStructType([FLOATS] * (n + 1))
    kind = ir.FunctionType(results, [address.type] + [FLOATS] * 2 * n)
    code = ir.InlineAsm(kind, "\n".join(lines), ",".join(constraints), side_effect=True)
    returned = builder.call(code, [address, *vectors, *sums])
    return [builder.extract_value(returned, i) for i in range(n)]
