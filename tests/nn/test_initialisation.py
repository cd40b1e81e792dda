"""Fresh weights are those that a network is built with."""

import numpy as np
import pytest

from deeptheory import nn


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vgg6", {"classifier": "hidden"}),
        ("lenet", {}),
        ("resnet20", {}),
        ("efficientnet-b0", {"depth": 0.3, "stochastic_depth": 0.2}),
    ],
)
def test_fresh_weights_are_those_of_a_new_network(name, options):
    def build(seed):
        return nn.build(name, 3, (16, 16, 1), 0.05, rng=np.random.default_rng(seed), **options)

    network, expected = build(1), build(2).state()
    for named in (network.parameters(), network.buffers()):
        for array in named.values():
            array += 1
    nn.reinitialise(network, np.random.default_rng(2))
    for key, array in network.state().items():
        np.testing.assert_array_equal(array, expected[key], err_msg=key)
        assert array.dtype == expected[key].dtype
