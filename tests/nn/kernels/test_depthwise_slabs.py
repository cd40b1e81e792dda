"""The depthwise kernels by vectors against their definitions in double precision."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import definitions, depthwise_slabs
from deeptheory.nn.kernels.compiled_kernel import geometry
from deeptheory.nn.kernels.norm_rows import Normed
from tests.nn.kernels.comparison import (
    KINDS,
    NEEDS_VECTORS,
    assert_close,
    channel_sums,
    defined_passes,
    exact,
    passes,
)

pytestmark = NEEDS_VECTORS
TOLERANCE = 2e-6  # of the largest value

CASES = [
    ((3, 9, 8), 32, 3, 1, 1),
    ((2, 9, 8), 16, 3, 2, 1),
    ((2, 7, 11), 48, 5, 1, 2),
    ((3, 8, 8), 16, 5, 2, 2),
    ((5, 2, 2), 32, 5, 1, 2),
    ((5, 1, 2), 16, 5, 2, 2),
    ((2, 6, 7), 16, 3, 1, 0),
    ((2, 5, 5), 16, 3, 3, 2),
    ((1, 4, 4), 16, 5, 2, 4),
]


def batch(images, channels, size, stride, padding):
    """Sizes, inputs, weights and gradients of the outputs."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((*images, channels)).astype(np.float32)
    weight = rng.standard_normal((channels, 1, size, size)).astype(np.float32)
    sizes = geometry(x, weight, stride, padding, channels)
    assert depthwise_slabs.applies(sizes)
    return sizes, x, weight, rng.standard_normal(sizes.outputs).astype(np.float32)


@pytest.mark.parametrize(("images", "channels", "size", "stride", "padding"), CASES)
def test_vectors_agree_with_their_definitions(images, channels, size, stride, padding):
    sizes, x, weight, dout = batch(images, channels, size, stride, padding)
    scratch = kernels.Scratch()
    for _ in range(2):  # the second time over the scratch of the first
        results = passes(depthwise_slabs, sizes, x, weight, dout, scratch)
    for found, expected in zip(results, defined_passes(sizes, x, weight, dout), strict=True):
        assert_close(found, expected, TOLERANCE)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("images", "channels", "size", "stride", "padding"), CASES)
def test_gradients_through_a_norm_agree_with_their_definitions(images, channels, size, stride, padding, name):
    sizes, x, weight, dout = batch(images, channels, size, stride, padding)
    scratch, out = kernels.Scratch(), np.empty_like(dout)
    sums = depthwise_slabs.forward_with_sums(sizes, x, weight, out, scratch)
    np.testing.assert_allclose(sums, channel_sums(out), rtol=1e-5, atol=1e-4)
    terms = np.random.default_rng(1).standard_normal((4, channels)).astype(np.float32)
    slope, shift, slope_x, constant = terms
    norm = Normed(out.reshape(-1), *terms, KINDS[name])
    dx, dweight = np.full_like(x, np.nan), np.full_like(weight, np.nan)
    assert depthwise_slabs.joins_norm(sizes, 1, input_gradient=True)
    depthwise_slabs.backward_through_norm(sizes, x, dout, weight, norm, 1, dweight, dx, scratch)
    dz = definitions.normalised_gradient(*exact(out, dout, slope, shift), name, 1)
    dh = slope * dz + slope_x * out.astype(np.float64) + constant
    _, expected_dx, expected_dweight = defined_passes(sizes, x, weight, dh)
    assert_close(dx, expected_dx, TOLERANCE)
    assert_close(dweight, expected_dweight, TOLERANCE)
