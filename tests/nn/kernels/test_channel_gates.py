"""Squeeze-and-excitation, the loss and the step of the optimiser against their definitions."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.nn import kernels
from deeptheory.nn.kernels import definitions

DTYPES = pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])


def squeezed(layer, x):
    """The gate of a layer, by definition, in float64."""
    parameters = {name: array.astype(np.float64) for name, array in layer.parameters.items()}
    means = definitions.global_average_pool(x)
    hidden = means @ parameters["reduce_weight"].T + parameters["reduce_bias"]
    hidden = definitions.activation(hidden, definitions.SILU)
    return definitions.sigmoid(hidden @ parameters["expand_weight"].T + parameters["expand_bias"])


@DTYPES
@pytest.mark.parametrize("shape", [(5, 4, 4, 16), (1, 3, 7, 5), (3, 1, 1, 48)])
def test_squeeze_and_excitation_agrees_with_its_definition(shape, dtype, rtol):
    rng = np.random.default_rng(0)
    layer = nn.SqueezeExcitation(shape[-1], 4, rng=rng, dtype=dtype)
    for array in layer.parameters.values():
        array += rng.standard_normal(array.shape).astype(dtype) / 4
    x, dout = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    exact_x, exact_dout = x.astype(np.float64), dout.astype(np.float64)
    gate = squeezed(layer, exact_x)
    np.testing.assert_allclose(
        layer.forward(x), definitions.squeeze_gate(exact_x, gate), rtol=rtol, atol=rtol
    )
    dx, dgate = definitions.squeeze_gate_gradient(exact_x, gate, exact_dout)
    for place in np.ndindex(shape[0], shape[3]):  # what x adds through its mean, by central differences
        step = np.zeros(shape)
        step[place[0], ..., place[1]] = 1e-6
        slope = (squeezed(layer, exact_x + step) - squeezed(layer, exact_x - step)) / 2e-6
        dx[place[0], ..., place[1]] += np.sum(dgate * slope) / (shape[1] * shape[2])
    np.testing.assert_allclose(layer.backward(dout), dx, rtol=rtol, atol=max(rtol, 1e-8))


@DTYPES
def test_loss_agrees_with_its_definition(dtype, rtol):
    rng = np.random.default_rng(1)
    logits, labels = 5 * rng.standard_normal((7, 10)).astype(dtype), rng.integers(0, 10, 7)
    loss, dlogits = nn.softmax_cross_entropy(logits, labels)
    expected, gradient = definitions.softmax_cross_entropy(logits.astype(np.float64), labels)
    assert loss == pytest.approx(expected, rel=rtol)
    np.testing.assert_allclose(dlogits, gradient, rtol=rtol, atol=rtol / 10)


@DTYPES
def test_step_agrees_with_its_definition(dtype, rtol):
    rng = np.random.default_rng(2)
    weight, gradient, momentum = rng.standard_normal((3, 1000)).astype(dtype)
    place = dtype(0.1), dtype(0.9), dtype(5e-4)
    expected = definitions.nesterov(*(a.astype(np.float64) for a in (weight, gradient, momentum)), *place)
    kernels.nesterov(weight, gradient, momentum, *place)
    np.testing.assert_allclose(weight, expected[0], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(momentum, expected[1], rtol=rtol, atol=rtol)
