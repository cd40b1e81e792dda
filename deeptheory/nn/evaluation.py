"""Predicted labels and accuracy."""

import numpy as np

from deeptheory.data.augmentation import scale
from deeptheory.data.dataset import Images, Labels
from deeptheory.nn.network import Network
from deeptheory.system import threadpools


def predict_labels(network: Network, images: Images, batch: int | None = None) -> Labels:
    """Label with the largest logit, `(N,)`, of images `(N, H, W, C)`, in batches, by default of one pass."""
    labels, batch = np.empty(len(images), np.int64), batch or network.inputs_per_pass
    with threadpools.kernel_threads():
        for start in range(0, len(images), batch):
            part = slice(start, start + batch)
            labels[part] = network.infer(scale(images[part])).argmax(axis=1)
    return labels


def accuracy(network: Network, images: Images, labels: Labels, batch: int | None = None) -> float:
    """Share of the images `(N, H, W, C)` whose predicted label is correct."""
    return float(np.mean(predict_labels(network, images, batch) == labels))
