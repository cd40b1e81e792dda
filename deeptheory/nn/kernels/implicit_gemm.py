"""Convolution as products of image lines and weights, without patches written out.

In a padded image stored as (row, column, channel), the kw*C elements that a row of the kernel covers lie side by
side, and those of the next output position `stride`*C elements further on. So a product that steps through the kh
lines reads its patches where they lie. For kernels of any size and stride where Winograd's algorithm does not
apply, first of all the layer that sees the images.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import fused_norm
from deeptheory.nn.kernels.matrix_products import SLACK, multiply, panel_width
from deeptheory.nn.kernels.norm_rows import Normed, add_sums, write_gradient
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES, explicit, fma, load, store
from deeptheory.system import threadpools
from deeptheory.system.compiled import inner, njit, prange, signed

NO_SUMS = np.empty((0, 0))


def applies(out: NDArray[Any], weight_shape: tuple[int, ...]) -> bool:
    """Whether an output (N, OH, OW, O) can be computed here: float32, O in sixteens, OW in fours."""
    return explicit(out.dtype) and weight_shape[0] % LANES == 0 and out.shape[2] % (SLACK + 1) == 0


def forward(
    x: NDArray[Any],
    weight: NDArray[Any],
    stride: int,
    padding: int,
    out: NDArray[Any],
    scratch: Scratch,
    epilogue: fused_norm.Epilogue = fused_norm.NO_EPILOGUE,
) -> None:
    """Write the convolution of `x` (N, H, W, C) and `weight` (O, C, kh, kw) into `out` (N, OH, OW, O).

    With an epilogue, which must be without pooling, `out` is what `fused.forward` makes of the convolution.
    """
    _convolve(x, weight.transpose(2, 3, 1, 0), stride, padding, padding, out, NO_SUMS, scratch, epilogue)


def forward_with_sums(
    x: NDArray[Any], weight: NDArray[Any], stride: int, padding: int, out: NDArray[Any], scratch: Scratch
) -> NDArray[np.float64]:
    """`forward`, and the sums of the outputs and of their squares: float64 (2, O)."""
    sums = scratch.array("line channel sums", (threadpools.threads(), 2 * len(weight)), np.float64)
    lines = weight.transpose(2, 3, 1, 0)
    _convolve(x, lines, stride, padding, padding, out, sums, scratch, fused_norm.NO_EPILOGUE)
    return sums.sum(axis=0).reshape(2, -1)


def backward_data(
    dout: NDArray[Any], weight: NDArray[Any], padding: int, dx: NDArray[Any], scratch: Scratch
) -> None:
    """Write the gradient of the input (N, H, W, C) into `dx`, for a stride of 1."""
    kh, kw = weight.shape[2:]
    # The convolution of dout with the weights turned by half a turn and in and out exchanged.
    turned = weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)
    _convolve(
        dout, turned, 1, kh - 1 - padding, kw - 1 - padding, dx, NO_SUMS, scratch, fused_norm.NO_EPILOGUE
    )


def backward_weights(
    x: NDArray[Any],
    dout: NDArray[Any],
    norm: Normed,
    stride: int,
    padding: int,
    dweight: NDArray[Any],
    scratch: Scratch,
) -> None:
    """Write the gradient of the weights (O, C, kh, kw) into `dweight`; threads add in a fixed order.

    `dout` is the gradient of what `norm` and its activation make of the output; with `rows.PLAIN`, of the output.
    """
    n_out, n_in, kh, kw = dweight.shape
    workers = min(threadpools.threads(), len(x))
    sums = scratch.array("line sums", (workers, kh, kw * n_in + SLACK, n_out), np.float32)
    rows = dout.shape[1] * dout.shape[2] if norm.kind >= 0 else 0
    gradients = scratch.array("line gradients", (workers, rows * n_out), np.float32)
    padded = _padded(x, padding, padding, workers, scratch)
    flat = x.reshape(-1), dout.reshape(-1), norm, gradients, sums.reshape(workers, -1)
    _sum_lines(*flat, *x.shape, dout.shape[1:], kh, kw, stride, padding, padding, padded)
    total = sums[0, :, : kw * n_in]
    for worker in range(1, workers):
        total += sums[worker, :, : kw * n_in]
    np.copyto(dweight, total.reshape(kh, kw, n_in, n_out).transpose(3, 2, 0, 1))


def _convolve(
    x: NDArray[Any],
    weight: NDArray[Any],
    stride: int,
    top: int,
    left: int,
    out: NDArray[Any],
    sums: NDArray[np.float64],
    scratch: Scratch,
    epilogue: fused_norm.Epilogue,
) -> None:
    """`weight` is (kh, kw, C, O); the image is padded by `top` rows and `left` columns on either side."""
    kh, kw, n_in, n_out = weight.shape
    panel = panel_width(n_out)
    packed = scratch.array("packed lines", (n_out // panel, kh, kw, n_in, panel), np.float32)
    np.copyto(packed, weight.reshape(kh, kw, n_in, -1, panel).transpose(3, 0, 1, 2, 4))
    workers = min(threadpools.threads(), len(x))
    padded = _padded(x, top, left, workers, scratch)
    flat = x.reshape(-1), packed.reshape(-1), out.reshape(-1)
    place = out.shape[1:], kh, kw, stride, top, left, padded
    _multiply_lines(*flat, *x.shape, *place, epilogue.slope, epilogue.shift, epilogue.kind, sums)


def _padded(x: NDArray[Any], top: int, left: int, workers: int, scratch: Scratch) -> NDArray[np.float32]:
    """Scratch for one padded image of every worker, and what products read after its last line."""
    _, height, width, n_in = x.shape
    size = (height + 2 * top) * (width + 2 * left) * n_in + (SLACK + 1) * LANES
    padded = scratch.array("padded image", (workers, -(-size // LANES) * LANES), np.float32)
    padded[:] = 0
    return padded


@inner
def _pad(x, image, height, width, n_in, top, left, padded):
    """Copy an image into the middle of `padded`, whose border is zero."""
    line, padded_line = width * n_in, (width + 2 * left) * n_in
    for row in range(height):
        source, target = (image * height + row) * line, (top + row) * padded_line + left * n_in
        for e in range(line):  # an assignment of slices takes two seconds to compile
            padded[target + e] = x[source + e]


@inner
def _finish_line(out, at, width, channels, slope, shift, kind):
    for position in range(width):
        for c in range(0, channels, LANES):
            place = at + position * channels + c
            z = fma(load(out, place), load(slope, c), load(shift, c))
            store(out, place, fused_norm.activate(z, kind))


@njit(parallel=True)
def _multiply_lines(
    x, packed, out, n_images, height, width, n_in, out_shape, kh, kw, stride, top, left, padded,
    slope, shift, kind, sums,
):  # fmt: skip
    out_height, out_width, n_out = out_shape
    panel, workers = panel_width(n_out), len(padded)
    line, depth = (width + 2 * left) * n_in, kw * n_in
    sums[:] = 0.0
    for index in prange(workers):
        worker = signed(index)
        own = padded[worker]
        for image in range(n_images * worker // workers, n_images * (worker + 1) // workers):
            _pad(x, image, height, width, n_in, top, left, own)
            for row in range(out_height):
                target = (image * out_height + row) * out_width * n_out
                for p in range(n_out // panel):
                    multiply(
                        out, target + p * panel, n_out, own, row * stride * line, stride * n_in, 1, line,
                        packed, p * kh * depth * panel, panel, out_width, panel, depth, kh, False,
                    )  # fmt: skip
                if kind >= 0:
                    _finish_line(out, target, out_width, n_out, slope, shift, kind)
                if sums.size:
                    add_sums(out, target, out_width, n_out, sums[worker])


@njit(parallel=True)
def _sum_lines(
    x,
    dout,
    norm,
    gradients,
    sums,
    n_images,
    height,
    width,
    n_in,
    out_shape,
    kh,
    kw,
    stride,
    top,
    left,
    padded,
):
    out_height, out_width, n_out = out_shape
    panel, workers = panel_width(n_out), len(padded)
    line, depth = (width + 2 * left) * n_in, kw * n_in
    for index in prange(workers):
        worker = signed(index)
        own, total = padded[worker], sums[worker]
        first = n_images * worker // workers
        for image in range(first, n_images * (worker + 1) // workers):
            _pad(x, image, height, width, n_in, top, left, own)
            positions = out_height * out_width
            at = image * positions * n_out
            gradient = dout
            if norm.kind >= 0:
                gradient = gradients[worker]
                write_gradient(dout, at, positions, norm, gradient, 0)
                at = 0
            for ky in range(kh):
                for p in range(n_out // panel):
                    multiply(
                        total, ky * (depth + SLACK) * n_out + p * panel, n_out,
                        own, ky * line, 1, stride * n_in, stride * line,
                        gradient, at + p * panel, n_out, depth, panel, out_width, out_height, image > first,
                    )  # fmt: skip
