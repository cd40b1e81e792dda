"""Activations that are computed by themselves against their definitions, and these by differences."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.nn.kernels import definitions

LAYERS = {
    definitions.SILU: nn.SiLU,
    definitions.GELU: nn.GELU,
    definitions.TANH_GELU: nn.TanhGELU,
    definitions.RELU6: nn.ReLU6,
    definitions.HARD_SWISH: nn.HardSwish,
}


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("n", [300, 304])  # without and with explicit vectors
@pytest.mark.parametrize("name", LAYERS)
def test_layers_agree_with_definitions(name, n, dtype, tolerance):
    x, dout = np.random.default_rng(0).normal(0, 4, (2, 5, n)).astype(dtype)
    exact_x, exact_dout = x.astype(np.float64), dout.astype(np.float64)
    layer = LAYERS[name]()
    scale = 1 + np.abs(exact_x)
    assert (
        np.abs(layer.forward(x.copy()) - definitions.activation(exact_x, name)) <= tolerance * scale
    ).all()
    expected = exact_dout * definitions.activation_slope(exact_x, name)
    assert (np.abs(layer.backward(dout.copy()) - expected) <= tolerance * (scale + np.abs(dout)) ** 2).all()


@pytest.mark.parametrize("name", LAYERS)
def test_slopes_of_the_definitions(name):
    x = np.random.default_rng(1).normal(0, 2, 200)
    differences = (definitions.activation(x + 1e-6, name) - definitions.activation(x - 1e-6, name)) / 2e-6
    np.testing.assert_allclose(definitions.activation_slope(x, name), differences, rtol=1e-7, atol=1e-8)


def test_the_approximation_of_gelu():
    x = np.linspace(-6, 6, 500)
    exact, approximate = (definitions.activation(x, n) for n in (definitions.GELU, definitions.TANH_GELU))
    assert 1e-5 < np.abs(exact - approximate).max() < 5e-4
