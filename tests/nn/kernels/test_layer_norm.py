"""Layer norm against its definition, and the definition's gradients against differences."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.nn.kernels import definitions

DTYPES = pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])


@DTYPES
@pytest.mark.parametrize("shape", [(5, 4, 3, 16), (40, 7, 5), (3, 48)])
def test_it_agrees_with_its_definition(shape, dtype, rtol):
    rng = np.random.default_rng(0)
    layer = nn.LayerNorm(shape[-1], dtype=dtype)
    for array in layer.parameters.values():
        array += rng.standard_normal(array.shape).astype(dtype)
    x, dout = (rng.normal(3.0, 1.0, shape).astype(dtype) for _ in range(2))
    exact = [a.astype(np.float64) for a in (x, dout, layer.parameters["weight"], layer.parameters["bias"])]
    np.testing.assert_allclose(
        layer.forward(x),
        definitions.layer_norm(exact[0], *exact[2:], layer.epsilon),
        rtol=rtol,
        atol=10 * rtol,
    )
    dx, dweight, dbias = definitions.layer_norm_gradient(*exact[:3], layer.epsilon)
    np.testing.assert_allclose(layer.backward(dout), dx, rtol=rtol, atol=10 * rtol)
    for name, gradient in (("weight", dweight), ("bias", dbias)):
        np.testing.assert_allclose(layer.gradients[name], gradient, rtol=rtol, atol=100 * rtol)


def test_gradients_of_the_definition():
    rng = np.random.default_rng(1)
    x, weight, bias = rng.standard_normal((3, 4, 5)), *rng.standard_normal((2, 5))
    dout, epsilon = rng.standard_normal(x.shape), 1e-3
    gradients = definitions.layer_norm_gradient(x, dout, weight, epsilon)
    for place, gradient in enumerate(gradients):
        direction = rng.standard_normal(gradient.shape)

        def moved(step, place=place, direction=direction):
            arrays = [x, weight, bias]
            arrays[place] = arrays[place] + step * direction
            return np.sum(dout * definitions.layer_norm(*arrays, epsilon))

        slope = (moved(1e-6) - moved(-1e-6)) / 2e-6
        assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-6, abs=1e-8)
