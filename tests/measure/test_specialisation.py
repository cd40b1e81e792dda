import numpy as np
import pytest

from deeptheory import measure
from deeptheory.errors import InputError


def test_participation_ratio_counts_equal_labels_whatever_their_scale():
    diagonal = np.array([[3.0, 3, 3, 0], [0, 0, 1e-9, 0], [2, -5, 2, 0], [-1, 0, -2, 0], [3, 1, 0, 0]])
    found = measure.participation_ratio(diagonal)
    np.testing.assert_allclose(found, [3, 1, 2, 0, 16 / 10])


def test_class_selectivity_index():
    means = np.array([[4.0, 1.0, 0.0], [0.0, 1.0, 0.0], [2.0, 1.0, 0.0]])  # (K, C)
    np.testing.assert_allclose(measure.class_selectivity_index(means), [(4 - 1) / (4 + 1), 0, 0])
    spread = np.stack([means - 0.5 * means, means + 0.5 * means], axis=2)  # positions with the same mean
    np.testing.assert_allclose(measure.class_selectivity_index(spread), [0.6, 0, 0])


def test_mutual_information_of_a_filter_that_knows_and_one_that_does_not():
    knows = np.diag([1000, 1000, 1000, 1000])
    assert measure.mutual_information(knows[None])[0] == pytest.approx(2.0, abs=0.005)
    # Independent label and bin: the plug-in estimate is biased by 9/(2 N ln 2); corrected, its mean is 0.
    rng = np.random.default_rng(0)
    counts = rng.multinomial(400, np.full(16, 1 / 16), size=500).reshape(500, 4, 4)
    found = measure.mutual_information(counts)
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(500)
    bias = 9 / (2 * 400 * np.log(2))
    assert bias > 10 * found.std() / np.sqrt(500)  # so that the test would see a missing correction


def test_auc_against_every_pair_of_inputs():
    rng = np.random.default_rng(1)
    bins, labels = rng.integers(0, 4, (3, 60)), np.arange(60) % 5
    counts = np.array([[np.bincount(row[labels == k], minlength=4) for k in range(5)] for row in bins])
    served = np.array([[1, 0, 1, 0, 0], [0, 0, 0, 0, 1], [1, 1, 0, 1, 1]], bool)
    expected = []
    for row, served_by_filter in zip(bins, served, strict=True):
        serves = served_by_filter[labels]
        inside, outside = row[serves][:, None], row[~serves]
        expected.append(np.mean((inside > outside) + 0.5 * (inside == outside)))
    np.testing.assert_allclose(measure.served_label_auc(counts, served), expected, rtol=1e-12)


def test_auc_is_a_half_where_there_is_nothing_to_tell_apart_and_one_where_all_is_told():
    counts = np.tile([[0, 5], [5, 0], [3, 0]], (3, 1, 1))
    served = np.array([[0, 0, 0], [1, 1, 1], [1, 0, 0]], bool)
    np.testing.assert_array_equal(measure.served_label_auc(counts, served), [0.5, 0.5, 1])


def test_auc_refuses_labels_without_inputs_and_other_filters():
    with pytest.raises(
        InputError, match="response counts: expected inputs of every label, found none of a label"
    ):
        measure.served_label_auc(np.zeros((1, 2, 3), int), np.ones((1, 2), bool))
    with pytest.raises(InputError, match=r"served labels: expected shape \(1, 2\), found shape \(2, 2\)"):
        measure.served_label_auc(np.ones((1, 2, 3), int), np.ones((2, 2), bool))
