"""New initial weights for an existing network."""

from typing import Any

import numpy as np

from deeptheory.nn.layers.attention import SelfAttention, unit_gain
from deeptheory.nn.layers.base import Layer
from deeptheory.nn.layers.convolution import he_normal
from deeptheory.nn.layers.normalisation import BatchNorm2d, LayerNorm
from deeptheory.nn.layers.residual import INITIAL_SCALE, LayerScale, StochasticDepth
from deeptheory.nn.layers.tokens import Embedding, Positions, small_normal, unit_normal
from deeptheory.nn.network import Network

DRAWS: dict[type[Layer], Any] = {SelfAttention: unit_gain, Positions: small_normal, Embedding: unit_normal}


def reinitialise(network: Network, rng: np.random.Generator) -> None:
    """Set all parameters and buffers to initial values, as `build` does.

    Weights are drawn layer by layer in order of computation (`he_normal`; attention `unit_gain`, positions and
    embeddings `small_normal`), biases are zero, norms start as the identity, stochastic depth gets a new seed. A
    network of `build` gets the same bits again from the same generator.
    """
    for node in network.nodes:
        layer = node.layer
        for name, array in layer.parameters.items():
            if array.ndim > 1:
                draw = DRAWS.get(type(layer), he_normal)
                layer.parameters[name] = draw(array.shape, rng, array.dtype)
            elif isinstance(layer, BatchNorm2d | LayerNorm) and name == "weight":
                layer.parameters[name] = np.ones_like(array)
            elif isinstance(layer, LayerScale):
                layer.parameters[name] = np.full_like(array, INITIAL_SCALE)
            else:
                layer.parameters[name] = np.zeros_like(array)
        if isinstance(layer, BatchNorm2d):
            layer.buffers["running_mean"] = np.zeros_like(layer.buffers["running_mean"])
            layer.buffers["running_var"] = np.ones_like(layer.buffers["running_var"])
        elif isinstance(layer, StochasticDepth):
            layer.buffers["seed"] = rng.integers(2**63, size=1)
            layer.buffers["counter"] = np.zeros(1, np.int64)
