"""Arrays of many kinds: read where they have one meaning, otherwise refused with what mends them."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from deeptheory.data import from_arrays
from deeptheory.data.stored_array import StoredArray
from deeptheory.errors import InputError

LEVELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), np.uint8)
LEVELS[0, 0, 0] = 0, 127, 255
LABELS = np.array([0, 2, 1, 0, 1, 2])
FLOATS = LEVELS.astype(np.float32) / 255


@pytest.mark.parametrize(
    "images",
    [
        LEVELS,
        LEVELS.transpose(0, 3, 1, 2),
        LEVELS.astype(np.int64),
        LEVELS.astype(np.float64),
        FLOATS,
        FLOATS + np.float32(0.4 / 255) * (FLOATS < 0.5),
        FLOATS.transpose(0, 3, 1, 2),
        LEVELS.astype(np.float32) / 127.5 - 1,
        LEVELS.tolist(),
    ],
    ids=["NHWC", "NCHW", "int64", "whole-floats", "unit", "rounded", "NCHW-unit", "signed", "lists"],
)
def test_images_with_one_meaning_are_read(images):
    dataset = from_arrays(images, LABELS, images[:4], LABELS[:4])
    assert np.array_equal(dataset.train_images, LEVELS)
    assert np.array_equal(dataset.test_images, LEVELS[:4])


def test_images_of_32_rows_and_3_planes_are_colour_images():
    assert from_arrays(np.full((3, 3, 32, 32), 9, np.uint8), [0, 1, 2]).input_shape == (32, 32, 3)


def test_more_channels_than_three_are_fewer_than_rows_and_columns():
    assert from_arrays(np.full((2, 8, 9, 7), 9, np.uint8), [0, 1]).input_shape == (8, 9, 7)
    assert from_arrays(np.full((2, 7, 8, 9), 9, np.uint8), [0, 1]).input_shape == (8, 9, 7)


@pytest.mark.parametrize(("white", "level"), [(True, 255), (1.0, 255), (np.float16(1), 255), (200, 200)])
def test_grey_images_have_one_channel(white, level):
    dataset = from_arrays(np.full((2, 5, 4), white), [0, 1])
    assert dataset.train_images.shape == (2, 5, 4, 1)
    assert (dataset.train_images == level).all()


def test_arrays_that_need_no_change_are_not_copied():
    dataset = from_arrays(LEVELS, LABELS)
    assert np.shares_memory(dataset.train_images, LEVELS)
    assert dataset.test_images.shape == (0, 5, 4, 3)


ONE_HOT = np.eye(3)[LABELS]


@pytest.mark.parametrize(
    ("labels", "names", "numbers"),
    [
        (LABELS, ("0", "1", "2"), ()),
        (LABELS.astype(np.float32), ("0", "1", "2"), ()),
        (LABELS[:, None], ("0", "1", "2"), ()),
        (ONE_HOT, ("0", "1", "2"), ()),
        (ONE_HOT.astype(bool), ("0", "1", "2"), ()),
        (LABELS + 1, ("1", "2", "3"), (1, 2, 3)),
        (10 * LABELS, ("0", "10", "20"), (0, 10, 20)),
        (np.array(["cat", "frog", "dog"])[LABELS], ("cat", "dog", "frog"), None),
        (np.array([b"2", b"100", b"20"])[LABELS], ("2", "20", "100"), None),
        (np.array(["a", "c", "b"], object)[LABELS], ("a", "b", "c"), None),
    ],
    ids=[
        "from-0",
        "floats",
        "column",
        "one-hot",
        "one-hot-bool",
        "from-1",
        "gaps",
        "texts",
        "bytes",
        "objects",
    ],
)
def test_labels_with_one_meaning_are_numbered(labels, names, numbers):
    dataset = from_arrays(LEVELS, labels, LEVELS[:3], labels[:3])
    expected = LABELS if numbers is not None else np.array([0, 2, 1])[LABELS]
    assert np.array_equal(dataset.train_labels, expected)
    assert np.array_equal(dataset.test_labels, expected[:3])
    assert dataset.label_names == names
    assert dataset.label_numbers == (numbers or ())


def test_names_that_are_given_go_before():
    texts = np.array(["cat", "dog", "frog"])[LABELS]
    assert np.array_equal(
        from_arrays(LEVELS, texts, label_names=["dog", "frog", "cat"]).train_labels[:2], [2, 1]
    )
    from_one = from_arrays(LEVELS, LABELS + 1, label_names=["a", "b", "c"])
    assert np.array_equal(from_one.train_labels, LABELS)
    assert from_arrays(LEVELS, LABELS, label_names=list("abcd")).n_labels == 4


def test_the_fingerprint_is_of_the_numbers_in_the_source():
    digest = hashlib.sha256()
    for array in (LEVELS, 2 * LABELS + 1, LEVELS[:2], np.array([5, 1])):
        digest.update(repr(array.shape).encode() + array.tobytes())
    dataset = from_arrays(LEVELS, 2 * LABELS + 1, LEVELS[:2], [5, 1])
    assert np.array_equal(dataset.test_labels, [2, 0])
    assert dataset.fingerprint == digest.hexdigest()


NAN = FLOATS.copy()
NAN[4, 0, 0, 0] = np.inf


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (NAN, ["finite numbers", "the first in image 4", "good = np.isfinite(images)"]),
        (FLOATS * 2 - 1.2, ["floats from 0 to 1", "float32 from -1.2 to 0.8", "images = np.rint(np.clip("]),
        (FLOATS * 3, ["float32 from 0 to 3", "black and white"]),
        (LEVELS.astype(np.uint16) * 257, ["uint16 from 0 to 65535", "images = np.rint("]),
        (LEVELS.astype(np.int16) - 5, ["int16 from -5 to 250"]),
        (LEVELS // 255, ["values from 0 to 255", "uint8 up to 1", "images = 255 * images"]),
        (FLOATS / 255, ["values from 0 to 1", "up to 0.00392157", "images = 255 * images"]),
        (LEVELS[:, :3], ["(6, 3, 4, 3), where either", "np.pad(images, ((0, 0), (2, 2)"]),
        (LEVELS[:, :4, :4, :1].repeat(4, axis=3), ["(6, 4, 4, 4), where neither", "np.pad(images, "]),
        (LEVELS.reshape(6, -1)[:, :48], ["found (6, 48)", "images = images.reshape(-1, 3, 4, 4)"]),
        (LEVELS.reshape(6, -1)[:, :16], ["images = images.reshape(-1, 4, 4)"]),
        (
            LEVELS.transpose(1, 2, 3, 0),
            ["6 images along the first axis", "images = np.moveaxis(images, -1, 0)"],
        ),
        (LEVELS[None], ["(N, C, H, W)", "(1, 6, 5, 4, 3)"]),
        ([LEVELS[0], LEVELS[0, 1:]], ["training images of 'arrays'", "found"]),
        (LEVELS.astype(str), ["an array of numbers", "values of type <U3"]),
        (LEVELS[:5], ["one for every image"]),
    ],
)
def test_images_that_could_mean_something_else_are_refused(images, words):
    with pytest.raises(InputError) as refused:
        from_arrays(images, LABELS)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (LABELS - 1, ["training labels of 'arrays'", "label -1", "np.unique(labels, return_inverse=True)"]),
        (LABELS + 0.5, ["one whole number or text for each image", "found 0.5", "no quantity"]),
        (np.where(LABELS == 1, np.nan, LABELS), ["found nan"]),
        (LABELS * 10**6, ["labels below 1000000", "label 2000000", "np.unique("]),
        (LABELS.astype(np.uint64) * 10**19 // 2, ["labels below 1000000"]),
        (ONE_HOT * 0.9, ["one-hot, the first of image 0", "labels.argmax(axis=1)"]),
        (ONE_HOT + np.eye(3)[0], ["the first of image 0"]),
        (np.ones((6, 3)), ["rows of 3 that are not one-hot"]),
        (np.ones((6, 2, 2)), ["shape (6, 2, 2)"]),
        (np.array(["a", "", "b", "a", "b", "a"]), ["a label for every image", "an empty text"]),
        (np.array([None, 1, 1, 1, 1, 1]), ["values of type object"]),
    ],
)
def test_labels_that_could_mean_something_else_are_refused(labels, words):
    with pytest.raises(InputError) as refused:
        from_arrays(LEVELS, labels)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"test_images": LEVELS}, ["test_images and test_labels", "test_images alone"]),
        ({"test_labels": LABELS}, ["test_labels alone"]),
        (
            {"test_images": FLOATS, "test_labels": LABELS},
            [
                "test images of",
                "values from 0 to 255, as those of training",
                "values from 0 to 1",
                "both sets",
            ],
        ),
        (
            {"test_images": LEVELS[:2], "test_labels": LABELS},
            ["test images of", "2 labels, one for every image", f"found {len(LABELS)} labels"],
        ),
        ({"test_images": LEVELS[:, 1:], "test_labels": LABELS}, ["the shape of the training images"]),
        ({"test_images": LEVELS, "test_labels": LABELS.astype(str)}, ["the same kind", "numbers and texts"]),
        ({"label_names": ["a", "b"]}, ["labels in 0..1", "label 2"]),
    ],
)
def test_a_test_set_or_names_that_do_not_fit_are_refused(given, words):
    with pytest.raises(InputError) as refused:
        from_arrays(LEVELS, LABELS, **given)
    for word in words:
        assert word in str(refused.value)


class Unread(StoredArray):
    """Images of which no row may be read."""

    def __getitem__(self, rows):
        raise AssertionError("rows were read")


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        (
            (10**12, 16, 16, 1),
            (2, 16, 16, 1),
            "training .*: expected 1000000000000 labels, one for every image, found 3 labels",
        ),
        (
            (3, 16, 16, 1),
            (10**12, 16, 16, 1),
            "test .*: expected 1000000000000 labels, one for every image, found 2 labels",
        ),
        (
            (3, 16, 16),
            (2, 16, 10**9, 1),
            r"shape of the training images \(16, 16, 1\), found \(16, 1000000000, 1",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_the_images_are_read(train, test, words):
    of_sets = [Unread(Path("a"), 0, shape, np.dtype(np.uint8), (0, 0)) for shape in (train, test)]
    with pytest.raises(InputError, match=words):
        from_arrays(of_sets[0], [0, 1, 2], of_sets[1], [0, 1])


def test_more_labels_than_the_memory_has_room_for_are_refused():
    images = Unread(Path("a"), 0, (10**12, 16, 16, 1), np.dtype(np.uint8), (0, 0))
    labels = np.broadcast_to(np.uint8(1), 10**12)
    with pytest.raises(InputError, match=r"1000000000000 labels of .* free memory"):
        from_arrays(images, labels)


def test_labels_of_as_many_axes_as_images_are_refused_unread():
    labels = Unread(Path("a"), 0, (3, 16, 16), np.dtype(np.uint8), (0, 0))
    with pytest.raises(InputError, match=r"training labels of .*, found shape \(3, 16, 16\)"):
        from_arrays(LEVELS[:3], labels)


def test_texts_without_a_name_are_refused():
    with pytest.raises(InputError, match=r"labels that are in label_names, found 'c'; add its name"):
        from_arrays(LEVELS, np.array(list("abcabc")), label_names=["a", "b"])
