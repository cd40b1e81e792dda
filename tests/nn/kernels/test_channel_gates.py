"""Squeeze-and-excitation against its definition."""

import numpy as np
import pytest

from deeptheory import nn
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
