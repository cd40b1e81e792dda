"""The scratch memory of a network, predicted from small batches."""

import numpy as np
import pytest

from deeptheory import nn


def build(name="vgg6", width=1 / 8):
    return nn.build(name, 5, (16, 16, 1), width=width, rng=np.random.default_rng(0))


def compute(network, batch, training):
    x = np.zeros((batch, 16, 16, 1), np.float32)
    if not training:
        network.infer(x)
        return
    logits, _ = network.forward(x, training=True)
    network.backward(logits)


def test_scratch_grows_with_the_batch_and_keeps_what_it_has():
    network = build()
    assert network.scratch_bytes() == 0
    sizes = []
    for batch in (8, 40, 8):
        compute(network, batch, training=True)
        sizes.append(network.scratch_bytes())
    assert 0 < sizes[0] < sizes[1] == sizes[2]


@pytest.mark.parametrize(
    ("training", "inferring"), [(50, 0), (100, 0), (0, 50), (0, 100), (20, 50), (100, 100), (128, 10)]
)
def test_scratch_is_predicted(training, inferring):
    used = build()
    if training:
        compute(used, training, training=True)
    if inferring:
        compute(used, inferring, training=False)
    predicted = nn.scratch_bytes(build(), training, inferring)
    assert 0.9 * used.scratch_bytes() <= predicted <= 1.25 * used.scratch_bytes()


def test_scratch_holds_the_gradients_and_all_outputs():
    network = build("mlp", width=0.25)
    predicted = nn.scratch_bytes(network, training=10)
    weights = sum(array.nbytes for array in network.parameters().values() if array.ndim > 1)
    outputs = 4 * 10 * sum(stage.output_shape[0] for stage in network.stages)
    assert weights + outputs < predicted < 2 * (weights + outputs) + 100_000
