import numpy as np
import pytest

from deeptheory import measure, nn
from deeptheory.errors import InputError

K = 4


@pytest.fixture(scope="module")
def given():
    rng = np.random.default_rng(0)
    network = nn.build("vgg6", K, (16, 16, 3), width=0.125, rng=rng)
    labels = rng.permutation(np.arange(120) % K)
    images = (rng.integers(0, 128, (120, 16, 16, 3)) + 30 * labels[:, None, None, None]).astype(np.uint8)
    probes = {
        stage.name: rng.standard_normal((K, int(np.prod(stage.output_shape)))).astype(np.float32)
        for stage in network.stages
    }
    return network, images, labels, probes


def test_every_stage_is_measured_as_alone(given):
    network, images, labels, probes = given
    found = measure.measure_stages(network, images, labels, probes, threshold=0.5, quiet=True)
    assert list(found) == [stage.name for stage in network.stages]
    for name, stage in found.items():
        features = measure.stage_features(network, images, name, quiet=True)
        means = measure.class_means(features, labels, K).reshape(stage.class_means.shape)
        np.testing.assert_allclose(stage.class_means, means, rtol=1e-5, atol=1e-6)
        fields = stage.fields()
        complete = measure.class_means(features @ probes[name].T, labels, K)
        np.testing.assert_allclose(
            fields.sum(axis=0), complete, rtol=1e-4, atol=1e-5 * np.abs(complete).max()
        )
        np.testing.assert_array_equal(stage.fields(slice(1, 3)), fields[1:3])
        clipped = measure.clip(fields, 0.5)
        np.testing.assert_array_equal(stage.measures.clusters, measure.all_clusters(clipped))
        assert stage.measures.measured.snr == measure.measured_snr(clipped).snr


def test_the_same_call_gives_the_same_bits(given):
    network, images, labels, probes = given
    first, second = (measure.measure_stages(network, images, labels, probes, quiet=True) for _ in range(2))
    for name in probes:
        np.testing.assert_array_equal(first[name].class_means, second[name].class_means)
        assert first[name].measures.noise == second[name].measures.noise


def test_bad_input_is_named(given):
    network, images, labels, probes = given
    with pytest.raises(
        InputError, match=r"probe of stage1: expected shape \(K, C\*P\) = \(4, .*, found shape"
    ):
        measure.measure_stages(network, images, labels, {"stage1": probes["stage1"][:, 1:]}, quiet=True)
    with pytest.raises(InputError, match=r"one of .*stage1.*'stage12'"):
        measure.measure_stages(network, images, labels, {"stage12": probes["stage1"]}, quiet=True)
    with pytest.raises(InputError, match=r"threshold: expected a number in \[0, 1\), found 1\.5"):
        measure.measure_stages(network, images, labels, probes, threshold=1.5, quiet=True)
