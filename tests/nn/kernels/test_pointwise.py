"""The products of 1 x 1 convolutions against NumPy's in double precision."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import definitions, pointwise
from deeptheory.nn.kernels.compiled_kernel import Geometry, geometry
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
TOLERANCE = 2e-6  # of the largest value: sums of some thousand float32


def batch(images, n_in, n_out):
    """Sizes, inputs, weights and gradients of the outputs."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((*images, n_in)).astype(np.float32)
    weight = (rng.standard_normal((n_out, n_in, 1, 1)) / np.sqrt(n_in)).astype(np.float32)
    sizes = geometry(x, weight, stride=1, padding=0)
    assert pointwise.applies(sizes)
    return sizes, x, weight, rng.standard_normal((*images, n_out)).astype(np.float32)


SHAPES = [
    ((3, 4, 5), 16, 96),
    ((2, 3, 3), 24, 144),
    ((7, 3, 5), 144, 40),
    ((5, 2, 2), 48, 112),
    ((9, 1, 2), 32, 20),
    ((100, 3, 3), 352, 400),
    ((31, 1, 2), 384, 356),
]


@pytest.mark.parametrize(("images", "n_in", "n_out"), SHAPES)
def test_products_agree_with_their_definitions(images, n_in, n_out):
    sizes, x, weight, dout = batch(images, n_in, n_out)
    results = passes(pointwise, sizes, x, weight, dout, kernels.Scratch())
    for found, expected in zip(results, defined_passes(sizes, x, weight, dout), strict=True):
        assert_close(found, expected, TOLERANCE)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("images", "n_in", "n_out"), [s for s in SHAPES if s[2] % 16 == 0])
def test_gradients_through_a_norm_agree_with_their_definitions(images, n_in, n_out, name):
    sizes, x, weight, dout = batch(images, n_in, n_out)
    scratch, out = kernels.Scratch(), np.empty_like(dout)
    sums = pointwise.forward_with_sums(sizes, x, weight, out, scratch)
    np.testing.assert_allclose(sums, channel_sums(out), rtol=1e-4, atol=1e-3)
    slope, shift, slope_x, constant = np.random.default_rng(1).standard_normal((4, n_out)).astype(np.float32)
    dx, dweight, alone = np.full_like(x, np.nan), np.full_like(weight, np.nan), np.full_like(weight, np.nan)
    norm = Normed(out.reshape(-1), slope, shift, slope_x, constant, KINDS[name])
    assert pointwise.joins_norm(sizes, 1, input_gradient=True)
    pointwise.backward_through_norm(sizes, x, dout, weight, norm, 1, dweight, dx, scratch)
    dz = definitions.normalised_gradient(*exact(out, dout, slope, shift), name, 1)
    dh = slope * dz + slope_x * out.astype(np.float64) + constant
    _, expected_dx, expected_dweight = defined_passes(sizes, x, weight, dh)
    assert_close(dx, expected_dx, TOLERANCE)
    assert_close(dweight, expected_dweight, TOLERANCE)
    pointwise.backward_through_norm(sizes, x, dout, weight, norm, 1, alone, None, scratch)
    np.testing.assert_array_equal(alone, dweight)


@pytest.mark.parametrize(
    "other",
    [
        {"weights": (16, 32, 3, 3), "padding": 1},
        {"stride": 2},
        {"padding": 1},
        {"weights": (8, 32, 1, 1)},
        {"weights": (18, 32, 1, 1)},
        {"weights": (20, 20, 1, 1), "images": (3, 4, 4, 20)},
        {"images": (1, 1, 2, 32)},
        {"images": (3, 1, 1, 32)},
        {"dtype": np.float64},
    ],
)
def test_other_convolutions_are_left_to_other_kernels(other):
    sizes = Geometry((3, 4, 4, 32), (16, 32, 1, 1), 1, 1, 0, np.float32)
    assert pointwise.applies(sizes)
    assert not pointwise.applies(sizes._replace(**other))
