import numpy as np
import pytest

from deeptheory import prune
from deeptheory.errors import InputError
from deeptheory.prune import gradients


def test_mean_gradients_are_differences_of_the_loss(tiny_context, slopes, monkeypatch):
    monkeypatch.setattr(gradients, "BATCH", 4)  # the last batch is smaller
    here = tiny_context()
    names = [layer.weight for layer in here.layers]
    before = here.network.state()
    found = gradients.mean_gradients(*here.running(), names)
    expected = slopes(here)
    for name in names:
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-9)
        assert np.abs(expected[name]).max() > 1e-3
    assert all((array == before[name]).all() for name, array in here.network.state().items())


def test_the_copy_in_float64_computes_the_same_and_shares_nothing(tiny_context):
    here = tiny_context()
    network, images, labels = here.running()
    names = [layer.weight for layer in here.layers]
    copied = gradients.in_float64(network)
    expected = gradients.mean_gradients(network, images, labels, names)
    found = gradients.mean_gradients(copied, images, labels, names)
    assert all((found[name] == expected[name]).all() for name in names)
    for name, array in network.parameters().items():
        assert copied.parameters()[name] is not array
        assert copied.parameters()[name].dtype == np.float64


@pytest.mark.parametrize(
    ("images", "labels", "text"),
    [
        (0, [], "training inputs: expected at least one, each with its label, found 0 images and 0 labels"),
        (2, [0], "training inputs: .* found 2 images and 1 labels"),
        (2, [0, 3], "labels: expected 0 to 2, found 0 to 3"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(tiny_context, images, labels, text):
    network = tiny_context().network
    pixels = np.zeros((images, 4, 4, 2), np.uint8)
    with pytest.raises(InputError, match=text):
        gradients.mean_gradients(network, pixels, np.array(labels, int), ["head.linear.weight"])


WITHOUT_ORDER = [n for n, c in prune.CRITERIA.items() if c.running and n not in ("snr-budget", "snr-overlap")]


@pytest.mark.parametrize("criterion", WITHOUT_ORDER)
def test_criteria_that_run_the_network_ask_for_it(tiny_context, criterion):
    here = tiny_context("kernel", inputs=None, density=0.5)
    with pytest.raises(InputError, match="context: expected a network and training inputs, found none"):
        prune.scores_for(criterion, here)
