"""The memory that a network takes beside its parameters, before a batch of that size is computed."""

from collections.abc import Callable

import numpy as np

from deeptheory.nn.layers.base import Array
from deeptheory.nn.loss import softmax_cross_entropy
from deeptheory.nn.network import Network

SMALL, LARGER = 32, 64  # inputs of the batches that are computed: working memory has mostly reached its bound


def scratch_bytes(network: Network, training: int = 0, inferring: int = 0) -> int:
    """Bytes of outputs, gradients and working memory for batches of one size.

    Parameters
    ----------
    network : Network
        A fresh one, not used for anything else: its running statistics move and its gradients are set.
    training : int
        Inputs per batch of a training step, forward and backward; at least 2, or 0 for none.
    inferring : int
        Inputs per batch of a forward pass that only infers, after the training step if there is one: what that
        made the layers allocate is kept, and used as far as it fits.

    Returns
    -------
    int
        Counted after batches of up to 64 inputs, beyond that continued in a straight line; parameters are not in
        it. Some percent too low or too high where working memory still grows in steps.
    """

    def step(x: Array) -> None:
        logits, _ = network.forward(x, training=True)
        network.backward(softmax_cross_entropy(logits, np.zeros(len(x), np.int64))[1])

    return _growth(network, training, step) + _growth(network, inferring, network.infer)


def _growth(network: Network, batch: int, compute: Callable[[Array], object]) -> int:
    """Bytes by which batches of one size make the scratch of a network grow."""
    before = network.scratch_bytes()
    sizes, counted = sorted({min(batch, SMALL), min(batch, LARGER)}), list[int]()
    for n in sizes if batch else ():
        compute(np.zeros((n, *network.input_shape), network.dtype))
        counted.append(network.scratch_bytes() - before)
    if len(counted) < 2:
        return sum(counted)
    slope = (counted[1] - counted[0]) / (sizes[1] - sizes[0])
    return round(counted[1] + slope * (batch - sizes[1]))
