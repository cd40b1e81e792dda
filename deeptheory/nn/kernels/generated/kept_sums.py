"""Sums over the kernels kept of one output, in the registers."""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from deeptheory.nn.kernels.vectors import (
    FLOATS,
    LANES,
    broadcast,
    constant,
    load_vector,
    multiply_add,
    pointer,
    store_vector,
)


def kept_sums(terms: Sequence[Sequence[tuple[int, int]]], n_taps: int, streams: int) -> Callable[..., None]:
    """Compiled ``sums[s] = sum over kernels i, vectors j, (s, t) in terms[j] of taps[i, t] v[place[i] + at[j]]``.

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
        ``product(sums, sums_at, v, at, places, taps, taps_at, first, last)``: flat float32 arrays, and int64
        `places` in elements of `v`, for the kernels first..last-1. `at` is an int64 array of the places of the
        vectors, or the place of the first of vectors that lie next to each other.
    """
    n_sums = 1 + max(s for vector in terms for s, _ in vector)

    def add_kernel(builder, totals, v, table, taps):
        number, factors = ir.IntType(64), dict[int, Any]()
        for j, vector in enumerate(terms):
            offset = number(j * LANES) if table is None else builder.load(builder.gep(table, [number(j)]))
            value = load_vector(builder, builder.gep(v, [offset]))
            for s, t in vector:
                if t not in factors:
                    factors[t] = broadcast(builder, builder.load(builder.gep(taps, [number(t)])))
                builder.store(multiply_add(builder, factors[t], value, builder.load(totals[s])), totals[s])

    @intrinsic
    def product(typingctx, sums, sums_at, v, at, places, taps, taps_at, first, last):
        i = types.intp

        def generate(context, builder, signature, arguments):
            sums_, sums_at_, v_, at_, places_, taps_, taps_at_, first_, last_ = arguments
            target = pointer(context, builder, signature.args[0], sums_, sums_at_)
            table, start = None, at_
            if isinstance(at, types.Array):
                start = first_.type(0)
                table = pointer(context, builder, signature.args[3], at_, start)
            v_start = pointer(context, builder, signature.args[2], v_, start)
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
                add_kernel(builder, totals[turn], builder.gep(v_start, [v_at]), table, address)

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

        return types.void(
            sums, i, v, at if isinstance(at, types.Array) else i, places, taps, i, i, i
        ), generate

    return product
