"""A sum behind a batch norm in one pass against its definition in float64."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import definitions, fused_norm, joined_sum
from deeptheory.system import threadpools
from tests.nn.kernels.comparison import KINDS, NEEDS_VECTORS, assert_close, exact

pytestmark = NEEDS_VECTORS
TOLERANCE = 1e-6  # relative to the largest value; 3e-7 seen
SHAPE = (3, 5, 7, 48)


@pytest.fixture(autouse=True)
def _threads():
    with threadpools.kernel_threads():
        yield


@pytest.fixture
def arrays():
    """x, term and the gradient of the output, then slope and shift."""
    rng = np.random.default_rng(0)
    return *rng.standard_normal((3, *SHAPE), np.float32), *rng.standard_normal((2, SHAPE[-1]), np.float32)


@pytest.mark.parametrize("name", [definitions.IDENTITY, definitions.RELU])
def test_both_ways_agree_with_their_definitions(name, arrays):
    x, term, dout, slope, shift = arrays
    x_, term_, dout_, slope_, shift_ = exact(*arrays)
    z = slope_ * x_ + shift_ + term_
    out, dsum = np.full((2, *SHAPE), np.nan, np.float32)
    fused_norm.forward(x, fused_norm.Epilogue(slope, shift, KINDS[name], 1), out, term)
    assert_close(out, definitions.activation(z, name), TOLERANCE)
    sums = joined_sum.gradient_sums(x, out, dout, KINDS[name], dsum, kernels.Scratch())
    expected = dout_ * definitions.activation_slope(z, name)
    np.testing.assert_array_equal(dsum, expected)
    assert sums.dtype == np.float64
    assert_close(sums, definitions.channel_sums(expected, x_), TOLERANCE)


@pytest.mark.parametrize("name", KINDS)
def test_adding_in_place_agrees_with_its_definition(name, arrays):
    x, term, *_ = arrays
    expected = definitions.activation(sum(exact(x, term)), name)
    joined_sum.add(x.reshape(-1), term.reshape(-1), KINDS[name])
    assert_close(x, expected, TOLERANCE)


def test_nan_stays_visible(arrays):
    x, term, dout, slope, shift = arrays
    term[1, 2, 3, 20] = dout[0, 1, 2, 3] = np.nan
    out, dsum = np.zeros((2, *SHAPE), np.float32)
    fused_norm.forward(x, fused_norm.Epilogue(slope, shift, fused_norm.RELU, 1), out, term)
    assert np.isnan(out[1, 2, 3, 20])
    assert np.isnan(out).sum() == 1
    out[0, 1, 2, 3] = 1
    sums = joined_sum.gradient_sums(x, out, dout, fused_norm.RELU, dsum, kernels.Scratch())
    assert np.isnan(sums[:, 3]).all()
    assert np.isnan(sums).sum() == 2
