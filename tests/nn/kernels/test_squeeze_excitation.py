"""Squeeze-and-excitation by vectors against the plain passes in double precision."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.nn.kernels import squeeze_excitation

TOLERANCE = 2e-6  # of the largest value


@pytest.mark.parametrize(("shape", "n_hidden"), [((5, 4, 3, 32), 8), ((3, 1, 1, 16), 1), ((2, 7, 7, 144), 6)])
def test_vectors_agree_with_plain_passes(shape, n_hidden):
    rng = np.random.default_rng(0)
    x, dout = rng.standard_normal((2, *shape))
    found, expected = [], []
    for dtype, values in ((np.float32, found), (np.float64, expected)):
        layer = nn.SqueezeExcitation(shape[-1], n_hidden, rng=np.random.default_rng(1), dtype=dtype)
        for name, parameter in layer.parameters.items():
            parameter += np.random.default_rng(len(name)).standard_normal(parameter.shape).astype(dtype)
        own = x.astype(dtype)
        assert squeeze_excitation.applies(own) == (dtype == np.float32)
        values.append(layer.forward(own, training=True).copy())
        dx = layer.backward(dout.astype(dtype))
        values += [dx, *(layer.gradients[name] for name in sorted(layer.gradients))]
    for vectors, plain in zip(found, expected, strict=True):
        assert np.abs(vectors - plain).max() < TOLERANCE * np.abs(plain).max()
