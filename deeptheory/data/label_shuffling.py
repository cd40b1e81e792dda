"""Shuffled labels, a control in which there is nothing to learn."""

import dataclasses

import numpy as np

from deeptheory.data.dataset import Dataset


def shuffle_labels(dataset: Dataset, rng: np.random.Generator) -> Dataset:
    """The same images with permuted labels, within the training set and within the test set.

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
    return dataclasses.replace(
        dataset,
        train_labels=rng.permutation(dataset.train_labels),
        test_labels=rng.permutation(dataset.test_labels),
    )
