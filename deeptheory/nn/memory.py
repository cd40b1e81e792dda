"""The memory that a network takes beside its parameters, before a batch of that size is computed."""

import numpy as np

from deeptheory.nn.loss import softmax_cross_entropy
from deeptheory.nn.network import Network

SMALL, LARGER = 32, 64  # inputs of the batches that are computed: working memory has mostly reached its bound


def scratch_bytes(network: Network, batch: int, training: bool) -> int:
    """Bytes of outputs, gradients and working memory for batches of one size.

    Parameters
    ----------
    network : Network
        A fresh one, not used for anything else: its running statistics move and its gradients are set.
    batch : int
        Inputs per batch, at least 2.
    training : bool
        Forward and backward, or the forward pass that only infers.

    Returns
    -------
    int
        Counted after batches of up to 64 inputs, beyond that continued in a straight line; parameters are not in
        it. Some percent too low or too high where working memory still grows in steps.
    """
    sizes = sorted({min(batch, SMALL), min(batch, LARGER)})
    counted = []
    for n in sizes:
        x = np.zeros((n, *network.input_shape), network.dtype)
        if training:
            logits, _ = network.forward(x, training=True)
            network.backward(softmax_cross_entropy(logits, np.zeros(n, np.int64))[1])
        else:
            network.infer(x)
        counted.append(network.scratch_bytes())
    slope = (counted[-1] - counted[0]) / (sizes[-1] - sizes[0]) if len(sizes) > 1 else 0.0
    return round(counted[-1] + slope * (batch - sizes[-1]))
