import dataclasses

import numpy as np
import pytest

from deeptheory import data
from deeptheory.errors import InputError


@pytest.fixture
def dataset():
    """Six labels, each image marked by its label, the test set smaller."""
    labels = np.array([3, 0, 5, 1, 4, 2, 3, 0, 5, 1, 4, 2])
    images = np.broadcast_to(labels[:, None, None, None], (12, 2, 2, 1)).astype(np.uint8)
    return data.Dataset("six", images, labels, images[:6], labels[:6], tuple("abcdef"))


def test_all_images_of_the_labels_drawn_stay_and_labels_are_numbered_in_order(dataset):
    chosen = data.choose_labels(dataset, 3, np.random.default_rng(0))
    kept = ["abcdef".index(name) for name in chosen.label_names]
    assert kept == sorted(set(kept))
    for images, labels, n in (
        (chosen.train_images, chosen.train_labels, 6),
        (chosen.test_images, chosen.test_labels, 3),
    ):
        assert len(labels) == n
        np.testing.assert_array_equal(images[:, 0, 0, 0], np.array(kept)[labels])


def test_every_label_can_be_drawn_and_all_of_them_are_the_data_set(dataset):
    drawn = {
        name
        for seed in range(20)
        for name in data.choose_labels(dataset, 2, np.random.default_rng(seed)).label_names
    }
    assert drawn == set("abcdef")
    whole = data.choose_labels(dataset, 6, np.random.default_rng(0))
    assert whole.label_names == dataset.label_names
    np.testing.assert_array_equal(whole.train_labels, dataset.train_labels)


@pytest.mark.parametrize("n_labels", [1, 7])
def test_as_many_labels_as_there_are_at_most(dataset, n_labels):
    text = rf"data\.labels_used: expected 0 for all, or 2 to 6, the labels of 'six' that have .*, found {n_labels}"
    with pytest.raises(InputError, match=text):
        data.choose_labels(dataset, n_labels, np.random.default_rng(0))


def test_labels_without_training_images_are_never_drawn(dataset):
    more = dataclasses.replace(dataset, label_names=(*dataset.label_names, "g", "h"))
    for seed in range(20):
        assert not {"g", "h"} & set(data.choose_labels(more, 3, np.random.default_rng(seed)).label_names)
    with pytest.raises(InputError, match="2 to 6"):
        data.choose_labels(more, 7, np.random.default_rng(0))
