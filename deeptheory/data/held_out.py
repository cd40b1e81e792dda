"""Images that neither the training nor the test set of a data set has, to measure on."""

import dataclasses
from pathlib import Path

import numpy as np

from deeptheory.data.dataset import Dataset
from deeptheory.data.loading import read_files
from deeptheory.data.splits import FROM_TEST, FROM_TRAIN
from deeptheory.data.stored_images import in_memory
from deeptheory.data.vocabulary import Reading
from deeptheory.errors import InputError


def with_held_out(
    dataset: Dataset, measure_from: str, resize: int = 0, reading: Reading | None = None
) -> Dataset:
    """The data set with the images of a file or directory as its held-out images.

    Parameters
    ----------
    dataset : Dataset
    measure_from : str
        `data.measure_from`; "train" and "test" name no file, and change nothing.
    resize : int
        As in `read_files`.
    reading : Reading, optional
        As in `read_files`; length and vocabulary are those of the data set.

    Raises
    ------
    InputError
        What `read_files` refuses, images of another shape, or a label whose name the data set does not have.
    """
    if measure_from in (FROM_TRAIN, FROM_TEST):
        return dataset
    if dataset.words:
        length = dataset.input_shape[0]
        reading = (reading or Reading())._replace(length=length, vocabulary=dataset.words)
    found = read_files(Path(measure_from).expanduser(), resize=resize, reading=reading)
    numbers = {name: number for number, name in enumerate(dataset.label_names)}
    if unknown := [name for name in found.label_names if name not in numbers]:
        expected, do = (
            f"the labels of '{dataset.name}', by the same names",
            "give it label_names, or rename its folders",
        )
        raise InputError(f"labels of {measure_from}", expected, f"'{unknown[0]}'", do)
    images, labels = found.train_images, found.train_labels
    if len(found.test_images):
        images = np.concatenate([in_memory(images), in_memory(found.test_images)])
        labels = np.concatenate([labels, found.test_labels])
    renumbered = np.array([numbers[name] for name in found.label_names])[labels]
    return dataclasses.replace(dataset, held_out_images=images, held_out_labels=renumbered)
