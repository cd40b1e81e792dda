"""Convolution by kernels that cover a row of the image from end to end: 1 x 1 on rows as positions.

The W*C numbers of a row lie side by side, so a row is one position with as many channels. The output projection of
attention reads its heads so.
"""

import numpy as np

from deeptheory.nn.kernels import pointwise
from deeptheory.nn.kernels.compiled_kernel import Array, CompiledKernel, Geometry
from deeptheory.nn.kernels.scratch import Scratch


def applies(geometry: Geometry) -> bool:
    """Whether kernels are as wide as the image and 1 high, without padding, and `pointwise` takes the rows."""
    covering = geometry.weights[2:] == (1, geometry.images[2]) and geometry.images[2] > 1
    plain = geometry.groups == geometry.stride == 1 and geometry.padding == 0
    return covering and plain and pointwise.applies(_rows(geometry))


def forward(geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch) -> None:
    """Write the products of rows (N, H, W, C) and `weight` (O, C, 1, W) into `out` (N, H, 1, O)."""
    rows = _rows(geometry)
    pointwise.forward(rows, x.reshape(rows.images), _turned(rows, weight, scratch), out, scratch)


def backward_data(geometry: Geometry, dout: Array, weight: Array, dx: Array, scratch: Scratch) -> None:
    """Write the gradient of the input."""
    rows = _rows(geometry)
    pointwise.backward_data(rows, dout, _turned(rows, weight, scratch), dx.reshape(rows.images), scratch)


def backward_weights(geometry: Geometry, x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    """Write the gradient of the weights."""
    rows = _rows(geometry)
    dturned = scratch.array("gradients of rows", rows.weights, dweight.dtype)
    pointwise.backward_weights(rows, x.reshape(rows.images), dout, dturned, scratch)
    _turn_back(dturned, dweight)


def forward_with_bias(
    geometry: Geometry, x: Array, weight: Array, bias: Array, out: Array, scratch: Scratch
) -> None:
    """`forward`, and the bias (O,) added."""
    rows = _rows(geometry)
    turned = _turned(rows, weight, scratch)
    pointwise.forward_with_bias(rows, x.reshape(rows.images), turned, bias, out, scratch)


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
    """All gradients in one pass over `dout`; False, and nothing done, where `pointwise` cannot."""
    rows = _rows(geometry)
    dturned = scratch.array("gradients of rows", rows.weights, dweight.dtype)
    dx_rows = None if dx is None else dx.reshape(rows.images)
    done = pointwise.backward_with_bias(
        rows, x.reshape(rows.images), dout, _turned(rows, weight, scratch), dturned, dbias, dx_rows, scratch
    )
    if done:
        _turn_back(dturned, dweight)
    return done


def _rows(geometry: Geometry) -> Geometry:
    (n, height, width, n_in), n_out = geometry.images, geometry.weights[0]
    return geometry._replace(images=(n, height, 1, width * n_in), weights=(n_out, width * n_in, 1, 1))


def _turned(rows: Geometry, weight: Array, scratch: Scratch) -> Array:
    """The weights (O, C, 1, W) as (O, W*C, 1, 1)."""
    n_out, n_in, _, width = weight.shape
    turned = scratch.array("weights of rows", (n_out, width, n_in), weight.dtype)
    np.copyto(turned, weight[:, :, 0].swapaxes(1, 2))
    return turned.reshape(rows.weights)


def _turn_back(dturned: Array, dweight: Array) -> None:
    n_out, n_in, _, width = dweight.shape
    np.copyto(dweight[:, :, 0], dturned.reshape(n_out, width, n_in).swapaxes(1, 2))


KERNEL = CompiledKernel(
    applies,
    forward,
    backward_data,
    backward_weights,
    forward_with_bias=forward_with_bias,
    backward_with_bias=backward_with_bias,
)
