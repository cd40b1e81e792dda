import tracemalloc

import numpy as np
import pytest

from deeptheory import measure, nn
from deeptheory.data.augment import scale
from deeptheory.errors import InputError

N, K = 230, 5


class TwoStages:
    """A stand-in network: stage1 is (n, 4, 4, 3), stage2 is (n, 7)."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.filters = rng.standard_normal((3, 3)).astype(np.float32)
        self.nodes = rng.standard_normal((48, 7)).astype(np.float32)

    def internals(self, x, taps):
        first = np.maximum(x @ self.filters, 0)
        second = np.maximum(first.reshape(len(x), -1) @ self.nodes, 0)
        every = {"stage1": first, "stage2": second}
        return {tap: every[tap] for tap in taps}


@pytest.fixture
def given():
    rng = np.random.default_rng(1)
    labels = rng.permutation(np.arange(N) % K)
    images = rng.integers(0, 256, (N, 4, 4, 3), np.uint8)
    images[..., 0] = np.clip(images[..., 0] // 2 + 25 * labels[:, None, None], 0, 255)
    probes = {
        "stage1": rng.standard_normal((K, 48)).astype(np.float32),
        "stage2": rng.standard_normal((K, 7)).astype(np.float32),
    }
    return TwoStages(), images, labels, probes


def outputs(network, images, stage):
    """(N, C, P) in float64, all at once."""
    internals = network.internals(scale(images), (stage,))
    output = internals[stage].astype(np.float64)
    return output[:, :, None] if output.ndim == 2 else output.reshape(N, 16, 3).transpose(0, 2, 1)


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_streamed_class_means_equal_those_of_all_inputs_at_once(given, stage):
    network, images, labels, _ = given
    found = measure.class_statistics(network, images, labels, ["stage1", "stage2"], K, quiet=True)[stage]
    whole = outputs(network, images, stage)
    np.testing.assert_allclose(found.means, measure.class_means(whole, labels, K), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.counts, np.bincount(labels))
    response = whole.mean(axis=2)
    np.testing.assert_allclose(
        found.response_range, np.stack([response.min(0), response.max(0)], 1), rtol=1e-5
    )


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_filter_statistics_against_the_definitions(given, stage):
    network, images, labels, probes = given
    statistics = measure.class_statistics(network, images, labels, ["stage1", "stage2"], K, quiet=True)
    found = measure.filter_statistics(network, images, labels, probes, statistics, quiet=True)[stage]
    whole = outputs(network, images, stage)
    weight = probes[stage].reshape(K, *whole.shape[1:]).astype(np.float64)
    fields = np.einsum("nfp,jfp->nfj", whole, weight)
    rivals = measure.strongest_rivals(statistics[stage].means, probes[stage])
    signal, variance = np.zeros((2, K, whole.shape[1]))
    for i in range(K):
        own = fields[labels == i]
        complete = own.sum(axis=1).mean(axis=0)
        assert rivals[i] == max(set(range(K)) - {i}, key=lambda j: complete[j])
        parts = own[:, :, i] - own[:, :, rivals[i]]
        margin = parts.sum(axis=1)
        signal[i] = parts.mean(axis=0) / margin.mean()
        variance[i] = [np.cov(part, margin, bias=True)[0, 1] / margin.var() for part in parts.T]
    np.testing.assert_allclose(found.signal_share, signal.mean(axis=0), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.variance_share, variance.mean(axis=0), rtol=1e-3, atol=1e-5)
    alone = (fields.argmax(axis=2) == labels[:, None]).mean(axis=0)
    np.testing.assert_allclose(found.single_filter_accuracy, alone, atol=1.5 / N)


def test_shares_sum_to_one_over_filters(given):
    network, images, labels, probes = given
    statistics = measure.class_statistics(network, images, labels, list(probes), K, quiet=True)
    for found in measure.filter_statistics(network, images, labels, probes, statistics, quiet=True).values():
        assert found.signal_share.sum() == pytest.approx(1, abs=1e-9)
        assert found.variance_share.sum() == pytest.approx(1, abs=1e-9)


def test_response_counts_hold_every_input_once(given):
    network, images, labels, probes = given
    statistics = measure.class_statistics(network, images, labels, list(probes), K, quiet=True)
    found = measure.filter_statistics(network, images, labels, probes, statistics, quiet=True)["stage1"]
    np.testing.assert_array_equal(found.response_counts.sum(axis=2), np.tile(np.bincount(labels), (3, 1)))
    response = outputs(network, images, "stage1").mean(axis=2)
    for f in range(3):
        expected, _ = np.histogram(response[:, f], bins=10)
        assert np.abs(found.response_counts[f].sum(axis=0) - expected).max() <= 1  # rounding at an edge


def test_complete_fields_are_those_the_filters_sum_to(given):
    network, images, labels, probes = given
    complete = measure.complete_fields(network, images, probes, quiet=True)
    statistics = measure.class_statistics(network, images, labels, list(probes), K, quiet=True)
    for stage, probe in probes.items():
        means = statistics[stage].means
        fields = measure.fields_from_class_means(means, probe.reshape(means.shape))
        mean = measure.class_means(complete[stage], labels, K)
        np.testing.assert_allclose(fields.sum(axis=0), mean, rtol=1e-5, atol=1e-5 * np.abs(mean).max())


def test_memory_does_not_grow_with_the_number_of_inputs(given):
    network, images, labels, probes = given

    def peak(repeats):
        many, their = np.tile(images, (repeats, 1, 1, 1)), np.tile(labels, repeats)
        tracemalloc.start()
        statistics = measure.class_statistics(network, many, their, list(probes), K, quiet=True)
        measure.filter_statistics(network, many, their, probes, statistics, quiet=True)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)  # imports and compilation
    assert peak(20) < 1.2 * peak(2)


def test_features_are_filter_major_and_flat(given):
    network, images, _, _ = given
    features = measure.stage_features(network, images, "stage1", quiet=True)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, outputs(network, images, "stage1").reshape(N, -1), rtol=1e-6)


def test_features_that_do_not_fit_are_refused_before_they_are_made(given, monkeypatch):
    network, images, _, _ = given
    monkeypatch.setattr("deeptheory.machine.free_memory", lambda: 10_000)
    with pytest.raises(
        InputError, match=r"features of stage1: expected at most 80 % of the free memory.*probe\.inputs"
    ):
        measure.stage_features(network, images, "stage1", quiet=True)


def test_a_label_without_input_is_named(given):
    network, images, labels, _ = given
    with pytest.raises(InputError, match="at least one input of every label, found none of label 3"):
        measure.class_statistics(network, images, np.where(labels == 3, 2, labels), ["stage1"], K, quiet=True)


def test_a_real_network_gives_its_logits_as_complete_fields_of_the_last_stage():
    rng = np.random.default_rng(2)
    network = nn.build("vgg6", K, (16, 16, 1), width=0.125, rng=rng)
    images = rng.integers(0, 256, (20, 16, 16, 1), np.uint8)
    assert network.classifier_is_probe
    last = network.stages[-1].name
    weight = network.parameters()["head.linear.weight"]
    fields = measure.complete_fields(network, images, {last: weight}, quiet=True)[last]
    logits, _ = network.forward(scale(images))
    np.testing.assert_allclose(fields, logits, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="stage9"):
        measure.stage_features(network, images, "stage9", quiet=True)
