"""Pooling against its definitions."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.nn.kernels import definitions


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("size", "stride", "padding"), [(2, 2, 1), (3, 2, 1), (3, 1, 1), (5, 3, 2)])
def test_padded_pooling_agrees_with_its_definition(size, stride, padding, dtype):
    rng = np.random.default_rng(0)
    x = rng.integers(-9, -3, (3, 7, 6, 5)).astype(dtype)  # below the zeros of another padding
    out, winner = definitions.max_pool(x, size, stride, padding)
    dout = rng.standard_normal(out.shape).astype(dtype)
    layer = nn.MaxPool2d(size, stride, padding)
    np.testing.assert_array_equal(layer.forward(x), out)
    expected = definitions.max_pool_gradient(dout, winner, size, stride, x.shape, padding)
    np.testing.assert_allclose(layer.backward(dout), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(3, 2, 0), (2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 1)]
)
@pytest.mark.parametrize("axis", [2, 5, 6, 7, 8])
def test_in_ceil_mode_a_last_window_may_begin_in_the_image(size, stride, padding, axis):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((2, axis, 7, 3))
    theirs = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
    expected = torch.nn.functional.max_pool2d(theirs, size, stride, padding, ceil_mode=True)
    layer = nn.MaxPool2d(size, stride, padding, ceil_mode=True)
    out = layer.forward(x)
    np.testing.assert_array_equal(out, expected.detach().numpy().transpose(0, 2, 3, 1))
    expected.sum().backward()
    dx = layer.backward(np.ones_like(out))
    np.testing.assert_array_equal(dx, theirs.grad.numpy().transpose(0, 2, 3, 1))


def test_a_window_beyond_the_image_is_refused():
    with pytest.raises(
        InputError, match=r"^padding of MaxPool2d: expected at most 1, half of its size, found 2$"
    ):
        nn.MaxPool2d(3, 2, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 1), (3, 2), (2, 3)])
def test_pooling_agrees_with_its_definition(size, stride, dtype):
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 3, (3, 7, 6, 5)).astype(dtype)  # with ties
    x[1, 2, 3] = np.nan
    out, winner = definitions.max_pool(x, size, stride)
    dout = rng.standard_normal(out.shape).astype(dtype)
    layer = nn.MaxPool2d(size, stride)
    np.testing.assert_array_equal(layer.forward(x), out)
    expected = definitions.max_pool_gradient(dout, winner, size, stride, x.shape)
    np.testing.assert_allclose(layer.backward(dout), expected, rtol=1e-5, atol=1e-6)
    x[1, 2, 3], layer = 0, nn.AvgPool2d(size, stride)
    np.testing.assert_allclose(
        layer.forward(x), definitions.average_pool(x, size, stride), rtol=1e-5, atol=1e-6
    )
    expected = definitions.average_pool_gradient(dout, size, stride, x.shape)
    np.testing.assert_allclose(layer.backward(dout), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5, 4, 4, 16), (1, 3, 7, 5), (2, 1, 1, 33)])
def test_global_average_pooling_agrees_with_its_definition(shape, dtype):
    rng, layer = np.random.default_rng(1), nn.GlobalAveragePool()
    x, dout = (
        rng.standard_normal(shape).astype(dtype),
        rng.standard_normal((shape[0], shape[3])).astype(dtype),
    )
    np.testing.assert_allclose(layer.forward(x), definitions.global_average_pool(x), rtol=1e-5, atol=1e-6)
    expected = definitions.global_average_pool_gradient(dout, shape)
    np.testing.assert_allclose(layer.backward(dout), expected, rtol=1e-6)
