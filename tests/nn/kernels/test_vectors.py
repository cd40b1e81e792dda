"""Vectors of 16 float32 against NumPy."""

import warnings

import numpy as np
import pytest

from deeptheory.nn.kernels import vectors
from deeptheory.nn.kernels.vectors import (
    LANES,
    add_double,
    fma,
    lane_sum,
    load,
    store,
    where_equal,
    where_kept,
    where_less,
)
from deeptheory.system import instructions
from deeptheory.system.compiled import JIT, numba

pytestmark = pytest.mark.skipif(instructions.vectors() == "plain" or not JIT, reason="needs explicit vectors")
NAN, INFINITY = np.float32(np.nan), np.float32(np.inf)


@numba.njit
def compute(x, exponentials, sigmoids):
    for at in range(0, x.size, LANES):
        store(exponentials, at, vectors.exp(load(x, at)))
        store(sigmoids, at, vectors.sigmoid(load(x, at)))


@numba.njit
def choose(a, b, x, y, less, equal, kept):
    store(less, 0, where_less(load(a, 0), load(b, 0), load(x, 0), load(y, 0)))
    store(equal, 0, where_equal(load(a, 0), load(b, 0), load(x, 0), load(y, 0)))
    store(kept, 0, where_kept(load(a, 0), load(b, 0), load(x, 0), load(y, 0)))


@numba.njit
def arithmetic(a, b, c, out, total):
    x, y, z = load(a, 1), load(b, 1), load(c, 1)
    store(out, 1, fma(x, y, z) / (x - y) + x * z)
    add_double(total, 1, x)
    add_double(total, 1, y)
    vectors.prefetch_far(a, 1 << 30)  # beyond the end, which does nothing
    vectors.prefetch_to_write(a, 1 << 30)
    return lane_sum(x)


def exp_and_sigmoid(values):
    x = np.resize(np.asarray(values, np.float32), -(-len(values) // LANES) * LANES)
    exponentials, sigmoids = np.empty((2, x.size), np.float32)
    compute(x, exponentials, sigmoids)
    return exponentials[: len(values)], sigmoids[: len(values)]


def test_vectors_are_as_wide_as_chosen():
    exp_and_sigmoid([0])
    (code,) = compute.inspect_asm().values()
    assert "%ymm" in code or instructions.vectors() == "avx512"
    assert ("%zmm" in code) == (instructions.vectors() == "avx512")


def test_exp_and_sigmoid_agree_with_numpy():
    x = np.linspace(-87, 88, 1 << 20, dtype=np.float32)
    exponentials, sigmoids = exp_and_sigmoid(x)
    exact = np.exp(x.astype(np.float64))
    assert np.abs(exponentials / exact - 1).max() < 1.3e-7  # 1.18e-7 seen
    assert np.abs(sigmoids * (1 + 1 / exact) - 1).max() < 2.1e-7  # 1.88e-7 seen


def test_exp_and_sigmoid_of_extremes():
    values = np.array([-INFINITY, -1e30, -88, 88.5, 1e30, INFINITY, NAN, 0, -0.0], np.float32)
    exponentials, sigmoids = exp_and_sigmoid(values)
    lowest, highest = np.exp([-87.0, 88.0])
    expected = np.array([lowest] * 3 + [highest] * 3 + [NAN, 1, 1])
    np.testing.assert_allclose(exponentials, expected, rtol=2e-7)
    least = 1 / (1 + highest)  # exp(-x) is at most exp(88)
    np.testing.assert_allclose(sigmoids, [least] * 3 + [1] * 3 + [NAN, 0.5, 0.5], rtol=3e-7)


def test_choices_with_nan_and_equals():
    a = np.resize(np.array([1, 2, 2, NAN, 1, NAN, INFINITY, -0.0], np.float32), LANES)
    b = np.resize(np.array([2, 1, 2, 1, NAN, NAN, INFINITY, 0.0], np.float32), LANES)
    x, y = np.arange(LANES, dtype=np.float32), -1 - np.arange(LANES, dtype=np.float32)
    less, equal, kept = np.empty((3, LANES), np.float32)
    choose(a, b, x, y, less, equal, kept)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # comparing NaN
        np.testing.assert_array_equal(less, np.where(a < b, x, y))
        np.testing.assert_array_equal(equal, np.where(a == b, x, y))
        # The maximum so far stays where it is NaN, or not below its rival; a NaN of the rival replaces it.
        np.testing.assert_array_equal(kept, np.where((b <= a) | np.isnan(a), x, y))
    assert kept[:8].tolist() == [-1, 1, 2, 3, -5, 5, 6, 7]


def test_arithmetic_touches_16_elements_only():
    rng = np.random.default_rng(0)
    a, b, c = rng.uniform(1, 2, (3, LANES + 2)).astype(np.float32)
    b += 2
    out, total = np.zeros(LANES + 2, np.float32), np.full(LANES + 2, 1e-9)
    whole = arithmetic(a, b, c, out, total)
    own, (x, y, z) = slice(1, -1), (array.astype(np.float64) for array in (a, b, c))
    np.testing.assert_allclose(out[own], ((x * y + z) / (x - y) + x * z)[own], rtol=1e-5)
    np.testing.assert_allclose(total[own], (1e-9 + x + y)[own], rtol=1e-15)  # added in float64
    assert whole == pytest.approx(x[own].sum(), rel=1e-6)
    assert out[0] == out[-1] == 0
    assert total[0] == total[-1] == 1e-9
