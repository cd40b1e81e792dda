"""Convolution by some of the kernels, with images as lanes, against its definition in float64."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import batch_lanes, definitions, fused_norm, sparse
from tests.nn.kernels.comparison import KINDS, NEEDS_VECTORS, assert_close, exact

pytestmark = NEEDS_VECTORS
TOLERANCE = 1e-5  # relative to the largest value; 1e-6 seen
THREADS = pytest.mark.parametrize("threads", [1, 3, 8], ids="{} threads".format)


def packed(x, scratch, name="x"):
    """`x` in lanes that hold NaN before."""
    held = batch_lanes.array(name, x.shape, scratch)
    held[:] = np.nan
    batch_lanes.pack(x, held, scratch)
    return held


def convolved(x, starts, inputs, values, scratch, epilogue=fused_norm.NO_EPILOGUE):
    """`sparse.convolve`, packed and unpacked; where nothing is written it is NaN."""
    n, height, width = x.shape[:3]
    shape = (n, height // epilogue.size, width // epilogue.size, len(starts) - 1)
    result, out = batch_lanes.array("out", shape, scratch), np.full(shape, np.nan, np.float32)
    result[:] = np.nan
    plan = sparse.plan(x.shape, starts, inputs)
    sparse.convolve(packed(x, scratch), plan, values, epilogue, result, scratch)
    batch_lanes.unpack(result, out)
    return out


def defined(x, starts, inputs, values):
    """The same by definition, in float64, without an epilogue."""
    x, values = exact(x, values)
    return definitions.sparse_convolution(x, starts, inputs, values, 1, 1)


def kept_kernels(n_in, n_out, share, rng):
    """Starts, inputs and values of kernels of random outputs and inputs; one output without any."""
    kept = rng.random((n_out, n_in)) < share
    kept[n_out // 2] = False
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return starts, np.nonzero(kept)[1], rng.standard_normal((int(kept.sum()), 3, 3), np.float32)


@THREADS
@pytest.mark.parametrize("shape", [(3, 4, 5, 7), (16, 2, 2, 16), (17, 33), (33, 3, 1, 40)])
def test_packing_is_undone_by_unpacking(shape, workers):
    x, scratch = np.random.default_rng(0).standard_normal(shape, np.float32), kernels.Scratch()
    held, channels = packed(x, scratch), shape[-1]
    out = np.full((len(x) + 1, *shape[1:]), -1, np.float32)
    batch_lanes.unpack(held, out[:-1])
    np.testing.assert_array_equal(out[:-1], x)
    assert (out[-1] == -1).all()
    by_group = held[: batch_lanes.groups(len(x)) * x[0].size * 16].reshape(
        -1, x[0].size // channels, channels, 16
    )
    last = len(x) - 1
    np.testing.assert_array_equal(by_group[last // 16, :, :, last % 16], x[last].reshape(-1, channels))
    np.testing.assert_array_equal(by_group[-1, :, :, last % 16 + 1 :], 0)


@THREADS
@pytest.mark.parametrize(
    ("images", "channels"),
    [
        ((3, 8, 8), (20, 33)),
        ((18, 2, 2), (64, 70)),
        ((7, 4, 4), (16, 16)),
        ((2, 32, 16), (3, 17)),
        ((3, 7, 9), (5, 40)),
        ((4, 1, 2), (17, 3)),
        ((20, 11, 12), (33, 5)),
        ((3, 5, 3), (40, 20)),
        ((33, 2, 1), (18, 4)),
    ],
)
def test_convolution_agrees_with_its_definition(images, channels, workers):
    rng, scratch = np.random.default_rng(0), kernels.Scratch()
    x, kept = rng.standard_normal((*images, channels[0]), np.float32), kept_kernels(*channels, 0.3, rng)
    for _ in range(2):  # the second time over the scratch of the first
        assert_close(convolved(x, *kept, scratch), defined(x, *kept), TOLERANCE)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("images", [(5, 12, 8), (3, 8, 6), (17, 4, 4), (3, 2, 2)])
def test_epilogue_agrees_with_its_definition(images, name, size):
    rng, scratch = np.random.default_rng(1), kernels.Scratch()
    x, kept = rng.standard_normal((*images, 6), np.float32), kept_kernels(6, 21, 0.4, rng)
    slope, shift = rng.standard_normal((2, 21)).astype(np.float32)
    expected = definitions.norm_activation_pool(defined(x, *kept), slope, shift, name, size)
    epilogue = fused_norm.Epilogue(slope, shift, KINDS[name], size)
    assert_close(convolved(x, *kept, scratch, epilogue), expected, TOLERANCE)


def test_nan_and_infinity_stay_within_their_image():
    rng, scratch = np.random.default_rng(2), kernels.Scratch()
    x, kept = rng.standard_normal((3, 4, 4, 5), np.float32), kept_kernels(5, 4, 0.9, rng)
    results = []
    for wrong in (0, np.nan, np.inf):
        x[1] = wrong
        results.append(convolved(x, *kept, scratch)[[0, 2]])
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])


@THREADS
def test_product_agrees_with_the_dense_one(workers):
    rng, scratch = np.random.default_rng(3), kernels.Scratch()
    x, weight = rng.standard_normal((19, 37), np.float32), rng.standard_normal((18, 37), np.float32)
    kept = rng.random(weight.shape) < 0.4
    kept[3] = False
    starts, inputs = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]), np.nonzero(kept)[1]
    result, out = batch_lanes.array("out", (19, 18), scratch), np.empty((19, 18), np.float32)
    plan = sparse.plan(x.shape, starts, inputs)
    sparse.product(packed(x, scratch), plan, weight[kept], result, scratch)
    batch_lanes.unpack(result, out)
    assert_close(out, x.astype(np.float64) @ np.where(kept, weight, 0).T.astype(np.float64), 1e-6)


def test_without_any_kernel_the_output_is_the_shift():
    nothing = np.zeros(4, np.int64), np.empty(0, np.int64), np.empty((0, 3, 3), np.float32)
    x, shift = np.ones((2, 8, 8, 3), np.float32), np.array([1, -2, 3], np.float32)
    epilogue = fused_norm.Epilogue(np.ones(3, np.float32), shift, fused_norm.IDENTITY, 1)
    out = convolved(x, *nothing, kernels.Scratch(), epilogue)
    np.testing.assert_array_equal(out, np.broadcast_to(shift, out.shape))
