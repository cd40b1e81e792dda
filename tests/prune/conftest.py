"""A tiny network in float64 with its context, on which everything can be had by brute force."""

import numpy as np
import pytest

from deeptheory import nn, prune
from deeptheory.data.augmentation import scale
from deeptheory.system import process_setup, threadpools

N_LABELS, SIDE, CHANNELS = 3, 4, 2


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = threadpools.threads()
    process_setup.configure(1)
    yield
    process_setup.configure(before)


def tiny_network(dtype=np.float64, seed=0):
    """Two convolutions with batch norms that are not the identity, and a head."""
    rng = np.random.default_rng(seed)
    stages = [
        nn.Stage(
            "stage1",
            {
                "conv": nn.Conv2d(CHANNELS, 3, 3, padding=1, rng=rng, dtype=dtype),
                "norm": nn.BatchNorm2d(3, dtype),
                "relu": nn.ReLU(),
            },
            (SIDE, SIDE, 3),
        ),
        nn.Stage(
            "stage2",
            {
                "conv": nn.Conv2d(3, 4, 3, padding=1, rng=rng, dtype=dtype),
                "norm": nn.BatchNorm2d(4, dtype),
                "relu": nn.ReLU(),
                "pool": nn.MaxPool2d(2),
            },
            (SIDE // 2, SIDE // 2, 4),
        ),
    ]
    head = {"flatten": nn.Flatten(), "linear": nn.Linear(4 * SIDE, N_LABELS, rng=rng, dtype=dtype)}
    network = nn.Network(stages, nn.Stage("head", head, (N_LABELS,)), (SIDE, SIDE, CHANNELS), dtype)
    for named, low in ((network.parameters(), -0.3), (network.buffers(), 0.0)):
        for name, array in named.items():
            if "norm" in name:
                named[name] = (array + rng.uniform(low, 0.3, array.shape)).astype(dtype)
    return network


@pytest.fixture
def tiny_inputs():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, N_LABELS, 14)
    return rng.integers(0, 256, (len(labels), SIDE, SIDE, CHANNELS), np.uint8), labels


@pytest.fixture
def tiny_context(tiny_inputs):
    """Make a context of the tiny network, the second convolution and the head masked."""

    def make(granularity="weight", network=None, **fields):
        network = network or tiny_network()
        layers = prune.masked_layers(network, ["stage2"], head=True)
        given = {"network": network, "inputs": tiny_inputs, **fields}
        weights = network.parameters()
        rng = np.random.default_rng(2)
        return prune.Context(layers, weights, {}, 0.5, rng, granularity=granularity, **given)

    return make


def loss_of(network, inputs, weights=None):
    """Mean cross-entropy, with some parameters replaced."""
    images, labels = inputs
    parameters, weights = network.parameters(), weights or {}
    before = {name: parameters[name].copy() for name in weights}
    for name, value in weights.items():
        parameters[name] = value
    logits, _ = network.forward(scale(images))
    for name, value in before.items():
        parameters[name] = value
    shifted = logits - logits.max(axis=1, keepdims=True)
    chosen = shifted[np.arange(len(labels)), labels]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - chosen))


@pytest.fixture
def loss():
    return loss_of


@pytest.fixture
def per_unit():
    """Sum of what every weight has over units, by loops."""

    def total(layer, values, granularity):
        if granularity == "weight":
            return values
        kernels = np.array(
            [[row.reshape(layer.n_inputs, -1)[a].sum() for a in range(layer.n_inputs)] for row in values]
        )
        return kernels if granularity == "kernel" else kernels.sum(axis=1)

    return total


@pytest.fixture
def slopes(loss):
    """Central differences of the loss by every weight of the masked layers."""

    def differences(context, step=1e-5):
        found = {}
        for layer in context.layers:
            weight = context.weights[layer.weight]
            slope = np.zeros(layer.shape)
            for place in np.ndindex(*layer.shape):
                ends = []
                for sign in (1, -1):
                    moved = weight.copy()
                    moved[place] += sign * step
                    ends.append(loss(context.network, context.inputs, {layer.weight: moved}))
                slope[place] = (ends[0] - ends[1]) / (2 * step)
            found[layer.weight] = slope
        return found

    return differences
