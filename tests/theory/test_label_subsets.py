"""Averages over subsets of labels against brute force, and against fields for which the formulas are exact."""

from itertools import combinations

import numpy as np
import pytest

from deeptheory.theory import (
    counted_subset_accuracy,
    detection_accuracy,
    detection_subset_accuracy,
    pair_distance,
    pairwise_accuracy,
    pairwise_subset_accuracy,
)


def snr_of(n_labels, seed=0):
    snr = np.random.default_rng(seed).uniform(0.5, 2.5, (n_labels, n_labels))
    np.fill_diagonal(snr, np.nan)
    return snr


def brute_force(n_labels, size, accuracy_of):
    """Mean over all subsets, each as an array of labels."""
    subsets = [np.array(subset) for subset in combinations(range(n_labels), size)]
    return np.mean([accuracy_of(subset) for subset in subsets])


@pytest.mark.parametrize("size", [2, 3, 5, 6])
def test_every_subset_counted_one_by_one_gives_the_same(size):
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(6), [3, 7, 5, 8, 4, 6])  # labels count alike, not inputs
    fields = rng.standard_normal((len(labels), 6))
    fields[np.arange(len(labels)), labels] += 1

    def count(subset):
        per_label = [fields[labels == label][:, subset].argmax(axis=1) for label in subset]
        return np.mean(
            [np.mean(subset[guess] == label) for guess, label in zip(per_label, subset, strict=True)]
        )

    expected = brute_force(6, size, count)
    np.testing.assert_allclose(counted_subset_accuracy(fields, labels, [size]), expected, rtol=1e-12)


def test_many_labels_do_not_overflow():
    n_labels = 1000
    rng = np.random.default_rng(2)
    labels = np.arange(n_labels)
    fields = rng.standard_normal((n_labels, n_labels))
    found = counted_subset_accuracy(fields, labels, [2, 500, n_labels])
    assert found[0] == pytest.approx(0.5, abs=0.05)
    assert found[2] == np.mean(fields.argmax(axis=1) == labels)
    assert found[2] <= found[1] <= found[0]


@pytest.mark.parametrize("size", [2, 4, 6])
def test_independent_margins_are_averaged_over_all_subsets(size):
    snr = snr_of(6)
    expected = brute_force(6, size, lambda subset: pairwise_accuracy(snr[np.ix_(subset, subset)]).mean())
    np.testing.assert_allclose(pairwise_subset_accuracy(snr, [size]), expected, rtol=1e-12)


@pytest.mark.parametrize("size", [2, 10, 100])
def test_equal_distances_give_the_detection_law(size):
    snr = np.full((size, size), 1.7)
    distance = np.sqrt(2) * 1.7
    found = detection_subset_accuracy(snr, [2, size])
    np.testing.assert_allclose(found, detection_accuracy(distance, [2, size]), atol=1e-10)
    assert pair_distance(snr) == pytest.approx(distance)


def test_unequal_distances_are_exact_for_independent_fields():
    snr, n_labels, n_draws = snr_of(5, seed=3), 5, 40_000
    rng = np.random.default_rng(4)
    fields, labels = [], np.repeat(np.arange(n_labels), n_draws)
    for label in range(n_labels):
        mean = np.where(np.arange(n_labels) == label, 0, -np.sqrt(2) * snr[label])
        fields.append(mean + rng.standard_normal((n_draws, n_labels)))
    counted = counted_subset_accuracy(np.concatenate(fields), labels, [2, 3, 5])
    error = np.sqrt(counted * (1 - counted) / len(labels))
    predicted = detection_subset_accuracy(snr, [2, 3, 5])
    assert np.all(error < 0.01 * predicted)
    assert np.all(np.abs(counted - predicted) < 3 * error)
    assert np.all(pairwise_subset_accuracy(snr, [3, 5]) < predicted[1:])  # margins share a field


def test_one_distance_is_right_at_two_labels_and_dominated_by_the_closest_pairs():
    snr = snr_of(20)
    two = detection_accuracy(pair_distance(snr), 2)
    np.testing.assert_allclose(pairwise_subset_accuracy(snr, [2]), two, rtol=1e-12)
    np.testing.assert_allclose(detection_subset_accuracy(snr, [2]), two, rtol=1e-9)
    assert pair_distance(snr) < np.sqrt(2) * np.nanmean(snr)
    assert np.isfinite(pair_distance(np.full((3, 3), 20.0)))  # errors of 1e-89


@pytest.mark.parametrize("sizes", [[1], [2, 7], []])
def test_sizes_out_of_range_are_refused(sizes):
    text = r"sizes must be within 2 and 6, found \["
    with pytest.raises(ValueError, match=text):
        pairwise_subset_accuracy(snr_of(6), sizes)
    with pytest.raises(ValueError, match=text):
        detection_subset_accuracy(snr_of(6), sizes)
    with pytest.raises(ValueError, match=text):
        counted_subset_accuracy(np.zeros((6, 6)), np.arange(6), sizes)


def test_refused_numbers_are_named():
    with pytest.raises(ValueError, match=r"snr must be \(K, K\) with K at least 2, found \(2, 3\)"):
        pair_distance(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="snr must be finite off the diagonal"):
        pair_distance(np.array([[0, np.inf], [1, 0]]))
    with pytest.raises(ValueError, match="every label needs at least 1 input, found 0 of label 1"):
        counted_subset_accuracy(np.zeros((2, 3)), np.array([0, 2]), [2])


@pytest.mark.parametrize("snr", [10.0, 40.0, 1000.0])
def test_one_distance_of_equal_snrs_however_large(snr):
    assert pair_distance(np.full((4, 4), snr)) == pytest.approx(np.sqrt(2) * snr, rel=1e-9)
