"""Parts of networks: the same outputs from what the stage below puts out."""

import numpy as np
import pytest

from deeptheory import nn
from deeptheory.errors import InputError


@pytest.fixture(params=["vgg6", "resnet20", "efficientnet-b0", "mlp", "lenet"])
def network(request):
    return nn.build(request.param, 5, (16, 16, 3), width=0.25, rng=np.random.default_rng(0))


def test_every_part_gives_the_outputs_of_the_whole(network):
    x = np.random.default_rng(1).uniform(-1, 1, (4, *network.input_shape)).astype(np.float32)
    logits, _ = network.forward(x)
    parts = 0
    for stage in network.stages[1:]:
        layer = f"{stage.name}.{next(iter(stage.layers))}"
        below = nn.stage_below(network, [layer])
        if not below:
            continue
        part = nn.upper_part(network, below)
        inputs = network.internals(x, [below])[below]
        found, _ = part.forward(inputs)
        np.testing.assert_allclose(found, logits, rtol=0, atol=1e-5 * np.abs(logits).max())
        assert layer in [node.name for node in part.nodes]
        parts += 1
    assert parts


def test_a_block_is_not_cut_between_its_sum_and_what_it_adds():
    network = nn.build("resnet20", 5, (16, 16, 3), width=0.25, rng=np.random.default_rng(0))
    second_of_a_block = network.stages[4]
    assert nn.stage_below(network, [f"{second_of_a_block.name}.conv"]) == network.stages[2].name


def test_nothing_is_below_the_first_stage(network):
    first = network.stages[0]
    assert nn.stage_below(network, [f"{first.name}.{next(iter(first.layers))}"]) == ""


def test_a_part_without_a_stage_is_refused(network):
    last = network.stages[-1].name
    with pytest.raises(InputError, match=f"expected at least one stage in it, found none above {last}"):
        nn.upper_part(network, last)
