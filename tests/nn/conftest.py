"""What several tests of networks check."""

import numpy as np
import pytest


@pytest.fixture
def assert_gradients():
    """Compare the gradient of each parameter, along a random direction, with the difference of the loss."""

    def check(network, loss, rng, relative):
        gradients = {name: gradient.copy() for name, gradient in network.gradients().items()}
        parameters = network.parameters()
        assert gradients.keys() == parameters.keys()
        for name, array in parameters.items():
            direction = rng.standard_normal(array.shape)
            parameters[name] = array + 1e-6 * direction
            above = loss()
            parameters[name] = array - 1e-6 * direction
            slope = (above - loss()) / 2e-6
            parameters[name] = array
            assert np.sum(gradients[name] * direction) == pytest.approx(slope, rel=relative, abs=1e-7), name

    return check
