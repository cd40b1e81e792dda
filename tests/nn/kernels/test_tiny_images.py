"""Convolution of images of 2 x 2 and less against its definition in float64."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import definitions, tiny_images
from deeptheory.system import instructions, threadpools
from deeptheory.system.compiled import JIT

pytestmark = pytest.mark.skipif(instructions.vectors() == "plain" or not JIT, reason="needs explicit vectors")
TOLERANCE = 2e-6  # relative to the largest value; 1e-6 seen


def assert_close(found, expected):
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()


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
    tiny_images.forward(x, weight, out, scratch)
    tiny_images.backward_data(dout, weight, dx, scratch)
    tiny_images.backward_weights(x, dout, dweight, scratch)
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
def test_all_passes_agree_with_their_definitions(images, channels, threads, monkeypatch):
    monkeypatch.setattr(threadpools, "threads", lambda: threads)
    x, weight, dout = arrays(images, *channels)
    assert tiny_images.applies(x, weight.shape, 1, 1)
    exact_x, exact_weight, exact_dout = (array.astype(np.float64) for array in (x, weight, dout))
    scratch = kernels.Scratch()
    first = all_passes(x, weight, dout, scratch)
    out, dx, dweight = all_passes(x, weight, dout, scratch)  # over the scratch of the first
    assert_close(out, definitions.convolution(exact_x, exact_weight, padding=1))
    assert_close(dx, definitions.convolution_data_gradient(exact_dout, exact_weight, x.shape, padding=1))
    expected = definitions.convolution_weight_gradient(exact_x, exact_dout, weight.shape, padding=1)
    assert_close(dweight, expected)
    for again, before in zip((out, dx, dweight), first, strict=True):
        np.testing.assert_array_equal(again, before)


def test_nan_is_kept_visible():
    x, weight, dout = arrays((6, 2, 2), 64, 64)
    x[3, 1, 0, 5] = np.nan
    out, dx, dweight = all_passes(x, weight, dout, kernels.Scratch())
    assert np.isnan(out[3]).all()
    assert np.isfinite(np.delete(out, 3, axis=0)).all()
    assert np.isfinite(dx).all()
    assert np.isnan(dweight[:, 5, 2, 1]).all()
    assert np.isfinite(np.delete(dweight, 5, axis=1)).all()


def test_other_convolutions_are_left_to_other_kernels():
    x, shape = np.zeros((4, 2, 2, 64), np.float32), (128, 64, 3, 3)
    assert tiny_images.applies(x, shape, 1, 1)
    assert not tiny_images.applies(x, shape, 2, 1)
    assert not tiny_images.applies(x, shape, 1, 0)
    assert not tiny_images.applies(x, (128, 64, 5, 5), 1, 2)
    assert not tiny_images.applies(x, (72, 64, 3, 3), 1, 1)
    assert not tiny_images.applies(x[..., :24], (128, 24, 3, 3), 1, 1)
    assert not tiny_images.applies(x[:3], shape, 1, 1)
    assert not tiny_images.applies(x.astype(np.float64), shape, 1, 1)
    assert not tiny_images.applies(np.zeros((4, 3, 2, 64), np.float32), shape, 1, 1)
