"""The loss of classification."""

import numpy as np

from deeptheory.data.dataset import Labels
from deeptheory.nn.layers.base import Array


def softmax_cross_entropy(logits: Array, labels: Labels, n_inputs: int | None = None) -> tuple[float, Array]:
    """Mean over the batch of -log softmax(logits)[label], and its gradient.

    Parameters
    ----------
    logits : array (N, K)
    labels : int array (N,)
        Within 0..K-1; not checked here.
    n_inputs : int, optional
        Size of the whole batch if these inputs are a part of it; N by default. The losses of all parts add up to
        that of the batch.

    Returns
    -------
    loss : float
        In nats. NaN or infinite when the logits are.
    dlogits : array (N, K)
    """
    rows, n_inputs = np.arange(len(labels)), n_inputs or len(labels)
    with np.errstate(invalid="ignore", over="ignore"):  # the caller checks the loss
        shifted = logits - logits.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        total = exponentials.sum(axis=1, keepdims=True)
        loss = float(np.sum(np.log(total[:, 0]) - shifted[rows, labels], dtype=np.float64) / n_inputs)
        dlogits = exponentials / total
    dlogits[rows, labels] -= 1
    dlogits /= n_inputs
    return loss, dlogits
