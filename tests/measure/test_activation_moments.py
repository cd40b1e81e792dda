"""Means and covariances of activations in one pass, against NumPy's on all inputs at once."""

import tracemalloc

import numpy as np
import pytest

from deeptheory import measure, nn, theory
from deeptheory.errors import InputError

N, K, P, C = 430, 4, 6, 5
OFFSET = 1e4


class Shows:
    """A stand-in network whose stages show given float32 outputs (N, P, C); images hold their own number."""

    inputs_per_pass = 100

    def __init__(self, **stages):
        self.stages, self.passes = stages, 0
        numbers = np.arange(len(next(iter(stages.values()))))
        self.images = np.stack([numbers // 256, numbers % 256], axis=1).astype(np.uint8)[:, None, None]

    def observe(self, x, observers):
        self.passes += len(x) / len(self.images)
        numbers = np.rint((x[:, 0, 0] + 1) * 127.5).astype(int) @ [256, 1]
        for stage, observer in observers.items():
            shown = self.stages[stage][numbers]
            observer(shown)
            shown[:] = np.nan  # as a network overwrites its internals


@pytest.fixture
def given():
    rng = np.random.default_rng(0)
    labels = rng.choice(K, N, p=[0.1, 0.2, 0.3, 0.4])  # unsorted, unequal: runs of any length in a batch
    scales = rng.random((K, P, C)) + 0.5
    first = OFFSET + labels[:, None, None] + rng.standard_normal((N, P, C)) * scales[labels]
    first[..., 1] += first[..., 0] - OFFSET
    nodes = rng.standard_normal((N, 1, 7))
    return Shows(stage1=first.astype(np.float32), stage2=nodes.astype(np.float32)), labels


def flat(network, stage):
    """(N, C*P) in float64, filter-major."""
    return network.stages[stage].astype(np.float64).transpose(0, 2, 1).reshape(N, -1)


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_moments_of_every_label_with_a_large_common_offset(given, stage):
    network, labels = given
    found = measure.second_order_statistics(
        network, network.images, labels, ["stage1", "stage2"], K, quiet=True
    )[stage]
    whole = flat(network, stage)
    assert found.means.shape == ((K, C, P) if stage == "stage1" else (K, 7, 1))
    np.testing.assert_array_equal(found.labels, np.arange(K))
    np.testing.assert_array_equal(found.counts, np.bincount(labels))
    np.testing.assert_array_equal(found.shares, 1)
    for label in range(K):
        own = whole[labels == label]
        np.testing.assert_allclose(found.means[label].reshape(-1), own.mean(axis=0), rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(
            found.covariances.matrices[label], np.cov(own.T, bias=True), rtol=1e-9, atol=1e-11
        )
    assert network.passes == pytest.approx(1 + 1 / N)  # one input is looked at beforehand, for the sizes


def test_pooled_covariance_is_that_of_the_deviations_from_the_means(given):
    network, labels = given
    found = measure.second_order_statistics(
        network, network.images, labels, ["stage1"], K, pooled=True, quiet=True
    )["stage1"]
    whole = flat(network, "stage1")
    deviations = whole - np.stack([whole[labels == label].mean(axis=0) for label in range(K)])[labels]
    assert found.covariances.matrices.shape == (1, C * P, C * P)
    np.testing.assert_allclose(found.covariances.matrices[0], np.cov(deviations.T, bias=True), atol=1e-11)


def test_components_are_groups_of_their_own(given):
    network, labels = given
    components = np.random.default_rng(1).integers(0, 3, N) * 2  # a number may be left out
    components[np.flatnonzero(labels == 2)[0]] = 5  # a component of one input
    found = measure.second_order_statistics(
        network, network.images, labels, ["stage1"], K, components, quiet=True
    )["stage1"]
    whole = flat(network, "stage1")
    pairs = sorted(set(zip(labels.tolist(), components.tolist(), strict=True)))
    assert found.labels.tolist() == [label for label, _ in pairs]
    for group, (label, component) in enumerate(pairs):
        own = whole[(labels == label) & (components == component)]
        assert found.counts[group] == len(own)
        assert found.shares[group] == pytest.approx(len(own) / np.count_nonzero(labels == label))
        expected = np.cov(own.T, bias=True)
        np.testing.assert_allclose(found.covariances.matrices[group], expected, rtol=1e-9, atol=1e-11)
    assert not found.covariances.matrices[pairs.index((2, 5))].any()


@pytest.mark.parametrize("rank", [C * P, 500])
def test_low_rank_statistics_are_the_full_ones_at_full_rank(given, rank):
    network, labels = given
    full = measure.second_order_statistics(network, network.images, labels, ["stage1"], K, quiet=True)
    low = measure.low_rank_statistics(network, network.images, labels, ["stage1"], K, rank, quiet=True)
    weight = np.random.default_rng(2).standard_normal((3, C * P))
    expected, found = (statistics["stage1"].field_moments(weight) for statistics in (full, low))
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-10)


@pytest.mark.parametrize(
    ("measured", "options"), [(measure.second_order_statistics, ()), (measure.low_rank_statistics, (14,))]
)
def test_field_moments_are_the_moments_of_the_fields(measured, options):
    rng = np.random.default_rng(3)
    network = nn.build("vgg6", K, (16, 16, 1), width=0.125, rng=rng)
    images = rng.integers(0, 256, (60, 16, 16, 1), np.uint8)
    labels = np.arange(60) % K  # 15 inputs: no covariance has a rank above 14
    stage = network.stages[-1].name
    probe = rng.standard_normal((K, int(np.prod(network.stages[-1].output_shape)))).astype(np.float32)
    probe[:, ::3] = 0
    statistics = measured(network, images, labels, [stage], K, *options, quiet=True)
    means, covariances = statistics[stage].field_moments(probe.reshape(statistics[stage].means.shape))
    fields = measure.complete_fields(network, images, {stage: probe}, quiet=True)[stage]
    for label in range(K):
        own = fields[labels == label]
        np.testing.assert_allclose(means[label], own.mean(axis=0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(covariances[label], np.cov(own.T, bias=True), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kept", [1.0, 0.3])
@pytest.mark.parametrize("rank", [None, 20])
def test_predicted_accuracy_is_that_of_new_inputs_of_gaussian_labels(rank, kept):
    rng = np.random.default_rng(5)
    n, size = 8000, 60
    labels = rng.integers(0, K, n)
    class_means = 0.15 * rng.standard_normal((K, size))
    rotations = np.linalg.qr(rng.standard_normal((K, size, size)))[0]
    factors = rotations * np.exp(-np.arange(size) / 20)

    def drawn(label, n_draws):
        return class_means[label] + rng.standard_normal((n_draws, size)) @ factors[label].T

    activations = np.empty((n, 1, size), np.float32)
    for label in range(K):
        activations[labels == label, 0] = drawn(label, np.count_nonzero(labels == label))
    network = Shows(stage1=activations)
    if rank is None:
        found = measure.second_order_statistics(network, network.images, labels, ["stage1"], K, quiet=True)
    else:
        found = measure.low_rank_statistics(network, network.images, labels, ["stage1"], K, rank, quiet=True)
    head = class_means * (rng.random((K, size)) < kept)
    predicted = theory.accuracy_from_activations(found["stage1"], head, rng)
    hits = [np.mean((drawn(label, n) @ head.T).argmax(axis=1) == label) for label in range(K)]
    assert 0.5 < np.mean(hits) < 0.95
    error = np.sqrt(np.mean(hits) * (1 - np.mean(hits)) / (K * n))
    # The statistics of n inputs know the accuracy no worse than counting on them does.
    known = np.sqrt(np.mean(hits) * (1 - np.mean(hits)) / n)
    assert abs(predicted.accuracy - np.mean(hits)) < 3 * np.hypot(error, known)


def test_prediction_is_that_of_the_mixture_of_the_fields(given):
    network, labels = given
    rng = np.random.default_rng(6)
    probe = rng.standard_normal((K, 7))
    fields = flat(network, "stage2") @ probe.T
    for components in (None, rng.integers(0, 3, N)):
        statistics = measure.second_order_statistics(
            network, network.images, labels, ["stage2"], K, components, quiet=True
        )["stage2"]
        found = theory.accuracy_from_activations(statistics, probe, rng)
        expected = theory.accuracy_from_mixture(fields, labels, components, rng)
        error = np.hypot(found.standard_error, expected.standard_error)
        assert abs(found.accuracy - expected.accuracy) < 3 * error + 1e-9
        assert error < 2e-3


def test_memory_is_as_stated_and_does_not_grow_with_the_inputs():
    rng = np.random.default_rng(4)
    size, rank = 600, 10

    def peak(n, measured, *options):
        network, labels = Shows(stage1=rng.random((n, 6, 100), np.float32)), np.arange(n) % K
        tracemalloc.start()
        measured(network, network.images, labels, ["stage1"], K, *options, quiet=True)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    batches = 3 * 8 * 100 * size
    peak(100, measure.second_order_statistics)  # imports and compilation
    for n in (400, 4000):
        found = peak(n, measure.second_order_statistics)
        assert 8 * K * size**2 < found < 8 * K * (size**2 + size) + batches + 100 * n
        low = peak(n, measure.low_rank_statistics, rank)
        assert low < 8 * size * (K * (rank + 2) + 6 * rank) + 2 * batches + 100 * n


def test_statistics_that_do_not_fit_are_refused_before_the_pass(given, monkeypatch):
    network, labels = given
    monkeypatch.setattr("deeptheory.system.memory.free_memory", lambda: 20_000)
    with pytest.raises(
        InputError,
        match=r"covariances of stage1: expected at most 80 % of the free memory, 1\.6e-05 GB, "
        r"found 3e-05 GB; use low_rank_statistics: .* at rank 128",
    ):
        measure.second_order_statistics(network, network.images, labels, ["stage1"], K, quiet=True)
    with pytest.raises(
        InputError, match=r"covariances of rank 3 of stage1: expected .*; lower the rank or measure fewer"
    ):
        measure.low_rank_statistics(network, network.images, labels, ["stage1"], K, 3, quiet=True)
    assert network.passes == pytest.approx(2 / N)
    measure.second_order_statistics(network, network.images, labels, ["stage1"], K, pooled=True, quiet=True)


def test_bad_input_is_named(given):
    network, labels = given

    def refused(match, measured=measure.second_order_statistics, labels=labels, **options):
        n = len(labels)
        with pytest.raises(InputError, match=match):
            measured(network, network.images[:n], labels, ["stage1"], K, quiet=True, **options)

    single = np.where(labels == 3, 2, labels)
    single[7] = 3
    too_few = r"inputs for covariances: expected at least 2 of every label, found 1 of label 3; use more"
    refused(too_few, labels=single)
    refused(too_few, measure.low_rank_statistics, labels=single, rank=2)
    few = r"inputs for a pooled covariance: expected at least 5, one more than there are groups, found 4"
    refused(few, labels=np.arange(4), pooled=True)
    refused("none of label 3", labels=np.where(labels == 3, 2, labels))
    refused(
        r"components: expected integers of shape \(430,\), found int64 of shape \(3,\)", components=labels[:3]
    )
    refused(r"components: .*found float64 of shape \(430,\)", components=labels / 2)
    refused("rank: expected at least 1, found 0", measure.low_rank_statistics, rank=0)
    network.stages["stage1"][5, 0, 0] = np.inf
    refused("activations of stage1: expected finite numbers, found infinity or NaN")
