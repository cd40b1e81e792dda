"""The convolution kernels against their definitions."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import definitions, grouped_convolution, im2col
from deeptheory.system import threadpools

TOLERANCE = {np.float32: 2e-6, np.float64: 1e-14}  # relative to the largest value; float32: 4e-7 seen


def assert_close(found, expected, tolerance):
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("images", "channels", "groups", "kernel", "stride", "padding"),
    [
        ((5, 6, 7), (3, 4), 1, (3, 3), 1, 1),
        ((5, 9, 8), (16, 16), 1, (3, 3), 2, 1),
        ((5, 8, 8), (3, 32), 1, (3, 3), 1, 1),
        ((5, 8, 8), (32, 16), 1, (1, 1), 1, 0),
        ((4, 12, 12), (1, 6), 1, (5, 5), 1, 0),
        ((4, 11, 9), (3, 5), 1, (3, 3), 2, 1),
        ((3, 7, 7), (2, 3), 1, (4, 2), 3, 2),
        ((6, 1, 1), (20, 7), 1, (1, 1), 1, 0),
        ((3, 4, 5), (20, 48), 1, (1, 1), 1, 0),
        ((3, 5, 5), (6, 7), 1, (1, 1), 2, 0),
        ((6, 1, 1), (20, 7), 1, (3, 3), 1, 1),
        ((5, 2, 2), (6, 7), 1, (3, 3), 1, 1),
        ((5, 2, 1), (16, 32), 1, (3, 3), 1, 1),
        ((5, 2, 2), (64, 64), 1, (3, 3), 1, 1),
        ((3, 2, 2), (2, 3), 1, (5, 5), 1, 2),
        ((2, 3, 3), (2, 3), 1, (1, 2), 1, 3),
        ((3, 6, 5), (6, 4), 2, (3, 3), 1, 1),
        ((3, 6, 5), (4, 8), 4, (3, 3), 2, 1),
        ((3, 8, 7), (16, 16), 16, (3, 3), 1, 1),
        ((3, 8, 7), (16, 16), 16, (3, 3), 2, 1),
        ((5, 9, 8), (48, 48), 48, (5, 5), 1, 2),
        ((5, 9, 8), (32, 32), 32, (5, 5), 2, 2),
        ((3, 7, 8), (5, 5), 5, (5, 5), 2, 2),
        ((1, 2, 2), (16, 16), 16, (5, 5), 1, 2),
    ],
)
def test_kernels_agree_with_their_definitions(images, channels, groups, kernel, stride, padding, dtype):
    rng, place = np.random.default_rng(0), (stride, padding, groups)
    n_in, n_out = channels
    x = rng.standard_normal((*images, n_in)).astype(dtype)
    weight = rng.standard_normal((n_out, n_in // groups, *kernel)).astype(dtype)
    exact_x, exact_weight = x.astype(np.float64), weight.astype(np.float64)
    expected = definitions.convolution(exact_x, exact_weight, *place)
    dout = rng.standard_normal(expected.shape).astype(dtype)
    exact_dout = dout.astype(np.float64)
    out, dx, dweight = (np.full(a.shape, np.nan, dtype) for a in (expected, x, weight))
    scratch = kernels.Scratch()
    with threadpools.kernel_threads():
        for _ in range(2):  # the second time over the scratch of the first
            grouped_convolution.grouped_forward(x, weight, groups, stride, padding, out, scratch)
            grouped_convolution.grouped_backward_data(dout, weight, groups, stride, padding, dx, scratch)
            grouped_convolution.grouped_backward_weights(x, dout, groups, stride, padding, dweight, scratch)
    assert_close(out, expected, TOLERANCE[dtype])
    expected_dx = definitions.convolution_data_gradient(exact_dout, exact_weight, x.shape, *place)
    assert_close(dx, expected_dx, TOLERANCE[dtype])
    expected_dweight = definitions.convolution_weight_gradient(exact_x, exact_dout, weight.shape, *place)
    assert_close(dweight, expected_dweight, TOLERANCE[dtype])


def test_many_chunks_agree_with_one(monkeypatch):
    rng = np.random.default_rng(1)
    x, weight = rng.standard_normal((3, 8, 8, 4)), rng.standard_normal((5, 4, 3, 3))
    out, small = np.empty((2, 3, 8, 8, 5))
    dweight, small_dweight = np.empty((2, *weight.shape))
    scratch = kernels.Scratch()
    with threadpools.kernel_threads():
        kernels.conv2d_forward(x, weight, 1, 1, out, scratch)
        kernels.conv2d_backward_weights(x, out, 1, 1, dweight, scratch)
        monkeypatch.setattr(im2col, "PATCH_ELEMENTS", 1)
        monkeypatch.setattr(im2col, "WEIGHT_PATCH_ELEMENTS", 1)
        kernels.conv2d_forward(x, weight, 1, 1, small, scratch)
        kernels.conv2d_backward_weights(x, out, 1, 1, small_dweight, scratch)
    np.testing.assert_allclose(small, out, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(small_dweight, dweight, rtol=1e-12, atol=1e-12)


def test_scratch_is_allocated_once():
    scratch = kernels.Scratch()
    first = scratch.array("a", (4, 3), np.float32)
    assert np.shares_memory(first, scratch.array("a", (2, 5), np.float32))
    assert not np.shares_memory(first, scratch.array("b", (2, 5), np.float32))
    assert not np.shares_memory(first, scratch.array("a", (13,), np.float32))
