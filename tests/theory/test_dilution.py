"""Null dilution: worked numbers, Monte Carlo of random label sets, refused input."""

import numpy as np
import pytest

from deeptheory.theory import expected_dilution, head_dilution, random_dilution


@pytest.mark.parametrize(
    ("n_labels", "size", "value"),
    [(100, 1, 0.990), (100, 3, 0.912), (100, 5, 0.770), (100, 10, 0.330), (10, 3, 0.292)],
)
def test_worked_numbers(n_labels, size, value):
    assert round(float(random_dilution(n_labels, size, size)), 3) == value


def test_random_dilution_limits_and_broadcasting():
    table = random_dilution(4, np.arange(5)[:, None], np.arange(5)[None, :])
    assert table.shape == (5, 5)
    np.testing.assert_allclose(table, table.T, atol=1e-14)
    np.testing.assert_array_equal(table[0], 1.0)
    np.testing.assert_array_equal(table[4, 1:], 0.0)
    assert table[2, 2] == pytest.approx(1 / 6)


def test_head_dilution_counts_the_removed_share():
    assert head_dilution(10, [1, 2, 3]) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: random_dilution(1, 0, 0), "n_labels must be at least 2, found 1"),
        (lambda: random_dilution(5, 6, 1), r"served_in must be whole numbers within 0\.\.5"),
        (lambda: random_dilution(5, 1, -1), r"served_out must be whole numbers within 0\.\.5"),
        (lambda: random_dilution(5, 1.5, 1), "served_in must be whole numbers"),
        (lambda: expected_dilution(5, [], [1]), "at least one filter, found none"),
        (lambda: head_dilution(5, []), "at least one filter, found none"),
        (lambda: head_dilution(5, [7]), r"sizes must be whole numbers within 0\.\.5"),
    ],
)
def test_refused_input_names_the_range(call, text):
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.parametrize(
    ("n_labels", "served_in", "served_out"),
    [(100, 30, 40), (1000, 900, 100), (10**9, 20_000, 30_000), (10**15, 3, 10**6), (10**12, 10**5, 8)],
)
def test_exact_at_any_number_of_labels(n_labels, served_in, served_out):
    few, many = sorted([served_in, served_out])
    exact = np.exp(np.log1p(-many / (n_labels - np.arange(few, dtype=float))).sum())
    assert float(random_dilution(n_labels, served_in, served_out)) == pytest.approx(exact, rel=1e-11)
