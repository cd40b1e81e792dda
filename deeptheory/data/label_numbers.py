"""Labels 0..K-1 with their names, from whole numbers, texts or one-hot rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.dataset import Labels
from deeptheory.errors import InputError
from deeptheory.store.paths import LABEL_NAMES

MOST_LABELS = 1_000_000  # a number that is no label but of another kind
RENUMBERED = "names, labels = np.unique(labels, return_inverse=True)"
EXPECTED = "one whole number or text for each image (N,), or one-hot rows (N, K)"


class Numbered(NamedTuple):
    """Labels of a data set.

    Attributes
    ----------
    train, test : ndarray of int64 (N,)
        Each in 0..K-1.
    names : tuple of str (K,)
    numbers : tuple of int
        What labels were numbered in the source, if not 0..K-1.
    """

    train: Labels
    test: Labels
    names: tuple[str, ...]
    numbers: tuple[int, ...] = ()


def number_labels(
    name: str, train: Any, test: Any = (), label_names: Sequence[str] | None = None
) -> Numbered:
    """Number the labels of a training and a test set alike.

    Texts are numbered in the order of `label_names`, or else sorted, numbers among them by size. Of whole numbers
    those that occur are kept in order, so that they may begin at 1 or have gaps; their names are the numbers. With
    `label_names` they are 0..K-1, or 1..K.

    Parameters
    ----------
    name : str
        Of the data set, for errors.
    train, test : array (N,), (N, 1), or one-hot (N, K)
        Whole numbers of any type, texts, or truth values.
    label_names : sequence of str, optional

    Raises
    ------
    InputError
        Labels are of several kinds, negative, fractions or a million and more, missing texts, rows that are not
        one-hot, or texts that `label_names` lacks.
    """
    what = f"training labels of '{name}'", f"test labels of '{name}'"
    parts = [_flat(*pair) for pair in zip(what, (train, test), strict=True)]
    names = None if label_names is None else tuple(label_names)
    kinds = {part.dtype.kind for part in parts if len(part)}
    if kinds == {"U"}:
        return _number_texts(what, parts, names)
    if "U" in kinds:
        raise InputError(what[1], "labels of the same kind as those of training", "numbers and texts")
    found = _whole(what[0], parts[0]), _whole(what[1], parts[1])
    present = np.union1d(*found)
    if names is not None and not (len(names) and np.array_equal(present, np.arange(1, len(names) + 1))):
        return Numbered(*found, names)  # whether they are in range is the data set's to say
    if np.array_equal(present, np.arange(len(present))):
        return Numbered(*found, tuple(map(str, present)))
    train, test = (np.searchsorted(present, part) for part in found)
    return Numbered(train, test, names or tuple(map(str, present)), tuple(map(int, present)))


def _flat(what: str, labels: Any) -> NDArray[Any]:
    """One number or text for each input."""
    array = np.asarray(labels)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "backslashreplace")
    if array.dtype.kind == "O" and all(isinstance(label, str) for label in array.flat):
        array = array.astype(np.str_)
    if array.dtype.kind not in "biufU":
        raise InputError(what, EXPECTED, f"values of type {array.dtype}", RENUMBERED)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 1:
        return array
    if array.ndim != 2 or array.dtype.kind == "U":
        raise InputError(what, EXPECTED, f"shape {array.shape}")
    hot = array == 1
    if not ((hot | (array == 0)).all() and (hot.sum(axis=1) == 1).all()):
        row = int(np.flatnonzero(((array != 0) & ~hot).any(axis=1) | (hot.sum(axis=1) != 1))[0])
        found = f"rows of {array.shape[1]} that are not one-hot, the first of image {row}"
        raise InputError(what, EXPECTED, found, "take the largest: labels = labels.argmax(axis=1)")
    labels_of_rows: Labels = hot.argmax(axis=1)
    return labels_of_rows


def _whole(what: str, labels: NDArray[Any]) -> Labels:
    if labels.dtype.kind == "f" and len(odd := labels[~np.isfinite(labels) | (labels != np.rint(labels))]):
        do = "a label is no quantity: give each of them a whole number"
        raise InputError(what, EXPECTED, f"{odd[0]}", do)
    if len(labels) and labels.min() < 0:
        do = f"leave out inputs without a label, or number them from 0: {RENUMBERED}"
        raise InputError(what, "labels from 0", f"label {labels.min()}", do)
    if len(labels) and labels.max() >= MOST_LABELS:
        do = f"number them from 0: {RENUMBERED}"
        raise InputError(what, f"labels below {MOST_LABELS}", f"label {labels.max()}", do)
    return labels.astype(np.int64)


def _number_texts(
    what: tuple[str, str], parts: Sequence[NDArray[Any]], names: tuple[str, ...] | None
) -> Numbered:
    present = {str(text) for part in parts for text in np.unique(part)}
    if "" in present:
        raise InputError(
            what[0], "a label for every image", "an empty text", "leave out inputs without a label"
        )
    if names is None:
        names = tuple(sorted(present, key=_by_number))
    elif missing := sorted(present - set(names)):
        raise InputError(what[0], f"labels that are in {LABEL_NAMES}", f"'{missing[0]}'", "add its name")
    number = {name: index for index, name in enumerate(names)}
    train, test = (np.array([number[str(text)] for text in part], np.int64) for part in parts)
    return Numbered(train, test, names)


def _by_number(text: str) -> tuple[bool, int, str]:
    is_number = text.isdecimal() and len(text) < 20
    return not is_number, int(text) if is_number else 0, text
