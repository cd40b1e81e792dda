"""Convolution by some of the kernels, with images as lanes, against its definition in float64."""

import numpy as np
import pytest

from deeptheory.nn import kernels
from deeptheory.nn.kernels import batch_lanes, definitions, fused_norm, sparse
from deeptheory.system import instructions, threadpools
from deeptheory.system.compiled import JIT

pytestmark = pytest.mark.skipif(instructions.vectors() == "plain" or not JIT, reason="needs explicit vectors")
TOLERANCE = 1e-5  # relative to the largest value; 1e-6 seen
KINDS = {
    definitions.IDENTITY: fused_norm.IDENTITY,
    definitions.RELU: fused_norm.RELU,
    definitions.SILU: fused_norm.SILU,
}
THREADS = pytest.mark.parametrize("threads", [1, 3, 8], ids="{} threads".format)


@pytest.fixture
def workers(threads, monkeypatch):
    """As many parts of the work, which the threads of this machine share."""
    monkeypatch.setattr(threadpools, "threads", lambda: threads)


def assert_close(found, expected, tolerance=TOLERANCE):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def packed(x, scratch, name="x"):
    """`x` in lanes that hold NaN before."""
    held = batch_lanes.array(name, x.shape, scratch)
    held[:] = np.nan
    batch_lanes.pack(x, held, scratch)
    return held


def kept_of(n_in, n_out, share, rng):
    """Kernels of random outputs and inputs; one output without any."""
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
    x, kept = rng.standard_normal((*images, channels[0]), np.float32), kept_of(*channels, 0.3, rng)
    expected = definitions.sparse_convolution(
        x.astype(np.float64), *kept[:2], kept[2].astype(np.float64), 1, 1
    )
    for _ in range(2):  # the second time over the scratch of the first
        result = batch_lanes.array("out", expected.shape, scratch)
        result[:] = np.nan
        sparse.convolve(
            packed(x, scratch),
            sparse.plan(x.shape, *kept[:2]),
            kept[2],
            fused_norm.NO_EPILOGUE,
            result,
            scratch,
        )
        out = np.full(expected.shape, np.nan, np.float32)
        batch_lanes.unpack(result, out)
        assert_close(out, expected)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("images", [(5, 12, 8), (3, 8, 6), (17, 4, 4), (3, 2, 2)])
def test_epilogue_agrees_with_its_definition(images, name, size):
    rng, scratch = np.random.default_rng(1), kernels.Scratch()
    x, kept = rng.standard_normal((*images, 6), np.float32), kept_of(6, 21, 0.4, rng)
    slope, shift = rng.standard_normal((2, 21)).astype(np.float32)
    convolved = definitions.sparse_convolution(
        x.astype(np.float64), *kept[:2], kept[2].astype(np.float64), 1, 1
    )
    expected = definitions.norm_activation_pool(convolved, slope, shift, name, size)
    result, out = batch_lanes.array("out", expected.shape, scratch), np.empty(expected.shape, np.float32)
    epilogue = fused_norm.Epilogue(slope, shift, KINDS[name], size)
    sparse.convolve(packed(x, scratch), sparse.plan(x.shape, *kept[:2]), kept[2], epilogue, result, scratch)
    batch_lanes.unpack(result, out)
    assert_close(out, expected)


def test_nan_and_infinity_stay_within_their_image():
    rng, scratch = np.random.default_rng(2), kernels.Scratch()
    x, kept = rng.standard_normal((3, 4, 4, 5), np.float32), kept_of(5, 4, 0.9, rng)
    results = []
    for wrong in (0, np.nan, np.inf):
        x[1] = wrong
        result, out = batch_lanes.array("out", (3, 4, 4, 4), scratch), np.empty((3, 4, 4, 4), np.float32)
        sparse.convolve(
            packed(x, scratch),
            sparse.plan(x.shape, *kept[:2]),
            kept[2],
            fused_norm.NO_EPILOGUE,
            result,
            scratch,
        )
        batch_lanes.unpack(result, out)
        results.append(out[[0, 2]])
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
    scratch, starts = kernels.Scratch(), np.zeros(4, np.int64)
    x, shift = np.ones((2, 8, 8, 3), np.float32), np.array([1, -2, 3], np.float32)
    epilogue = fused_norm.Epilogue(np.ones(3, np.float32), shift, fused_norm.IDENTITY, 1)
    result, out = batch_lanes.array("out", x.shape, scratch), np.empty(x.shape, np.float32)
    plan, nothing = sparse.plan(x.shape, starts, np.empty(0, np.int64)), np.empty((0, 3, 3), np.float32)
    sparse.convolve(packed(x, scratch), plan, nothing, epilogue, result, scratch)
    batch_lanes.unpack(result, out)
    np.testing.assert_array_equal(out, np.broadcast_to(shift, out.shape))
