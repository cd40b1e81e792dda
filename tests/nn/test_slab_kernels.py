"""The depthwise kernels by vectors against the plain loops in double precision."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import depthwise, depthwise_slabs
from deeptheory.nn.kernels.norm_rows import IDENTITY, PLAIN, SILU, Normed

TOLERANCE = 2e-6  # of the largest value

CASES = [
    ((3, 9, 8), 32, 3, 1, 1),
    ((2, 9, 8), 16, 3, 2, 1),
    ((2, 7, 11), 48, 5, 1, 2),
    ((3, 8, 8), 16, 5, 2, 2),
    ((5, 2, 2), 32, 5, 1, 2),
    ((5, 1, 2), 16, 5, 2, 2),
    ((2, 6, 7), 16, 3, 1, 0),
    ((2, 5, 5), 16, 3, 3, 2),
    ((1, 4, 4), 16, 5, 2, 4),
]


def batch(images, channels, size, stride, padding):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((*images, channels)).astype(np.float32)
    weight = rng.standard_normal((channels, 1, size, size)).astype(np.float32)
    outputs = [(n + 2 * padding - size) // stride + 1 for n in images[1:]]
    return x, weight, rng.standard_normal((images[0], *outputs, channels)).astype(np.float32)


def plain(x, weight, dout, stride, padding):
    """Output, and gradients of input and weights, by the plain loops."""
    x, weight, dout = (a.astype(np.float64) for a in (x, weight, dout))
    assert not depthwise_slabs.applies(x, weight.shape, padding)
    out, dx, dweight, scratch = (
        np.empty_like(dout),
        np.empty_like(x),
        np.empty_like(weight),
        kernels.Scratch(),
    )
    depthwise.depthwise_forward(x, weight, stride, padding, out, scratch)
    depthwise.depthwise_backward_data(dout, weight, stride, padding, dx, scratch)
    depthwise.depthwise_backward_weights(x, dout, stride, padding, dweight, scratch)
    return out, dx, dweight


def assert_close(found, expected):
    assert np.abs(found - expected).max() < TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize(("images", "channels", "size", "stride", "padding"), CASES)
def test_vectors_agree_with_plain_loops(images, channels, size, stride, padding):
    x, weight, dout = batch(images, channels, size, stride, padding)
    assert depthwise_slabs.applies(x, weight.shape, padding)
    out, dx, dweight = (np.full_like(a, np.nan) for a in (dout, x, weight))
    scratch = kernels.Scratch()
    for _ in range(2):  # the second time over the scratch of the first
        depthwise.depthwise_forward(x, weight, stride, padding, out, scratch)
        depthwise.depthwise_backward_data(dout, weight, stride, padding, dx, scratch)
        depthwise.depthwise_backward_weights(x, dout, stride, padding, dweight, scratch)
    for found, expected in zip((out, dx, dweight), plain(x, weight, dout, stride, padding), strict=True):
        assert_close(found, expected)


@pytest.mark.parametrize("kind", [IDENTITY, SILU])
@pytest.mark.parametrize(("images", "channels", "size", "stride", "padding"), CASES)
def test_gradients_through_a_norm_agree_with_plain_loops(images, channels, size, stride, padding, kind):
    x, weight, dout = batch(images, channels, size, stride, padding)
    scratch, out = kernels.Scratch(), np.empty_like(dout)
    sums = depthwise_slabs.forward_with_sums(x, weight, stride, padding, out, scratch)
    rows = out.reshape(-1, channels).astype(np.float64)
    np.testing.assert_allclose(sums, [rows.sum(axis=0), (rows**2).sum(axis=0)], rtol=1e-5, atol=1e-4)
    slope, shift, slope_x, constant = (
        np.random.default_rng(1).standard_normal((4, channels)).astype(np.float32)
    )
    norm = Normed(out.reshape(-1), slope, shift, slope_x, constant, kind)
    dx, dweight = np.full_like(x, np.nan), np.full_like(weight, np.nan)
    depthwise_slabs.backward(x, dout, weight, norm, stride, padding, dweight, dx, scratch)
    z = slope.astype(np.float64) * out + shift
    s = 1 / (1 + np.exp(-z))
    dz = (s * (1 + z * (1 - s)) if kind == SILU else 1) * dout
    _, expected_dx, expected = plain(x, weight, slope * dz + slope_x * out + constant, stride, padding)
    assert_close(dx, expected_dx)
    assert_close(dweight, expected)
    depthwise_slabs.backward(x, dout, weight, PLAIN, stride, padding, None, dx, scratch)
    assert_close(dx, plain(x, weight, dout, stride, padding)[1])
