"""Magnitude pruning of Gaussian weights, perceptron capacity, detection: formulas against Monte Carlo."""

import numpy as np
import pytest
from scipy.optimize import linprog

from deeptheory.theory import (
    annealed_capacity,
    capacity,
    detection_accuracy,
    detection_error_linear,
    magnitude_overlap,
    quenched_capacity,
    sign_disagreement,
)


def keep_largest(weights, kept):
    n_kept = round(kept * weights.shape[-1])
    threshold = -np.sort(-np.abs(weights), axis=-1)[..., n_kept - 1 : n_kept]
    return weights * (np.abs(weights) >= threshold)


def test_numbers_of_the_half_pruned_vector():
    assert float(sign_disagreement(magnitude_overlap(0.5))) == pytest.approx(0.086, abs=5e-4)
    assert float(sign_disagreement(0.5)) == pytest.approx(0.25)
    assert float(annealed_capacity(0.5)) == pytest.approx(1.857, abs=5e-4)
    assert float(quenched_capacity(0.5)) == pytest.approx(1.0)
    assert float(capacity()) == pytest.approx(2.0)
    assert float(magnitude_overlap(1.0)) == pytest.approx(1.0)


@pytest.mark.parametrize("kept", [0.05, 0.2, 0.5, 0.8])
def test_magnitude_overlap_within_3_standard_errors(kept):
    weights = np.random.default_rng(1).standard_normal((50, 20_000))
    pruned = keep_largest(weights, kept)
    squared = (weights * pruned).sum(1) ** 2 / ((weights**2).sum(1) * (pruned**2).sum(1))
    error = squared.std(ddof=1) / np.sqrt(len(squared))
    expected = float(magnitude_overlap(kept))
    assert abs(squared.mean() - expected) < 3 * error
    assert error < 0.003 * expected


@pytest.mark.parametrize("kept", [0.1, 0.3, 0.5])
def test_sign_disagreement_within_3_standard_errors(kept):
    rng = np.random.default_rng(2)
    n_draws, width = 20_000, 500
    weights = rng.standard_normal((100, width))
    pruned = keep_largest(weights, kept)
    inputs = rng.standard_normal((n_draws, width))
    own = rng.integers(100, size=n_draws)
    full, reduced = (np.einsum("nd,nd->n", inputs, w[own]) for w in (weights, pruned))
    changed = np.mean((full > 0) != (reduced > 0))
    expected = float(sign_disagreement(magnitude_overlap(kept)))
    assert abs(changed - expected) < 3 * np.sqrt(expected * (1 - expected) / n_draws)


@pytest.mark.parametrize("margin", [0.0, 0.5, 2.0])
def test_capacity_integral_within_3_standard_errors(margin):
    t = np.random.default_rng(3).standard_normal(1_000_000)
    square = np.maximum(t + margin, 0) ** 2
    error = square.std() / np.sqrt(t.size)
    assert abs(square.mean() - 1 / float(capacity(margin))) < 3 * error


def test_half_of_the_problems_at_capacity_are_separable():
    # Cover: 2 N random patterns in N dimensions are separable with probability exactly 1/2, for every N.
    rng = np.random.default_rng(4)
    n_trials, width = 150, 12
    separable = 0
    for _ in range(n_trials):
        patterns = rng.standard_normal((int(float(capacity()) * width), width))
        solution = linprog(np.zeros(width), A_ub=-patterns, b_ub=-np.ones(len(patterns)), bounds=(None, None))
        separable += solution.status == 0
    assert abs(separable / n_trials - 0.5) < 3 * np.sqrt(0.25 / n_trials)


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


@pytest.mark.parametrize(("distance", "n_labels"), [(1.0, 2), (2.0, 10), (3.0, 100), (-0.5, 3)])
def test_detection_accuracy_within_3_standard_errors(distance, n_labels):
    rng = np.random.default_rng(6)
    n_draws = 40_000
    correct = sum(
        np.sum(distance + rng.standard_normal(4000) > rng.standard_normal((4000, n_labels - 1)).max(axis=1))
        for _ in range(n_draws // 4000)
    )
    expected = float(detection_accuracy(distance, n_labels))
    assert abs(correct / n_draws - expected) < 3 * np.sqrt(expected * (1 - expected) / n_draws)


def test_detection_limits():
    assert float(detection_accuracy(0.0, 1000)) == pytest.approx(1e-3, abs=1e-12)
    assert detection_accuracy(np.array([1.0, 2.0])[:, None], np.array([3, 30, 300])).shape == (2, 3)


def test_linear_error_bounds_the_exact_one_and_meets_it_when_small():
    distance, n_labels = np.array([1.0, 3.0, 6.0, 8.0]), 100
    exact = 1 - detection_accuracy(distance, n_labels)
    linear = detection_error_linear(distance, n_labels)
    assert np.all(linear >= exact)
    assert linear[-1] == pytest.approx(exact[-1], rel=0.05)
    assert float(detection_error_linear(4.0, 201)) == pytest.approx(
        2 * float(detection_error_linear(4.0, 101))
    )


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: magnitude_overlap(0.0), r"kept \(density\) must be within \(0, 1\], found 0"),
        (lambda: annealed_capacity(1.2), r"kept \(density\) must be within \(0, 1\], found 1.2"),
        (lambda: quenched_capacity(np.nan), r"must be within \(0, 1\], found nan"),
        (lambda: sign_disagreement(1.5), r"squared_overlap must be within \[0, 1\], found 1.5"),
        (lambda: capacity(-0.1), r"margin must be within \[0, inf\), found -0.1"),
        (lambda: detection_accuracy(1.0, 1), "n_labels must be at least 2, found 1"),
        (lambda: detection_error_linear(np.inf, 5), "distance must be finite, found inf"),
    ],
)
def test_refused_input_names_the_range(call, text):
    with pytest.raises(ValueError, match=text):
        call()
