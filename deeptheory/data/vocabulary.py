"""Texts cut into words, and the vocabulary of those that are trained on."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from deeptheory.data.texts import MOST_LENGTH, PADDING, UNKNOWN, Ids, as_ids, numbers_of
from deeptheory.errors import InputError

WORD = re.compile(r"\w+|[^\w\s]")  # a punctuation mark is a word of its own
FEWEST = 2  # occurrences of a word that has an id of its own

Longer = Literal["refuse", "cut"]


class Reading(NamedTuple):
    """How texts become ids.

    Attributes
    ----------
    length : int
        Words of the longest text, T.
    longer : "refuse" or "cut"
        What becomes of longer ones; cut, they keep their first T words.
    words : int
        Largest vocabulary, padding and the unknown word among them.
    test_share, seed : float, int
        Share of the texts of every label, drawn by the seed, that are tested on where there are no test texts:
        they are put aside before the vocabulary is made.
    vocabulary : tuple of str
        One that was made before, in place of that of the training texts; then no texts are put aside.
    """

    length: int = 32
    longer: Longer = "refuse"
    words: int = 1000
    test_share: float = 0.2
    seed: int = 0
    vocabulary: tuple[str, ...] = ()


def cut_into_words(text: str) -> list[str]:
    """Words in lower case, and punctuation marks, in order."""
    return WORD.findall(text.lower())


def vocabulary_of(texts: Iterable[Sequence[str]], words: int) -> tuple[str, ...]:
    """Padding, the unknown word, then the most frequent words, of equally frequent ones the first by alphabet.

    Words that occur once are left out: they are what the vector of the unknown word is trained on.

    Parameters
    ----------
    texts : iterable of sequence of str
        Training texts alone, cut into words.
    words : int
        Largest size.
    """
    counts = Counter(word for text in texts for word in text)
    frequent = sorted((-count, word) for word, count in counts.items() if count >= FEWEST)
    return PADDING, UNKNOWN, *(word for _, word in frequent[: words - 2])


def encode(
    texts: Sequence[str],
    words: Sequence[str],
    length: int,
    longer: Longer = "refuse",
    names: Sequence[str] | None = None,
) -> Ids:
    """New texts as the ids of a vocabulary, such as that of a run's data (``run.dataset.words``).

    Parameters
    ----------
    texts : sequence of str (N,)
    words : sequence of str
        The word of every id; other words become the unknown one.
    length : int
        T, that of the network's input.
    longer : "refuse" or "cut"
        What becomes of texts of more words.
    names : sequence of str, optional
        Of the texts, for errors; by default their numbers.

    Returns
    -------
    ndarray of uint16 `(N, T, 1, 1)`
        `data.augmentation.scale` makes them what a network takes.

    Raises
    ------
    InputError
        A text without a word, or a longer one.
    """
    named = [f"text {number}" for number in range(len(texts))] if names is None else names
    cut = [cut_into_words(text) for text in texts]
    require_lengths(cut, named, length, longer)
    return as_ids(cut, numbers_of(words), length)


def require_lengths(
    texts: Sequence[Sequence[str]], names: Sequence[str], length: int, longer: Longer
) -> None:
    """Refuse texts without a word, and longer ones unless they are to be cut."""
    for text, name in zip(texts, names, strict=True):
        if not text:
            raise InputError(name, "at least one word", "an empty text", "leave it out")
    longest = max(map(len, texts), default=0)
    if longest > length and longer == "refuse":
        name = next(name for text, name in zip(texts, names, strict=True) if len(text) > length)
        n = sum(len(text) > length for text in texts)
        found = f"{n} longer ones, up to {longest} words"
        do = f"data.longer=cut to keep the first {length} words of each"
        if longest <= MOST_LENGTH:
            do = f"data.length={longest}, or {do}"
        raise InputError(name, f"at most {length} words, as data.length says", found, f"set {do}")
