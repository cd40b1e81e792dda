"""Convolution of one image with few positions, by weights as they lie in memory.

A single image reads every weight once or a few times, so whatever is done to them before (transforms, packing)
takes longer than the convolution itself. Here nothing is: the C*kh*kw weights of an output channel are contiguous,
the patches of the image are written in the same order, and

    out[p, o] = sum_k patches[p, k] w[o, k]

is summed along k, four positions and four channels at a time. It goes forward only.
"""

import numpy as np

from deeptheory.nn.kernels.compiled_kernel import Array, CompiledKernel, Geometry
from deeptheory.nn.kernels.generated.dot_products import SIDE, block_of_dots
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES, explicit
from deeptheory.nn.kernels.winograd import U_BYTES
from deeptheory.nn.kernels.winograd_tiles import FREQUENCIES
from deeptheory.system import threadpools
from deeptheory.system.compiled import inner, njit, prange, signed

POSITIONS = 32  # at most: with more, transformed weights pay
POSITIONS_BEYOND = 64  # the same where they would not stay in the cache
DEPTH = 1152  # elements of k at a time, a multiple of 16: four rows of weights stay in the first-level cache

add_dots = block_of_dots()


def applies(geometry: Geometry) -> bool:
    """Whether a convolution can be computed here: float32, one image, few positions in fours, C in 16s."""
    n_images, out_height, out_width, n_out = geometry.outputs
    cached = 4 * FREQUENCIES * n_out * geometry.weights[1] <= U_BYTES
    return (
        n_images == geometry.groups == 1
        and out_height * out_width <= (POSITIONS if cached else POSITIONS_BEYOND)
        and out_height * out_width % SIDE == n_out % SIDE == 0
        and geometry.images[3] % LANES == 0
        and explicit(geometry.dtype)
    )


def forward(geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch) -> None:
    """Write the convolution of `x` (1, H, W, C) and `weight` (O, C, kh, kw) into `out` (1, OH, OW, O)."""
    positions, depth = out.shape[1] * out.shape[2], weight[0].size
    patches = scratch.array("patches of one image", (positions * depth,), np.float32)
    _convolve(
        x.reshape(-1), weight.reshape(-1), out.reshape(-1), geometry.images, geometry.weights, geometry.outputs,
        (geometry.stride, geometry.padding), threadpools.threads(), patches,
    )  # fmt: skip


@inner
def _write_patch(x, row, column, images, weights, patches, at):
    """The inputs that the kernel at (row, column) covers, as (C, kh, kw); zero outside of the image."""
    (_, height, width, n_in), (_, _, kh, kw) = images, weights
    for ky in range(kh):
        for kx in range(kw):
            y, z, target = row + ky, column + kx, at + ky * kw + kx
            inside = 0 <= y < height and 0 <= z < width
            source = (y * width + z) * n_in
            for c in range(n_in):
                patches[target + c * kh * kw] = x[source + c] if inside else np.float32(0)


@njit(parallel=True)
def _convolve(x, weight, out, images, weights, outputs, step, workers, patches):
    _, out_height, out_width, n_out = outputs
    stride, padding = step
    positions, depth = out_height * out_width, len(weight) // n_out
    for index in prange(positions):
        p = signed(index)
        row, column = p // out_width * stride - padding, p % out_width * stride - padding
        _write_patch(x, row, column, images, weights, patches, p * depth)
    blocks = n_out // SIDE
    for index in prange(workers):
        worker = signed(index)
        for block in range(blocks * worker // workers, blocks * (worker + 1) // workers):
            o = block * SIDE
            for p in range(positions):
                for column in range(o, o + SIDE):
                    out[p * n_out + column] = 0.0
            for k in range(0, depth, DEPTH):
                count = min(DEPTH, depth - k)
                for p in range(0, positions, SIDE):
                    add_dots(
                        out,
                        p * n_out + o,
                        n_out,
                        patches,
                        p * depth + k,
                        depth,
                        weight,
                        o * depth + k,
                        depth,
                        count,
                    )


KERNEL = CompiledKernel(applies, forward)
