"""All inputs of a loader, in memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.batches import iterate_batches
from deeptheory.errors import InputError


@dataclass(frozen=True)
class Inputs:
    """All inputs of a loader, in its order.

    Attributes
    ----------
    what : str
        Their name in error messages.
    images : float32 array (N, ...)
        As the model takes them, (N, C, H, W) for a convolutional one.
    labels : int64 array (N,)
    """

    what: str
    images: NDArray[np.float32]
    labels: NDArray[np.int64]

    def check_labels(self, n_labels: int) -> None:
        """Raise for labels outside 0..K-1."""
        outside = self.labels[(self.labels < 0) | (self.labels >= n_labels)]
        if len(outside):
            expected = f"0 to {n_labels - 1}, as the model has {n_labels} outputs"
            raise InputError(f"labels of {self.what}", expected, f"label {outside[0]}")


def read_inputs(loader: Iterable[Any], what: str) -> Inputs:
    """Read a loader once; takes 4 bytes of memory per pixel, and temporarily twice as much.

    Raises
    ------
    InputError
        As `iterate_batches`, or images that are not floats.
    """
    images, labels = [], []
    for batch_images, batch_labels in iterate_batches(loader, what):
        if batch_images.dtype.kind != "f":
            do = "normalise them as the model wants them"
            raise InputError(f"images of {what}", "floats", f"values of type {batch_images.dtype}", do)
        images.append(batch_images.astype(np.float32))
        labels.append(batch_labels)
    return Inputs(what, np.concatenate(images), np.concatenate(labels))
