import numpy as np
import pytest

from deeptheory import measure
from deeptheory.errors import InputError
from deeptheory.measure.fields import clip_with_strengths


@pytest.fixture
def stage():
    rng = np.random.default_rng(0)
    n, c, p, k = 60, 5, 4, 6
    return {
        "activations": rng.random((n, c, p), np.float32),
        "labels": rng.permutation(np.arange(n) % k),
        "weight": rng.standard_normal((k, c, p)).astype(np.float32),
        "n_labels": k,
    }


def test_field_is_the_class_mean_of_the_output_with_all_other_filters_silenced(stage):
    fields = measure.field_matrices(stage["activations"], stage["labels"], stage["weight"], stage["n_labels"])
    for f in range(5):
        silenced = np.zeros_like(stage["weight"], np.float64)
        silenced[:, f] = stage["weight"][:, f]
        outputs = stage["activations"].reshape(60, -1).astype(np.float64) @ silenced.reshape(6, -1).T
        expected = np.stack([outputs[stage["labels"] == i].mean(axis=0) for i in range(6)])
        np.testing.assert_allclose(fields[f], expected, rtol=1e-12)


def test_fields_sum_to_the_mean_complete_field(stage):
    fields = measure.field_matrices(stage["activations"], stage["labels"], stage["weight"], stage["n_labels"])
    complete = stage["activations"].reshape(60, -1) @ stage["weight"].reshape(6, -1).T  # float32
    mean = measure.class_means(complete, stage["labels"], 6)
    np.testing.assert_allclose(fields.sum(axis=0), mean, rtol=1e-5, atol=1e-5 * np.abs(mean).max())


def test_blocks_of_filters_make_up_all_fields(stage, monkeypatch):
    monkeypatch.setattr("deeptheory.measure.fields.BLOCK_BYTES", 2 * 8 * 6**2)
    means = measure.class_means(stage["activations"], stage["labels"], 6)
    blocks = list(measure.iterate_fields(means, stage["weight"]))
    assert [block.filters for block in blocks] == [slice(0, 2), slice(2, 4), slice(4, 5)]
    together = np.concatenate([block.fields for block in blocks])
    np.testing.assert_array_equal(together, measure.fields_from_class_means(means, stage["weight"]))


def test_clip_is_relative_to_each_filters_largest_element():
    fields = np.array([[[10.0, 2.9], [3.1, 5.0]], [[0.10, 0.02], [0.05, -0.50]]])
    expected = [[[True, False], [True, True]], [[True, False], [True, False]]]
    np.testing.assert_array_equal(measure.clip(fields, 0.3), expected)
    np.testing.assert_array_equal(measure.clip(fields[0], 0.3), expected[0])


@pytest.mark.parametrize("largest", [0.0, -1.0])
def test_a_filter_without_positive_field_has_no_ones(largest):
    fields = np.full((1, 3, 3), -2.0)
    fields[0, 1, 1] = largest
    assert not measure.clip(fields, 0.3).any()
    np.testing.assert_array_equal(measure.label_strengths(fields), np.zeros((1, 3)))


def test_compiled_clipping_is_the_plain_one_bit_by_bit(stage):
    fields = measure.field_matrices(stage["activations"], stage["labels"], stage["weight"], stage["n_labels"])
    fields[1] = -np.abs(fields[1])  # no positive field
    fields[2] = 0
    clipped, strengths = clip_with_strengths(fields, 0.3)
    np.testing.assert_array_equal(clipped, measure.clip(fields, 0.3))
    np.testing.assert_array_equal(strengths, measure.label_strengths(fields))
    for broken in (np.nan, np.inf, -np.inf):
        fields[3, 2, 1] = broken
        with pytest.raises(InputError, match="fields: expected finite numbers, found 1 filters with NaN"):
            clip_with_strengths(fields, 0.3)


def test_strengths_tell_the_served_labels_at_every_threshold(stage):
    fields = measure.field_matrices(stage["activations"], stage["labels"], stage["weight"], stage["n_labels"])
    strengths = measure.label_strengths(fields)
    for threshold in (0.1, 0.3, 0.6):
        served = np.diagonal(measure.clip(fields, threshold), axis1=1, axis2=2)
        np.testing.assert_array_equal(strengths > threshold, served)


def test_bad_input_is_named(stage):
    activations, labels, weight = stage["activations"], stage["labels"], stage["weight"]
    with pytest.raises(InputError, match="found label 6"):
        measure.field_matrices(activations, np.where(labels == 0, 6, labels), weight, 6)
    with pytest.raises(InputError, match=r"\(6, 5, 4\), found \(6, 20\); reshape a head weight"):
        measure.field_matrices(activations, labels, weight.reshape(6, 20), 6)
    with pytest.raises(InputError, match=r"activations: expected shape \(N, C, P\), found shape \(60, 20\)"):
        measure.field_matrices(activations.reshape(60, 20), labels, weight, 6)
    with pytest.raises(InputError, match=r"threshold: expected a number in \[0, 1\), found 1"):
        measure.clip(np.ones((1, 6, 6)), 1.0)
    with pytest.raises(InputError, match="1 filters with NaN"):
        measure.label_strengths(np.full((1, 2, 2), np.nan))


@pytest.mark.parametrize("function", [measure.normalise, lambda fields: measure.clip(fields, 0.3)])
def test_fields_that_are_not_finite_are_no_filters_without_labels(function):
    fields = np.ones((4, 3, 3))
    fields[1, 0, 2], fields[3, 1, 1] = np.nan, np.inf
    with pytest.raises(InputError, match="2 filters with NaN or infinite ones"):
        function(fields)
