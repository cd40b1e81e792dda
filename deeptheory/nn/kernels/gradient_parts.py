"""The gradient of a convolution's input as convolutions of the gradient of its outputs, one for every parity."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels.compiled_kernel import Array, Geometry
from deeptheory.nn.kernels.matrix_products import panel_width
from deeptheory.nn.kernels.scratch import Scratch


class Sizes(NamedTuple):
    """Sizes of a convolution.

    Images are padded by `top` rows and `left` columns on either side; outputs lie `spread` positions apart.
    """

    n_images: int
    height: int
    width: int
    n_in: int
    out_height: int
    out_width: int
    n_out: int
    kh: int
    kw: int
    stride: int
    top: int
    left: int
    spread: int


class Part(NamedTuple):
    """Outputs that are convolved with the same rows and columns of the kernels.

    Attributes
    ----------
    row, column : int
        Of the first output.
    up, back : int
        Of the padded image, where the patch of that output begins.
    kh, kw : int
        Rows and columns of the kernels.
    packed : int
        Where these lie.
    """

    row: int
    column: int
    up: int
    back: int
    kh: int
    kw: int
    packed: int


class Back(NamedTuple):
    """The convolution that gives the gradient of the input."""

    sizes: Sizes
    parts: NDArray[np.int64]
    packed: Array


def going_back(geometry: Geometry, weight: Array, scratch: Scratch) -> Back:
    """The convolution of dout with the weights turned by half a turn and in and out exchanged.

    With a stride s, only every s-th row and column of the kernels reaches the inputs at (s i + py, s j + px): s**2
    convolutions of stride 1 that read the same.
    """
    stride, padding, (n_out, n_in, kh, kw) = geometry.stride, geometry.padding, weight.shape
    rows, columns = (_reached(size, stride, padding) for size in (kh, kw))
    top, left = (max(max(-low, high) for low, high, _ in of.values()) for of in (rows, columns))
    turned, panel = weight.transpose(2, 3, 0, 1), panel_width(n_in)
    packed = scratch.array("packed gradient lines", (weight.size,), np.float32)
    parts, at = [], 0
    for row, (low, _, kernel_rows) in rows.items():
        for column, (first, _, kernel_columns) in columns.items():
            taps = turned[kernel_rows][:, kernel_columns]
            sides = len(kernel_rows), len(kernel_columns)
            own = packed[at : at + taps.size].reshape(n_in // panel, *sides, n_out, panel)
            np.copyto(own, taps.reshape(*sides, n_out, n_in // panel, panel).transpose(3, 0, 1, 2, 4))
            parts.append(Part(row, column, top + low, left + first, *sides, at))
            at += taps.size
    n, out_height, out_width, _ = geometry.outputs
    _, height, width, _ = geometry.images
    sizes = Sizes(
        n, out_height, out_width, n_out, height // stride, width // stride, n_in, kh, kw, 1, top, left, stride
    )
    return Back(sizes, np.array(parts, np.int64), packed)


def _reached(size: int, stride: int, padding: int) -> dict[int, tuple[int, int, list[int]]]:
    """For inputs at stride*i + p, by p: outputs i + low to i + high reach them, with these taps of the kernel."""
    reached = {}
    for p in range(stride):
        taps = [tap for tap in reversed(range(size)) if (p + padding - tap) % stride == 0]
        offsets = [(p + padding - tap) // stride for tap in taps]
        reached[p] = (min(offsets, default=0), max(offsets, default=0), taps)
    return reached
