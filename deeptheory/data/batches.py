"""Data sets from batches of (images, labels), as a loader of PyTorch or any other iterable gives them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from deeptheory.data.dataset import Dataset
from deeptheory.errors import InputError

LEVELS = 255
KINDS = ("images", "labels")
WHOLE = 0.01  # of a grey level: what float32 leaves of one after a normalisation is below 0.001


def from_batches(
    train: Iterable[Any],
    test: Iterable[Any] | None = None,
    label_names: Sequence[str] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
) -> Dataset:
    """A data set from batches, for `pack` to write to a file that every command reads.

    Batches are read once, in the order in which they come; a loader that augments gives augmented images.

    Parameters
    ----------
    train, test : iterable of (images, labels)
        Arrays or tensors: images (N, C, H, W) or (N, H, W, C), told apart by the channels, which must be fewer
        than rows and columns, and labels (N,), whole numbers. Images are uint8, or floats in [0, 1], or floats
        normalised by `mean` and `std`. Without `test` the test set is empty.
    label_names : sequence of str, optional
        By default the numbers from 0 to the largest label.
    mean, std : float or sequence of float (C,), optional
        What was subtracted from the images in [0, 1], and by what they were divided then; it is undone. Commands
        scale grey levels to [-1, 1] (mean = std = 0.5): a model with another normalisation sees other pixels.

    Returns
    -------
    Dataset
        Grey levels, uint8 (N, H, W, C).

    Raises
    ------
    InputError
        No batch, or one that is no pair, has another shape than the first, labels that are not whole numbers,
        or images that are not whole grey levels: within 0.01 of one, from 0 to 255.
    """
    images, labels = _split(train, "training batches", mean, std)
    if test is None:
        tested = np.empty((0, *images.shape[1:]), np.uint8), np.empty(0, np.int64)
    else:
        tested = _split(test, "test batches", mean, std)
    n_labels = 1 + max(int(part.max(initial=-1)) for part in (labels, tested[1]))
    names = range(n_labels) if label_names is None else label_names
    return Dataset("batches", images, labels, *tested, tuple(map(str, names)))


def iterate_batches(batches: Iterable[Any], what: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The batches as arrays, images as they are and labels (n,) int64, checked one by one.

    Raises
    ------
    InputError
        There is no input; a batch is no pair of arrays, its numbers of images and labels differ, images have
        another shape than those of the first batch or are not finite, or labels are not whole numbers.
    """
    if not isinstance(batches, Iterable):
        raise InputError(what, "an iterable of (images, labels)", f"a {type(batches).__name__}")
    shape: tuple[int, ...] | None = None
    for number, batch in enumerate(batches):
        name = f"batch {number} of {what}"
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            length = f" of {len(batch)}" if isinstance(batch, tuple | list) else ""
            raise InputError(name, "a pair (images, labels)", f"a {type(batch).__name__}{length}")
        images, labels = (
            array_of(part, f"{kind} of {name}") for part, kind in zip(batch, KINDS, strict=True)
        )
        if images.ndim < 2 or labels.shape != images.shape[:1]:
            expected = "images (n, ...) and as many labels (n,)"
            raise InputError(name, expected, f"shapes {images.shape} and {labels.shape}")
        if labels.dtype.kind not in "iu":
            raise InputError(f"labels of {name}", "whole numbers", f"values of type {labels.dtype}")
        if not np.isfinite(images).all():
            found = f"{int((~np.isfinite(images)).sum())} values that are NaN or infinite"
            raise InputError(f"images of {name}", "finite numbers", found)
        shape = shape or images.shape[1:]
        if images.shape[1:] != shape:
            found = f"{images.shape[1:]}"
            raise InputError(f"images of {name}", f"the shape {shape} of those before", found)
        yield images, labels.astype(np.int64)
    if shape is None:
        raise InputError(what, "at least one batch", "none")


def array_of(value: Any, what: str) -> np.ndarray:
    """An array or tensor on any device as a NumPy array of numbers; `InputError` for anything else."""
    try:
        for method in ("detach", "cpu", "numpy"):  # whichever of them a tensor has
            if hasattr(value, method):
                value = getattr(value, method)()
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as failure:
        raise InputError(what, "an array of numbers", f"a {type(value).__name__} ({failure})") from failure
    if array.dtype.kind not in "biuf":
        raise InputError(what, "an array of numbers", f"values of type {array.dtype}")
    return array


def _split(
    batches: Iterable[Any],
    what: str,
    mean: float | Sequence[float] | None,
    std: float | Sequence[float] | None,
) -> tuple[np.ndarray, np.ndarray]:
    parts = [(_levels(images, what, mean, std), labels) for images, labels in iterate_batches(batches, what)]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return images, labels


def _levels(
    images: np.ndarray, what: str, mean: float | Sequence[float] | None, std: float | Sequence[float] | None
) -> np.ndarray:
    """Images as grey levels, uint8 (n, H, W, C)."""
    if images.ndim != 4 or images.shape[1] == images.shape[3]:
        expected = "shape (N, C, H, W) or (N, H, W, C) with fewer channels than rows and columns"
        raise InputError(f"images of {what}", expected, f"{images.shape}")
    last = images if images.shape[3] < images.shape[1] else images.transpose(0, 2, 3, 1)
    if last.dtype == np.uint8:
        if mean is not None or std is not None:
            found = "mean or std"
            raise InputError(f"normalisation of {what}", "none for uint8 images", found, "leave it out")
        return np.ascontiguousarray(last)
    if last.dtype.kind != "f":
        raise InputError(f"images of {what}", "uint8 or floats", f"values of type {last.dtype}")
    levels = LEVELS * (last.astype(np.float64) * _channels(std, 1.0, last) + _channels(mean, 0.0, last))
    whole = np.rint(levels)
    off = float(np.abs(levels - whole).max(initial=0))
    low, high = whole.min(initial=0), whole.max(initial=0)
    if off > WHOLE or low < 0 or high > LEVELS:
        raise InputError(
            f"images of {what}",
            f"whole grey levels from 0 to {LEVELS} once the normalisation is undone",
            f"levels from {low:g} to {high:g}, up to {off:.3g} from a whole one",
            "give the mean and std that they were normalised by, and no augmentation that interpolates",
        )
    return whole.astype(np.uint8)


def _channels(values: float | Sequence[float] | None, default: float, images: np.ndarray) -> np.ndarray:
    found = np.asarray(default if values is None else values, np.float64)
    if found.shape not in ((), (images.shape[3],)) or not np.isfinite(found).all():
        raise InputError(
            "mean and std", f"a finite number, or one for each of {images.shape[3]} channels", f"{values}"
        )
    return found
