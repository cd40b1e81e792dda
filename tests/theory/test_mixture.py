"""Components and the mixture form on synthetic data whose truth is known."""

import numpy as np
import pytest

from deeptheory.theory import accuracy_from_fields, accuracy_from_mixture, mixture_components
from deeptheory.theory.gaussian_field import probability_correct
from deeptheory.theory.kmeans import k_means


def gaussian_labels(rng, n_labels, distance):
    """Field statistics with unequal covariances: mean (K, K) and Cholesky factors (K, K, K)."""
    mean = distance * np.eye(n_labels) + 0.7 * rng.standard_normal((n_labels, n_labels))
    own = 0.5 * rng.standard_normal((n_labels, n_labels, 4))
    return mean, np.linalg.cholesky(np.eye(n_labels) + own @ own.transpose(0, 2, 1))


def draw(rng, mean, factor, n_inputs):
    n_labels = len(mean)
    fields = mean[:, None] + rng.standard_normal((n_labels, n_inputs, n_labels)) @ factor.transpose(0, 2, 1)
    return fields.reshape(-1, n_labels), np.repeat(np.arange(n_labels), n_inputs)


@pytest.mark.parametrize(("n_inputs", "largest"), [(20, 0.020), (30, 0.012), (50, 0.008)])
def test_bias_of_both_forms_with_few_inputs_per_label(n_inputs, largest):
    rng = np.random.default_rng(1)
    mean, factor = gaussian_labels(rng, 40, 5.5)
    truth = accuracy_from_fields(mean, factor @ factor.transpose(0, 2, 1), rng)
    assert 0.8 < truth.accuracy < 0.97
    plain, mixture = [], []
    for _ in range(4):
        fields, labels = draw(rng, mean, factor, n_inputs)
        components = mixture_components(fields, labels, rng)  # of labels that have none
        plain.append(accuracy_from_mixture(fields, labels, None, rng).accuracy)
        mixture.append(accuracy_from_mixture(fields, labels, components, rng).accuracy)
    assert abs(np.mean(plain) - truth.accuracy) < largest
    assert abs(np.mean(mixture) - truth.accuracy) < largest


@pytest.mark.parametrize("n_inputs", [3, 10, 30])
def test_dividing_by_n_makes_a_known_covariance_unbiased_within_3_standard_errors(n_inputs):
    rng = np.random.default_rng(8)
    mean, factor = gaussian_labels(rng, 6, 2.5)
    covariance = factor @ factor.transpose(0, 2, 1)
    truth = accuracy_from_fields(mean, covariance, rng)
    n_means = 400
    for label in (0, 3):
        noise = rng.standard_normal((n_means, 6)) @ factor[label].T
        sampled, _ = probability_correct(
            np.full(n_means, label),
            mean[label] + noise / np.sqrt(n_inputs),
            np.repeat((1 - 1 / n_inputs) * covariance[label][None], n_means, axis=0),
            rng,
            16,
        )
        assert abs(sampled.mean() - truth.per_label[label]) < 3 * sampled.std() / np.sqrt(n_means)


def two_clusters(rng, n_labels, n_inputs):
    """Every label has two well separated sub-clusters, one of them near the next label's output."""
    labels = np.repeat(np.arange(n_labels), n_inputs)
    half = rng.integers(2, size=len(labels))
    fields = rng.standard_normal((len(labels), n_labels))
    fields[np.arange(len(labels)), labels] += np.where(half == 0, 14.0, 8.0)
    fields[np.arange(len(labels)), (labels + 1) % n_labels] += np.where(half == 0, 0.0, 6.5)
    return fields, labels, half


def test_mixture_repairs_what_one_gaussian_gets_wrong():
    rng = np.random.default_rng(2)
    large, large_labels, _ = two_clusters(rng, 6, 20_000)
    truth = np.mean(large.argmax(axis=1) == large_labels)
    fields, labels, half = two_clusters(rng, 6, 400)
    components = mixture_components(fields, labels, rng, n_components=2)
    for label in range(6):
        agree = np.mean(components[labels == label] == half[labels == label])
        assert max(agree, 1 - agree) > 0.97
    plain = accuracy_from_mixture(fields, labels, None, rng)
    mixture = accuracy_from_mixture(fields, labels, components, rng)
    scatter = np.sqrt(truth * (1 - truth) / len(labels))  # of the 2400 inputs behind the statistics
    assert abs(mixture.accuracy - truth) < 3 * scatter
    assert abs(plain.accuracy - truth) > 4 * scatter


def test_components_serve_any_head():
    rng = np.random.default_rng(3)
    features, labels, _ = two_clusters(rng, 6, 300)
    components = mixture_components(features, labels, rng, n_components=2)
    head = np.eye(6) + 0.3 * rng.standard_normal((6, 6))
    large, large_labels, _ = two_clusters(rng, 6, 20_000)
    truth = np.mean((large @ head.T).argmax(axis=1) == large_labels)
    predicted = accuracy_from_mixture(features @ head.T, labels, components, rng)
    assert abs(predicted.accuracy - truth) < 3 * np.sqrt(truth * (1 - truth) / len(labels))


@pytest.mark.parametrize(("n_inputs", "n_components"), [(5, 1), (6, 2), (17, 5), (18, 6), (200, 6)])
def test_number_of_components_falls_back_with_the_inputs(n_inputs, n_components):
    rng = np.random.default_rng(4)
    fields, labels, _ = two_clusters(rng, 3, n_inputs)
    components = mixture_components(fields, labels, rng)
    assert all(components[labels == label].max() + 1 <= n_components for label in range(3))
    assert components.max() + 1 == n_components


def test_components_of_one_input_are_counted():
    fields = np.array([[3.0, 0.0], [0.0, 1.0], [0.0, 2.0], [1.0, 4.0]])
    labels, components = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    predicted = accuracy_from_mixture(fields, labels, components, np.random.default_rng(5))
    np.testing.assert_allclose(predicted.per_label, [0.5, 1.0])


def test_an_output_without_inputs_does_not_break_the_prediction():
    rng = np.random.default_rng(6)
    fields, labels, _ = two_clusters(rng, 5, 60)
    fields[:, 3:] = 0.0
    components = mixture_components(fields, labels, rng)
    predicted = accuracy_from_mixture(fields, labels, components, rng)
    assert abs(predicted.accuracy - np.mean(fields.argmax(axis=1) == labels)) < 0.15


def test_fields_without_spread_are_one_component_each_and_counted():
    labels = np.repeat(np.arange(3), 4)
    fields = np.tile([0.0, 2.0, 1.0], (12, 1))  # as behind a stage of dead filters: always label 1
    rng = np.random.default_rng(0)
    components = mixture_components(fields, labels, rng)
    np.testing.assert_array_equal(components, 0)
    found = accuracy_from_mixture(fields, labels, components, rng)
    np.testing.assert_array_equal(found.per_label, [0, 1, 0])


def test_k_means_finds_separate_groups_and_bears_identical_points():
    rng = np.random.default_rng(7)
    centres = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    own = rng.integers(3, size=90)
    found = k_means(centres[own] + 0.5 * rng.standard_normal((90, 2)), 3, rng)
    assert len({(a, b) for a, b in zip(own, found, strict=True)}) == 3
    np.testing.assert_array_equal(k_means(np.ones((12, 2)), 4, rng), 0)


@pytest.mark.parametrize(
    ("fields", "labels", "components", "text"),
    [
        (np.zeros((4, 2)), np.array([0, 0, 0, 1]), None, "at least 2 inputs, found 1 of label 1"),
        (np.zeros((4, 2)), np.array([0, 0, 1, 2]), None, r"labels must be within 0\.\.1, found 0 to 2"),
        (np.zeros((4, 1)), np.zeros(4, int), None, r"K at least 2 and labels \(N,\), found \(4, 1\)"),
        (np.full((4, 2), np.inf), np.array([0, 0, 1, 1]), None, "fields must be finite"),
        (np.zeros((4, 2)), np.array([0, 0, 1, 1]), np.zeros(3, int), r"of shape \(4,\), found \(3,\)"),
    ],
)
def test_refused_input_names_the_range(fields, labels, components, text):
    with pytest.raises(ValueError, match=text):
        accuracy_from_mixture(fields, labels, components, np.random.default_rng(0))


def test_components_refuse_a_bad_number():
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 1, 1])
    with pytest.raises(ValueError, match="n_components must be at least 1, found 0"):
        mixture_components(np.zeros((4, 2)), labels, rng, 0)
