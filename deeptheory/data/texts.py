"""Texts as arrays: word ids where images have grey levels, and the vocabulary that says which word is which."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

IDS = np.uint16  # the type that tells word ids from grey levels
MOST_WORDS = 1 << 16  # of a vocabulary
MOST_LENGTH = 4096  # words of a text
PADDING, UNKNOWN = "<padding>", "<unknown>"  # the words of ids 0 and 1
Ids = NDArray[np.uint16]  # (N, T, 1, 1)


def numbers_of(words: Sequence[str]) -> dict[str, int]:
    """The id of every word of a vocabulary."""
    return {word: number for number, word in enumerate(words)}


def as_ids(texts: Sequence[Sequence[str]], numbers: Mapping[str, int], length: int) -> Ids:
    """Texts that are cut into words as ids; those beyond `length` are left out, short texts filled with padding.

    Parameters
    ----------
    texts : sequence of sequence of str (N,)
    numbers : mapping of str to int
        Of the vocabulary (`numbers_of`); other words become the unknown one.
    length : int
        T.

    Returns
    -------
    ndarray of uint16 `(N, T, 1, 1)`
    """
    ids = np.zeros((len(texts), length, 1, 1), IDS)
    unknown = numbers[UNKNOWN]
    for row, words in zip(ids, texts, strict=True):
        kept = [numbers.get(word, unknown) for word in words[:length]]
        row[: len(kept), 0, 0] = kept
    return ids


def as_text(ids: NDArray[np.integer], words: Sequence[str]) -> str:
    """The words of one text, `(T, 1, 1)`, without padding, with blanks between them."""
    return " ".join(words[number] for number in ids.ravel().tolist() if number)
