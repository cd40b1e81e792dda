"""Products of rows with rows, summed along what is contiguous in both."""

from collections.abc import Callable

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from deeptheory.nn.kernels.generated.transforms import transpose
from deeptheory.nn.kernels.vectors import FLOATS, LANES, constant, load_vector, multiply_add, pointer

SIDE = 4  # rows of either matrix in a block: its 16 sums are one vector
QUARTER = ir.VectorType(ir.FloatType(), SIDE)


def block_of_dots() -> Callable[..., None]:
    """Compiled ``c[i, j] += sum_k a[i, k] b[j, k]`` for 4 rows i of `a` and 4 rows j of `b`.

    Returns
    -------
    callable
        ``add(c, c_at, c_row, a, a_at, a_row, b, b_at, b_row, depth)``: flat float32 arrays, each with the index of
        its first element and the elements from row to row; `depth` is a multiple of 16. Sixteen sums go over every
        sixteenth k, and are added up at the end.
    """

    @intrinsic
    def add(typingctx, c, c_at, c_row, a, a_at, a_row, b, b_at, b_row, depth):
        i = types.intp

        def generate(context, builder, signature, arguments):
            c_, c_at_, c_row_, a_, a_at_, a_row_, b_, b_at_, b_row_, depth_ = arguments
            starts = [
                pointer(context, builder, signature.args[at], array, first)
                for at, array, first in ((0, c_, c_at_), (3, a_, a_at_), (6, b_, b_at_))
            ]

            def number(value):
                return ir.Constant(depth_.type, value)

            def rows(start, step):
                return [builder.gep(start, [builder.mul(number(row), step)]) for row in range(SIDE)]

            c_rows, a_rows, b_rows = map(rows, starts, (c_row_, a_row_, b_row_))
            sums = [cgutils.alloca_once(builder, FLOATS) for _ in range(LANES)]
            for held in sums:
                builder.store(constant(0.0), held)
            with cgutils.for_range_slice(builder, number(0), depth_, number(LANES)) as (k, _):
                left, right = (
                    [load_vector(builder, builder.gep(row, [k])) for row in rows] for rows in (a_rows, b_rows)
                )
                for index, held in enumerate(sums):
                    row, column = divmod(index, SIDE)
                    builder.store(multiply_add(builder, left[row], right[column], builder.load(held)), held)
            # Element n of the sum of these is the sum of vector n.
            parts = transpose(builder, [builder.load(held) for held in sums])
            while len(parts) > 1:
                parts = [builder.fadd(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
            for row, start in enumerate(c_rows):
                lanes = [ir.Constant(ir.IntType(32), SIDE * row + lane) for lane in range(SIDE)]
                mask = ir.Constant(ir.VectorType(ir.IntType(32), SIDE), lanes)
                found = builder.shuffle_vector(parts[0], parts[0], mask)
                place = builder.bitcast(start, QUARTER.as_pointer())
                builder.store(builder.fadd(builder.load(place, align=4), found), place, align=4)
            return context.get_dummy_value()

        return types.void(c, i, i, a, i, i, b, i, i, i), generate

    return add
