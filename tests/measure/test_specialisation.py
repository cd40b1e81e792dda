import numpy as np
import pytest

from deeptheory import measure


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
