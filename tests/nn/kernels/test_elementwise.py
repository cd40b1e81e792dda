"""The step of the optimiser against its definition."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import definitions


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_step_agrees_with_its_definition(dtype, rtol):
    weight, gradient, velocity = np.random.default_rng(2).standard_normal((3, 1000)).astype(dtype)
    coefficients = dtype(0.1), dtype(0.9), dtype(5e-4)
    arrays = (array.astype(np.float64) for array in (weight, gradient, velocity))
    expected = definitions.nesterov(*arrays, *coefficients)
    kernels.nesterov(weight, gradient, velocity, *coefficients)
    np.testing.assert_allclose(weight, expected[0], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(velocity, expected[1], rtol=rtol, atol=rtol)


@pytest.mark.parametrize("n", [7, 3 * kernels.SHARE])  # by one thread, shared among threads
def test_copies_and_sums(n):
    x, y, other = np.random.default_rng(3).standard_normal((3, n)).astype(np.float32)
    kernels.copy(x, y)
    np.testing.assert_array_equal(x, y)
    kernels.add(x, other)
    np.testing.assert_array_equal(x, y + other)
