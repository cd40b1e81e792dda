"""The control without anything to be learnt."""

import dataclasses

import numpy as np

from deeptheory.data.dataset import Dataset


def shuffle_labels(dataset: Dataset, rng: np.random.Generator) -> Dataset:
    """The same images with their labels permuted, within the training set and within the test set.

    Parameters
    ----------
    dataset : Dataset
    rng : numpy.random.Generator

    Returns
    -------
    Dataset
        Every label is as frequent as before. A network can still learn the training labels by heart; what it has
        learnt is worth nothing on other images.
    """
    return dataclasses.replace(
        dataset,
        train_labels=rng.permutation(dataset.train_labels),
        test_labels=rng.permutation(dataset.test_labels),
    )
