"""Convolution by 3 x 3 kernels with stride 1 and padding 1 as Winograd's F(4 x 4, 3 x 3).

Lavin & Gray, "Fast algorithms for convolutional neural networks" (CVPR 2016): an output tile of 4 x 4 needs the
input tile d of 6 x 6 and 36 products instead of 144. With U = G g G^T of the weights,

    V = B^T d B,    M[k] = V[k] U[k] at each of the 36 frequencies k,    Y = A^T M A.

The gradient of the input is the same convolution of the output's gradient with the weights turned by half a
turn; the gradient of the weights is dg = G^T (sum over tiles of V[k]^T (A dY A^T)[k]) G.

Where U is not much larger than the second-level cache, every thread takes chunks of tiles through all three steps
("by tiles"). Where it is, all threads transform the tiles, then each takes one panel of output channels after the
other, so that U of a panel is made, used and forgotten by one thread ("by panels"). Errors against float64 are
below 1e-5 relative to the largest value. Channels must be multiples of 16: `applies` says which layers qualify.
"""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import fused_norm, winograd_by_panels, winograd_by_tiles
from deeptheory.nn.kernels.norm_rows import PLAIN, Normed
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES, explicit
from deeptheory.nn.kernels.winograd_by_tiles import NO_SUMS
from deeptheory.nn.kernels.winograd_tiles import FREQUENCIES, WEIGHT_TAPS
from deeptheory.system import threadpools

U_BYTES = 1 << 22  # of weights that every thread may read again and again: more go by panels


def applies(x: NDArray[Any], weight_shape: tuple[int, ...], stride: int, padding: int) -> bool:
    """Whether a convolution can be computed here: 3 x 3, stride 1, padding 1, float32, channels in sixteens.

    An image of 1 x 1 would leave most of a tile empty and is faster by patches.
    """
    return (
        tuple(weight_shape[2:]) == (3, 3)
        and stride == 1
        and padding == 1
        and weight_shape[0] % LANES == 0
        and weight_shape[1] % LANES == 0
        and explicit(x.dtype)
        and min(x.shape[1:3]) >= 2
    )


def forward(
    x: NDArray[Any],
    weight: NDArray[Any],
    out: NDArray[Any],
    scratch: Scratch,
    epilogue: fused_norm.Epilogue = fused_norm.NO_EPILOGUE,
) -> None:
    """Write the convolution of `x` (N, H, W, C) and `weight` (O, C, 3, 3) into `out` (N, H, W, O).

    With an epilogue, `out` is what `fused.forward` makes of the convolution, half as high and wide with pooling.
    """
    _forward(x, weight, out, NO_SUMS, scratch, epilogue)


def forward_with_sums(
    x: NDArray[Any], weight: NDArray[Any], out: NDArray[Any], scratch: Scratch
) -> NDArray[np.float64]:
    """`forward`, and the sums of the outputs and of their squares for each channel: float64 (2, O)."""
    sums = scratch.array("winograd channel sums", (threadpools.threads(), 2 * len(weight)), np.float64)
    _forward(x, weight, out, sums, scratch, fused_norm.NO_EPILOGUE)
    return sums.sum(axis=0).reshape(2, -1)


def backward_data(dout: NDArray[Any], weight: NDArray[Any], dx: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the input (N, H, W, C) into `dx`, given that of the output `dout` (N, H, W, O)."""
    n_in, strides = weight.shape[1], (weight.shape[1] * WEIGHT_TAPS, WEIGHT_TAPS)
    convolve = _way(weight.shape).convolve
    convolve(dout, weight, n_in, strides, True, dx, NO_SUMS, scratch, fused_norm.NO_EPILOGUE)


def backward_weights(x: NDArray[Any], dout: NDArray[Any], dweight: NDArray[Any], scratch: Scratch) -> None:
    """Write the gradient of the weights (O, C, 3, 3) into `dweight`.

    Every thread sums over its own part of the images and the parts are added in a fixed order, or it sums over
    all for some output channels: the same number of threads gives the same bits.
    """
    if _way(dweight.shape) is winograd_by_tiles:
        winograd_by_tiles.backward(x, dout, dweight, PLAIN, 1, dweight, None, scratch)
    else:
        winograd_by_panels.backward_weights(x, dout, dweight, scratch)


def joins_norm(x: NDArray[Any], weight_shape: tuple[int, ...]) -> bool:
    """Whether `backward` can be used: weights by tiles, and an image at least for every thread."""
    return _way(weight_shape) is winograd_by_tiles and len(x) >= threadpools.threads()


def backward(
    x: NDArray[Any],
    dout: NDArray[Any],
    weight: NDArray[Any],
    norm: Normed,
    size: int,
    dweight: NDArray[Any],
    dx: NDArray[Any] | None,
    scratch: Scratch,
) -> None:
    """Both gradients, given that of what batch norm, activation and pooling make of the output, if `joins_norm`.

    `size` is 2 with 2 x 2 pooling, else 1; `dx` is None where it is not needed.
    """
    winograd_by_tiles.backward(x, dout, weight, norm, size, dweight, dx, scratch)


def _forward(
    x: NDArray[Any],
    weight: NDArray[Any],
    out: NDArray[Any],
    sums: NDArray[np.float64],
    scratch: Scratch,
    epilogue: fused_norm.Epilogue,
) -> None:
    n_out, strides = len(weight), (WEIGHT_TAPS, weight.shape[1] * WEIGHT_TAPS)
    _way(weight.shape).convolve(x, weight, n_out, strides, False, out, sums, scratch, epilogue)


def _way(weight_shape: tuple[int, ...]) -> ModuleType:
    """The module that computes with weights of this shape."""
    n_out, n_in = weight_shape[:2]
    by_tiles = 4 * FREQUENCIES * n_in * n_out <= U_BYTES
    return winograd_by_tiles if by_tiles else winograd_by_panels
