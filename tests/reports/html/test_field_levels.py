import base64
import gzip

import numpy as np
import pytest

from deeptheory import measure
from deeptheory.reports.html.field_levels import TOP, edges, levels, marks, packed


def fields(seed=0, n_labels=30):
    """Of every kind: with elements on the thresholds and beside them, without a positive one, all zero."""
    values = np.random.default_rng(seed).normal(size=(8, n_labels, n_labels))
    values[0] /= values[0].max()
    for number, threshold in enumerate((0.3, 0.45, 0.5)):
        values[0, number, :3] = np.nextafter(threshold, 0), threshold, np.nextafter(threshold, 1)
    values[1] = -np.abs(values[1])
    values[2] = 0
    values[3] *= 1e-300
    return values


@pytest.mark.parametrize(
    "thresholds", [(0.3, 0.3), (0.3, 0.45), (0.0, 0.5), (0.3, 0.3001, 0.2999), (0.9999, 0.99999)]
)
def test_clipping_levels_is_clipping_fields_at_every_edge(thresholds):
    marked = marks(thresholds)
    upper = edges(marked)
    assert set(thresholds) <= {upper[level] for level in marked}
    found = levels(fields(), upper)
    for level in range(TOP):
        np.testing.assert_array_equal(found > level, measure.clip(fields(), upper[level]))


def test_clusters_are_those_of_the_fields():
    upper = edges(marks((0.3,)))
    level = list(upper).index(0.3)
    for field, found in zip(fields(), levels(fields(), upper), strict=True):
        assert measure.find_clusters(found > level) == measure.find_clusters(measure.clip(field, 0.3))


def test_edges_increase_and_are_even_between_marks():
    upper = edges(marks((0.3, 0.45)))
    assert upper.shape == (256,)
    assert (upper[0], upper[TOP]) == (0, 1)
    assert np.diff(upper).min() > 0.0038
    assert np.diff(upper).max() < 0.0041


def test_values_are_within_their_level():
    upper = edges(marks((0.3,)))
    value = measure.normalise(fields())
    level = levels(fields(), upper)
    positive = value > 0
    np.testing.assert_array_equal(level == 0, ~positive)
    assert np.all(value[positive] <= upper[level[positive]])
    assert np.all(value[positive] > upper[level[positive] - 1])


def test_packed_arrays_are_the_same_at_every_call():
    arrays = np.arange(3, dtype="<u2"), np.array([7, 8], np.uint8)
    text = packed(*arrays)
    assert text == packed(*arrays)
    assert gzip.decompress(base64.b64decode(text)) == bytes([0, 0, 1, 0, 2, 0, 7, 8])
