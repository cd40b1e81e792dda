"""The few numbers of batch norm against the same in NumPy, to the bit."""

import numpy as np
import pytest

from deeptheory.nn.kernels import batch_statistics

N, EPSILON = 40, 1e-5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_numbers_are_those_of_numpy(dtype):
    rng = np.random.default_rng(0)
    sums, squares, dweight, sum_dout = rng.standard_normal((4, 48)) * [[9], [1], [5], [5]]
    squares = squares**2 + sums**2 / N
    squares[:3] = (
        sums[:3] ** 2 / N * [0.99, 1, np.nan]
    )  # a variance below zero, none, and one that is no number
    weight, bias, running_mean, running_var = rng.standard_normal((4, 48)).astype(dtype)
    running = running_mean.copy(), running_var.copy()
    mean, variance = batch_statistics.statistics(sums, squares, N, dtype(0.9), 0.1, *running)
    expected = sums / N
    np.testing.assert_array_equal(mean, expected)
    spread = np.maximum(squares / N - expected**2, 0)
    np.testing.assert_array_equal(variance, spread)
    np.testing.assert_array_equal(running[0], running_mean * dtype(0.9) + (0.1 * expected).astype(dtype))
    unbiased = (0.1 * (spread * (N / (N - 1)))).astype(dtype)
    np.testing.assert_array_equal(running[1], running_var * dtype(0.9) + unbiased)
    inverse, slope, shift = batch_statistics.slope_and_shift(weight, bias, mean, variance, EPSILON)
    np.testing.assert_array_equal(inverse, 1 / np.sqrt(spread + EPSILON))
    np.testing.assert_array_equal(slope, (weight * inverse).astype(dtype))
    np.testing.assert_array_equal(shift, (bias - weight * inverse * mean).astype(dtype))
    slope_x, shift = batch_statistics.input_gradient(weight, mean, inverse, 1 / N, dweight, sum_dout)
    factor = -(weight * inverse / N) * inverse * dweight
    np.testing.assert_allclose(slope_x, factor.astype(dtype), rtol=1e-6)
    expected = -(weight * inverse / N) * sum_dout - factor * mean
    np.testing.assert_allclose(shift, expected.astype(dtype), rtol=1e-4, atol=1e-6)
    assert slope_x.dtype == shift.dtype == slope.dtype == dtype
