"""The convolution kernels against sums written out over the weights."""

import numpy as np
import pytest

from deeptheory import machine
from deeptheory.nn import kernels
from deeptheory.nn.kernels import patches, winograd


def plain(x, weight, stride, padding):
    """Forward, and the two gradients for an output gradient of `dout`, as functions."""
    _, _, kh, kw = weight.shape
    border = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = np.pad(x, border)
    oh, ow = (padded.shape[1] - kh) // stride + 1, (padded.shape[2] - kw) // stride + 1

    def window(y, z):
        return (slice(None), slice(y, y + stride * oh, stride), slice(z, z + stride * ow, stride))

    places = list(np.ndindex(kh, kw))
    out = sum(padded[window(y, z)] @ weight[:, :, y, z].T for y, z in places)

    def backward(dout):
        dpadded, dweight = np.zeros_like(padded), np.zeros_like(weight)
        for y, z in places:
            dpadded[window(y, z)] += dout @ weight[:, :, y, z]
            dweight[:, :, y, z] = np.einsum("nhwo,nhwc->oc", dout, padded[window(y, z)])
        return dpadded[:, padding : padding + x.shape[1], padding : padding + x.shape[2]], dweight

    return out, backward


@pytest.mark.parametrize(
    ("images", "channels", "kernel", "stride", "padding"),
    [
        ((5, 6, 7), (3, 4), (3, 3), 1, 1),
        ((5, 9, 8), (16, 16), (3, 3), 1, 1),
        ((4, 12, 12), (1, 6), (5, 5), 1, 0),
        ((4, 11, 9), (3, 5), (3, 3), 2, 1),
        ((3, 7, 7), (2, 3), (4, 2), 3, 2),
        ((6, 1, 1), (20, 7), (1, 1), 1, 0),
        ((6, 1, 1), (20, 7), (3, 3), 1, 1),
        ((5, 2, 2), (6, 7), (3, 3), 1, 1),
        ((5, 2, 1), (16, 32), (3, 3), 1, 1),
        ((3, 2, 2), (2, 3), (5, 5), 1, 2),
        ((2, 3, 3), (2, 3), (1, 2), 1, 3),
    ],
)
def test_kernels_agree_with_plain_sums(images, channels, kernel, stride, padding):
    rng = np.random.default_rng(0)
    n_in, n_out = channels
    x = rng.standard_normal((*images, n_in))
    weight = rng.standard_normal((n_out, n_in, *kernel))
    expected, backward = plain(x, weight, stride, padding)
    dout = rng.standard_normal(expected.shape)
    expected_dx, expected_dweight = backward(dout)
    out, dx, dweight = np.full_like(expected, np.nan), np.full_like(x, np.nan), np.full_like(weight, np.nan)
    scratch = kernels.Scratch()
    with machine.single_threaded_blas():
        kernels.conv2d_forward(x, weight, stride, padding, out, scratch)
        kernels.conv2d_backward_data(dout, weight, stride, padding, dx, scratch)
        kernels.conv2d_backward_weights(x, dout, stride, padding, dweight, scratch)
    np.testing.assert_allclose(out, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(dweight, expected_dweight, rtol=1e-10, atol=1e-12)


def test_many_chunks_agree_with_one(monkeypatch):
    rng = np.random.default_rng(1)
    x, weight = rng.standard_normal((3, 8, 8, 4)), rng.standard_normal((5, 4, 3, 3))
    out, small = np.empty((2, 3, 8, 8, 5))
    dweight, small_dweight = np.empty((2, *weight.shape))
    scratch = kernels.Scratch()
    with machine.single_threaded_blas():
        kernels.conv2d_forward(x, weight, 1, 1, out, scratch)
        kernels.conv2d_backward_weights(x, out, 1, 1, dweight, scratch)
        monkeypatch.setattr(patches, "PATCH_ELEMENTS", 1)
        monkeypatch.setattr(patches, "WEIGHT_PATCH_ELEMENTS", 1)
        kernels.conv2d_forward(x, weight, 1, 1, small, scratch)
        kernels.conv2d_backward_weights(x, out, 1, 1, small_dweight, scratch)
    np.testing.assert_allclose(small, out, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(small_dweight, dweight, rtol=1e-12, atol=1e-12)


def test_scratch_is_allocated_once():
    scratch = kernels.Scratch()
    first = scratch.array("a", (4, 3), np.float32)
    assert np.shares_memory(first, scratch.array("a", (2, 5), np.float32))
    assert not np.shares_memory(first, scratch.array("b", (2, 5), np.float32))
    assert not np.shares_memory(first, scratch.array("a", (13,), np.float32))


@pytest.mark.parametrize(
    ("images", "channels"),
    [
        ((3, 8, 8), (16, 32)),
        ((2, 6, 7), (32, 48)),
        ((5, 5, 5), (64, 128)),
        ((4, 3, 9), (80, 16)),
        ((1, 4, 4), (16, 16)),
        ((6, 2, 2), (48, 32)),
    ],
)
def test_winograd_agrees_with_plain_sums(images, channels):
    rng = np.random.default_rng(1)
    n_in, n_out = channels
    x = rng.standard_normal((*images, n_in)).astype(np.float32)
    weight = (rng.standard_normal((n_out, n_in, 3, 3)) / np.sqrt(9 * n_in)).astype(np.float32)
    assert winograd.applies(x, weight.shape, 1, 1)
    expected, backward = plain(x.astype(np.float64), weight.astype(np.float64), 1, 1)
    dout = rng.standard_normal(expected.shape).astype(np.float32)
    expected_dx, expected_dweight = backward(dout.astype(np.float64))
    out, dx, dweight = (np.full(a.shape, np.nan, np.float32) for a in (expected, x, weight))
    scratch = kernels.Scratch()
    for _ in range(2):  # the second time over the scratch of the first
        winograd.forward(x, weight, out, scratch)
        winograd.backward_data(dout, weight, dx, scratch)
        winograd.backward_weights(x, dout, dweight, scratch)
    for found, value in ((out, expected), (dx, expected_dx), (dweight, expected_dweight)):
        assert np.abs(found - value).max() < 2e-5 * np.abs(value).max()


def test_winograd_leaves_other_convolutions_to_patches():
    x = np.zeros((2, 8, 8, 16), np.float32)
    assert winograd.applies(x, (16, 16, 3, 3), 1, 1)
    assert not winograd.applies(x, (16, 16, 3, 3), 2, 1)
    assert not winograd.applies(x, (16, 16, 3, 3), 1, 0)
    assert not winograd.applies(x, (16, 16, 5, 5), 1, 1)
    assert not winograd.applies(x, (20, 16, 3, 3), 1, 1)
    assert not winograd.applies(x.astype(np.float64), (16, 16, 3, 3), 1, 1)
    assert not winograd.applies(x[:, :1], (16, 16, 3, 3), 1, 1)
