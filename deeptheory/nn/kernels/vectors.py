"""Vectors of 16 float32 channels as values of compiled code.

Numba cannot prove that flat arrays with run-time strides do not overlap, and falls back to scalar code. A kernel
written in these vectors says itself what is done 16 channels at a time:

    z = fma(load(x, at), slope, shift)
    store(out, at, where_less(z, zero, zero, z))

`x` and `out` are flat float32 arrays and `at` is the index of the first of 16 elements. LLVM splits a vector of 16
where the machine's registers are narrower (AVX2: two), so the same code runs everywhere.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model
from numpy.typing import DTypeLike

from deeptheory.system import instructions
from deeptheory.system.compiled import JIT, inner

LANES = 16
FLOATS = ir.VectorType(ir.FloatType(), LANES)
DOUBLES = ir.VectorType(ir.DoubleType(), LANES)
INTEGERS = ir.VectorType(ir.IntType(32), LANES)
MASK = ir.VectorType(ir.IntType(1), LANES)


def explicit(dtype: DTypeLike) -> bool:
    """Whether arrays of this type are computed by explicit vectors here: float32, compiled, not "plain"."""
    return JIT and instructions.vectors() != "plain" and np.dtype(dtype) == np.float32


class Vector(types.Type):
    """The Numba type of 16 float32."""

    def __init__(self) -> None:
        super().__init__("float32x16")


vector_type = Vector()


@register_model(Vector)
class _VectorModel(PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, FLOATS)


def _define_operator(operation: Any, instruction: str) -> None:
    @infer_global(operation)
    class _Operator(ConcreteTemplate):
        cases = [signature(vector_type, vector_type, vector_type)]  # noqa: RUF012

    @lower_builtin(operation, vector_type, vector_type)
    def _lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return getattr(builder, instruction)(*arguments)


for _operation, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _define_operator(_operation, _instruction)


def pointer(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    """Address of element `at` of a flat array, in generated code."""
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [at])


def load_vector(builder: Any, address: Any) -> Any:
    """The 16 float32 from `address` on, in generated code."""
    return builder.load(builder.bitcast(address, FLOATS.as_pointer()), align=4)


def store_vector(builder: Any, vector: Any, address: Any) -> None:
    """Write a vector to `address`, in generated code."""
    builder.store(vector, builder.bitcast(address, FLOATS.as_pointer()), align=4)


def first_lanes(n: int) -> Any:
    """The mask of the first n lanes, in generated code."""
    return ir.Constant(MASK, [lane < n for lane in range(LANES)])


def load_masked(builder: Any, address: Any, mask: Any) -> Any:
    """The 16 float32 from `address` on, in generated code; lanes outside the mask are not read, but zero."""
    arguments = [builder.bitcast(address, FLOATS.as_pointer()), ir.IntType(32)(4), mask, constant(0.0)]
    kind = ir.FunctionType(FLOATS, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.load.v16f32.p0v16f32")
    return builder.call(function, arguments)


def store_masked(builder: Any, vector: Any, address: Any, mask: Any) -> None:
    """Write the lanes of the mask to `address`, in generated code."""
    arguments = [vector, builder.bitcast(address, FLOATS.as_pointer()), ir.IntType(32)(4), mask]
    kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.store.v16f32.p0v16f32")
    builder.call(function, arguments)


def constant(value: float) -> Any:
    """A vector of 16 equal constants, in generated code."""
    return ir.Constant(FLOATS, [value] * LANES)


def broadcast(builder: Any, scalar: Any) -> Any:
    """A vector of 16 copies of a float32, in generated code."""
    index, undefined = ir.IntType(32), ir.Constant(FLOATS, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(index, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(index, LANES), [0] * LANES))


def grid(builder: Any, base: Any, row_stride: Any, column_stride: Any) -> Callable[[int, int], Any]:
    """The address of (row, column) in a patch that starts at `base`, in generated code."""

    def address(row: int, column: int) -> Any:
        index = row_stride.type
        down = builder.mul(ir.Constant(index, row), row_stride)
        across = builder.mul(ir.Constant(index, column), column_stride)
        return builder.gep(base, [builder.add(down, across)])

    return address


def array_grid(
    context: Any, builder: Any, array_type: Any, array: Any, at: Any, row_stride: Any, column_stride: Any
) -> Callable[[int, int], Any]:
    """`grid` that starts at element `at` of a flat array."""
    return grid(builder, pointer(context, builder, array_type, array, at), row_stride, column_stride)


def multiply_add(builder: Any, a: Any, b: Any, total: Any) -> Any:
    """a*b + total, in generated code."""
    # One instruction, not flags that let the compiler reassociate: it does so differently when it compiles a
    # kernel and when a later process loads it from the cache, and two runs would differ in the last bits.
    return _call(builder, "fmuladd", a, b, total)


def _call(builder: Any, name: str, *arguments: Any) -> Any:
    of_type = ir.FunctionType(FLOATS, [FLOATS] * len(arguments))
    function = cgutils.get_or_insert_function(builder.module, of_type, f"llvm.{name}.v{LANES}f32")
    return builder.call(function, arguments)


def _load(typingctx, array, at):
    """The elements at .. at+15 of a flat array."""

    def generate(context, builder, signature, arguments):
        return load_vector(builder, pointer(context, builder, signature.args[0], *arguments))

    return vector_type(array, types.intp), generate


def _store(typingctx, array, at, vector):
    """Write the elements at .. at+15 of a flat array."""

    def generate(context, builder, signature, arguments):
        place = pointer(context, builder, signature.args[0], *arguments[:2])
        store_vector(builder, arguments[2], place)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector_type), generate


def fetch(builder: Any, address: Any, level: int, to_write: bool = False) -> None:
    """Bring the line at `address` nearer, to the first (3) or the second (2) level, in generated code."""
    place, number = builder.bitcast(address, ir.IntType(8).as_pointer()), ir.IntType(32)
    of_type = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
    function = cgutils.get_or_insert_function(builder.module, of_type, "llvm.prefetch.p0")
    builder.call(function, [place, number(int(to_write)), number(level), number(1)])  # data


def _prefetch(typingctx, array, at):
    """Bring the line of element `at` of a flat array nearer, which may lie beyond its end."""

    def generate(context, builder, signature, arguments):
        fetch(builder, pointer(context, builder, signature.args[0], *arguments), level=3)
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _prefetch_far(typingctx, array, at):
    """The same to the second level, for what is needed later."""

    def generate(context, builder, signature, arguments):
        fetch(builder, pointer(context, builder, signature.args[0], *arguments), level=2)
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _prefetch_to_write(typingctx, array, at):
    """The same for what will be written: no other core keeps it."""

    def generate(context, builder, signature, arguments):
        fetch(builder, pointer(context, builder, signature.args[0], *arguments), level=2, to_write=True)
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _add_double(typingctx, array, at, vector):
    """Add a vector to the elements at .. at+15 of a flat float64 array."""

    def generate(context, builder, signature, arguments):
        place = pointer(context, builder, signature.args[0], *arguments[:2])
        place = builder.bitcast(place, DOUBLES.as_pointer())
        total = builder.fadd(builder.load(place, align=8), builder.fpext(arguments[2], DOUBLES))
        builder.store(total, place, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector_type), generate


def _fill(typingctx, value):
    """A vector of 16 copies of a float32."""
    return vector_type(types.float32), lambda _, builder, __, arguments: broadcast(builder, arguments[0])


def _fma(typingctx, a, b, c):
    """a*b + c."""
    return vector_type(a, b, c), lambda _, builder, __, arguments: multiply_add(builder, *arguments)


def _where_less(typingctx, a, b, x, y):
    """x where a < b, else y; a NaN is not less than anything."""

    def generate(context, builder, signature, arguments):
        a, b, x, y = arguments
        return builder.select(builder.fcmp_ordered("<", a, b), x, y)

    return vector_type(a, b, x, y), generate


def _where_equal(typingctx, a, b, x, y):
    """x where a equals b, else y."""

    def generate(context, builder, signature, arguments):
        a, b, x, y = arguments
        return builder.select(builder.fcmp_ordered("==", a, b), x, y)

    return vector_type(a, b, x, y), generate


def _where_kept(typingctx, best, rival, x, y):
    """x where `best` stays the maximum beside `rival`, which it does when equal or NaN; else y."""

    def generate(context, builder, signature, arguments):
        best, rival, x, y = arguments
        nan = builder.fcmp_unordered("uno", best, best)
        return builder.select(builder.or_(builder.fcmp_ordered("<=", rival, best), nan), x, y)

    return vector_type(best, rival, x, y), generate


def _nearest(typingctx, x):
    """The nearest whole numbers."""
    return vector_type(x), lambda _, builder, __, arguments: _call(builder, "nearbyint", arguments[0])


def _power_of_two(typingctx, n):
    """2**n for whole numbers n from -126 to 127."""

    def generate(context, builder, signature, arguments):
        exponent = builder.add(builder.fptosi(arguments[0], INTEGERS), ir.Constant(INTEGERS, [127] * LANES))
        return builder.bitcast(builder.shl(exponent, ir.Constant(INTEGERS, [23] * LANES)), FLOATS)

    return vector_type(n), generate


def _lane_sum(typingctx, x):
    """The sum of the 16 numbers, always in the same order."""

    def generate(context, builder, signature, arguments):
        (rest,), number = arguments, ir.IntType(32)
        for half in (8, 4, 2, 1):
            kind = ir.VectorType(number, half)
            parts = (ir.Constant(kind, list(range(first, first + half))) for first in (0, half))
            low, high = (builder.shuffle_vector(rest, rest, part) for part in parts)
            rest = builder.fadd(low, high)
        return builder.extract_element(rest, ir.Constant(number, 0))

    return types.float32(x), generate


load: Callable[..., Any] = intrinsic(_load)
store: Callable[..., None] = intrinsic(_store)
prefetch: Callable[..., None] = intrinsic(_prefetch)
prefetch_far: Callable[..., None] = intrinsic(_prefetch_far)
prefetch_to_write: Callable[..., None] = intrinsic(_prefetch_to_write)
lane_sum: Callable[..., Any] = intrinsic(_lane_sum)
add_double: Callable[..., None] = intrinsic(_add_double)
fill: Callable[..., Any] = intrinsic(_fill)
fma: Callable[..., Any] = intrinsic(_fma)
where_less: Callable[..., Any] = intrinsic(_where_less)
where_equal: Callable[..., Any] = intrinsic(_where_equal)
where_kept: Callable[..., Any] = intrinsic(_where_kept)
nearest: Callable[..., Any] = intrinsic(_nearest)
power_of_two: Callable[..., Any] = intrinsic(_power_of_two)

_LOG2_E, _LN2_HIGH, _LN2_LOW = (
    np.float32(1.4426950408889634),
    np.float32(0.693359375),
    np.float32(-2.12194440e-4),
)
_LOWEST, _HIGHEST = np.float32(-87.0), np.float32(88.0)
# Cephes expf: exp(r) = 1 + r + r**2 p(r) on |r| <= ln(2)/2
_P0, _P1, _P2, _P3, _P4, _P5 = (
    np.float32(p)
    for p in (
        1.9875691500e-4,
        1.3981999507e-3,
        8.3334519073e-3,
        4.1665795894e-2,
        1.6666665459e-1,
        5.0000001201e-1,
    )
)
ONE, ZERO = np.float32(1), np.float32(0)


@inner
def exp(x):
    """The exponential, to 2 units in the last place; arguments below -87 and above 88 count as these."""
    x = where_less(x, fill(_LOWEST), fill(_LOWEST), x)
    x = where_less(fill(_HIGHEST), x, fill(_HIGHEST), x)
    n = nearest(x * fill(_LOG2_E))
    r = fma(n, fill(-_LN2_HIGH), x)
    r = fma(n, fill(-_LN2_LOW), r)
    p = fma(fill(_P0), r, fill(_P1))
    p = fma(p, r, fill(_P2))
    p = fma(p, r, fill(_P3))
    p = fma(p, r, fill(_P4))
    p = fma(p, r, fill(_P5))
    return fma(p, r * r, r + fill(ONE)) * power_of_two(n)


@inner
def sigmoid(x):
    """1/(1 + exp(-x))."""
    return fill(ONE) / (fill(ONE) + exp(fill(ZERO) - x))
