"""Matrices of 16 x 16 turned, among them 16 channels of an image into 16 images of a channel as lanes."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from deeptheory.nn.kernels.generated.transforms import transpose
from deeptheory.nn.kernels.vectors import (
    LANES,
    MASK,
    load_masked,
    load_vector,
    pointer,
    store_masked,
    store_vector,
)


def _lane_masks(builder: Any, bits: Any, width: Any) -> list[Any]:
    """For each of 16 lanes the mask of its first `width` channels, none where its bit is not set."""
    number, short = bits.type, ir.IntType(16)
    channels = builder.sub(builder.shl(number(1), width), number(1))
    masks = []
    for lane in range(LANES):
        on = builder.and_(builder.lshr(bits, number(lane)), number(1))
        chosen = builder.and_(builder.neg(on), channels)
        masks.append(builder.bitcast(builder.trunc(chosen, short), MASK))
    return masks


def _gather(typingctx, to, to_at, to_step, source, places, offset, bits, width):
    """to[c] = the c-th of `width` channels at source[places[l] + offset] for lanes l; zero where bit l is off.

    The vectors of 16 channels lie to_step elements apart; those beyond `width` are zero.
    """
    i = types.intp

    def generate(context, builder, signature, arguments):
        to_, to_at_, to_step_, source_, places_, offset_, bits_, width_ = arguments
        target = pointer(context, builder, signature.args[0], to_, to_at_)
        origin = pointer(context, builder, signature.args[3], source_, offset_)
        lanes = pointer(context, builder, signature.args[4], places_, offset_.type(0))
        vectors = []
        for lane, mask in enumerate(_lane_masks(builder, bits_, width_)):
            image = builder.load(builder.gep(lanes, [offset_.type(lane)]))
            vectors.append(load_masked(builder, builder.gep(origin, [image]), mask))
        for channel, vector in enumerate(transpose(builder, vectors)):
            step = builder.mul(to_step_, offset_.type(channel))
            store_vector(builder, vector, builder.gep(target, [step]))
        return context.get_dummy_value()

    return types.void(to, i, i, source, places, i, i, i), generate


def _scatter(typingctx, to, places, offset, bits, width, source, source_at, source_step):
    """`_gather` the other way round: nothing is written beyond `width` channels nor for lanes whose bit is off."""
    i = types.intp

    def generate(context, builder, signature, arguments):
        to_, places_, offset_, bits_, width_, source_, source_at_, source_step_ = arguments
        target = pointer(context, builder, signature.args[0], to_, offset_)
        lanes = pointer(context, builder, signature.args[1], places_, offset_.type(0))
        origin = pointer(context, builder, signature.args[5], source_, source_at_)
        vectors = [
            load_vector(builder, builder.gep(origin, [builder.mul(source_step_, offset_.type(channel))]))
            for channel in range(LANES)
        ]
        masks = _lane_masks(builder, bits_, width_)
        for lane, vector in enumerate(transpose(builder, vectors)):
            image = builder.load(builder.gep(lanes, [offset_.type(lane)]))
            store_masked(builder, vector, builder.gep(target, [image]), masks[lane])
        return context.get_dummy_value()

    return types.void(to, places, i, i, i, source, i, i), generate


def _turn(typingctx, to, to_at, to_step, source, source_at, source_step):
    """to[c, r] = source[r, c] for 16 rows r of 16 elements, rows `to_step` and `source_step` elements apart."""
    i = types.intp

    def generate(context, builder, signature, arguments):
        to_, to_at_, to_step_, source_, source_at_, source_step_ = arguments
        target = pointer(context, builder, signature.args[0], to_, to_at_)
        origin = pointer(context, builder, signature.args[3], source_, source_at_)

        def row(base, step, number):
            return builder.gep(base, [builder.mul(step, step.type(number))])

        vectors = [load_vector(builder, row(origin, source_step_, r)) for r in range(LANES)]
        for c, vector in enumerate(transpose(builder, vectors)):
            store_vector(builder, vector, row(target, to_step_, c))
        return context.get_dummy_value()

    return types.void(to, i, i, source, i, i), generate


gather: Callable[..., None] = intrinsic(_gather)
scatter: Callable[..., None] = intrinsic(_scatter)
turn: Callable[..., None] = intrinsic(_turn)
