"""The loss of classification."""

import numpy as np

from deeptheory.nn.layer import Array


def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """Mean over the batch of -log softmax(logits)[label], and its gradient.

    Parameters
    ----------
    logits : array (N, K)
    labels : int array (N,)
        Within 0..K-1; not checked here.

    Returns
    -------
    loss : float
        In nats. NaN or infinite when the logits are.
    dlogits : array (N, K)
    """
    each = np.arange(len(labels))
    with np.errstate(invalid="ignore", over="ignore"):  # the caller looks at the loss
        shifted = logits - logits.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        total = exponentials.sum(axis=1, keepdims=True)
        loss = float(np.mean(np.log(total[:, 0]) - shifted[each, labels], dtype=np.float64))
        dlogits = exponentials / total
    dlogits[each, labels] -= 1
    dlogits /= len(labels)
    return loss, dlogits
