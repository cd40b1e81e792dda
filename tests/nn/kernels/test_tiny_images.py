"""Convolution of images of 2 x 2 and less against its definition in float64."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import tiny_images
from deeptheory.nn.kernels.compiled_kernel import Geometry, geometry
from tests.nn.kernels.comparison import NEEDS_VECTORS, assert_close, defined_passes

pytestmark = NEEDS_VECTORS
TOLERANCE = 2e-6  # relative to the largest value; 1e-6 seen


def arrays(images, n_in, n_out):
    """Inputs, weights and gradients of the outputs, in float32."""
    rng = np.random.default_rng(0)
    x, dout = (rng.standard_normal((*images, n), np.float32) for n in (n_in, n_out))
    return x, rng.standard_normal((n_out, n_in, 3, 3), np.float32), dout


def all_passes(x, weight, dout, scratch):
    """Output, gradient of the input and of the weights, each over NaN and followed by what must stay zero."""
    whole = [np.zeros((len(a) + 1, *a.shape[1:]), np.float32) for a in (dout, x, weight)]
    out, dx, dweight = (array[:-1] for array in whole)
    for array in (out, dx, dweight):
        array[:] = np.nan
    sizes = geometry(x, weight, stride=1, padding=1)
    tiny_images.forward(sizes, x, weight, out, scratch)
    tiny_images.backward_data(sizes, dout, weight, dx, scratch)
    tiny_images.backward_weights(sizes, x, dout, dweight, scratch)
    assert not any(array[-1].any() for array in whole)
    return out, dx, dweight


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(
    ("images", "channels"),
    [
        ((13, 2, 2), (64, 128)),
        ((7, 2, 2), (128, 64)),
        ((5, 1, 1), (64, 64)),
        ((4, 2, 1), (192, 64)),
        ((9, 1, 2), (64, 192)),
    ],
)
def test_all_passes_agree_with_their_definitions(images, channels, workers):
    x, weight, dout = arrays(images, *channels)
    sizes, scratch = geometry(x, weight, stride=1, padding=1), kernels.Scratch()
    assert tiny_images.applies(sizes)
    first = all_passes(x, weight, dout, scratch)
    again = all_passes(x, weight, dout, scratch)  # over the scratch of the first
    for results in zip(again, first, defined_passes(sizes, x, weight, dout), strict=True):
        assert_close(results[0], results[2], TOLERANCE)
        np.testing.assert_array_equal(results[0], results[1])


def test_nan_is_kept_visible():
    x, weight, dout = arrays((6, 2, 2), 64, 64)
    x[3, 1, 0, 5] = np.nan
    out, dx, dweight = all_passes(x, weight, dout, kernels.Scratch())
    assert np.isnan(out[3]).all()
    assert np.isfinite(np.delete(out, 3, axis=0)).all()
    assert np.isfinite(dx).all()
    assert np.isnan(dweight[:, 5, 2, 1]).all()
    assert np.isfinite(np.delete(dweight, 5, axis=1)).all()


@pytest.mark.parametrize(
    "other",
    [
        {"stride": 2},
        {"padding": 0},
        {"weights": (128, 64, 5, 5), "padding": 2},
        {"weights": (72, 64, 3, 3)},
        {"weights": (128, 24, 3, 3), "images": (4, 2, 2, 24)},
        {"images": (3, 2, 2, 64)},
        {"images": (4, 3, 2, 64)},
        {"dtype": np.float64},
    ],
)
def test_other_convolutions_are_left_to_other_kernels(other):
    sizes = Geometry((4, 2, 2, 64), (128, 64, 3, 3), 1, 1, 1, np.float32)
    assert tiny_images.applies(sizes)
    assert not tiny_images.applies(sizes._replace(**other))
