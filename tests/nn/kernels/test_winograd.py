"""Winograd's convolution against its definition in float64, by tiles and by panels."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import definitions, fused_norm, winograd, winograd_by_panels, winograd_by_tiles
from deeptheory.system import instructions, threadpools

pytestmark = pytest.mark.skipif(instructions.vectors() == "plain", reason="needs explicit vectors")
TOLERANCE = 4e-5  # relative to the largest value; at most 1e-5 seen
KINDS = {
    definitions.IDENTITY: fused_norm.IDENTITY,
    definitions.RELU: fused_norm.RELU,
    definitions.SILU: fused_norm.SILU,
}
WINOGRAD_MODES = pytest.mark.parametrize("by", ["tiles", "panels", "panels in many chunks"])
THREADS = pytest.mark.parametrize("threads", [1, 3, 5], ids="{} threads".format)


@pytest.fixture
def mode(by, monkeypatch):
    """The way of computing, whatever the size of the weights."""
    monkeypatch.setattr(winograd, "U_BYTES", 1 << 40 if by == "tiles" else 0)
    if by == "panels in many chunks":
        monkeypatch.setattr(winograd_by_panels, "SHARED_BYTES", 0)
        monkeypatch.setattr(winograd_by_panels, "CHUNK", 5)
    if by == "tiles":
        monkeypatch.setattr(winograd_by_tiles, "CHUNK", 7)


@pytest.fixture
def workers(threads, monkeypatch):
    """As many parts of the work, which the threads of this machine share."""
    monkeypatch.setattr(threadpools, "threads", lambda: threads)


def convolution(images, n_in, n_out, seed=0):
    """Inputs and weights in float32 with outputs of about one."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((*images, n_in), np.float32)
    weight = rng.standard_normal((n_out, n_in, 3, 3), np.float32) / np.float32(np.sqrt(9 * n_in))
    assert winograd.applies(x, weight.shape, 1, 1)
    return x, weight


def assert_close(found, expected):
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()


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
    x, weight = convolution(images, *channels)
    exact_x, exact_weight = x.astype(np.float64), weight.astype(np.float64)
    expected = definitions.convolution(exact_x, exact_weight, padding=1)
    dout = np.random.default_rng(1).standard_normal(expected.shape, np.float32)
    exact_dout = dout.astype(np.float64)
    out, dx, dweight = (np.full(a.shape, np.nan, np.float32) for a in (expected, x, weight))
    scratch = kernels.Scratch()
    for _ in range(2):  # the second time over the scratch of the first
        winograd.forward(x, weight, out, scratch)
        winograd.backward_data(dout, weight, dx, scratch)
        winograd.backward_weights(x, dout, dweight, scratch)
    assert_close(out, expected)
    assert_close(dx, definitions.convolution_data_gradient(exact_dout, exact_weight, x.shape, padding=1))
    assert_close(
        dweight, definitions.convolution_weight_gradient(exact_x, exact_dout, weight.shape, padding=1)
    )


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
    (x, weight), rng = convolution(images, *channels), np.random.default_rng(2)
    slope, shift = rng.standard_normal((2, channels[1]), np.float32)
    h = definitions.convolution(x.astype(np.float64), weight.astype(np.float64), padding=1)
    expected = definitions.norm_activation_pool(
        h, slope.astype(np.float64), shift.astype(np.float64), name, size
    )
    out = np.full(expected.shape, np.nan, np.float32)
    epilogue = fused_norm.Epilogue(slope, shift, KINDS[name], size)
    winograd.forward(x, weight, out, kernels.Scratch(), epilogue)
    assert_close(out, expected)


@WINOGRAD_MODES
@THREADS
@pytest.mark.parametrize("images", [(3, 8, 8), (5, 5, 7)])
def test_sums_of_the_outputs_agree_with_their_definition(images, mode, workers):
    x, weight = convolution(images, 16, 64)
    out = np.full((*images, 64), np.nan, np.float32)
    sums = winograd.forward_with_sums(x, weight, out, kernels.Scratch())
    h = definitions.convolution(x.astype(np.float64), weight.astype(np.float64), padding=1)
    assert_close(out, h)
    assert_close(sums[0], h.sum(axis=(0, 1, 2)))
    assert_close(sums[1], (h**2).sum(axis=(0, 1, 2)))


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
    (x, weight), rng = convolution(images, *channels), np.random.default_rng(3)
    slope, shift, slope_x, constant = rng.standard_normal((4, channels[1]), np.float32)
    h = definitions.convolution(x.astype(np.float64), weight.astype(np.float64), padding=1).astype(np.float32)
    pooled = (images[0], images[1] // size, images[2] // size, channels[1])
    dout = rng.standard_normal(pooled, np.float32)
    exact = (a.astype(np.float64) for a in (h, dout, slope, shift))
    dz = definitions.normalised_gradient(*exact, name, size)
    dh = slope * dz + slope_x * h.astype(np.float64) + constant
    norm = fused_norm.Normed(h.reshape(-1), slope, shift, slope_x, constant, KINDS[name])
    dx, dweight = np.full_like(x, np.nan), np.full_like(weight, np.nan)
    scratch = kernels.Scratch()
    assert winograd.joins_norm(x, weight.shape)
    winograd.backward(x, dout, weight, norm, size, dweight, dx, scratch)
    assert_close(dx, definitions.convolution_data_gradient(dh, weight.astype(np.float64), x.shape, padding=1))
    assert_close(
        dweight, definitions.convolution_weight_gradient(x.astype(np.float64), dh, weight.shape, padding=1)
    )
    alone = np.full_like(weight, np.nan)
    winograd.backward(x, dout, weight, norm, size, alone, None, scratch)
    assert np.array_equal(alone, dweight)


@WINOGRAD_MODES
@pytest.mark.parametrize("threads", [2])
def test_nan_is_kept_visible(mode, workers):
    x, weight = convolution((2, 8, 8), 16, 32)
    x[1, 3, 4, 5] = np.nan
    slope, shift = np.ones((2, 32), np.float32)
    out = np.zeros((2, 4, 4, 32), np.float32)
    epilogue = fused_norm.Epilogue(slope, shift, fused_norm.RELU, 2)
    winograd.forward(x, weight, out, kernels.Scratch(), epilogue)
    assert np.isfinite(out[0]).all()
    assert np.isnan(out[1, 1, 2]).all()


def test_other_convolutions_are_left_to_patches():
    x = np.zeros((2, 8, 8, 16), np.float32)
    assert winograd.applies(x, (16, 16, 3, 3), 1, 1)
    assert not winograd.applies(x, (16, 16, 3, 3), 2, 1)
    assert not winograd.applies(x, (16, 16, 3, 3), 1, 0)
    assert not winograd.applies(x, (16, 16, 5, 5), 1, 1)
    assert not winograd.applies(x, (20, 16, 3, 3), 1, 1)
    assert not winograd.applies(x.astype(np.float64), (16, 16, 3, 3), 1, 1)
    assert not winograd.applies(x[:, :1], (16, 16, 3, 3), 1, 1)
