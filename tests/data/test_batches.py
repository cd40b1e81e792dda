import numpy as np
import pytest

from deeptheory.data import from_batches, pack, read_files
from deeptheory.errors import InputError

LEVELS = np.random.default_rng(0).integers(0, 256, (7, 5, 4, 3), np.uint8)
LABELS = np.array([0, 2, 1, 0, 1, 2, 2])
MEAN, STD = np.array([0.4914, 0.4822, 0.4465], np.float32), np.array([0.247, 0.243, 0.261], np.float32)


class Tensor:
    """As a tensor that requires gradients on another device: an array only after all three calls."""

    def __init__(self, array, done=()):
        self.array, self.done = array, done

    def detach(self):
        return Tensor(self.array, (*self.done, "detach"))

    def cpu(self):
        return Tensor(self.array, (*self.done, "cpu"))

    def numpy(self):
        assert self.done == ("detach", "cpu")
        return self.array


def batches(images, labels=LABELS, size=3):
    labels = labels[: len(images)]
    return [(images[i : i + size], labels[i : i + size]) for i in range(0, len(images), size)]


def normalised(images):
    return ((images.astype(np.float32) / 255 - MEAN) / STD).transpose(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("images", "given"),
    [
        (LEVELS, {}),
        (LEVELS.transpose(0, 3, 1, 2), {}),
        (LEVELS.astype(np.float32) / 255, {}),
        (LEVELS.astype(np.float64) / 127.5 - 1, {"mean": 0.5, "std": 0.5}),
        (normalised(LEVELS), {"mean": MEAN, "std": STD}),
    ],
    ids=["NHWC", "NCHW", "floats", "signed", "normalised"],
)
def test_grey_levels_come_back(images, given):
    dataset = from_batches(batches(images), batches(images[:4]), **given)
    assert np.array_equal(dataset.train_images, LEVELS)
    assert np.array_equal(dataset.train_labels, LABELS)
    assert np.array_equal(dataset.test_images, LEVELS[:4])
    assert dataset.label_names == ("0", "1", "2")


def test_tensors_and_pairs_in_lists_are_read():
    loader = ([Tensor(images), Tensor(labels)] for images, labels in batches(LEVELS))
    dataset = from_batches(loader, label_names=["a", "b", "c", "d"])
    assert np.array_equal(dataset.train_images, LEVELS)
    assert dataset.n_labels == 4
    assert len(dataset.test_images) == 0


def test_what_is_packed_is_read_by_the_commands(tmp_path):
    pack(from_batches(batches(LEVELS), batches(LEVELS)), tmp_path / "batches.npz")
    back = read_files(tmp_path / "batches.npz")
    assert np.array_equal(back.test_images, LEVELS)
    assert np.array_equal(back.train_labels, LABELS)


FLOATS = LEVELS.astype(np.float32) / 255
BROKEN = FLOATS.copy()
BROKEN[4, 0, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("train", "given", "words"),
    [
        ([], {}, ["training batches: expected at least one batch, found none"]),
        (3, {}, ["an iterable of (images, labels)", "found a int"]),
        ([LEVELS], {}, ["batch 0 of training batches: expected a pair", "found a ndarray"]),
        ([(LEVELS, LABELS, LABELS)], {}, ["a pair (images, labels)", "a tuple of 3"]),
        ([(LEVELS, LABELS[:-1])], {}, ["as many labels", "(7, 5, 4, 3) and (6,)"]),
        ([(LEVELS, LABELS + 0.5)], {}, ["labels of batch 0", "whole numbers", "float64"]),
        ([(LEVELS, np.array(list("abcabca")))], {}, ["labels of batch 0", "an array of numbers"]),
        ([*batches(LEVELS), (LEVELS[:, 1:], LABELS)], {}, ["images of batch 3", "(5, 4, 3)", "(4, 4, 3)"]),
        (batches(BROKEN), {}, ["images of batch 1", "finite numbers", "1 values that are NaN"]),
        (
            batches(FLOATS + 0.1 / 255),
            {},
            ["whole grey levels", "up to 0.1 from a whole one", "mean and std"],
        ),
        (
            batches(FLOATS * 2),
            {},
            ["whole grey levels from 0 to 255", f"levels from 0 to {2 * int(LEVELS[:3].max())}"],
        ),
        (batches(LEVELS), {"mean": 0.5}, ["none for uint8 images"]),
        (batches(FLOATS), {"mean": [0.1, 0.2]}, ["one for each of 3 channels", "[0.1, 0.2]"]),
        (batches(LEVELS[..., 0]), {}, ["(N, C, H, W) or (N, H, W, C)", "(3, 5, 4)"]),
        (batches(LEVELS[:, :3]), {}, ["fewer channels than rows and columns", "(3, 3, 4, 3)"]),
        (batches(LEVELS.astype(np.int64)), {}, ["uint8 or floats", "int64"]),
        (batches(LEVELS, -LABELS), {}, ["labels from 0", "label -2"]),
        (batches(LEVELS), {"label_names": ["a"]}, ["labels in 0..0", "label 2"]),
    ],
)
def test_bad_batches_are_refused(train, given, words):
    with pytest.raises(InputError) as refused:
        from_batches(train, **given)
    for word in words:
        assert word in str(refused.value)
