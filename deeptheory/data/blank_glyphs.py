"""Glyphs without pixels, for estimates that need only shapes and numbers."""

import numpy as np

from deeptheory.data.characters import CHARACTERS
from deeptheory.data.dataset import Dataset, Images, Labels


def blank(n_labels: int, size: int, train_per_label: int, test_per_label: int) -> Dataset:
    """A data set with the shapes, labels and names of rendered glyphs, all pixels 0.

    Parameters as in `render`. The images take no memory until they are read.
    """

    def split(per_label: int) -> tuple[Images, Labels]:
        labels = np.tile(np.arange(n_labels), per_label)
        return np.zeros((len(labels), size, size, 1), np.uint8), labels

    return Dataset("glyphs", *split(train_per_label), *split(test_per_label), tuple(CHARACTERS[:n_labels]))
