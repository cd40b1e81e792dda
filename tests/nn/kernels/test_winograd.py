"""Winograd's convolution against its definition in float64, by tiles, by channels and by panels."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import (
    definitions,
    fused_norm,
    winograd,
    winograd_by_channels,
    winograd_by_panels,
    winograd_by_tiles,
)
from deeptheory.nn.kernels.compiled_kernel import Geometry, geometry
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
TOLERANCE = 4e-5  # relative to the largest value; at most 1e-5 seen
WINOGRAD_MODES = pytest.mark.parametrize("by", ["tiles", "panels", "panels in many chunks"])
THREADS = pytest.mark.parametrize("threads", [1, 3, 5], ids="{} threads".format)


@pytest.fixture
def mode(by, monkeypatch):
    """The way of computing, whatever the size of the weights."""
    monkeypatch.setattr(winograd, "U_BYTES", 1 << 40 if by == "tiles" else 0)
    monkeypatch.setattr(winograd_by_channels, "TILES", 0)
    if by == "panels in many chunks":
        monkeypatch.setattr(winograd_by_panels, "SHARED_BYTES", 0)
        monkeypatch.setattr(winograd_by_panels, "CHUNK", 5)
    if by == "tiles":
        monkeypatch.setattr(winograd_by_tiles, "CHUNK", 7)


def convolution(images, n_in, n_out):
    """Sizes, inputs and weights in float32 with outputs of about one."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((*images, n_in), np.float32)
    weight = rng.standard_normal((n_out, n_in, 3, 3), np.float32) / np.float32(np.sqrt(9 * n_in))
    sizes = geometry(x, weight, stride=1, padding=1)
    assert winograd.applies(sizes)
    return sizes, x, weight


def defined(x, weight):
    """The output by definition, in float64."""
    return definitions.convolution(*exact(x, weight), padding=1)


@WINOGRAD_MODES
@THREADS
@pytest.mark.parametrize(
    ("images", "channels"),
    [
        ((3, 8, 8), (16, 32)),
        ((2, 6, 7), (32, 48)),
        ((5, 5, 5), (64, 128)),
        ((4, 3, 9), (80, 16)),
        ((1, 4, 4), (16, 192)),
        ((1, 13, 2), (16, 64)),
        ((13, 2, 2), (48, 32)),
    ],
)
def test_all_passes_agree_with_their_definitions(images, channels, mode, workers):
    sizes, x, weight = convolution(images, *channels)
    dout, scratch = np.random.default_rng(1).standard_normal(sizes.outputs, np.float32), kernels.Scratch()
    for _ in range(2):  # the second time over the scratch of the first
        results = passes(winograd, sizes, x, weight, dout, scratch)
    for found, expected in zip(results, defined_passes(sizes, x, weight, dout), strict=True):
        assert_close(found, expected, TOLERANCE)


@WINOGRAD_MODES
@pytest.mark.parametrize("threads", [3])
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("images", "channels", "size"),
    [
        ((3, 8, 8), (16, 32), 2),
        ((5, 6, 10), (32, 48), 2),
        ((1, 2, 2), (16, 64), 2),
        ((2, 7, 5), (16, 128), 1),
    ],
)
def test_epilogue_agrees_with_its_definition(images, channels, size, name, mode, workers):
    (sizes, x, weight), rng = convolution(images, *channels), np.random.default_rng(2)
    slope, shift = rng.standard_normal((2, channels[1]), np.float32)
    expected = definitions.norm_activation_pool(defined(x, weight), *exact(slope, shift), name, size)
    out = np.full(expected.shape, np.nan, np.float32)
    epilogue = fused_norm.Epilogue(slope, shift, KINDS[name], size)
    assert winograd.forward_with_epilogue(sizes, x, weight, epilogue, out, kernels.Scratch())
    assert_close(out, expected, TOLERANCE)


@WINOGRAD_MODES
@THREADS
@pytest.mark.parametrize("images", [(3, 8, 8), (5, 5, 7)])
def test_sums_of_the_outputs_agree_with_their_definition(images, mode, workers):
    sizes, x, weight = convolution(images, 16, 64)
    out = np.full((*images, 64), np.nan, np.float32)
    sums = winograd.forward_with_sums(sizes, x, weight, out, kernels.Scratch())
    h = defined(x, weight)
    assert_close(out, h, TOLERANCE)
    for found, expected in zip(sums, channel_sums(h), strict=True):
        assert_close(found, expected, TOLERANCE)


@pytest.mark.parametrize("by", ["tiles"])
@THREADS
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("images", "channels", "size"),
    [
        ((6, 8, 8), (16, 32), 2),
        ((5, 6, 10), (32, 48), 2),
        ((7, 7, 5), (16, 128), 1),
        ((9, 4, 4), (64, 16), 1),
    ],
)
def test_gradients_through_norm_and_pooling_agree_with_their_definition(
    images, channels, size, name, mode, workers
):
    (sizes, x, weight), rng = convolution(images, *channels), np.random.default_rng(3)
    slope, shift, slope_x, constant = rng.standard_normal((4, channels[1]), np.float32)
    h = defined(x, weight).astype(np.float32)
    pooled = (images[0], images[1] // size, images[2] // size, channels[1])
    dout, scratch = rng.standard_normal(pooled, np.float32), kernels.Scratch()
    dz = definitions.normalised_gradient(*exact(h, dout, slope, shift), name, size)
    dh = slope * dz + slope_x * h.astype(np.float64) + constant
    norm = fused_norm.Normed(h.reshape(-1), slope, shift, slope_x, constant, KINDS[name])
    dx, dweight, alone = np.full_like(x, np.nan), np.full_like(weight, np.nan), np.full_like(weight, np.nan)
    assert winograd.joins_norm(sizes, size, input_gradient=True)
    winograd.backward_through_norm(sizes, x, dout, weight, norm, size, dweight, dx, scratch)
    _, expected_dx, expected_dweight = defined_passes(sizes, x, weight, dh)
    assert_close(dx, expected_dx, TOLERANCE)
    assert_close(dweight, expected_dweight, TOLERANCE)
    winograd.backward_through_norm(sizes, x, dout, weight, norm, size, alone, None, scratch)
    np.testing.assert_array_equal(alone, dweight)


@pytest.mark.parametrize(
    ("images", "channels", "size", "threads"),
    [
        ((5, 8, 8), (32, 64), 2, 2),
        ((9, 4, 4), (64, 96), 1, 2),
        ((3, 6, 5), (48, 96), 1, 3),
        ((2, 4, 4), (128, 64), 2, 4),  # fewer images than threads
    ],
)
def test_by_channels_and_by_tiles_are_the_same_to_the_bit(images, channels, size, workers, monkeypatch):
    (sizes, x, weight), rng = convolution(images, *channels), np.random.default_rng(4)
    pooled = (images[0], images[1] // size, images[2] // size, channels[1])
    dout, dpooled = rng.standard_normal(sizes.outputs, np.float32), rng.standard_normal(pooled, np.float32)
    norm = fused_norm.Normed(dout.reshape(-1), *rng.standard_normal((4, channels[1]), np.float32), 1)
    found = {}
    for tiles in (0, 1 << 20):
        monkeypatch.setattr(winograd_by_channels, "TILES", tiles)
        scratch, out = kernels.Scratch(), np.full(sizes.outputs, np.nan, np.float32)
        found[tiles] = [winograd.forward_with_sums(sizes, x, weight, out, scratch), out]
        found[tiles] += passes(winograd, sizes, x, weight, dout, scratch)
        if winograd.joins_norm(sizes, size, input_gradient=True):
            dx, dweight = np.full_like(x, np.nan), np.full_like(weight, np.nan)
            winograd.backward_through_norm(sizes, x, dpooled, weight, norm, size, dweight, dx, scratch)
            found[tiles] += [dx, dweight]
    for by_channels, by_tiles in zip(found[1 << 20], found[0], strict=True):
        assert np.isfinite(by_tiles).all()
        np.testing.assert_array_equal(by_channels, by_tiles)
    for array, expected in zip(found[1 << 20][2:5], defined_passes(sizes, x, weight, dout), strict=True):
        assert_close(array, expected, TOLERANCE)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("channels", [(16, 32), (32, 16)])
def test_kernels_transformed_by_every_thread_and_by_all_are_the_same_to_the_bit(
    channels, workers, monkeypatch
):
    sizes, x, weight = convolution((5, 8, 8), *channels)
    dout = np.random.default_rng(1).standard_normal(sizes.outputs, np.float32)
    monkeypatch.setattr(winograd_by_channels, "TILES", 0)
    every = passes(winograd, sizes, x, weight, dout, kernels.Scratch())
    monkeypatch.setattr(winograd_by_tiles, "FEW", 0)
    winograd_by_tiles.plan_of.cache_clear()
    together = passes(winograd, sizes, x, weight, dout, kernels.Scratch())
    winograd_by_tiles.plan_of.cache_clear()
    for found, expected in zip(every, together, strict=True):
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(found, expected)


def test_few_tiles_are_taken_by_channels_where_all_threads_get_some():
    few = Geometry((4, 4, 4, 64), (64, 64, 3, 3), 1, 1, 1, np.float32)
    assert winograd_by_channels.applies(few, threads=2)
    assert not winograd_by_channels.applies(few, threads=1)
    assert not winograd_by_channels.applies(few, threads=3)
    assert not winograd_by_channels.applies(few._replace(images=(400, 4, 4, 64)), threads=2)


@WINOGRAD_MODES
@pytest.mark.parametrize("threads", [2])
def test_nan_is_kept_visible(mode, workers):
    sizes, x, weight = convolution((2, 8, 8), 16, 32)
    x[1, 3, 4, 5] = np.nan
    slope, shift = np.ones((2, 32), np.float32)
    out = np.zeros((2, 4, 4, 32), np.float32)
    epilogue = fused_norm.Epilogue(slope, shift, fused_norm.RELU, 2)
    winograd.forward_with_epilogue(sizes, x, weight, epilogue, out, kernels.Scratch())
    assert np.isfinite(out[0]).all()
    assert np.isnan(out[1, 1, 2]).all()


@pytest.mark.parametrize(
    "other",
    [
        {"stride": 2},
        {"padding": 0},
        {"groups": 2},
        {"weights": (16, 16, 5, 5), "padding": 2},
        {"weights": (20, 16, 3, 3)},
        {"images": (2, 1, 8, 16)},
        {"dtype": np.float64},
    ],
)
def test_other_convolutions_are_left_to_other_kernels(other):
    sizes = Geometry((2, 8, 8, 16), (16, 16, 3, 3), 1, 1, 1, np.float32)
    assert winograd.applies(sizes)
    assert not winograd.applies(sizes._replace(**other))
