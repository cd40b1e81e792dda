"""The loss of classification."""

import numpy as np

from deeptheory.data.dataset import Labels
from deeptheory.nn.layers.base import Array


def softmax_cross_entropy(
    logits: Array, labels: Labels, n_inputs: int | None = None, smoothing: float = 0.0
) -> tuple[float, Array]:
    """Mean over the batch of -sum_k t_k log softmax(logits)_k, and its gradient.

    The target t is 1 at the label and 0 elsewhere, or (1 - s) there and s/K everywhere with smoothing s.

    Parameters
    ----------
    logits : array (N, K)
    labels : int array (N,)
        Within 0..K-1; not checked here.
    n_inputs : int, optional
        Size of the whole batch if these inputs are a part of it; N by default. The losses of all parts add up to
        that of the batch.
    smoothing : float
        Within [0, 1): share of the target that all labels have equally (Szegedy et al., "Rethinking the inception
        architecture"). The loss of a perfect network is not zero then, but the entropy of the target.

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
        if smoothing:
            uniform = np.sum(np.log(total[:, 0]) - shifted.mean(axis=1), dtype=np.float64) / n_inputs
            loss = (1 - smoothing) * loss + smoothing * float(uniform)
            dlogits -= dlogits.dtype.type(smoothing / logits.shape[1])
    dlogits[rows, labels] -= 1 - smoothing
    dlogits /= n_inputs
    return loss, dlogits
