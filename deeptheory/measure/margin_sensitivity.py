"""Sensitivity of the margins of the fields to the outputs of every filter."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deeptheory import nn
from deeptheory.data import augmentation
from deeptheory.data.dataset import Images
from deeptheory.measure.labels import label_counts
from deeptheory.system import threadpools
from deeptheory.system.progress import Progress


def squared_sensitivity(
    network: nn.Network,
    images: Images,
    labels: NDArray[np.integer],
    layers: Sequence[str],
    title: str = "sensitivity",
    quiet: bool = False,
) -> dict[str, NDArray[np.float64]]:
    r"""Mean square of the gradient of every margin with respect to the outputs of every filter.

    .. math:: g_{b,ij}^2 = \Big\langle \sum_p \Big(\frac{\partial (H_i - H_j)}{\partial z_{b,p}}\Big)^2
              \Big\rangle_i

    the mean over the inputs of label i, the sum over positions p of filter b. Exact for the inputs given (up to
    float32): one backward pass for each rival j. Source: deeptheory.

    Parameters
    ----------
    network : Network
        Batch norms use their running statistics.
    images : uint8 array (N, H, W, C)
        A sample is enough: a few inputs of every label.
    labels : int array (N,)
        Every label at least once.
    layers : sequence of str
        Names of layers, "stage3.conv".

    Returns
    -------
    dict of float64 array (B, K, K)
        By layer; rows = label of the input, columns = rival, 0 on the diagonal. Squares of a gradient: how far a
        margin moves when a filter changes a little. NOT how much the network needs the filter: retraining may
        replace it, and large changes are not small ones times a factor.

    Raises
    ------
    InputError
        A layer does not exist, or a label has no input.
    """
    n_labels = network.n_labels
    counts = label_counts(labels, n_labels, len(images))
    sums = {layer: np.zeros((network.output_shape(layer)[-1], n_labels, n_labels)) for layer in layers}
    per_pass = network.inputs_per_pass
    pixels = np.empty((min(per_pass, len(images)), *images.shape[1:]), np.float32)
    with threadpools.kernel_threads(), Progress(title, len(images), "input", quiet) as progress:
        for start in range(0, len(images), per_pass):
            batch_labels = labels[start : start + per_pass]
            x = augmentation.gather(images, np.arange(start, start + len(batch_labels)), pixels)
            members = np.equal.outer(np.arange(n_labels), batch_labels).astype(np.float32)  # (K, n)
            network.forward(x)
            for rival in range(n_labels):
                margin = members.T.copy()
                margin[:, rival] -= 1
                for layer, gradient in network.backward(margin, layers).items():
                    squares = (
                        np.square(gradient).reshape(len(batch_labels), -1, gradient.shape[-1]).sum(axis=1)
                    )
                    sums[layer][:, :, rival] += (members @ squares).T
            progress.advance(start + len(batch_labels))
    return {layer: total / counts[:, None] for layer, total in sums.items()}
