"""Data sets of word ids: what they hold, how they come back from files, and what is refused."""

import numpy as np
import pytest

from deeptheory.data import Dataset, from_ids, pack, read_archive
from deeptheory.data.augmentation import batch, gather, scale
from deeptheory.data.texts import as_ids, as_text, numbers_of
from deeptheory.errors import InputError

WORDS = ("<padding>", "<unknown>", "red", "blue")
IDS = np.array([[2, 3, 0], [3, 0, 0], [1, 2, 2], [3, 3, 3]])


def dataset(**changed):
    given = {
        "train_ids": IDS,
        "train_labels": [0, 1, 0, 1],
        "words": WORDS,
        "label_names": ["a", "b"],
    } | changed
    arrays = given.pop("train_ids"), given.pop("train_labels"), IDS[:2], [0, 1]
    return from_ids(*arrays, **{"name": "own"} | given)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_packed_texts_come_back(tmp_path, suffix):
    whole = dataset()
    pack(whole, tmp_path / f"texts{suffix}")
    back = read_archive(tmp_path / f"texts{suffix}")
    assert (back.words, back.label_names) == (WORDS, ("a", "b"))
    assert back.fingerprint == whole.fingerprint
    assert back.train_images.dtype == np.uint16
    assert "texts of up to 3 words, 4 in the vocabulary" in repr(back)


def test_ids_are_numbers_and_no_grey_levels():
    ids = dataset().train_images
    index, moved = np.array([3, 0]), (np.zeros((2, 2), np.int64), np.zeros(2, bool))
    for made in (
        scale(ids[index]),
        gather(ids, index, np.empty((2, 3, 1, 1), np.float32)),
        batch(ids, index, *moved),
    ):
        assert made.dtype == np.float32
        assert np.array_equal(made[:, :, 0, 0], IDS[index])


def test_words_and_ids():
    ids = as_ids([["blue", "green"], ["red", "red", "blue", "blue"]], numbers_of(WORDS), 3)
    assert ids[:, :, 0, 0].tolist() == [[3, 1, 0], [2, 2, 3]]
    assert as_text(ids[0], WORDS) == "blue <unknown>"


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"train_ids": 2 * IDS}, "training texts of 'own': expected ids from 0 to 3, the vocabulary, found 0"),
        (
            {"train_ids": IDS * (IDS < 3)},
            "training texts of 'own': expected at least one word in each, found 2 without, the first is text 1",
        ),
        (
            {"train_ids": IDS / 2},
            "training texts of 'own': expected whole numbers of shape (N, T), T from 1 to 4096, found float64 "
            "of shape (4, 3)",
        ),
        ({"words": ("red", "blue")}, "vocabulary of 'own': expected first '<padding>' and '<unknown>'"),
        ({"words": (*WORDS, "red")}, "vocabulary of 'own': expected at most 65536 different words, found 5,"),
        ({"words": (*WORDS[:3], "\ud800")}, r"word of 'own': expected text in UTF-8, found '\ud800'; take it"),
    ],
)  # fmt: skip
def test_errors(changed, text):
    with pytest.raises(InputError) as error:
        dataset(**changed)
    assert str(error.value).startswith(text)


def test_a_data_set_refuses_what_is_no_text():
    ids = dataset().train_images
    labels, names = np.array([0, 1, 0, 1]), ("a", "b")
    with pytest.raises(
        InputError, match=r"training texts of 'x': expected ids from 0 to 2, the vocabulary, found id 3"
    ):
        Dataset("x", ids, labels, ids[:0], labels[:0], names, words=WORDS[:3])
    with pytest.raises(
        InputError, match=r"training images of 'x': expected uint8 of shape \(N, H, W, C\), found uint16"
    ):
        Dataset("x", ids, labels, ids[:0], labels[:0], names)
