"""The convolution kernels against their definitions."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import convolution, im2col
from deeptheory.nn.kernels.compiled_kernel import geometry
from deeptheory.system import threadpools
from tests.nn.kernels.comparison import assert_close, defined_passes, passes

TOLERANCE = {np.float32: 2e-6, np.float64: 1e-14}  # relative to the largest value; float32: 4e-7 seen


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("images", "channels", "groups", "kernel", "stride", "padding"),
    [
        ((5, 6, 7), (3, 4), 1, (3, 3), 1, 1),
        ((5, 9, 8), (16, 16), 1, (3, 3), 2, 1),
        ((5, 8, 8), (3, 32), 1, (3, 3), 1, 1),
        ((5, 8, 8), (32, 16), 1, (1, 1), 1, 0),
        ((4, 12, 12), (1, 6), 1, (5, 5), 1, 0),
        ((4, 11, 9), (3, 5), 1, (3, 3), 2, 1),
        ((3, 7, 7), (2, 3), 1, (4, 2), 3, 2),
        ((6, 1, 1), (20, 7), 1, (1, 1), 1, 0),
        ((3, 4, 5), (20, 48), 1, (1, 1), 1, 0),
        ((3, 5, 5), (6, 7), 1, (1, 1), 2, 0),
        ((6, 1, 1), (20, 7), 1, (3, 3), 1, 1),
        ((5, 2, 2), (6, 7), 1, (3, 3), 1, 1),
        ((5, 2, 1), (16, 32), 1, (3, 3), 1, 1),
        ((5, 2, 2), (64, 64), 1, (3, 3), 1, 1),
        ((3, 2, 2), (2, 3), 1, (5, 5), 1, 2),
        ((2, 3, 3), (2, 3), 1, (1, 2), 1, 3),
        ((3, 6, 5), (6, 4), 2, (3, 3), 1, 1),
        ((3, 6, 5), (4, 8), 4, (3, 3), 2, 1),
        ((3, 8, 7), (16, 16), 16, (3, 3), 1, 1),
        ((3, 8, 7), (16, 16), 16, (3, 3), 2, 1),
        ((5, 9, 8), (48, 48), 48, (5, 5), 1, 2),
        ((5, 9, 8), (32, 32), 32, (5, 5), 2, 2),
        ((3, 7, 8), (5, 5), 5, (5, 5), 2, 2),
        ((1, 2, 2), (16, 16), 16, (5, 5), 1, 2),
        ((3, 7, 16), (3, 32), 1, (1, 16), 1, 0),
    ],
)
def test_kernels_agree_with_their_definitions(images, channels, groups, kernel, stride, padding, dtype):
    rng, (n_in, n_out), scratch = np.random.default_rng(0), channels, kernels.Scratch()
    x = rng.standard_normal((*images, n_in)).astype(dtype)
    weight = rng.standard_normal((n_out, n_in // groups, *kernel)).astype(dtype)
    sizes = geometry(x, weight, stride, padding, groups)
    dout, bias = (rng.standard_normal(shape).astype(dtype) for shape in (sizes.outputs, n_out))
    expected = defined_passes(sizes, x, weight, dout)
    with threadpools.kernel_threads():
        for _ in range(2):  # the second time over the scratch of the first
            results = passes(convolution, sizes, x, weight, dout, scratch)
        for found, exact in zip(results, expected, strict=True):
            assert_close(found, exact, TOLERANCE[dtype])
        out, dx, dweight, dbias = (np.full_like(a, np.nan) for a in (dout, x, weight, bias))
        convolution.forward_with_bias(sizes, x, weight, bias, out, scratch)
        convolution.backward_with_bias(sizes, x, dout, weight, dweight, dbias, dx, scratch)
    sums = dout.astype(np.float64).sum(axis=(0, 1, 2))
    exact = expected[0] + bias, *expected[1:], sums
    for found, value in zip((out, dx, dweight, dbias), exact, strict=True):
        assert_close(found, value, TOLERANCE[dtype])


@pytest.mark.parametrize(
    ("n_groups", "filters", "stride"), [(8, 4, 1), (8, 4, 2), (6, 8, 1), (32, 1, 1), (3, 4, 1), (2, 16, 1)]
)
def test_groups_of_few_filters_agree_with_their_definition(n_groups, filters, stride):
    rng, scratch, n = np.random.default_rng(0), kernels.Scratch(), n_groups * filters
    x = rng.standard_normal((4, 8, 8, n)).astype(np.float32)
    weight = rng.standard_normal((n, filters, 3, 3)).astype(np.float32)
    sizes = geometry(x, weight, stride, 1, n_groups)
    dout = rng.standard_normal(sizes.outputs).astype(np.float32)
    with threadpools.kernel_threads():
        for _ in range(2):
            results = passes(convolution, sizes, x, weight, dout, scratch)
    for found, expected in zip(results, defined_passes(sizes, x, weight, dout), strict=True):
        assert_close(found, expected, 1e-5)  # some by Winograd's transforms


def test_many_chunks_agree_with_one(monkeypatch):
    rng, scratch = np.random.default_rng(1), kernels.Scratch()
    x, weight, dout = (rng.standard_normal(s) for s in ((3, 8, 8, 4), (5, 4, 3, 3), (3, 8, 8, 5)))
    sizes = geometry(x, weight, stride=1, padding=1)
    with threadpools.kernel_threads():
        at_once = passes(convolution, sizes, x, weight, dout, scratch)
        monkeypatch.setattr(im2col, "PATCH_ELEMENTS", 1)
        monkeypatch.setattr(im2col, "WEIGHT_PATCH_ELEMENTS", 1)
        in_chunks = passes(convolution, sizes, x, weight, dout, scratch)
    for found, expected in zip(in_chunks, at_once, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_scratch_is_allocated_once():
    scratch = kernels.Scratch()
    first = scratch.array("a", (4, 3), np.float32)
    assert np.shares_memory(first, scratch.array("a", (2, 5), np.float32))
    assert not np.shares_memory(first, scratch.array("b", (2, 5), np.float32))
    assert not np.shares_memory(first, scratch.array("a", (13,), np.float32))
