"""Depthwise convolution: every channel has a kernel of its own, for any kernel size, stride and padding.

The weights are packed as (kh, kw, C), so that the innermost loops run over neighbouring channels. Where
`depthwise_slabs` has vector kernels, they are called instead.
"""

import numpy as np

from deeptheory.nn.kernels.compiled_kernel import Array, CompiledKernel, Geometry
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.system.compiled import njit, prange

PARTS = 16  # a fixed partition of the batch: the sums do not depend on the number of threads


def applies(geometry: Geometry) -> bool:
    """Whether every channel is a group of its own, with one output."""
    return geometry.groups > 1 and geometry.weights[:2] == (geometry.groups, 1)


def forward(geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch) -> None:
    """Write the convolution of each channel of `x` with its kernel, `weight` (C, 1, kh, kw), into `out`."""
    _forward(x, _packed(weight, scratch), geometry.stride, geometry.padding, out)


def backward_data(geometry: Geometry, dout: Array, weight: Array, dx: Array, scratch: Scratch) -> None:
    """Write the gradient of the loss with respect to the input of `forward` into `dx`."""
    _backward_data(dout, _packed(weight, scratch), geometry.stride, geometry.padding, dx)


def backward_weights(geometry: Geometry, x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    """Write the gradient of the loss with respect to the weights of `forward` into `dweight`."""
    n_channels, _, kh, kw = dweight.shape
    parts = scratch.array("depthwise sums", (PARTS, kh, kw, n_channels), x.dtype)
    _backward_weights(x, dout, geometry.stride, geometry.padding, parts)
    packed = scratch.array("depthwise weight", (kh, kw, n_channels), x.dtype)
    np.sum(parts, axis=0, out=packed)
    np.copyto(dweight[:, 0], packed.transpose(2, 0, 1))


def _packed(weight: Array, scratch: Scratch) -> Array:
    n_channels, _, kh, kw = weight.shape
    packed = scratch.array("depthwise weight", (kh, kw, n_channels), weight.dtype)
    np.copyto(packed, weight[:, 0].transpose(1, 2, 0))
    return packed


@njit(parallel=True)
def _forward(x, packed, stride, padding, out):
    kh, kw, n_channels = packed.shape
    n_images, out_height, out_width = out.shape[:3]
    height, width = x.shape[1:3]
    for r in prange(n_images * out_height):
        image, oy = r // out_height, r % out_height
        for ox in range(out_width):
            target = out[image, oy, ox]
            target[:] = 0.0
            for ky in range(kh):
                for kx in range(kw):
                    y, z = oy * stride - padding + ky, ox * stride - padding + kx
                    if 0 <= y < height and 0 <= z < width:
                        source, tap = x[image, y, z], packed[ky, kx]
                        for c in range(n_channels):
                            target[c] += source[c] * tap[c]


@njit(parallel=True)
def _backward_data(dout, packed, stride, padding, dx):
    kh, kw, n_channels = packed.shape
    out_height, out_width = dout.shape[1:3]
    n_images, height, width = dx.shape[:3]
    for r in prange(n_images * height):
        image, y = r // height, r % height
        for z in range(width):
            target = dx[image, y, z]
            target[:] = 0.0
            for ky in range(kh):
                for kx in range(kw):
                    # The outputs that took position (y, z) through this tap, where the stride lets them.
                    up, left = y + padding - ky, z + padding - kx
                    oy, ox = up // stride, left // stride
                    met = up % stride == 0 and left % stride == 0
                    if met and 0 <= oy < out_height and 0 <= ox < out_width:
                        source, tap = dout[image, oy, ox], packed[ky, kx]
                        for c in range(n_channels):
                            target[c] += source[c] * tap[c]


@njit(parallel=True)
def _backward_weights(x, dout, stride, padding, parts):
    n_parts, kh, kw, n_channels = parts.shape
    n_images, out_height, out_width = dout.shape[:3]
    height, width = x.shape[1:3]
    n_rows = n_images * out_height
    share = (n_rows + n_parts - 1) // n_parts
    for part in prange(n_parts):
        parts[part] = 0.0
        for r in range(part * share, min((part + 1) * share, n_rows)):
            image, oy = r // out_height, r % out_height
            for ox in range(out_width):
                gradient = dout[image, oy, ox]
                for ky in range(kh):
                    for kx in range(kw):
                        y, z = oy * stride - padding + ky, ox * stride - padding + kx
                        if 0 <= y < height and 0 <= z < width:
                            source, total = x[image, y, z], parts[part, ky, kx]
                            for c in range(n_channels):
                                total[c] += source[c] * gradient[c]


KERNEL = CompiledKernel(applies, forward, backward_data, backward_weights)
