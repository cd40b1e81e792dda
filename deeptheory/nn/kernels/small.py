"""Convolution of images so small that every output position sees every input position: one matrix product.

A 3 x 3 kernel with padding 1 on an image of 2 x 2 connects all four input positions with all four output
positions. Written as the matrix between (position, channel) pairs it needs no patches, and no product with the
padding: 16 products of channels in place of 36.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.compiled import njit, prange
from deeptheory.nn.kernels.scratch import Scratch


def applies(x: NDArray[Any], weight_shape: tuple[int, ...], stride: int, padding: int) -> bool:
    """Whether the convolution keeps the image's size and its kernel reaches from any position to any other."""
    height, width = x.shape[1:3]
    kh, kw = weight_shape[2:]
    same_size = stride == 1 and kh == kw == 2 * padding + 1
    return same_size and padding > 0 and max(height, width) <= padding + 1


def forward(x: NDArray[Any], weight: NDArray[Any], out: NDArray[Any], scratch: Scratch) -> None:
    """Write the convolution of `x` (N, H, W, C) and `weight` (O, C, k, k) into `out` (N, H, W, O)."""
    np.matmul(_flat(x), _matrix(weight, x.shape[1:3], scratch).T, out=_flat(out))


def backward_data(dout: NDArray[Any], weight: NDArray[Any], dx: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the input (N, H, W, C) into `dx`, given that of the output `dout` (N, H, W, O)."""
    np.matmul(_flat(dout), _matrix(weight, dx.shape[1:3], scratch), out=_flat(dx))


def backward_weights(x: NDArray[Any], dout: NDArray[Any], dweight: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the weights (O, C, k, k) into `dweight`."""
    matrix = scratch.array("position matrix", (_flat(dout).shape[1], _flat(x).shape[1]), x.dtype)
    np.matmul(_flat(dout).T, _flat(x), out=matrix)
    _fold(matrix, x.shape[1], x.shape[2], dweight)


def _matrix(weight: NDArray[Any], image: tuple[int, ...], scratch: Scratch) -> NDArray[Any]:
    """The convolution as a matrix (positions * O, positions * C)."""
    n_out, n_in = weight.shape[:2]
    positions = image[0] * image[1]
    matrix = scratch.array("position matrix", (positions * n_out, positions * n_in), weight.dtype)
    _unfold(weight, image[0], image[1], matrix)
    return matrix


@njit(parallel=True)
def _unfold(weight, height, width, matrix):
    """matrix[(q, o), (p, c)] = weight[o, c, p - q + padding], for output position q and input position p."""
    n_out, n_in, size = weight.shape[0], weight.shape[1], weight.shape[2]
    for o in prange(n_out):
        for q in range(height * width):
            line = matrix[q * n_out + o]
            for p in range(height * width):
                row = p // width - q // width + size // 2
                column = p % width - q % width + size // 2
                for c in range(n_in):
                    line[p * n_in + c] = weight[o, c, row, column]


@njit(parallel=True)
def _fold(matrix, height, width, weight):
    """The transpose of `_unfold`: sum over the pairs of positions that a weight connects."""
    n_out, n_in, size = weight.shape[0], weight.shape[1], weight.shape[2]
    for o in prange(n_out):
        weight[o] = 0.0
        for q in range(height * width):
            line = matrix[q * n_out + o]
            for p in range(height * width):
                row = p // width - q // width + size // 2
                column = p % width - q % width + size // 2
                for c in range(n_in):
                    weight[o, c, row, column] += line[p * n_in + c]


def _flat(x: NDArray[Any]) -> NDArray[Any]:
    return x.reshape(len(x), -1)
