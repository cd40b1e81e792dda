"""Convolution (cross-correlation) as a product of patches and weights.

Patches are written a few image rows at a time into the scratch of one worker and multiplied by
single-threaded BLAS, so memory does not grow with the batch. Callers hold
`deeptheory.system.threadpools.kernel_threads()`.
"""

import numpy as np

from deeptheory.nn.kernels.compiled_kernel import Array, CompiledKernel, Geometry
from deeptheory.nn.kernels.scratch import Scratch
from deeptheory.system import threadpools
from deeptheory.system.compiled import njit, prange

PATCH_ELEMENTS = 1 << 17  # patches of one chunk stay in the second-level cache
WEIGHT_PATCH_ELEMENTS = 1 << 19  # larger: each chunk adds one whole weight gradient


def applies(geometry: Geometry) -> bool:
    """It takes any convolution in one group."""
    return geometry.groups == 1


def forward(geometry: Geometry, x: Array, weight: Array, out: Array, scratch: Scratch) -> None:
    """`convolution.forward`, for any shape and dtype."""
    n_out, n_in, kh, kw = weight.shape
    packed = scratch.array("packed", (kh, kw, n_in, n_out), x.dtype)
    np.copyto(packed, weight.transpose(2, 3, 1, 0))
    _multiply_patches(x, packed, geometry.stride, geometry.padding, geometry.padding, out, scratch)


def backward_data(geometry: Geometry, dout: Array, weight: Array, dx: Array, scratch: Scratch) -> None:
    """`convolution.backward_data`, for any shape and dtype."""
    (n_out, n_in, kh, kw), stride, padding = weight.shape, geometry.stride, geometry.padding
    if stride == 1 and padding < min(kh, kw):
        # The convolution of dout with the weights turned by half a turn and in and out exchanged.
        packed = scratch.array("packed", (kh, kw, n_out, n_in), dout.dtype)
        np.copyto(packed, weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1))
        _multiply_patches(dout, packed, 1, kh - 1 - padding, kw - 1 - padding, dx, scratch)
        return
    packed = scratch.array("packed", (n_out, kh, kw, n_in), dout.dtype)
    np.copyto(packed, weight.transpose(0, 2, 3, 1))
    workers = min(threadpools.threads(), len(dx))
    patches = scratch.array("patches", (workers, dout.shape[1] * dout.shape[2] * kh * kw * n_in), dout.dtype)
    _scatter_patches(dout, packed.reshape(n_out, -1), kh, kw, stride, padding, patches, dx)


def backward_weights(geometry: Geometry, x: Array, dout: Array, dweight: Array, scratch: Scratch) -> None:
    """`convolution.backward_weights`, for any shape and dtype.

    The batch is cut into as many parts as there are threads and their sums are added in a fixed order.
    """
    n_out, n_in, kh, kw = dweight.shape
    depth = kh * kw * n_in
    n_rows, row = dout.shape[0] * dout.shape[1], dout.shape[2]
    workers = min(threadpools.threads(), n_rows)
    share = -(-n_rows // workers)
    chunk = min(max(1, WEIGHT_PATCH_ELEMENTS // (row * depth)), share)
    patches = scratch.array("patches", (workers, chunk * row * depth), x.dtype)
    sums = scratch.array("weight sums", (workers, 2, depth, n_out), x.dtype)
    _sum_patch_products(x, dout, kh, kw, geometry.stride, geometry.padding, share, chunk, patches, sums)
    total = sums[0, 0]
    for worker in range(1, workers):
        total += sums[worker, 0]
    np.copyto(dweight, total.reshape(kh, kw, n_in, n_out).transpose(3, 2, 0, 1))


def _multiply_patches(
    x: Array, packed: Array, stride: int, top: int, left: int, out: Array, scratch: Scratch
) -> None:
    kh, kw, n_in, n_out = packed.shape
    depth = kh * kw * n_in
    n_rows, row = out.shape[0] * out.shape[1], out.shape[2]
    workers = min(threadpools.threads(), n_rows)
    chunk = min(max(1, PATCH_ELEMENTS // (row * depth)), -(-n_rows // workers))
    patches = scratch.array("patches", (workers, chunk * row * depth), x.dtype)
    _convolve(x, packed.reshape(depth, n_out), kh, kw, stride, top, left, chunk, patches, out)


@njit()
def _gather_patches(x, out_height, row, kh, kw, stride, top, left, first, last, patches):
    """Write the patches of output rows first..last-1, counted over the batch, as (positions, kh*kw*C)."""
    # Unsigned indices spare the test for negative ones, which keeps the copies from being vectorised.
    height, width, n_in = x.shape[1], x.shape[2], x.shape[3]
    line = np.uint64(kw * n_in)
    source = x.reshape(x.size)
    target = np.uint64(0)
    for r in range(first, last):
        image = r // out_height
        y0 = (r - image * out_height) * stride - top
        for column in range(row):
            x0 = column * stride - left
            outside = min(max(0, -x0), kw)
            lead = np.uint64(outside * n_in)  # elements left of the image
            inside = np.uint64(max(min(kw, width - x0) - outside, 0) * n_in)
            for ky in range(kh):
                y = y0 + ky
                if y < 0 or y >= height or inside == 0:
                    for e in range(line):
                        patches[target + e] = 0.0
                else:
                    start = np.uint64(((image * height + y) * width + x0 + outside) * n_in)
                    for e in range(lead):
                        patches[target + e] = 0.0
                    for e in range(inside):
                        patches[target + lead + e] = source[start + e]
                    for e in range(lead + inside, line):
                        patches[target + e] = 0.0
                target += line


@njit(parallel=True)
def _convolve(x, packed, kh, kw, stride, top, left, chunk, patches, out):
    n_rows, row = out.shape[0] * out.shape[1], out.shape[2]
    depth, n_out = packed.shape
    flat = out.reshape(n_rows * row, n_out)
    pointwise = x.reshape(x.size // x.shape[3], x.shape[3])
    direct = kh == 1 and kw == 1 and stride == 1 and top == 0 and left == 0
    workers = len(patches)
    share = (n_rows + workers - 1) // workers
    for worker in prange(workers):
        end = min((worker + 1) * share, n_rows)
        for first in range(worker * share, end, chunk):
            last = min(first + chunk, end)
            if direct:
                np.dot(pointwise[first * row : last * row], packed, flat[first * row : last * row])
            else:
                size = (last - first) * row * depth
                _gather_patches(x, out.shape[1], row, kh, kw, stride, top, left, first, last, patches[worker])
                block = patches[worker][:size].reshape((last - first) * row, depth)
                np.dot(block, packed, flat[first * row : last * row])


@njit(parallel=True)
def _sum_patch_products(x, dout, kh, kw, stride, padding, share, chunk, patches, sums):
    n_rows, row = dout.shape[0] * dout.shape[1], dout.shape[2]
    depth = sums.shape[2]
    flat = dout.reshape(n_rows * row, dout.shape[3])
    pointwise = x.reshape(x.size // x.shape[3], x.shape[3])
    direct = kh == 1 and kw == 1 and stride == 1 and padding == 0
    for worker in prange(len(patches)):
        total, part = sums[worker, 0], sums[worker, 1]
        total[:] = 0.0
        end = min((worker + 1) * share, n_rows)
        for first in range(worker * share, end, chunk):
            last = min(first + chunk, end)
            gradient = flat[first * row : last * row]
            if direct:
                np.dot(pointwise[first * row : last * row].T, gradient, part)
            else:
                size = (last - first) * row * depth
                _gather_patches(
                    x, dout.shape[1], row, kh, kw, stride, padding, padding, first, last, patches[worker]
                )
                block = patches[worker][:size].reshape((last - first) * row, depth)
                np.dot(block.T, gradient, part)
            for d in range(depth):
                for o in range(total.shape[1]):
                    total[d, o] += part[d, o]


@njit(parallel=True)
def _scatter_patches(dout, packed, kh, kw, stride, padding, patches, dx):
    # Unsigned indices, as in `_gather_patches`.
    out_height, row, n_out = dout.shape[1], dout.shape[2], dout.shape[3]
    n_images, height, width, n_in = dx.shape
    workers, target, channels = len(patches), dx.reshape(dx.size), np.uint64(n_in)
    share = (n_images + workers - 1) // workers
    for worker in prange(workers):
        block = patches[worker].reshape(out_height * row, kh * kw * n_in)
        for image in range(worker * share, min((worker + 1) * share, n_images)):
            np.dot(dout[image].reshape(out_height * row, n_out), packed, block)
            dx[image] = 0.0
            for p in range(out_height * row):
                for k in range(kh * kw):
                    y = p // row * stride - padding + k // kw
                    z = p % row * stride - padding + k % kw
                    if 0 <= y < height and 0 <= z < width:
                        to = np.uint64(((image * height + y) * width + z) * n_in)
                        source = np.uint64((p * kh * kw + k) * n_in)
                        for c in range(channels):
                            target[to + c] += patches[worker, source + c]


KERNEL = CompiledKernel(applies, forward, backward_data, backward_weights)
