import tracemalloc

import numpy as np
import pytest

from deeptheory import measure, nn
from deeptheory.data.augmentation import scale
from deeptheory.errors import InputError
from deeptheory.measure import array_layout, class_sums

N, K = 230, 5


class TwoStages:
    """A stand-in network: stage1 is (n, 4, 4, 3), stage2 is (n, 7)."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.passes = 0
        self.filters = rng.standard_normal((3, 3)).astype(np.float32)
        self.nodes = rng.standard_normal((48, 7)).astype(np.float32)

    def internals(self, x):
        first = np.maximum(x @ self.filters, 0)
        return {"stage1": first, "stage2": np.maximum(first.reshape(len(x), -1) @ self.nodes, 0)}

    def observe(self, x, observers):
        self.passes += len(x) / N
        internals = self.internals(x)
        for stage, observer in observers.items():
            observer(internals[stage])
            internals[stage][:] = np.nan  # as a network overwrites its internals


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
    output = network.internals(scale(images))[stage].astype(np.float64)
    return output[:, :, None] if output.ndim == 2 else output.reshape(N, 16, 3).transpose(0, 2, 1)


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_streamed_class_means_equal_those_of_all_inputs_at_once(given, stage):
    network, images, labels, _ = given
    found = measure.class_statistics(network, images, labels, ["stage1", "stage2"], K, quiet=True)[stage]
    whole = outputs(network, images, stage)
    np.testing.assert_allclose(found.means, measure.class_means(whole, labels, K), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.counts, np.bincount(labels))
    assert network.passes == 1


@pytest.mark.parametrize("ordered", [True, False])
def test_sums_of_runs_are_the_plain_sums(ordered):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, K, 100)
    labels = np.sort(labels) if ordered else labels
    outputs = rng.random((100, 9, 300), np.float32)  # 2700 elements: several parts, the last one smaller
    found = class_sums.ClassSums(labels, np.ones(K, np.int64))
    found(outputs, np.arange(100))
    expected = np.zeros((K, 2700))
    class_sums.add_runs_plainly(outputs.reshape(100, -1), labels, expected)
    np.testing.assert_allclose(found.sums.reshape(K, -1), expected, rtol=1e-6)


def test_filter_major_is_a_transposition():
    outputs = np.random.default_rng(4).random((3, 18, 37), np.float32)
    np.testing.assert_array_equal(array_layout.filter_major(outputs), outputs.transpose(0, 2, 1))
    by_filter = np.empty((37, 3, 18), np.float32)
    array_layout.filter_major(outputs, by_filter.transpose(1, 0, 2))
    np.testing.assert_array_equal(by_filter, outputs.transpose(2, 0, 1))


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_filter_statistics_against_the_definitions(given, stage):
    network, images, labels, probes = given
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


def test_a_node_behind_a_relu_gives_all_inputs_one_label_or_the_first(given):
    network, images, labels, probes = given
    found = measure.filter_statistics(network, images, labels, probes, quiet=True)["stage2"]
    active = outputs(network, images, "stage2")[:, :, 0] > 0
    guesses = np.where(active, probes["stage2"].argmax(axis=0), 0)
    assert 0 < active.mean() < 1
    expected = (guesses == labels[:, None]).mean(axis=0)
    np.testing.assert_allclose(found.single_filter_accuracy, expected, rtol=1e-12)


def test_shares_sum_to_one_over_filters(given):
    network, images, labels, probes = given
    for found in measure.filter_statistics(network, images, labels, probes, quiet=True).values():
        assert found.signal_share.sum() == pytest.approx(1, abs=1e-9)
        assert found.variance_share.sum() == pytest.approx(1, abs=1e-9)


def test_response_counts_hold_every_input_once(given):
    network, images, labels, probes = given
    found = measure.filter_statistics(network, images, labels, probes, quiet=True)["stage1"]
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


def test_memory_of_class_statistics_does_not_grow_with_the_number_of_inputs(given):
    network, images, labels, probes = given

    def peak(repeats):
        many, their = np.tile(images, (repeats, 1, 1, 1)), np.tile(labels, repeats)
        tracemalloc.start()
        measure.class_statistics(network, many, their, list(probes), K, quiet=True)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most - 2 * their.nbytes  # the labels, and the order in which inputs are visited

    peak(1)  # imports and compilation
    assert peak(20) < 1.2 * peak(2)


def test_features_are_filter_major_and_flat(given):
    network, images, _, _ = given
    features = measure.stage_features(network, images, "stage1", quiet=True)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, outputs(network, images, "stage1").reshape(N, -1), rtol=1e-6)


def test_one_pass_gives_the_features_of_all_stages_that_fit_together(given, monkeypatch):
    network, images, _, probes = given
    expected = {stage: outputs(network, images, stage).reshape(N, -1) for stage in probes}
    first, second = (4 * features.size for features in expected.values())
    for free, passes in ((2 * (first + second), 1), (2 * (first + second) - 2, 2)):
        monkeypatch.setattr("deeptheory.system.memory.free_memory", lambda free=free: free)
        network.passes = -1 / N  # one input is looked at beforehand, for the sizes
        found = dict(measure.iterate_features(network, images, list(probes), quiet=True))
        assert network.passes == pytest.approx(passes)
        for stage in probes:
            np.testing.assert_allclose(found[stage], expected[stage], rtol=1e-6)


def test_features_that_do_not_fit_are_refused_before_they_are_made(given, monkeypatch):
    network, images, _, _ = given
    monkeypatch.setattr("deeptheory.system.memory.free_memory", lambda: 10_000)
    refused = r"features of stage1: expected at most 80 % of the free memory, .* GB, found .* GB; "
    with pytest.raises(InputError, match=refused + r"set probe\.inputs to fit the probes on fewer inputs"):
        next(measure.iterate_features(network, images, ["stage1"], quiet=True))
    with pytest.raises(InputError, match=refused + "use fewer images or more memory"):
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


def test_inputs_that_are_scaled_already_are_measured_as_they_are(given):
    network, images, labels, probes = given
    found = measure.filter_statistics(network, scale(images), labels, probes, quiet=True)
    expected = measure.filter_statistics(network, images, labels, probes, quiet=True)
    for stage in probes:
        for name in ("means", "complete_fields", "response_counts"):
            np.testing.assert_array_equal(getattr(found[stage], name), getattr(expected[stage], name))
