"""Some of the labels of a data set."""

import dataclasses

import numpy as np

from deeptheory.data.dataset import Dataset
from deeptheory.errors import InputError


def choose_labels(dataset: Dataset, n_labels: int, rng: np.random.Generator) -> Dataset:
    """All images of labels drawn at random among those that have training images.

    Parameters
    ----------
    dataset : Dataset
    n_labels : int
        How many labels are kept, all choices being equally likely.
    rng : numpy.random.Generator

    Returns
    -------
    Dataset
        Its labels 0 to `n_labels` - 1 are those drawn, in the order of `dataset`, with their names.

    Raises
    ------
    InputError
        Fewer than two labels are asked for, or more than there are.
    """
    with_images = np.unique(dataset.train_labels)
    if not 2 <= n_labels <= len(with_images):
        raise InputError(
            "data.labels_used",
            f"0 for all, or 2 to {len(with_images)}, the labels of '{dataset.name}' that have training images",
            f"{n_labels}",
        )
    chosen = np.sort(rng.choice(with_images, n_labels, replace=False))
    number = np.full(dataset.n_labels, -1)
    number[chosen] = np.arange(n_labels)
    train, test = number[dataset.train_labels] >= 0, number[dataset.test_labels] >= 0
    held_out, held_out_labels = dataset.held_out_images, dataset.held_out_labels
    if held_out is not None and held_out_labels is not None:
        kept = number[held_out_labels] >= 0
        held_out, held_out_labels = held_out[kept], number[held_out_labels[kept]]
    return dataclasses.replace(
        dataset,
        train_images=dataset.train_images[train],
        train_labels=number[dataset.train_labels[train]],
        test_images=dataset.test_images[test],
        test_labels=number[dataset.test_labels[test]],
        label_names=tuple(dataset.label_names[label] for label in chosen),
        label_numbers=tuple(dataset.label_numbers[label] for label in chosen if dataset.label_numbers),
        held_out_images=held_out,
        held_out_labels=held_out_labels,
    )
