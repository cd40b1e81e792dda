"""Null dilution: worked numbers, Monte Carlo of random label sets, refused input."""

import numpy as np
import pytest

from deeptheory.theory import expected_dilution, head_dilution, random_dilution


def draw_sets(rng, n_draws, n_labels, size):
    sets = np.zeros((n_draws, n_labels), dtype=bool)
    chosen = rng.random((n_draws, n_labels)).argsort(axis=1)[:, :size]
    np.put_along_axis(sets, chosen, True, axis=1)
    return sets


@pytest.mark.parametrize(
    ("n_labels", "size", "value"),
    [(100, 1, 0.990), (100, 3, 0.912), (100, 5, 0.770), (100, 10, 0.330), (10, 3, 0.292)],
)
def test_worked_numbers(n_labels, size, value):
    assert round(float(random_dilution(n_labels, size, size)), 3) == value


@pytest.mark.parametrize(("n_labels", "first", "second"), [(10, 3, 3), (20, 2, 6), (100, 10, 4)])
def test_random_dilution_within_3_standard_errors_of_monte_carlo(n_labels, first, second):
    rng = np.random.default_rng(n_labels)
    n_draws = 40_000
    disjoint = ~np.any(
        draw_sets(rng, n_draws, n_labels, first) & draw_sets(rng, n_draws, n_labels, second), axis=1
    )
    expected = float(random_dilution(n_labels, first, second))
    assert abs(disjoint.mean() - expected) < 3 * np.sqrt(expected * (1 - expected) / n_draws)


def test_random_dilution_limits_and_broadcasting():
    table = random_dilution(4, np.arange(5)[:, None], np.arange(5)[None, :])
    assert table.shape == (5, 5)
    np.testing.assert_allclose(table, table.T, atol=1e-14)
    np.testing.assert_array_equal(table[0], 1.0)
    np.testing.assert_array_equal(table[4, 1:], 0.0)
    assert table[2, 2] == pytest.approx(1 / 6)


def test_expected_dilution_within_3_standard_errors_of_random_label_sets():
    rng = np.random.default_rng(3)
    sizes_in, sizes_out = np.array([0, 1, 2, 2, 5]), np.array([1, 3, 3, 4])
    dilutions = []
    for _ in range(2000):
        before = np.concatenate([draw_sets(rng, 1, 12, size) for size in sizes_in])
        after = np.concatenate([draw_sets(rng, 1, 12, size) for size in sizes_out])
        dilutions.append(np.mean(before.astype(int) @ after.T.astype(int) == 0))
    error = np.std(dilutions, ddof=1) / np.sqrt(len(dilutions))
    assert abs(np.mean(dilutions) - expected_dilution(12, sizes_in, sizes_out)) < 3 * error


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
