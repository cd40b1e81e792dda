"""Data sets from batches of (images, labels), such as a PyTorch data loader."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.array_like import array_of
from deeptheory.data.arrays import from_arrays
from deeptheory.data.dataset import Dataset, Labels
from deeptheory.data.grey_levels import LEVELS, WHOLE
from deeptheory.errors import InputError

KINDS = ("images", "labels")


def from_batches(
    train: Iterable[Any],
    test: Iterable[Any] | None = None,
    label_names: Sequence[str] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
) -> Dataset:
    """A data set from batches; `pack` writes it to a file that every command reads.

    Batches are read once, in order. If the loader augments, the data set holds the augmented images.

    Parameters
    ----------
    train, test : iterable of (images, labels)
        Arrays or tensors: images (N, C, H, W) or (N, H, W, C), and integer labels (N,). There must be fewer
        channels than rows and columns, by which the two layouts are distinguished. Images are uint8, floats in
        [0, 1], or floats normalised by `mean` and `std`. Without `test` the test set is empty.
    label_names : sequence of str, optional
        By default the numbers of the labels that occur.
    mean, std : float or sequence of float (C,), optional
        The normalisation (x - mean)/std of the images in [0, 1], which is undone. All commands scale grey levels
        to [-1, 1] (mean = std = 0.5), so that a model trained with another normalisation sees other values.

    Returns
    -------
    Dataset
        Grey levels, uint8 (N, H, W, C).

    Raises
    ------
    InputError
        There is no batch; a batch is no pair, has another shape than the first, or labels that are no integers; or
        images are not integer grey levels from 0 to 255 (to within 0.01).
    """
    images, labels = _split(train, "training batches", mean, std)
    tests = (None, None) if test is None else _split(test, "test batches", mean, std)
    return from_arrays(images, labels, *tests, label_names=label_names, name="batches")


def iterate_batches(batches: Iterable[Any], what: str) -> Iterator[tuple[NDArray[Any], Labels]]:
    """The batches as arrays, unchanged images and labels (n,) int64, checked one by one.

    Raises
    ------
    InputError
        There is no batch; a batch is no pair of arrays, or has different numbers of images and labels; images have
        another shape than those of the first batch or are not finite; or labels are no integers.
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


def _split(
    batches: Iterable[Any],
    what: str,
    mean: float | Sequence[float] | None,
    std: float | Sequence[float] | None,
) -> tuple[NDArray[np.uint8], Labels]:
    parts = [(_levels(images, what, mean, std), labels) for images, labels in iterate_batches(batches, what)]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return images, labels


def _levels(
    images: NDArray[Any],
    what: str,
    mean: float | Sequence[float] | None,
    std: float | Sequence[float] | None,
) -> NDArray[np.uint8]:
    """Images as grey levels, uint8 (n, H, W, C)."""
    if images.ndim != 4 or images.shape[1] == images.shape[3]:
        expected = "shape (N, C, H, W) or (N, H, W, C) with fewer channels than rows and columns"
        raise InputError(f"images of {what}", expected, f"{images.shape}")
    channels_last = images if images.shape[3] < images.shape[1] else images.transpose(0, 2, 3, 1)
    if channels_last.dtype == np.uint8:
        if mean is not None or std is not None:
            found = "mean or std"
            raise InputError(f"normalisation of {what}", "none for uint8 images", found, "leave it out")
        return np.ascontiguousarray(channels_last)
    if channels_last.dtype.kind != "f":
        raise InputError(f"images of {what}", "uint8 or floats", f"values of type {channels_last.dtype}")
    scale, shift = (
        _per_channel(values, default, channels_last) for values, default in ((std, 1.0), (mean, 0.0))
    )
    levels = LEVELS * (channels_last.astype(np.float64) * scale + shift)
    whole = np.rint(levels)
    deviation = float(np.abs(levels - whole).max(initial=0))
    low, high = whole.min(initial=0), whole.max(initial=0)
    if deviation > WHOLE or low < 0 or high > LEVELS:
        raise InputError(
            f"images of {what}",
            f"whole grey levels from 0 to {LEVELS} once the normalisation is undone",
            f"levels from {low:g} to {high:g}, up to {deviation:.3g} from a whole one",
            "give the mean and std that they were normalised by, and no augmentation that interpolates",
        )
    return whole.astype(np.uint8)


def _per_channel(
    values: float | Sequence[float] | None, default: float, images: NDArray[Any]
) -> NDArray[np.float64]:
    numbers = np.asarray(default if values is None else values, np.float64)
    if numbers.shape not in ((), (images.shape[3],)) or not np.isfinite(numbers).all():
        raise InputError(
            "mean and std", f"a finite number, or one for each of {images.shape[3]} channels", f"{values}"
        )
    return numbers
