"""Convolution by 1 x 1 kernels with stride 1: products of positions and weights, in blocks that stay in registers.

Positions are rows; chunks of them stay in the second-level cache while everything is done that needs them: forward
the sums for batch norm, backward the gradient through batch norm and activation, of the input and of the weights.

Columns are taken in panels, 64 of them where that many are left; the last panel overlaps the one before where the
number of channels is not a multiple of 16. `applies` says which layers qualify.
"""

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import implicit_gemm
from deeptheory.nn.kernels.compiled_kernel import Array, CompiledKernel, Geometry
from deeptheory.nn.kernels.generated.lane_transposes import turn
from deeptheory.nn.kernels.generated.panels import SHORT
from deeptheory.nn.kernels.matrix_products import NOTHING_COMING, Extent, Steps, multiply, next_panel
from deeptheory.nn.kernels.norm_rows import PLAIN, Normed, add_bias, add_row_sums, add_sums, write_gradient
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES, explicit, load, store
from deeptheory.system import threadpools
from deeptheory.system.compiled import inner, njit, prange

CHUNK_BYTES = 1 << 18  # of a chunk of inputs and outputs
CHUNK_STEP = 12  # rows that are multiplied at a time, or a multiple of them
MOST_WEIGHTS = 1 << 17  # of which every thread sums a gradient of its own; else they share the columns

NO_SUMS, NO_BIAS = np.empty((0, 0)), np.empty(0, np.float32)


def applies(geometry: Geometry) -> bool:
    """Whether a convolution can be computed here: 1 x 1, stride 1, float32, enough channels and positions.

    One of the two numbers of channels is a multiple of 16, the other a multiple of 4 and at least 16. Images of
    one position, which linear layers have, are left to `im2col`: so few rows do not pay for compiling this.
    """
    n_out, n_in = geometry.weights[:2]
    n_images, height, width, _ = geometry.images
    return (
        geometry.matches(1, stride=1, padding=0)
        and min(n_in, n_out) >= LANES
        and (n_in % LANES == 0 or n_out % LANES == 0)
        and n_in % SHORT == n_out % SHORT == 0
        and (height, width) != (1, 1)
        and n_images * height * width >= SHORT * threadpools.threads()
        and explicit(geometry.dtype)
    )


def forward(geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch) -> None:
    """Write the products of `x` (N, H, W, C) and `weight` (O, C, 1, 1) into `out` (N, H, W, O)."""
    _forward(x, weight, NO_BIAS, out, NO_SUMS, scratch)


def forward_with_bias(
    geometry: Geometry, x: Array, weight: Array, bias: Array, out: Array, scratch: Scratch
) -> None:
    """`forward`, and the bias (O,) added."""
    _forward(x, weight, bias, out, NO_SUMS, scratch)


def forward_with_sums(
    geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch
) -> NDArray[np.float64] | None:
    """`forward`, and the sums of the outputs and of their squares: float64 (2, O); None if O is not in 16s."""
    n_out = len(weight)
    if n_out % LANES:
        return None
    sums = scratch.array("pointwise channel sums", (threadpools.threads(), 2 * n_out), np.float64)
    _forward(x, weight, NO_BIAS, out, sums, scratch)
    return sums.sum(axis=0).reshape(2, n_out)


def backward_data(geometry: Geometry, dout: Array, weight: Array, dx: Array, scratch: Scratch) -> None:
    """Write the gradient of the input (N, H, W, C) into `dx`, given that of the output `dout` (N, H, W, O)."""
    _backward_data(dout, weight, dx, scratch)


def backward_weights(geometry: Geometry, x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    """Write the gradient of the weights (O, C, 1, 1) into `dweight`.

    Where every thread sums over its own part of the rows, the parts are added in a fixed order: the same number
    of threads gives the same bits.
    """
    if dweight.size <= MOST_WEIGHTS:
        _backward(x, dout, None, PLAIN, dweight, None, NO_SUMS, scratch)
    else:
        _share_columns(x, dout, dweight, scratch)


def backward_with_bias(
    geometry: Geometry,
    x: Array,
    dout: Array,
    weight: Array,
    dweight: Array,
    dbias: Array,
    dx: Array | None,
    scratch: Scratch,
) -> bool:
    """All gradients while a chunk of `dout` is in the cache; False, and nothing done, where there is no room.

    That of the bias (O,) is summed in double precision. `dx` is None where it is not needed.
    """
    n_out = len(weight)
    if dweight.size > MOST_WEIGHTS or n_out % LANES:
        return False
    sums = scratch.array("pointwise bias sums", (threadpools.threads(), n_out), np.float64)
    _backward(x, dout, weight, PLAIN, dweight, dx, sums, scratch)
    dbias[:] = sums.sum(axis=0)
    return True


def joins_norm(geometry: Geometry, size: int, input_gradient: bool) -> bool:
    """Whether `backward_through_norm` can be used: without pooling, O in sixteens."""
    return size == 1 and geometry.weights[0] % LANES == 0


def backward_through_norm(
    geometry: Geometry,
    x: Array,
    dout: Array,
    weight: Array,
    norm: Normed,
    size: int,
    dweight: Array,
    dx: Array | None,
    scratch: Scratch,
) -> None:
    """Both gradients, given that of what batch norm and activation make of the output; O a multiple of 16."""
    if dweight.size <= MOST_WEIGHTS:
        _backward(x, dout, weight, norm, dweight, dx, NO_SUMS, scratch)
        return
    gradient = scratch.array("pointwise gradient", dout.shape, np.float32)
    _write_gradient(
        dout.reshape(-1), norm, dout.size // len(dweight), threadpools.threads(), gradient.reshape(-1)
    )
    _share_columns(x, gradient, dweight, scratch)
    if dx is not None:
        _backward_data(gradient, weight, dx, scratch)


def _forward(
    x: Array, weight: Array, bias: Array, out: Array, sums: NDArray[np.float64], scratch: Scratch
) -> None:
    n_out, n_in = weight.shape[:2]
    packed = packed_weights(weight, n_in, n_out, (1, n_in), scratch)
    _multiply_rows(
        x.reshape(-1), packed, n_in, n_out, x.size // n_in, _chunk(n_in, n_out), threadpools.threads(), bias,
        sums, out.reshape(-1),
    )  # fmt: skip


def _backward_data(dout: Array, weight: Array, dx: Array, scratch: Scratch) -> None:
    n_out, n_in = weight.shape[:2]
    packed = packed_weights(weight, n_out, n_in, (n_in, 1), scratch)
    _multiply_rows(
        dout.reshape(-1), packed, n_out, n_in, dout.size // n_out, _chunk(n_in, n_out), threadpools.threads(),
        NO_BIAS, NO_SUMS, dx.reshape(-1),
    )  # fmt: skip


def _backward(
    x: Array,
    dout: Array,
    weight: Array | None,
    norm: Normed,
    dweight: Array,
    dx: Array | None,
    bias_sums: NDArray[np.float64],
    scratch: Scratch,
) -> None:
    n_out, n_in = dweight.shape[:2]
    workers, chunk = threadpools.threads(), _chunk(n_in, n_out)
    sums = scratch.rows("pointwise sums", workers, n_out * n_in, np.float32)
    rows = chunk + 2 * SHORT if norm.kind >= 0 else 0
    gradients = scratch.rows("pointwise gradients", workers, rows * n_out, np.float32)
    if weight is None or dx is None:
        packed, flat_dx = x.reshape(-1)[:0], x.reshape(-1)[:0]
    else:
        packed, flat_dx = packed_weights(weight, n_out, n_in, (n_in, 1), scratch), dx.reshape(-1)
    turned = n_in % LANES > 0
    _backward_rows(
        x.reshape(-1), dout.reshape(-1), norm, packed, n_in, n_out, x.size // n_in, chunk, turned, gradients,
        sums, bias_sums, flat_dx,
    )  # fmt: skip
    total, *others = sums[:, : n_out * n_in]
    for other in others:
        total += other
    _copy_matrix(total, turned, dweight)


def _share_columns(x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    n_out, n_in = dweight.shape[:2]
    rows, workers, turned = x.size // n_in, threadpools.threads(), n_in % LANES > 0
    if turned:
        matrix = scratch.array("pointwise sums", (n_out * n_in,), np.float32)
        _multiply_columns(x.reshape(-1), n_in, dout.reshape(-1), n_out, rows, workers, matrix)
        _copy_matrix(matrix, turned, dweight)
    else:
        _multiply_columns(dout.reshape(-1), n_out, x.reshape(-1), n_in, rows, workers, dweight.reshape(-1))


def _copy_matrix(matrix: Array, turned: bool, dweight: Array) -> None:
    """Copy (O, C), or (C, O) if `turned`, into (O, C, 1, 1)."""
    n_out, n_in = dweight.shape[:2]
    np.copyto(dweight[:, :, 0, 0], matrix.reshape(n_in, n_out).T if turned else matrix.reshape(n_out, n_in))


def packed_weights(
    weight: Array, n_in: int, n_out: int, strides: tuple[int, int], scratch: Scratch
) -> NDArray[np.float32]:
    packed = scratch.array("pointwise weights", (-(-n_out // LANES) * LANES * n_in,), np.float32)
    _pack(weight.reshape(-1), n_in, n_out, *strides, packed)
    return packed


def _chunk(n_in: int, n_out: int) -> int:
    """Rows at a time."""
    return max(CHUNK_BYTES // (4 * (n_in + n_out)) // CHUNK_STEP, 4) * CHUNK_STEP


@njit()
def _pack(weight, n_in, n_out, in_stride, out_stride, packed):
    """The weights panel by panel, in each (in, columns of the panel), as `multiply_panels` takes them.

    One of the strides is 1. One thread is done sooner than another wakes.
    """
    at, column, whole = 0, 0, n_in // LANES * LANES
    while column < n_out:
        panel = next_panel(n_out - column)
        first = min(column, n_out - panel)
        for j in range(0, panel, LANES):
            source = (first + j) * out_stride
            if out_stride == 1:
                for i in range(n_in):
                    store(packed, at + i * panel + j, load(weight, source + i * in_stride))
                continue
            for i in range(0, whole, LANES):
                turn(packed, at + i * panel + j, panel, weight, source + i, out_stride)
            for i in range(whole, n_in):
                for lane in range(LANES):
                    packed[at + i * panel + j + lane] = weight[source + i + lane * out_stride]
        at += n_in * panel
        column += panel


@inner
def share_rows(start, end, part, parts):
    """First and last of the rows start..end-1 that belong to a part; a multiple of 4 but in the last."""
    blocks = (end - start) // SHORT
    last = end if part == parts - 1 else start + blocks * (part + 1) // parts * SHORT
    return start + blocks * part // parts * SHORT, last


@inner
def multiply_panels(x, x_at, packed, n_in, n_out, count, out, out_at):
    """out = x packed for `count` rows, at least 4 of them."""
    whole = count // SHORT * SHORT
    at, column = 0, 0
    while column < n_out:
        panel = next_panel(n_out - column)
        target = out_at + min(column, n_out - panel)
        for overlap in range(1 + (whole < count)):  # the last 4 rows, in part for the second time
            first, last = (count - SHORT, count) if overlap else (0, whole)
            multiply(
                out, target + first * n_out, n_out, x, x_at + first * n_in, Steps(n_in, 1, 0),
                packed, at, panel, Extent(last - first, panel, n_in, 1, 0), NOTHING_COMING,
            )  # fmt: skip
        at += n_in * panel
        column += panel


@inner
def add_columns(a, a_at, n_a, b, b_at, n_b, lowest, beyond, count, sums, accumulate):
    """sums (+)= a^T b over `count` rows, columns lowest..beyond-1 of the n_b, multiples of 16."""
    column = lowest
    while column < beyond:
        panel = next_panel(beyond - column)
        multiply(
            sums, column, n_b, a, a_at, Steps(1, n_a, 0), b, b_at + column, n_b,
            Extent(n_a, panel, count, 1, int(accumulate)), NOTHING_COMING,
        )  # fmt: skip
        column += panel


@njit(parallel=True)
def _multiply_rows(x, packed, n_in, n_out, rows, chunk, workers, bias, sums, out):
    """out = x packed + bias; and if asked for, the sums of each worker's outputs and of their squares."""
    for worker in prange(workers):
        if sums.size:
            sums[worker] = 0.0
        start, end = share_rows(0, rows, worker, workers)
        chunks = (end - start + chunk - 1) // chunk
        for k in range(chunks):
            first, last = share_rows(start, end, k, chunks)
            multiply_panels(x, first * n_in, packed, n_in, n_out, last - first, out, first * n_out)
            if bias.size:
                add_bias(out, first * n_out, last - first, bias)
            if sums.size:
                add_sums(out, first * n_out, last - first, n_out, sums[worker])


@njit(parallel=True)
def _backward_rows(x, dout, norm, packed, n_in, n_out, rows, chunk, turned, gradients, sums, bias_sums, dx):
    """sums[worker] = dz^T x, or x^T dz if `turned`, and if `packed` is not empty dx = dz packed.

    If asked for, `bias_sums` gets the sums of each worker's dz.
    """
    workers = len(sums)
    for worker in prange(workers):
        if bias_sums.size:
            bias_sums[worker] = 0.0
        gradient, total = gradients[worker], sums[worker]
        start, end = share_rows(0, rows, worker, workers)
        chunks = (end - start + chunk - 1) // chunk
        for k in range(chunks):
            first, last = share_rows(start, end, k, chunks)
            count, x_at, at, dz = last - first, first * n_in, first * n_out, dout
            if norm.kind >= 0:
                write_gradient(dout, at, count, norm, gradient, 0)
                dz, at = gradient, 0
            if turned:
                add_columns(x, x_at, n_in, dz, at, n_out, 0, n_out, count, total, k > 0)
            else:
                add_columns(dz, at, n_out, x, x_at, n_in, 0, n_in, count, total, k > 0)
            if bias_sums.size:
                add_row_sums(dz, at, count, n_out, bias_sums[worker])
            if packed.size:
                multiply_panels(dz, at, packed, n_out, n_in, count, dx, x_at)


@njit(parallel=True)
def _write_gradient(dout, norm, rows, workers, gradient):
    channels = norm.slope.size
    for worker in prange(workers):
        start, end = share_rows(0, rows, worker, workers)
        write_gradient(dout, start * channels, end - start, norm, gradient, start * channels)


@njit(parallel=True)
def _multiply_columns(a, n_a, b, n_b, rows, workers, out):
    """out = a^T b, the columns shared among the workers."""
    vectors = n_b // LANES
    for worker in prange(workers):
        lowest, beyond = vectors * worker // workers * LANES, vectors * (worker + 1) // workers * LANES
        add_columns(a, 0, n_a, b, 0, n_b, lowest, beyond, rows, out, False)


KERNEL = CompiledKernel(
    applies,
    forward,
    backward_data,
    backward_weights,
    forward_with_bias=forward_with_bias,
    backward_with_bias=backward_with_bias,
    forward_with_sums=forward_with_sums,
    forward_with_epilogue=implicit_gemm.forward_with_epilogue,  # where it applies too
    joins_norm=joins_norm,
    backward_through_norm=backward_through_norm,
)
