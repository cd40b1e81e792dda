import numpy as np
import pytest

from deeptheory import measure
from deeptheory.errors import InputError
from deeptheory.measure.labels import label_counts

LABELS = np.array([1, 0, 2, 1])


def test_means_over_the_inputs_of_every_label_in_any_order():
    values = np.random.default_rng(0).standard_normal((4, 3, 2))
    expected = [values[1], (values[0] + values[3]) / 2, values[2]]
    np.testing.assert_allclose(measure.class_means(values, LABELS, 3), expected, rtol=1e-15)


def test_balanced_subset_takes_as_many_of_every_label():
    labels = np.repeat([0, 1, 2], [50, 9, 20])
    rows = measure.balanced_subset(labels, 13, np.random.default_rng(0))
    np.testing.assert_array_equal(np.bincount(labels[rows]), [4, 4, 4])
    assert np.all(np.diff(rows) > 0)
    other = measure.balanced_subset(labels, 13, np.random.default_rng(1))
    assert rows.tolist() != other.tolist()
    with pytest.raises(InputError, match=r"probe\.inputs: expected 0 for all, or at least 3, one for each"):
        measure.balanced_subset(labels, 2, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("labels", "n_inputs", "text"),
    [
        (LABELS + 1, 4, "labels: .*0 to 2, found label 3"),
        (np.array([0, 1, 1, 0]), 4, "labels: .*every label, found none of label 2"),
        (LABELS[1:], 4, r"labels: .*\(4,\), found shape \(3,\)"),
        (LABELS.astype(float), 4, "labels: .*integers, found .*float64"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, n_inputs, text):
    with pytest.raises(InputError, match=text):
        label_counts(labels, 3, n_inputs)
