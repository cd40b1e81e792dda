"""Further images to measure on, from a file."""

import numpy as np
import pytest

from deeptheory.data import Dataset, choose_labels, pack, shuffle_labels, with_held_out
from deeptheory.errors import InputError

NAMES = ("a", "b", "c")


def make(value, names=NAMES, n_test=1, size=5):
    labels = np.repeat(np.arange(len(names)), 4)
    tests = np.repeat(np.arange(len(names)), n_test)
    images, others = (np.full((len(part), size, size, 1), value, np.uint8) for part in (labels, tests))
    return Dataset("tiny", images, labels, others, tests, names)


@pytest.fixture
def found(tmp_path):
    pack(make(7, ("c", "a")), tmp_path / "further.npz")
    return with_held_out(make(1), str(tmp_path / "further.npz"))


def test_all_images_of_the_file_are_held_out_by_the_names_of_their_labels(found):
    assert found.held_out_images.shape == (10, 5, 5, 1)
    assert (found.held_out_images == 7).all()
    assert np.bincount(found.held_out_labels).tolist() == [5, 0, 5]
    assert len(found.train_images) == 12


def test_train_and_test_name_no_file():
    dataset = make(1)
    assert with_held_out(dataset, "train") is dataset is with_held_out(dataset, "test")


def test_some_or_shuffled_labels_are_those_of_the_held_out_images_too(found):
    chosen = choose_labels(found, 2, np.random.default_rng(1))
    kept = [list(NAMES).index(name) for name in chosen.label_names]
    assert np.bincount(chosen.held_out_labels, minlength=2).tolist() == [[5, 0, 5][label] for label in kept]
    shuffled = shuffle_labels(found, np.random.default_rng(0)).held_out_labels
    assert np.bincount(shuffled).tolist() == [5, 0, 5]
    assert (shuffled != found.held_out_labels).any()


def test_other_labels_and_other_images_are_refused(tmp_path):
    pack(make(7, ("a", "z")), tmp_path / "labels.npz")
    with pytest.raises(InputError, match=r"labels of .*labels.npz: expected the labels of 'tiny'.*found 'z'"):
        with_held_out(make(1), str(tmp_path / "labels.npz"))
    pack(make(7, size=6), tmp_path / "size.npz")
    with pytest.raises(
        InputError, match=r"held-out images of 'tiny': expected the shape of the training images"
    ):
        with_held_out(make(1), str(tmp_path / "size.npz"))
