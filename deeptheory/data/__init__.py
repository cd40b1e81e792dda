"""Data sets in memory, their sources and their splits; `deeptheory.data.augmentation` makes training batches.

The compiled modules (`augmentation`, `warping`) are not imported here: options and errors do not need Numba.
"""

from deeptheory.data.archive import pack, read_archive
from deeptheory.data.arrays import from_arrays
from deeptheory.data.batches import from_batches
from deeptheory.data.blank_glyphs import blank
from deeptheory.data.dataset import Dataset, Images
from deeptheory.data.glyphs import render
from deeptheory.data.held_out import with_held_out
from deeptheory.data.id_arrays import from_ids
from deeptheory.data.label_choice import choose_labels
from deeptheory.data.label_noise import LabelNoise, draw_label_noise
from deeptheory.data.label_shuffling import shuffle_labels
from deeptheory.data.loading import load, read_files
from deeptheory.data.options import DataOptions
from deeptheory.data.sentences import generate
from deeptheory.data.splits import Splits, draw_splits, select
from deeptheory.data.vocabulary import encode

__all__ = [
    "DataOptions",
    "Dataset",
    "Images",
    "LabelNoise",
    "Splits",
    "blank",
    "choose_labels",
    "draw_label_noise",
    "draw_splits",
    "encode",
    "from_arrays",
    "from_batches",
    "from_ids",
    "generate",
    "load",
    "pack",
    "read_archive",
    "read_files",
    "render",
    "select",
    "shuffle_labels",
    "with_held_out",
]
