import numpy as np
import pytest

from deeptheory import measure
from deeptheory.data.augmentation import scale
from tests.measure.conftest import K, N, outputs


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_filter_statistics_against_the_definitions(two_stages, stage):
    network, images, labels, probes = two_stages
    found = measure.filter_statistics(network, images, labels, probes, quiet=True)[stage]
    assert network.passes == 1
    whole = outputs(network, images, stage)
    weight = probes[stage].reshape(K, *whole.shape[1:]).astype(np.float64)
    fields = np.einsum("nfp,jfp->nfj", whole, weight)
    np.testing.assert_allclose(found.means, measure.class_means(whole, labels, K), rtol=1e-5, atol=1e-6)
    size = np.abs(fields).sum(axis=1).max()
    np.testing.assert_allclose(found.complete_fields, fields.sum(axis=1), rtol=1e-6, atol=1e-6 * size)
    signal, variance = np.zeros((2, K, whole.shape[1]))
    for i in range(K):
        own = fields[labels == i]
        complete = own.sum(axis=1).mean(axis=0)
        rival = max(set(range(K)) - {i}, key=lambda j: complete[j])
        parts = own[:, :, i] - own[:, :, rival]
        margin = parts.sum(axis=1)
        signal[i] = parts.mean(axis=0) / margin.mean()
        variance[i] = [np.cov(part, margin, bias=True)[0, 1] / margin.var() for part in parts.T]
    np.testing.assert_allclose(found.signal_share, signal.mean(axis=0), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.variance_share, variance.mean(axis=0), rtol=1e-3, atol=1e-5)
    alone = (fields.argmax(axis=2) == labels[:, None]).mean(axis=0)
    np.testing.assert_allclose(found.single_filter_accuracy, alone, atol=1.5 / N)


def test_a_node_behind_a_relu_gives_all_inputs_one_label_or_the_first(two_stages):
    network, images, labels, probes = two_stages
    found = measure.filter_statistics(network, images, labels, probes, quiet=True)["stage2"]
    active = outputs(network, images, "stage2")[:, :, 0] > 0
    guesses = np.where(active, probes["stage2"].argmax(axis=0), 0)
    assert 0 < active.mean() < 1
    expected = (guesses == labels[:, None]).mean(axis=0)
    np.testing.assert_allclose(found.single_filter_accuracy, expected, rtol=1e-12)


def test_shares_sum_to_one_over_filters(two_stages):
    network, images, labels, probes = two_stages
    for found in measure.filter_statistics(network, images, labels, probes, quiet=True).values():
        assert found.signal_share.sum() == pytest.approx(1, abs=1e-9)
        assert found.variance_share.sum() == pytest.approx(1, abs=1e-9)


def test_response_counts_hold_every_input_once(two_stages):
    network, images, labels, probes = two_stages
    found = measure.filter_statistics(network, images, labels, probes, quiet=True)["stage1"]
    np.testing.assert_array_equal(found.response_counts.sum(axis=2), np.tile(np.bincount(labels), (3, 1)))
    response = outputs(network, images, "stage1").mean(axis=2)
    for f in range(3):
        expected, _ = np.histogram(response[:, f], bins=10)
        assert np.abs(found.response_counts[f].sum(axis=0) - expected).max() <= 1  # rounding at an edge


def test_inputs_that_are_scaled_already_are_measured_as_they_are(two_stages):
    network, images, labels, probes = two_stages
    found = measure.filter_statistics(network, scale(images), labels, probes, quiet=True)
    expected = measure.filter_statistics(network, images, labels, probes, quiet=True)
    for stage in probes:
        for name in ("means", "complete_fields", "response_counts"):
            np.testing.assert_array_equal(getattr(found[stage], name), getattr(expected[stage], name))
