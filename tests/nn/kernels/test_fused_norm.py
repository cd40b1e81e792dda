"""Batch norm, activation and pooling in one pass against their definitions in float64."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import definitions, fused_norm
from deeptheory.system import process_setup, threadpools
from tests.nn.kernels.comparison import KINDS, NEEDS_VECTORS, exact

pytestmark = NEEDS_VECTORS
TOLERANCE = 1e-6  # relative to the largest value; 2.2e-7 seen
SUM_TOLERANCE = 2e-6  # relative to the sum of the absolute values; 4e-7 seen
SIZES = pytest.mark.parametrize("size", [1, 2])
NAMES = pytest.mark.parametrize("name", KINDS)


def assert_close(found, expected, scale=None, tolerance=TOLERANCE):
    scale = np.abs(expected).max() if scale is None else scale
    assert np.all(np.abs(found - expected) <= tolerance * scale)


def inputs(shape, size):
    """x, the gradient of the output, slope and shift; float32."""
    rng = np.random.default_rng(sum(shape))
    n, height, width, channels = shape
    x = rng.standard_normal(shape, np.float32)
    dout = rng.standard_normal((n, height // size, width // size, channels), np.float32)
    return x, dout, *rng.standard_normal((2, channels), np.float32)


def forward(x, slope, shift, name, size):
    n, height, width, channels = x.shape
    out = np.full((n, height // size, width // size, channels), 7, np.float32)
    return fused_norm.forward(x, fused_norm.Epilogue(slope, shift, KINDS[name], size), out)


def backward(x, dout, slope, shift, name, size, slope_x=None, constant=None):
    zeros, dx = np.zeros_like(slope), np.full_like(x, 7)
    terms = (zeros if slope_x is None else slope_x), (zeros if constant is None else constant)
    fused_norm.backward(dout, fused_norm.Normed(x.reshape(-1), slope, shift, *terms, KINDS[name]), size, dx)
    return dx


def gradient_sums(x, dout, slope, shift, name, size):
    epilogue = fused_norm.Epilogue(slope, shift, KINDS[name], size)
    return fused_norm.gradient_sums(x, dout, epilogue, kernels.Scratch())


@NAMES
@SIZES
@pytest.mark.parametrize(
    "shape",
    [(3, 4, 4, 16), (5, 6, 10, 32), (7, 2, 2, 48), (3, 14, 6, 64), (1, 2, 2, 16), (9, 12, 12, 32)],
)
def test_kernels_agree_with_their_definitions(shape, size, name):
    x, dout, slope, shift = inputs(shape, size)
    slope_x, constant = np.random.default_rng(1).standard_normal((2, shape[-1]), np.float32)
    x_, dout_, slope_, shift_, slope_x_, constant_ = exact(x, dout, slope, shift, slope_x, constant)
    expected = definitions.norm_activation_pool(x_, slope_, shift_, name, size)
    assert_close(forward(x, slope, shift, name, size), expected)
    dz = definitions.normalised_gradient(x_, dout_, slope_, shift_, name, size)
    expected = slope_ * dz + slope_x_ * x_ + constant_
    assert_close(backward(x, dout, slope, shift, name, size, slope_x, constant), expected)
    sums = gradient_sums(x, dout, slope, shift, name, size)
    assert sums.dtype == np.float64
    scale = definitions.channel_sums(np.abs(dz), np.abs(x_))
    assert_close(sums, definitions.channel_sums(dz, x_), scale, SUM_TOLERANCE)
    sums = fused_norm.channel_sums(x, kernels.Scratch())
    assert_close(
        sums,
        definitions.channel_sums(x_, x_),
        definitions.channel_sums(np.abs(x_), np.abs(x_)),
        SUM_TOLERANCE,
    )


@SIZES
def test_sums_of_many_large_values_stay_exact(size):
    x, dout, slope, shift = inputs((50, 16, 16, 16), size)
    x += 100
    shift -= 100 * slope
    x_, dout_, slope_, shift_ = exact(x, dout, slope, shift)
    sums = fused_norm.channel_sums(x, kernels.Scratch())
    np.testing.assert_allclose(sums, definitions.channel_sums(x_, x_), rtol=SUM_TOLERANCE)
    dz = definitions.normalised_gradient(x_, dout_, slope_, shift_, definitions.IDENTITY, size)
    if size == 1:  # the winners of windows differ where rounding of slope*x + shift decides
        sums = gradient_sums(x, dout, slope, shift, definitions.IDENTITY, size)
        assert_close(
            sums, definitions.channel_sums(dz, x_), definitions.channel_sums(np.abs(dz), x_), SUM_TOLERANCE
        )


@NAMES
def test_of_equal_values_the_first_wins(name):
    rng = np.random.default_rng(2)
    x = rng.integers(-2, 3, (5, 8, 6, 32)).astype(np.float32)
    dout = rng.integers(1, 9, (5, 4, 3, 32)).astype(np.float32)
    slope, shift = np.full((2, 32), [[1], [0]], np.float32)
    x_, dout_, slope_, shift_ = exact(x, dout, slope, shift)
    expected = definitions.normalised_gradient(x_, dout_, slope_, shift_, name, 2)
    assert_close(backward(x, dout, slope, shift, name, 2), expected)
    found = backward(np.ones_like(x), dout, slope, shift, name, 2)
    assert (found[:, ::2, ::2] > 0).all()
    found[:, ::2, ::2] = 0
    assert not found.any()


@NAMES
@SIZES
def test_nan_stays_visible(name, size):
    x, dout, slope, shift = inputs((3, 4, 6, 32), size)
    x[1, 2, 3, 20] = np.nan
    out = forward(x, slope, shift, name, size)
    expected = definitions.norm_activation_pool(*exact(x, slope, shift), name, size)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(expected))
    assert np.isnan(out).sum() == 1
    sums = fused_norm.channel_sums(x, kernels.Scratch())
    assert np.isnan(sums[:, 20]).all()
    assert np.isnan(sums).sum() == 2
    dout[1, 2 // size, 3 // size, 5] = np.nan
    sums = gradient_sums(x, dout, slope, shift, definitions.IDENTITY, size)
    assert np.isnan(sums[:, 5]).all()


def test_the_first_of_two_nans_wins():
    x, dout, slope, shift = inputs((1, 2, 2, 16), 2)
    x[0, 0, 1], x[0, 1, 0] = np.nan, np.nan
    dz = definitions.normalised_gradient(*exact(x, dout, slope, shift), definitions.IDENTITY, 2)
    found = backward(x, dout, slope, shift, definitions.IDENTITY, 2)
    np.testing.assert_array_equal(dz[0, 0, 1], dout[0, 0, 0])
    assert not dz[0, 1].any()
    expected = slope * dz + 0 * x  # dx is NaN where x is
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@NAMES
@SIZES
def test_the_same_bits_whatever_the_threads(name, size):
    x, dout, slope, shift = inputs((9, 12, 10, 48), size)

    def compute():
        yield forward(x, slope, shift, name, size)
        yield backward(x, dout, slope, shift, name, size)
        yield gradient_sums(x, dout, slope, shift, name, size)
        yield fused_norm.channel_sums(x, kernels.Scratch())

    before = threadpools.threads()
    try:
        process_setup.configure(1)
        on_one = list(compute())
    finally:
        process_setup.configure(before)
    for found, expected in zip(compute(), on_one, strict=True):
        np.testing.assert_array_equal(found, expected)
