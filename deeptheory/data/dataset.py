"""A data set, in memory or, if it is too large, in its file: images, labels and the names of the labels."""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.row_blocks import row_blocks
from deeptheory.data.stored_images import StoredImages, in_memory
from deeptheory.errors import InputError

Images = NDArray[np.uint8] | StoredImages  # (N, H, W, C), grey levels 0..255
Labels = NDArray[np.int64]  # (N,)
SHOWN = 12  # names of labels in the short form of a data set


@dataclass(frozen=True, repr=False)
class Dataset:
    """Labelled images of one size, checked on construction.

    Parameters
    ----------
    name : str
        Its name in run files.
    train_images : ndarray of uint8 `(N, H, W, C)`
        Grey levels 0..255; `StoredImages` where they are too many for the memory.
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

    Raises
    ------
    InputError
        Types or shapes do not fit, a label is out of range, or a name cannot be written as UTF-8 or has a NUL.
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

    def __post_init__(self) -> None:
        for name in (self.name, *self.label_names):
            _require_text(name)
        for part, images, labels in self._parts:
            what = f"{part} images of '{self.name}'"
            if images.dtype != np.uint8 or images.ndim != 4:
                raise InputError(
                    what, "uint8 of shape (N, H, W, C)", f"{images.dtype} of shape {images.shape}"
                )
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
        return (
            f"Dataset '{self.name}': {self.n_labels} labels, images of {height} x {width} x {channels}\n"
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
    def n_labels(self) -> int:
        """Number of labels K."""
        return len(self.label_names)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape (H, W, C) of one image."""
        height, width, channels = self.train_images.shape[1:]
        return height, width, channels


def _require_text(name: str) -> None:
    """Refuse a name of a file or label that no run file can hold."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        found = ascii(name)
        raise InputError("name of the data or of a label", "text in UTF-8", found, "rename it") from error
    if "\0" in name:
        raise InputError("name of the data or of a label", "text without NUL", ascii(name), "rename it")
