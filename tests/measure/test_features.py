import numpy as np
import pytest

from deeptheory import measure, nn
from deeptheory.data.augmentation import scale
from deeptheory.errors import InputError
from tests.measure.conftest import K, N, outputs


def test_complete_fields_are_those_the_filters_sum_to(two_stages):
    network, images, labels, probes = two_stages
    complete = measure.complete_fields(network, images, probes, quiet=True)
    statistics = measure.class_statistics(network, images, labels, list(probes), K, quiet=True)
    for stage, probe in probes.items():
        means = statistics[stage].means
        fields = measure.fields_from_class_means(means, probe.reshape(means.shape))
        mean = measure.class_means(complete[stage], labels, K)
        np.testing.assert_allclose(fields.sum(axis=0), mean, rtol=1e-5, atol=1e-5 * np.abs(mean).max())


def test_features_are_filter_major_and_flat(two_stages):
    network, images, _, _ = two_stages
    features = measure.stage_features(network, images, "stage1", quiet=True)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, outputs(network, images, "stage1").reshape(N, -1), rtol=1e-6)


def test_one_pass_gives_the_features_of_all_stages_that_fit_together(two_stages, monkeypatch):
    network, images, _, probes = two_stages
    expected = {stage: outputs(network, images, stage).reshape(N, -1) for stage in probes}
    first, second = (4 * features.size for features in expected.values())
    for free, passes in ((2 * (first + second), 1), (2 * (first + second) - 2, 2)):
        monkeypatch.setattr("deeptheory.system.memory.free_memory", lambda free=free: free)
        network.passes = -1 / N  # one input is looked at beforehand, for the sizes
        found = dict(measure.iterate_features(network, images, list(probes), quiet=True))
        assert network.passes == pytest.approx(passes)
        for stage in probes:
            np.testing.assert_allclose(found[stage], expected[stage], rtol=1e-6)


def test_features_that_do_not_fit_are_refused_before_they_are_made(two_stages, monkeypatch):
    network, images, _, _ = two_stages
    monkeypatch.setattr("deeptheory.system.memory.free_memory", lambda: 10_000)
    refused = r"features of stage1: expected at most 80 % of the free memory, .* GB, found .* GB; "
    with pytest.raises(InputError, match=refused + r"set probe\.inputs to fit the probes on fewer inputs"):
        next(measure.iterate_features(network, images, ["stage1"], quiet=True))
    with pytest.raises(InputError, match=refused + "use fewer images or more memory"):
        measure.stage_features(network, images, "stage1", quiet=True)


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
