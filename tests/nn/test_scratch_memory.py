"""The scratch of a network, foretold from small batches."""

import numpy as np
import pytest

from deeptheory import nn


def network(name="vgg6", width=1 / 8):
    return nn.build(name, 5, (16, 16, 1), width=width, rng=np.random.default_rng(0))


def compute(of, batch, training):
    x = np.zeros((batch, 16, 16, 1), np.float32)
    if not training:
        of.infer(x)
        return
    logits, _ = of.forward(x, training=True)
    of.backward(logits)


def test_scratch_grows_with_the_batch_and_keeps_what_it_has():
    of = network()
    assert of.scratch_bytes() == 0
    sizes = []
    for batch in (8, 40, 8):
        compute(of, batch, training=True)
        sizes.append(of.scratch_bytes())
    assert 0 < sizes[0] < sizes[1] == sizes[2]


@pytest.mark.parametrize(
    ("training", "inferring"), [(50, 0), (100, 0), (0, 50), (0, 100), (20, 50), (100, 100), (128, 10)]
)
def test_scratch_is_foretold(training, inferring):
    counted = network()
    if training:
        compute(counted, training, training=True)
    if inferring:
        compute(counted, inferring, training=False)
    foretold = nn.scratch_bytes(network(), training, inferring)
    assert 0.9 * counted.scratch_bytes() <= foretold <= 1.25 * counted.scratch_bytes()


def test_scratch_holds_the_gradients_and_all_outputs():
    of = network("mlp", width=0.25)
    found = nn.scratch_bytes(of, training=10)
    weights = sum(array.nbytes for array in of.parameters().values() if array.ndim > 1)
    outputs = 4 * 10 * sum(stage.output_shape[0] for stage in of.stages)
    assert weights + outputs < found < 2 * (weights + outputs) + 100_000
