"""Glyphs without their pixels, for what only needs to know how many there are."""

import numpy as np

from deeptheory.data.characters import CHARACTERS
from deeptheory.data.dataset import Dataset


def blank(n_labels: int, size: int, train_per_label: int, test_per_label: int) -> Dataset:
    """A data set of the shapes, labels and names of rendered glyphs whose pixels are all 0.

    Parameters are those of `render`, within its ranges. The images take memory only when they are read.
    """

    def split(per_label: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.tile(np.arange(n_labels), per_label)
        return np.zeros((len(labels), size, size, 1), np.uint8), labels

    return Dataset("glyphs", *split(train_per_label), *split(test_per_label), tuple(CHARACTERS[:n_labels]))
