import numpy as np
import pytest

from deeptheory import measure
from deeptheory.errors import InputError
from deeptheory.measure.clusters import count_clusters
from deeptheory.measure.filter_measures import MOST, measure_filters

K, P = 7, 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threshold", [0, 0.3, 0.9])
def test_filters_are_measured_as_by_the_definitions(dtype, threshold):
    rng = np.random.default_rng(0)
    n_filters = 2 * MOST + 90  # more than can be counted in bytes
    means = rng.random((K, n_filters, P))
    weight = (rng.standard_normal((K, n_filters, P)) + 0.3).astype(dtype)
    means[:, 5] = 0
    weight[:, 6] = -1  # no positive field
    orders = np.array([rng.permutation(K) for _ in range(3)])
    found = measure_filters(means, weight, threshold, orders)
    fields = measure.fields_from_class_means(means, weight)
    clipped = measure.clip(fields, threshold)
    np.testing.assert_array_equal(found.strengths, measure.label_strengths(fields))
    np.testing.assert_array_equal(found.clusters, measure.all_clusters(clipped))
    noise, cluster_noise = measure.all_noise(clipped, found.clusters)
    np.testing.assert_array_equal(found.noise, noise)
    np.testing.assert_array_equal(found.cluster_noise, cluster_noise)
    np.testing.assert_array_equal(found.relabelled.T, count_clusters(measure.all_clusters(clipped, orders)))
    np.testing.assert_array_equal(found.ones, clipped.sum(axis=0))


def test_no_other_order_is_needed():
    found = measure_filters(np.ones((2, 3, 1)), np.ones((2, 3, 1)), 0.3, np.empty((0, 2), np.int64))
    assert found.relabelled.shape == (3, 0)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_fields_that_are_not_finite_are_counted(broken):
    means = np.ones((K, 4, P))
    means[2, 1, 0] = means[3, 3, 1] = broken
    with pytest.raises(InputError, match="fields: expected finite numbers, found 2 filters with NaN"):
        measure_filters(means, np.ones((K, 4, P)), 0.3, np.arange(K)[None])
