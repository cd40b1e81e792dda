import numpy as np
import pytest

from deeptheory import measure
from deeptheory.errors import InputError


def block_filters(n_filters, n_labels, size, n_clusters, rng, extra=0):
    """Clipped fields with `n_clusters` clusters of `size` labels each, and `extra` ones in unserved rows."""
    clipped = np.zeros((n_filters, n_labels, n_labels), np.bool_)
    for matrix in clipped:
        labels = rng.permutation(n_labels)
        for c in range(n_clusters):
            members = labels[c * size : (c + 1) * size]
            matrix[np.ix_(members, members)] = True
        rest = labels[n_clusters * size :]
        matrix[rest[:extra], labels[0]] = True
    return clipped


def test_mean_field_against_worked_numbers():
    found = measure.mean_field_snr(100, 11, 2.0, 3.0, 5.5)
    assert found.signal == pytest.approx(600 / 11)
    assert found.internal_noise == pytest.approx(600 / 11 * 2 / 10)
    assert found.external_noise == pytest.approx(5.0)
    assert found.snr == pytest.approx((600 / 11) / (1200 / 110 + 5.0))


def test_mean_field_equals_measured_where_all_clusters_are_alike():
    clipped = block_filters(40, 9, 3, 2, np.random.default_rng(0), extra=2)
    found = measure.measured_snr(clipped)
    mean_field = measure.mean_field_snr(40, 9, 2.0, 3.0, 2.0)
    assert found.signal_per_label.mean() == pytest.approx(mean_field.signal)
    assert found.noise_per_pair.sum() / (9 * 8) == pytest.approx(
        mean_field.internal_noise + mean_field.external_noise
    )
    assert found.snr == pytest.approx(mean_field.snr)


def test_measured_counts():
    clipped = np.zeros((2, 3, 3), np.bool_)
    clipped[0, 0, 0] = clipped[1, 0, 0] = clipped[0, 0, 1] = clipped[1, 1, 1] = True
    for given in (clipped, clipped.sum(axis=0)):
        found = measure.measured_snr(given)
        np.testing.assert_array_equal(found.signal_per_label, [2, 1, 0])
        np.testing.assert_array_equal(found.noise_per_pair, [[0, 1, 0], [0, 0, 0], [0, 0, 0]])
        np.testing.assert_array_equal(found.labels_unserved, [2])
        assert found.snr == pytest.approx(1 / (1 / 6))


def test_no_noise_is_infinite_and_no_ones_at_all_is_undefined():
    assert measure.measured_snr(np.eye(3, dtype=np.bool_)[None]).snr == np.inf
    assert np.isnan(measure.measured_snr(np.zeros((2, 3, 3), np.bool_)).snr)
    assert measure.mean_field_snr(10, 5, 1.0, 1.0, 0.0).snr == np.inf
    assert measure.mean_field_snr(10, 5, 0.0, 0.0, 3.0).snr == 0


def test_field_snr_of_gaussian_fields():
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(3), 20000)
    shift = np.array([2.0, 1.0, 3.0])
    fields = rng.standard_normal((60000, 3)) + np.eye(3)[labels] * shift[labels, None]
    found = measure.field_snr(fields, labels)
    expected = np.repeat(shift[:, None], 3, axis=1) / np.sqrt(2)
    off = ~np.eye(3, dtype=np.bool_)
    # Standard error of mean/sd over n = 20000: sqrt((1 + snr^2/2)/n) < 0.013; four of them.
    np.testing.assert_allclose(found.snr[off], expected[off], atol=0.05)
    assert np.isnan(np.diagonal(found.snr)).all()
    np.testing.assert_allclose(found.snr[off], (found.mean / np.sqrt(np.maximum(found.variance, 1e-9)))[off])


def test_one_label_has_no_snr():
    with pytest.raises(InputError, match="at least 2"):
        measure.mean_field_snr(10, 1, 1.0, 1.0, 0.0)
    with pytest.raises(InputError, match="at least 2"):
        measure.measured_snr(np.ones((2, 1, 1), np.bool_))
