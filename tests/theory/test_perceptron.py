"""Capacity of the perceptron: worked numbers, Monte Carlo of the sparse sphere."""

import numpy as np
import pytest

from deeptheory.theory import annealed_capacity, capacity, quenched_capacity, separable_share


def keep_largest(weights, kept):
    n_kept = round(kept * weights.shape[-1])
    threshold = -np.sort(-np.abs(weights), axis=-1)[..., n_kept - 1 : n_kept]
    return weights * (np.abs(weights) >= threshold)


def test_numbers_at_half_of_the_couplings():
    assert float(annealed_capacity(0.5)) == pytest.approx(1.857, abs=5e-4)
    assert float(quenched_capacity(0.5)) == pytest.approx(1.0)
    assert float(capacity()) == pytest.approx(2.0)


def test_half_of_the_problems_at_capacity_can_be_stored_at_every_size():
    for n_couplings in (1, 12, 200):
        assert float(separable_share(2 * n_couplings, n_couplings)) == pytest.approx(0.5, abs=1e-10)
    np.testing.assert_allclose(separable_share([1, 2, 3, 4], 2), [1, 1, 0.75, 0.5])


@pytest.mark.parametrize("kept", [0.1, 0.4, 0.9])
def test_annealed_numerator_is_the_squared_width_of_the_sparse_sphere(kept):
    # The best unit vector with f N nonzero entries has overlap sqrt(sum of the f N largest g^2) with g.
    field = np.random.default_rng(5).standard_normal((40, 20_000))
    squared_width = (keep_largest(field, kept) ** 2).mean(axis=1)
    error = squared_width.std(ddof=1) / np.sqrt(len(squared_width))
    assert abs(squared_width.mean() - float(annealed_capacity(kept) / capacity())) < 3 * error


def test_annealed_lies_above_quenched_and_meets_it_undiluted():
    kept = np.array([0.1, 0.3, 0.6, 0.9])
    assert np.all(annealed_capacity(kept, 0.3) > quenched_capacity(kept, 0.3))
    assert float(annealed_capacity(1.0, 0.3)) == pytest.approx(float(quenched_capacity(1.0, 0.3)))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: annealed_capacity(1.2), r"kept \(density\) must be within \(0, 1\], found 1.2"),
        (lambda: quenched_capacity(np.nan), r"must be within \(0, 1\], found nan"),
        (lambda: capacity(-0.1), r"margin must be within \[0, inf\), found -0.1"),
        (lambda: separable_share(0, 5), "n_patterns must be whole numbers of at least 1, found 0"),
        (lambda: separable_share(3, 1.5), "n_couplings must be whole numbers of at least 1, found 1.5"),
    ],
)
def test_refused_input_names_the_range(call, text):
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.parametrize("n_couplings", [10**7, 10**8, 5 * 10**9, 10**15])
def test_half_of_the_problems_can_be_stored_however_many_couplings(n_couplings):
    assert float(separable_share(2 * n_couplings, n_couplings)) == pytest.approx(0.5, abs=1e-9)
    assert float(separable_share(n_couplings, n_couplings)) == 1
    # One standard deviation of the number of patterns beyond the capacity: the binomial sum is Gaussian.
    beyond = 2 * n_couplings + round(np.sqrt(2 * n_couplings))
    assert float(separable_share(beyond, n_couplings)) == pytest.approx(0.158655, abs=2e-4)
