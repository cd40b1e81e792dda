import numpy as np
import pytest

from deeptheory import measure
from deeptheory.errors import InputError

K, C, P = 8, 30, 4


@pytest.fixture
def given():
    rng = np.random.default_rng(0)
    return rng.random((K, C, P)), rng.standard_normal((K, C, P))


def test_stage_numbers_are_those_of_its_filters_one_by_one(given):
    means, weight = given
    found = measure.measure_stage(means, weight, measure.MeasureOptions(), np.random.default_rng(1))
    clipped = measure.clip(measure.fields_from_class_means(means, weight), 0.3)
    clusters = [measure.find_clusters(matrix) for matrix in clipped]
    noise = [measure.noise(*pair) for pair in zip(clipped, clusters, strict=True)]
    in_columns = [measure.cluster_noise(*pair) for pair in zip(clipped, clusters, strict=True)]
    sizes = [len(members) for filter_clusters in clusters for members in filter_clusters]
    np.testing.assert_array_equal(found.filter_noise, noise)
    np.testing.assert_array_equal(found.filter_cluster_noise, in_columns)
    np.testing.assert_array_equal(found.cluster_sizes, sizes)
    np.testing.assert_array_equal(found.served, np.diagonal(clipped, axis1=1, axis2=2))
    np.testing.assert_array_equal(found.served, found.strengths > 0.3)
    assert found.clusters_per_filter.value == pytest.approx(len(sizes) / C)
    assert found.cluster_size.value == pytest.approx(np.mean(sizes))
    assert found.noise.value == pytest.approx(np.mean(noise))
    assert found.share_without_label.value == pytest.approx(clusters.count([]) / C)
    assert found.measured.snr == measure.measured_snr(clipped).snr
    expected = measure.mean_field_snr(C, K, len(sizes) / C, np.mean(sizes), np.mean(noise))
    assert found.mean_field.snr == pytest.approx(expected.snr)
    assert len(found.relabelled_clusters) == 20


def test_intervals_cover_the_mean_of_the_population():
    # Filters drawn from one population; the interval of N_c must cover its mean in about 95% of the stages.
    rng = np.random.default_rng(2)
    options = measure.MeasureOptions(bootstrap=200, relabellings=2)
    stages = [
        measure.measure_stage(rng.random((5, 20, 2)), rng.standard_normal((5, 20, 2)), options, rng)
        for _ in range(200)
    ]
    truth = np.mean([stage.noise.value for stage in stages])
    covered = np.mean([stage.noise.low <= truth <= stage.noise.high for stage in stages])
    assert covered > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)
    assert all(stage.noise.low <= stage.noise.value <= stage.noise.high for stage in stages)


def test_a_stage_whose_filters_serve_nothing():
    found = measure.measure_stage(
        np.ones((4, 3, 1)), -np.ones((4, 3, 1)), measure.MeasureOptions(), np.random.default_rng(0)
    )
    assert found.share_without_label.value == 1
    assert found.cluster_size.value == 0
    assert len(found.cluster_sizes) == 0
    assert np.isnan(found.mean_field.snr)


def test_a_probe_of_another_stage_is_refused(given):
    means, weight = given
    with pytest.raises(InputError, match=r"probe weight: expected the shape \(K, C, P\) of the class means"):
        measure.measure_stage(means, weight[:, 1:], measure.MeasureOptions(), np.random.default_rng(0))
