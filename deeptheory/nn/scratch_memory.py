"""Memory that a network will need besides its parameters for batches of a given size."""

from collections.abc import Callable

import numpy as np

from deeptheory.nn.layers.base import Array
from deeptheory.nn.loss import softmax_cross_entropy
from deeptheory.nn.network import Network

SMALL, LARGER = (
    32,
    64,
)  # inputs of the trial batches, at which working memory has mostly reached its final size


def scratch_bytes(network: Network, training: int = 0, inferring: int = 0) -> int:
    """Predicted bytes of outputs, gradients and working memory for batches of one size.

    Parameters
    ----------
    network : Network
        A new one that is used for nothing else: its running statistics and gradients are changed.
    training : int
        Inputs per batch of a training step, forward and backward; at least 2, or 0 for none.
    inferring : int
        Inputs per batch of an inference pass, after the training step if there is one, whose memory is used again
        as far as it is large enough.

    Returns
    -------
    int
        Measured for batches of up to 64 inputs, extrapolated linearly beyond; without the parameters. Wrong by
        some percent where working memory still grows in steps.
    """

    def step(x: Array) -> None:
        logits, _ = network.forward(x, training=True)
        network.backward(softmax_cross_entropy(logits, np.zeros(len(x), np.int64))[1])

    return _growth(network, training, step) + _growth(network, inferring, network.infer)


def _growth(network: Network, batch: int, compute: Callable[[Array], object]) -> int:
    """Bytes by which batches of one size let the scratch memory of a network grow."""
    before = network.scratch_bytes()
    sizes, measured = sorted({min(batch, SMALL), min(batch, LARGER)}), list[int]()
    for n in sizes if batch else ():
        compute(np.zeros((n, *network.input_shape), network.dtype))
        measured.append(network.scratch_bytes() - before)
    if len(measured) < 2:
        return sum(measured)
    slope = (measured[1] - measured[0]) / (sizes[1] - sizes[0])
    return round(measured[1] + slope * (batch - sizes[1]))
