"""Inputs of a loader in memory, as the model takes them."""

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
    images : float32 array (N, ...)
        As the model takes them, (N, C, H, W) for a convolutional one.
    labels : int64 array (N,)
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


def read_inputs(loader: Iterable[Any], what: str) -> Inputs:
    """Read a loader once; needs 4 bytes per pixel, for a moment twice as many.

    Raises
    ------
    InputError
        As `iterate_batches`, or images that are not floats.
    """
    images, labels = [], []
    for of_batch, own in iterate_batches(loader, what):
        if of_batch.dtype.kind != "f":
            do = "normalise them as the model wants them"
            raise InputError(f"images of {what}", "floats", f"values of type {of_batch.dtype}", do)
        images.append(of_batch.astype(np.float32))
        labels.append(own)
    return Inputs(np.concatenate(images), np.concatenate(labels))
