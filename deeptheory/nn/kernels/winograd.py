"""Convolution by 3 x 3 kernels with stride 1 and padding 1 as Winograd's F(4 x 4, 3 x 3).

Lavin & Gray, "Fast algorithms for convolutional neural networks" (CVPR 2016): an output tile of 4 x 4 needs the
input tile d of 6 x 6 and 36 products instead of 144. With U = G g G^T of the weights,

    V = B^T d B,    M[k] = V[k] U[k] at each of the 36 frequencies k,    Y = A^T M A.

The gradient of the input is the same convolution of the output's gradient with the weights turned by half a
turn; the gradient of the weights is dg = G^T (sum over tiles of V[k]^T (A dY A^T)[k]) G.

Where U is not much larger than the second-level cache, every thread takes chunks of tiles through all three steps
("by tiles"), or where tiles are few, some output channels ("by channels"). Where U is larger, all threads
transform the tiles, then each takes one panel of output channels after the other, so that U of a panel is made,
used and forgotten by one thread ("by panels"). `WAYS` is the table of the three. Errors against float64 are
about 1e-5 of the largest value, 2e-5 in sums over many positions. Channels must be multiples of 16: `applies` says
which layers qualify.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.nn.kernels import winograd_by_channels, winograd_by_panels, winograd_by_tiles
from deeptheory.nn.kernels.compiled_kernel import Array, CompiledKernel, Geometry
from deeptheory.nn.kernels.fused_norm import NO_EPILOGUE, Epilogue
from deeptheory.nn.kernels.norm_rows import Normed
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.nn.kernels.vectors import LANES, explicit
from deeptheory.nn.kernels.winograd_tiles import FREQUENCIES, NO_SUMS, Weights
from deeptheory.system import threadpools

U_BYTES = 1 << 22  # of weights that every thread may read again and again: more go by panels


def applies(geometry: Geometry) -> bool:
    """Whether a convolution can be computed here: 3 x 3, stride 1, padding 1, float32, channels in sixteens.

    An image of 1 x 1 would leave most of a tile empty and is faster by patches.
    """
    n_out, n_in = geometry.weights[:2]
    return (
        geometry.matches(3, stride=1, padding=1)
        and n_out % LANES == n_in % LANES == 0
        and explicit(geometry.dtype)
        and min(geometry.images[1:3]) >= 2
    )


def forward(geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch) -> None:
    """Write the convolution of `x` (N, H, W, C) and `weight` (O, C, 3, 3) into `out` (N, H, W, O)."""
    _way(geometry).convolve(x, Weights.forward(weight), NO_EPILOGUE, out, NO_SUMS, scratch)


def forward_with_sums(
    geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch
) -> NDArray[np.float64]:
    """`forward`, and the sums of the outputs and of their squares for each channel: float64 (2, O)."""
    sums = scratch.array("winograd channel sums", (threadpools.threads(), 2 * len(weight)), np.float64)
    _way(geometry).convolve(x, Weights.forward(weight), NO_EPILOGUE, out, sums, scratch)
    return sums.sum(axis=0).reshape(2, -1)


def forward_with_epilogue(
    geometry: Geometry, x: Array, weight: Array, epilogue: Epilogue, out: Array, scratch: Scratch
) -> bool:
    """Write what `fused_norm.forward` makes of the convolution; `out` is half as high and wide with pooling."""
    _way(geometry).convolve(x, Weights.forward(weight), epilogue, out, NO_SUMS, scratch)
    return True


def backward_data(geometry: Geometry, dout: Array, weight: Array, dx: Array, scratch: Scratch) -> None:
    """Write the gradient of the input (N, H, W, C) into `dx`, given that of the output `dout` (N, H, W, O)."""
    _way(geometry).convolve(dout, Weights.backward(weight), NO_EPILOGUE, dx, NO_SUMS, scratch)


def backward_weights(geometry: Geometry, x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    """Write the gradient of the weights (O, C, 3, 3) into `dweight`.

    Every thread sums over its own part of the images and the parts are added in a fixed order, or it sums over
    all for some output channels: the same number of threads gives the same bits.
    """
    _way(geometry).backward_weights(x, dout, dweight, scratch)


def joins_norm(geometry: Geometry, size: int, input_gradient: bool) -> bool:
    """Whether `backward_through_norm` can be used: not by panels, and an image at least for every thread."""
    return _way(geometry).backward is not None and geometry.images[0] >= threadpools.threads()


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
    """Both gradients, given that of what batch norm, activation and pooling make of the output, if `joins_norm`.

    `size` is 2 with 2 x 2 pooling, else 1; `dx` is None where it is not needed.
    """
    compute = _way(geometry).backward
    assert compute is not None
    compute(x, dout, weight, norm, size, dweight, dx, scratch)


class Way(NamedTuple):
    """How the work is shared among threads.

    Attributes
    ----------
    applies : (Geometry, threads) -> bool
    convolve : (x, Weights, Epilogue, out, sums, Scratch)
    backward_weights : (x, dout, dweight, Scratch)
    backward : (x, dout, weight, Normed, size, dweight, dx or None, Scratch), optional
        Both gradients, as `backward_through_norm`.
    """

    applies: Callable[[Geometry, int], bool]
    convolve: Callable[..., None]
    backward_weights: Callable[..., None]
    backward: Callable[..., None] | None = None


def _read_again(geometry: Geometry, threads: int) -> bool:
    """Whether U is small enough to be read again and again."""
    n_out, n_in = geometry.weights[:2]
    return 4 * FREQUENCIES * n_in * n_out <= U_BYTES


def _by_channels(geometry: Geometry, threads: int) -> bool:
    return _read_again(geometry, threads) and winograd_by_channels.applies(geometry, threads)


WAYS = (  # the first that applies computes
    Way(
        _by_channels,
        winograd_by_channels.convolve,
        winograd_by_channels.backward_weights,
        winograd_by_channels.backward,
    ),
    Way(
        _read_again,
        winograd_by_tiles.convolve,
        winograd_by_tiles.backward_weights,
        winograd_by_tiles.backward,
    ),
    Way(lambda geometry, threads: True, winograd_by_panels.convolve, winograd_by_panels.backward_weights),
)


def _way(geometry: Geometry) -> Way:
    """The way for a convolution with the threads that there are."""
    threads = threadpools.threads()
    return next(way for way in WAYS if way.applies(geometry, threads))


KERNEL = CompiledKernel(
    applies,
    forward,
    backward_data,
    backward_weights,
    forward_with_sums=forward_with_sums,
    forward_with_epilogue=forward_with_epilogue,
    joins_norm=joins_norm,
    backward_through_norm=backward_through_norm,
)
