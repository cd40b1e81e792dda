"""The products of 1 x 1 convolutions against NumPy's in double precision."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import pointwise
from deeptheory.nn.kernels.norm_rows import IDENTITY, RELU, SILU, Normed

TOLERANCE = 2e-6  # of the largest value: sums of some thousand float32


def batch(images, n_in, n_out, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((*images, n_in)).astype(np.float32)
    weight = (rng.standard_normal((n_out, n_in, 1, 1)) / np.sqrt(n_in)).astype(np.float32)
    return x, weight, rng.standard_normal((*images, n_out)).astype(np.float32)


def assert_close(found, expected):
    assert np.abs(found - expected).max() < TOLERANCE * np.abs(expected).max()


SHAPES = [
    ((3, 4, 5), 16, 96),
    ((2, 3, 3), 24, 144),
    ((7, 3, 5), 144, 40),
    ((5, 2, 2), 48, 112),
    ((9, 1, 2), 32, 20),
    ((100, 3, 3), 352, 400),
    ((31, 1, 2), 384, 356),
]


@pytest.mark.parametrize(("images", "n_in", "n_out"), SHAPES)
def test_products_agree_with_numpy(images, n_in, n_out):
    x, weight, dout = batch(images, n_in, n_out)
    assert pointwise.applies(x, weight.shape, 1, 0)
    out, dx, dweight = np.full_like(dout, np.nan), np.full_like(x, np.nan), np.full_like(weight, np.nan)
    scratch = kernels.Scratch()
    pointwise.forward(x, weight, out, scratch)
    pointwise.backward_data(dout, weight, dx, scratch)
    pointwise.backward_weights(x, dout, dweight, scratch)
    x, matrix, dout = x.astype(np.float64), weight[:, :, 0, 0].astype(np.float64), dout.astype(np.float64)
    assert_close(out, x @ matrix.T)
    assert_close(dx, dout @ matrix)
    assert_close(dweight[:, :, 0, 0], np.einsum("nhwo,nhwc->oc", dout, x))


@pytest.mark.parametrize("kind", [IDENTITY, RELU, SILU])
@pytest.mark.parametrize(("images", "n_in", "n_out"), [s for s in SHAPES if s[2] % 16 == 0])
def test_gradients_through_a_norm_agree_with_numpy(images, n_in, n_out, kind):
    x, weight, dout = batch(images, n_in, n_out)
    scratch, out = kernels.Scratch(), np.empty_like(dout)
    sums = pointwise.forward_with_sums(x, weight, out, scratch)
    rows = out.reshape(-1, n_out).astype(np.float64)
    np.testing.assert_allclose(sums, [rows.sum(axis=0), (rows**2).sum(axis=0)], rtol=1e-4, atol=1e-3)
    slope, shift, slope_x, constant = np.random.default_rng(1).standard_normal((4, n_out)).astype(np.float32)
    dx, dweight = np.full_like(x, np.nan), np.full_like(weight, np.nan)
    norm = Normed(out.reshape(-1), slope, shift, slope_x, constant, kind)
    pointwise.backward(x, dout, weight, norm, dweight, dx, scratch)
    z = slope.astype(np.float64) * out + shift
    s = 1 / (1 + np.exp(-z))
    derivative = {IDENTITY: np.ones_like(z), RELU: (z > 0) * 1.0, SILU: s * (1 + z * (1 - s))}[kind]
    dz = slope * derivative * dout + slope_x * out.astype(np.float64) + constant
    assert_close(dx, dz @ weight[:, :, 0, 0])
    expected = np.einsum("nhwo,nhwc->oc", dz, x.astype(np.float64))
    assert_close(dweight[:, :, 0, 0], expected)
    alone = np.full_like(weight, np.nan)
    pointwise.backward(x, dout, weight, norm, alone, None, scratch)
    assert np.array_equal(alone, dweight)


def test_other_convolutions_are_left_to_other_kernels():
    x = np.zeros((3, 4, 4, 32), np.float32)
    assert pointwise.applies(x, (16, 32, 1, 1), 1, 0)
    assert not pointwise.applies(x, (16, 32, 3, 3), 1, 0)
    assert not pointwise.applies(x, (16, 32, 1, 1), 2, 0)
    assert not pointwise.applies(x, (16, 32, 1, 1), 1, 1)
    assert not pointwise.applies(x, (8, 32, 1, 1), 1, 0)
    assert not pointwise.applies(x, (18, 32, 1, 1), 1, 0)
    assert not pointwise.applies(x[..., :20].copy(), (20, 20, 1, 1), 1, 0)
    assert not pointwise.applies(x.astype(np.float64), (16, 32, 1, 1), 1, 0)
    assert not pointwise.applies(x[:1, :1, :2], (16, 32, 1, 1), 1, 0)
    assert not pointwise.applies(x[:, :1, :1], (16, 32, 1, 1), 1, 0)
