"""Glyphs without pixels, for estimates that need only shapes and numbers."""

import numpy as np

from deeptheory.data.characters import CHARACTERS
from deeptheory.data.dataset import Dataset, Images, Labels
from deeptheory.data.glyphs import LABEL_BYTES
from deeptheory.system.memory import require_memory


def blank(n_labels: int, size: int, train_per_label: int, test_per_label: int) -> Dataset:
    """A data set with the shapes, labels and names of rendered glyphs, all pixels 0.

    Parameters as in `render`. The images take no memory, the labels 8 bytes each.

    Raises
    ------
    InputError
        The labels alone would exceed the free memory.
    """
    n_images = n_labels * (train_per_label + test_per_label)
    require_memory(f"{n_images} glyphs", n_images * LABEL_BYTES, "ask for fewer or smaller images")

    def split(per_label: int) -> tuple[Images, Labels]:
        labels = np.tile(np.arange(n_labels), per_label)
        return np.broadcast_to(np.uint8(0), (len(labels), size, size, 1)), labels

    return Dataset("glyphs", *split(train_per_label), *split(test_per_label), tuple(CHARACTERS[:n_labels]))
