"""Convolution of one image by weights as they lie in memory."""

import numpy as np
import pytest

from deeptheory.nn.kernels import convolution, definitions, one_image
from deeptheory.nn.kernels.compiled_kernel import geometry
from deeptheory.nn.kernels.scratch import Scratch
from tests.nn.kernels.comparison import NEEDS_VECTORS

pytestmark = NEEDS_VECTORS
TOLERANCE = 1e-6  # relative to the largest value


@pytest.mark.parametrize(
    ("image", "n_out", "size", "stride", "padding"),
    [
        ((4, 4, 128), 32, 3, 1, 1),
        ((2, 2, 256), 20, 3, 1, 1),
        ((8, 4, 16), 8, 5, 1, 2),
        ((8, 8, 32), 4, 3, 2, 1),
    ],
)
def test_agrees_with_the_definition(image, n_out, size, stride, padding):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, *image), np.float32)
    weight = rng.standard_normal((n_out, image[2], size, size), np.float32)
    sizes = geometry(x, weight, stride, padding)
    assert one_image.applies(sizes)
    out = np.full(sizes.outputs, np.nan, np.float32)
    convolution.forward(sizes, x, weight, out, Scratch())
    expected = definitions.convolution(x.astype(float), weight.astype(float), stride, padding)
    assert np.abs(out - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_more_images_or_positions_or_odd_channels_are_left_to_others():
    x, weight = np.zeros((1, 4, 4, 16), np.float32), np.zeros((16, 16, 3, 3), np.float32)
    assert one_image.applies(geometry(x, weight, 1, 1))
    assert not one_image.applies(geometry(x.repeat(2, axis=0), weight, 1, 1))
    assert not one_image.applies(geometry(x.repeat(5, axis=1), weight, 1, 1))
    assert not one_image.applies(geometry(x[:, :3, :3], weight, 1, 1))
    assert not one_image.applies(geometry(x[..., :8], weight[:, :8], 1, 1))


def test_gradients_of_one_image_go_by_another_kernel():
    rng, scratch = np.random.default_rng(1), Scratch()
    x, weight = (
        rng.standard_normal((1, 4, 4, 16), np.float32),
        rng.standard_normal((16, 16, 3, 3), np.float32),
    )
    sizes, dweight = geometry(x, weight, 1, 1), np.empty_like(weight)
    dout = rng.standard_normal(sizes.outputs, np.float32)
    convolution.backward_weights(sizes, x, dout, dweight, scratch)
    moved = [weight.astype(float) + sign * 1e-3 * dweight for sign in (1, -1)]
    up, down = (definitions.convolution(x.astype(float), w, 1, 1) for w in moved)
    slope = np.sum((up - down) * dout) / 2e-3
    assert slope == pytest.approx(np.sum(dweight.astype(float) ** 2), rel=1e-5)
