"""Shuffled labels, a control in which there is nothing to learn."""

import dataclasses

import numpy as np

from deeptheory.data.dataset import Dataset


def shuffle_labels(dataset: Dataset, rng: np.random.Generator) -> Dataset:
    """The same images with permuted labels, within the training set, the test set and the held-out images.

    Parameters
    ----------
    dataset : Dataset
    rng : numpy.random.Generator

    Returns
    -------
    Dataset
        The frequency of every label is unchanged. A network can still memorise the training labels, but that does
        not generalise to other images.
    """
    held_out = dataset.held_out_labels
    return dataclasses.replace(
        dataset,
        train_labels=rng.permutation(dataset.train_labels),
        test_labels=rng.permutation(dataset.test_labels),
        held_out_labels=None if held_out is None else rng.permutation(held_out),
    )
