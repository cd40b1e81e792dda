"""A data set of texts from arrays of word ids and the vocabulary that they are of."""

from collections.abc import Sequence
from typing import Any

from deeptheory.data.array_like import array_of, as_array
from deeptheory.data.dataset import Dataset
from deeptheory.data.label_numbers import number_labels
from deeptheory.data.texts import IDS, MOST_LENGTH, MOST_WORDS, PADDING, UNKNOWN, Ids
from deeptheory.errors import InputError


def from_ids(
    train_ids: Any,
    train_labels: Any,
    test_ids: Any = None,
    test_labels: Any = None,
    *,
    words: Sequence[str],
    label_names: Sequence[str] | None = None,
    name: str = "arrays",
) -> Dataset:
    """A data set of texts from ids (N, T) or (N, T, 1, 1), 0 for padding at the end.

    Parameters
    ----------
    train_ids, test_ids : array of whole numbers
        Without `test_ids` the test set is empty.
    train_labels, test_labels : array (N,)
        As in `from_arrays`.
    words : sequence of str
        The word of every id, padding and the unknown word (`texts.PADDING`, `texts.UNKNOWN`) first.
    label_names : sequence of str, optional
    name : str

    Raises
    ------
    InputError
        Ids of another shape or type, or outside the vocabulary; a text without a word; a vocabulary that begins
        with other words, has one twice, or too many.
    """
    what = f"vocabulary of '{name}'"
    words = tuple(words)
    if words[:2] != (PADDING, UNKNOWN):
        raise InputError(what, f"first '{PADDING}' and '{UNKNOWN}'", f"{list(words[:2])}")
    if len(words) > MOST_WORDS or len(set(words)) < len(words):
        found = f"{len(words)}, {len(set(words))} of them different"
        raise InputError(what, f"at most {MOST_WORDS} different words", found)
    train = _ids(f"training texts of '{name}'", train_ids, len(words))
    test = train[:0] if test_ids is None else _ids(f"test texts of '{name}'", test_ids, len(words))
    labels = as_array(train_labels, "labels"), () if test_labels is None else as_array(test_labels, "labels")
    numbered = number_labels(name, *labels, label_names)
    return Dataset(
        name,
        train,
        numbered.train,
        test,
        numbered.test,
        numbered.names,
        numbered.numbers,
        words=words,
    )


def _ids(what: str, given: Any, n_words: int) -> Ids:
    ids = array_of(given, what)
    whole = ids.ndim == 2 or (ids.ndim == 4 and ids.shape[2:] == (1, 1))
    if ids.dtype.kind not in "iu" or not whole or not 1 <= ids.shape[1] <= MOST_LENGTH:
        expected = f"whole numbers of shape (N, T), T from 1 to {MOST_LENGTH}"
        raise InputError(what, expected, f"{ids.dtype} of shape {ids.shape}")
    if ids.size and not 0 <= ids.min() <= ids.max() < n_words:
        expected = f"ids from 0 to {n_words - 1}, the vocabulary"
        raise InputError(what, expected, f"{ids.min()} to {ids.max()}")
    return ids.reshape(*ids.shape[:2], 1, 1).astype(IDS)
