"""Passes take a hundred inputs, or fewer whose outputs are large, and compute the same."""

import numpy as np
import pytest

from deeptheory import measure, nn, prune
from deeptheory.nn.pass_sizes import BYTES, MOST


@pytest.fixture(scope="module")
def network():
    return nn.build("vgg6", 4, (16, 16, 3), width=0.125, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def given():
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (30, 16, 16, 3), np.uint8), rng.permutation(np.arange(30) % 4)


@pytest.fixture
def little(monkeypatch, network):
    """Passes of seven inputs."""
    monkeypatch.setattr("deeptheory.nn.pass_sizes.BYTES", 7 * network.output_bytes)


def test_inputs_that_fit():
    assert [nn.inputs_that_fit(n) for n in (1, BYTES // MOST, BYTES // MOST * 2, BYTES, 2 * BYTES)] == [
        100, 100, 50, 1, 1
    ]  # fmt: skip


def test_the_input_and_the_outputs_of_all_layers_count():
    network = nn.build("lenet", 10, (28, 28, 1), rng=np.random.default_rng(0))
    images = 28 * 28 + (2 * 24 * 24 + 12 * 12) * 6 + (2 * 8 * 8 + 4 * 4) * 16
    nodes = 256 + 2 * 120 + 2 * 84 + 84 + 10
    assert network.output_bytes == 4 * (images + nodes)
    assert network.inputs_per_pass == 100


def test_labels_and_features_do_not_depend_on_the_passes(network, given, little):
    assert network.inputs_per_pass == 7
    images, _ = given
    labels = nn.predict_labels(network, images)
    assert (labels == nn.predict_labels(network, images, 30)).all()
    features = measure.stage_features(network, images, "stage3", quiet=True)
    _, taps = network.forward(images / np.float32(127.5) - 1, ["stage3"])
    np.testing.assert_allclose(features, np.moveaxis(taps["stage3"], -1, 1).reshape(30, -1), atol=1e-5)


@pytest.mark.parametrize("compute", ["gradients", "patches", "margins"])
def test_sums_over_inputs_are_those_of_one_pass(network, given, monkeypatch, compute):
    def found():
        if compute == "gradients":
            ((n, gradients),) = prune.gradients.batch_gradients(network, *given, ["stage2.conv.weight"])
            assert n == 30
            return gradients["stage2.conv.weight"].copy()
        if compute == "patches":
            return measure.patch_moments(network, given[0], "stage2.conv", quiet=True).covariance
        return measure.squared_sensitivity(network, *given, ["stage2.conv"], quiet=True)["stage2.conv"]

    whole = found()
    monkeypatch.setattr("deeptheory.nn.pass_sizes.BYTES", 7 * network.output_bytes)
    np.testing.assert_allclose(found(), whole, rtol=0, atol=1e-5 * np.abs(whole).max())
