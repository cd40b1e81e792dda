"""Sums over the kernels kept of one output, in the registers."""

from collections.abc import Callable, Sequence
from typing import Any

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

MASK = ir.VectorType(ir.IntType(1), LANES)


def kept_sums(terms: Sequence[Sequence[tuple[int, int]]], n_taps: int, streams: int) -> Callable[..., None]:
    """Compiled ``sums[s] = sum over kernels i, vectors j, (s, t) in terms[j] of taps[i, t] v[place[i] + j]``.

    Parameters
    ----------
    terms : sequence of sequences of (int, int)
        For each vector of an input the sums that it is added to, each with the tap it is multiplied by.
    n_taps : int
        Elements from the taps of one kernel to those of the next.
    streams : int
        Kernels that are summed side by side: few sums wait for each other.

    Returns
    -------
    callable
        ``product(sums, sums_at, v, v_at, places, taps, taps_at, first, last)``: flat float32 arrays, each with the
        index of its first element, and int64 `places` in elements of `v`, for the kernels first..last-1.
    """
    n_sums = 1 + max(s for vector in terms for s, _ in vector)

    def add_kernel(builder, totals, v, taps):
        number, factors = ir.IntType(64), dict[int, Any]()
        for j, vector in enumerate(terms):
            value = load_vector(builder, builder.gep(v, [number(j * LANES)]))
            for s, t in vector:
                if t not in factors:
                    factors[t] = broadcast(builder, builder.load(builder.gep(taps, [number(t)])))
                builder.store(multiply_add(builder, factors[t], value, builder.load(totals[s])), totals[s])

    @intrinsic
    def product(typingctx, sums, sums_at, v, v_at, places, taps, taps_at, first, last):
        i = types.intp

        def generate(context, builder, signature, arguments):
            sums_, sums_at_, v_, v_at_, places_, taps_, taps_at_, first_, last_ = arguments
            target = pointer(context, builder, signature.args[0], sums_, sums_at_)
            v_start = pointer(context, builder, signature.args[2], v_, v_at_)
            place = pointer(context, builder, signature.args[4], places_, first_)
            taps_start = pointer(context, builder, signature.args[5], taps_, taps_at_)
            number = first_.type
            totals = [  # LLVM keeps the sums in registers
                [cgutils.alloca_once(builder, FLOATS) for _ in range(n_sums)] for _ in range(streams)
            ]
            for stream in totals:
                for total in stream:
                    builder.store(constant(0.0), total)

            def add(turn, index):
                v_at = builder.load(builder.gep(place, [index]))
                row = builder.mul(builder.add(first_, index), number(n_taps))
                address = builder.gep(taps_start, [row])
                add_kernel(builder, totals[turn], builder.gep(v_start, [v_at]), address)

            count = builder.sub(last_, first_)
            whole = builder.mul(builder.udiv(count, number(streams)), number(streams))
            with cgutils.for_range_slice(builder, number(0), whole, number(streams)) as (index, _):
                for offset in range(streams):
                    add(offset, builder.add(index, number(offset)))
            if streams > 1:
                with cgutils.for_range_slice(builder, whole, count, number(1)) as (index, _):
                    add(0, index)
            for s in range(n_sums):
                total = builder.load(totals[0][s])
                for stream in totals[1:]:
                    total = builder.fadd(total, builder.load(stream[s]))
                store_vector(builder, total, builder.gep(target, [number(s * LANES)]))
            return context.get_dummy_value()

        return types.void(sums, i, v, i, places, taps, i, i, i), generate

    return product
