"""Gaussian field accuracies against exact values and Monte Carlo."""

import numpy as np
import pytest

from deeptheory.measure import FullCovariances, LowRankCovariances, SecondOrderStatistics
from deeptheory.theory import accuracy_from_activations, accuracy_from_fields, detection_accuracy


def random_statistics(rng, n_labels, distance, rank=None):
    mean = distance * np.eye(n_labels) + 0.5 * rng.standard_normal((n_labels, n_labels))
    rank = rank or 2 * n_labels
    factor = rng.standard_normal((n_labels, n_labels, rank)) / np.sqrt(rank)
    return mean, factor @ factor.transpose(0, 2, 1), factor


def counted(rng, mean, factor, n_draws):
    hits = [
        np.mean((m + rng.standard_normal((n_draws, f.shape[1])) @ f.T).argmax(axis=1) == i)
        for i, (m, f) in enumerate(zip(mean, factor, strict=True))
    ]
    p = np.array(hits)
    return p.mean(), np.sqrt(np.sum(p * (1 - p)) / n_draws) / len(p)


def test_stated_error_is_the_observed_scatter():
    mean, covariance, _ = random_statistics(np.random.default_rng(3), 10, 2.5)
    results = [accuracy_from_fields(mean, covariance, np.random.default_rng(seed)) for seed in range(30)]
    observed = np.std([r.accuracy for r in results], ddof=1)
    stated = np.sqrt(np.mean([r.standard_error**2 for r in results]))
    assert 0.6 < observed / stated < 1.5  # 30 repetitions know the scatter to 13 percent


@pytest.mark.parametrize(
    ("n_labels", "distance", "rank"), [(3, 1.5, None), (10, 2.0, None), (40, 3.5, None), (20, 2.5, 6)]
)
def test_accuracy_within_3_standard_errors_of_monte_carlo(n_labels, distance, rank):
    rng = np.random.default_rng(n_labels)
    mean, covariance, factor = random_statistics(rng, n_labels, distance, rank)
    predicted = accuracy_from_fields(mean, covariance, rng)
    expected, error = counted(rng, mean, factor, 100_000 // n_labels)
    assert abs(predicted.accuracy - expected) < 3 * np.hypot(error, predicted.standard_error)
    assert predicted.standard_error < 1e-3
    assert predicted.per_label.mean() == pytest.approx(predicted.accuracy)


@pytest.mark.parametrize("n_labels", [2, 10, 100])
def test_independent_equal_fields_give_the_detection_integral(n_labels):
    mean = 3.0 * np.eye(n_labels)
    covariance = np.repeat(np.eye(n_labels)[None], n_labels, axis=0)
    predicted = accuracy_from_fields(mean, covariance, np.random.default_rng(5))
    assert (
        abs(predicted.accuracy - float(detection_accuracy(3.0, n_labels)))
        < 4 * predicted.standard_error + 1e-9
    )
    assert predicted.standard_error < 1e-3  # 0.1 points


def test_outputs_that_never_vary_are_counted():
    mean = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 3.0, 1.0]])
    predicted = accuracy_from_fields(mean, np.zeros((3, 3, 3)), np.random.default_rng(6))
    np.testing.assert_allclose(predicted.per_label, [1.0, 1.0, 0.0])


@pytest.mark.parametrize("form", ["full", "low-rank", "pooled"])
@pytest.mark.parametrize("kept", [1.0, 0.5])
def test_activations_are_projected_by_the_head(form, kept):
    rng = np.random.default_rng(7)
    n_labels, width, rank = 5, 12, 3
    means = rng.standard_normal((n_labels, width))
    low = 0.6 * rng.standard_normal((n_labels, rank, width))
    if form == "pooled":
        low[:] = low[0]
    own = 0.5 + rng.random(width)
    sigma = low.transpose(0, 2, 1) @ low + np.diag(own)
    if form == "low-rank":
        covariances = LowRankCovariances(low, np.tile(own, (n_labels, 1)), np.zeros(n_labels))
    else:
        covariances = FullCovariances(sigma[:1] if form == "pooled" else sigma, n_labels)
    statistics = SecondOrderStatistics(
        np.arange(n_labels), np.full(n_labels, 10), means[:, :, None], covariances
    )
    head = means * (rng.random((n_labels, width)) < kept)
    predicted = accuracy_from_activations(statistics, head, rng)
    expected, error = counted(rng, means @ head.T, head @ np.linalg.cholesky(sigma), 50_000)
    assert abs(predicted.accuracy - expected) < 3 * np.hypot(error, predicted.standard_error)
    assert 0.4 < expected < 0.95


def test_components_count_by_their_shares():
    rng = np.random.default_rng(10)
    n_labels, labels = 4, np.array([0, 1, 1, 1, 2, 3, 3])
    shares = np.array([1.0, 0.5, 0.2, 0.3, 1.0, 0.9, 0.1])
    mean = 1.5 * np.eye(n_labels)[labels] + rng.standard_normal((7, n_labels))
    factor = 0.5 * rng.standard_normal((7, n_labels, n_labels))
    predicted = accuracy_from_fields(mean, factor @ factor.transpose(0, 2, 1), rng, labels, shares)
    n_draws = 100_000
    hits = np.array(
        [
            np.mean((m + rng.standard_normal((n_draws, n_labels)) @ f.T).argmax(axis=1) == i)
            for i, m, f in zip(labels, mean, factor, strict=True)
        ]
    )
    expected = np.bincount(labels, shares * hits)
    error = np.sqrt(np.sum(shares**2 * hits * (1 - hits)) / n_draws) / n_labels
    assert abs(predicted.accuracy - expected.mean()) < 3 * np.hypot(error, predicted.standard_error)
    np.testing.assert_allclose(predicted.per_label, expected, atol=0.01)


def test_a_change_of_label_order_changes_nothing():
    rng = np.random.default_rng(8)
    mean, covariance, _ = random_statistics(rng, 8, 2.0)
    order = rng.permutation(8)
    direct = accuracy_from_fields(mean, covariance, rng)
    permuted = accuracy_from_fields(mean[np.ix_(order, order)], covariance[np.ix_(order, order, order)], rng)
    np.testing.assert_allclose(permuted.per_label, direct.per_label[order], atol=1e-3)


def test_refused_input_names_the_range():
    rng = np.random.default_rng(9)
    mean, covariance, _ = random_statistics(rng, 4, 2.0)
    covariance[2] -= 3 * np.eye(4)
    with pytest.raises(ValueError, match="covariance 2 must be positive semi-definite"):
        accuracy_from_fields(mean, covariance, rng)
    with pytest.raises(
        ValueError, match=r"mean must be \(G, K\) and covariance \(G, K, K\) with K at least 2"
    ):
        accuracy_from_fields(np.zeros((3, 3)), np.zeros((3, 3, 2)), rng)
    moments = np.zeros((3, 2)), np.tile(np.eye(2), (3, 1, 1)), rng
    with pytest.raises(ValueError, match=r"labels must be all of 0\.\.1, found \[0 1 2\]"):
        accuracy_from_fields(*moments)
    with pytest.raises(ValueError, match=r"labels and shares must be \(3,\), found \(2,\) and \(3,\)"):
        accuracy_from_fields(*moments, np.arange(2))
    with pytest.raises(ValueError, match="sum 1 for every label, found sum 2 of label 1"):
        accuracy_from_fields(*moments, np.array([0, 1, 1]))
