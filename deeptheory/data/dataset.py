"""A data set, in memory or, if it is too large, in its file: images or texts, labels and their names."""

import functools
import hashlib
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.row_blocks import row_blocks
from deeptheory.data.stored_images import StoredImages, in_memory
from deeptheory.data.texts import IDS, Ids
from deeptheory.errors import InputError

# (N, H, W, C), grey levels 0..255; or texts (N, T, 1, 1), ids of words, which are told by their type
Images = NDArray[np.uint8] | Ids | StoredImages
Labels = NDArray[np.int64]  # (N,)
SHOWN = 12  # names of labels in the short form of a data set; characters on each side of a wrong one


@dataclass(frozen=True, repr=False)
class Dataset:
    """Labelled images of one size, or texts, checked on construction.

    Parameters
    ----------
    name : str
        Its name in run files.
    train_images : ndarray of uint8 `(N, H, W, C)`
        Grey levels 0..255; `StoredImages` where they are too many for the memory. Of texts uint16 `(N, T, 1, 1)`,
        the ids of T words, 0 for padding at the end.
    train_labels : ndarray of int64 `(N,)`
        Each in 0..n_labels-1.
    test_images, test_labels : ndarray
        The same for the test set; `(0, H, W, C)` and `(0,)` if the source has none.
    label_names : tuple of str
        One name for every label.
    label_numbers : tuple of int, optional
        What the labels are numbered in the source, where that is not 0..n_labels-1; the fingerprint is of these.
    held_out_images, held_out_labels : ndarray, optional
        Further images that are neither trained nor tested on (`data.measure_from`).
    words : tuple of str, optional
        Of texts, the word of every id; the first two are padding and the unknown word.

    Raises
    ------
    InputError
        Types or shapes do not fit, a label or id is out of range, two labels have one name, a text has no word, or
        a name or word cannot be written as UTF-8 or has a NUL.
    """

    name: str
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    label_names: tuple[str, ...]
    label_numbers: tuple[int, ...] = ()
    held_out_images: Images | None = None
    held_out_labels: Labels | None = None
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (self.name, *self.label_names):
            require_text("name of the data or of a label", name)
        self._check_names()
        for word in self.words:
            require_text(f"word of '{self.name}'", word)
        for part, images, labels in self._parts:
            what = f"{part} {'texts' if self.words else 'images'} of '{self.name}'"
            kind, shape = (IDS, "(N, T, 1, 1)") if self.words else (np.uint8, "(N, H, W, C)")
            if images.dtype != kind or images.ndim != 4 or (self.words and images.shape[2:] != (1, 1)):
                expected, found = (
                    f"{np.dtype(kind)} of shape {shape}",
                    f"{images.dtype} of shape {images.shape}",
                )
                raise InputError(what, expected, found)
            if self.words:
                _check_ids(what, in_memory(images), len(self.words))
            self._check_labels(part, images, labels)
            if images.shape[1:] != self.input_shape:
                raise InputError(
                    what, f"the shape of the training images {self.input_shape}", f"{images.shape[1:]}"
                )
        if len(self.train_images) == 0:
            raise InputError(f"training images of '{self.name}'", "at least one image", "none")

    @property
    def _parts(self) -> list[tuple[str, Images, Labels]]:
        parts = [
            ("training", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        ]
        if self.held_out_images is not None and self.held_out_labels is not None:
            parts.append(("held-out", self.held_out_images, self.held_out_labels))
        return parts

    def _check_names(self) -> None:
        name, count = Counter(self.label_names).most_common(1)[0] if self.label_names else ("", 0)
        if count > 1:
            places = [str(label) for label, other in enumerate(self.label_names) if other == name]
            found, do = f"'{name}' for labels {' and '.join(places)}", "tell them apart by their names"
            raise InputError(f"names of the labels of '{self.name}'", "a name of its own for each", found, do)

    def _check_labels(self, part: str, images: Images, labels: Labels) -> None:
        what = f"{part} labels of '{self.name}'"
        if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
            expected = f"int64 of shape {images.shape[:1]}, one for every image"
            raise InputError(what, expected, f"{labels.dtype} of shape {labels.shape}")
        outside = np.flatnonzero((labels < 0) | (labels >= self.n_labels))
        if len(outside):
            first = outside[0]
            raise InputError(
                what,
                f"labels in 0..{self.n_labels - 1}",
                f"label {labels[first]} at image {first}"
                + (f" and {len(outside) - 1} more" * (len(outside) > 1)),
                "give a name to every label, or correct the file",
            )

    def __repr__(self) -> str:
        height, width, channels = self.input_shape
        shown = ", ".join(self.label_names[:SHOWN]) + ", ..." * (self.n_labels > SHOWN)
        inputs = f"images of {height} x {width} x {channels}"
        if self.words:
            inputs = f"texts of up to {height} words, {len(self.words)} in the vocabulary"
        return (
            f"Dataset '{self.name}': {self.n_labels} labels, {inputs}\n"
            f"{self._counts(self.train_labels)} for training, {self._counts(self.test_labels)} for testing"
            f"{'' if self.held_out_labels is None else f', {self._counts(self.held_out_labels)} held out'}\n"
            f"labels: {shown}"
        )

    def _counts(self, labels: Labels) -> str:
        """How many inputs, and how many of each label: "200 (10 a label)"."""
        if not len(labels):
            return "none"
        counts = np.bincount(labels, minlength=self.n_labels)
        least, most = counts.min(), counts.max()
        return f"{len(labels)} ({least}{'' if least == most else f' to {most}'} a label)"

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all images and labels, 64 hexadecimal digits; names are NOT in it."""
        digest = hashlib.sha256()
        for _, images, labels in self._parts:
            digest.update(repr(images.shape).encode())
            for rows in row_blocks(images):
                digest.update(np.ascontiguousarray(in_memory(images[rows])).data)
            if self.label_numbers:
                labels = np.array(self.label_numbers)[labels]
            digest.update(repr(labels.shape).encode() + np.ascontiguousarray(labels).data)
        return digest.hexdigest()

    @property
    def tests_on_training(self) -> bool:
        """Whether the test inputs are the first ones of training, one for one."""
        train, test = self.train_images, self.test_images
        return 0 < len(test) <= len(train) and all(
            np.array_equal(tested := in_memory(test[rows]), in_memory(train[rows])[: len(tested)])
            for rows in row_blocks(test)
        )

    @property
    def n_labels(self) -> int:
        """Number of labels K."""
        return len(self.label_names)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape (H, W, C) of one image."""
        height, width, channels = self.train_images.shape[1:]
        return height, width, channels


def _check_ids(what: str, ids: NDArray[np.unsignedinteger], n_words: int) -> None:
    """Refuse ids that are no words of the vocabulary, and texts of padding alone."""
    if ids.size and (largest := int(ids.max())) >= n_words:
        do = "read the texts with the vocabulary of the training texts"
        raise InputError(what, f"ids from 0 to {n_words - 1}, the vocabulary", f"id {largest}", do)
    if len(empty := np.flatnonzero(~ids.any(axis=(1, 2, 3)))):
        found = f"{len(empty)} without, the first is text {empty[0]}"
        raise InputError(what, "at least one word in each", found, "leave them out")


def require_text(what: str, text: str) -> None:
    """Refuse a name, a label, a word or a text of words that no run file can hold."""
    do = "rename it" if what.startswith("name") else "take it out"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(what, "text in UTF-8", _around(text, error.start), do) from error
    if "\0" in text:
        raise InputError(what, "text without NUL", _around(text, text.index("\0")), do)


def _around(text: str, place: int) -> str:
    return ascii(text[max(0, place - SHOWN) : place + SHOWN])
