"""Predicted labels and accuracy."""

import numpy as np

from deeptheory.data.augmentation import scale
from deeptheory.nn.layers.base import Array
from deeptheory.nn.network import Network
from deeptheory.system import threadpools


def predict_labels(network: Network, images: Array, batch: int = 100) -> Array:
    """Label with the largest logit, int64 `(N,)`, for uint8 images `(N, H, W, C)`."""
    labels = np.empty(len(images), np.int64)
    with threadpools.kernel_threads():
        for start in range(0, len(images), batch):
            part = slice(start, start + batch)
            labels[part] = network.infer(scale(images[part])).argmax(axis=1)
    return labels


def accuracy(network: Network, images: Array, labels: Array, batch: int = 100) -> float:
    """Share of the uint8 images `(N, H, W, C)` whose predicted label is the given one."""
    return float(np.mean(predict_labels(network, images, batch) == labels))
