"""A data set from arrays of many kinds, where each has one meaning."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.array_like import array_of, as_array
from deeptheory.data.dataset import Dataset, Images
from deeptheory.data.files import SMALLER
from deeptheory.data.grey_levels import LEVELS, Range, range_of, to_levels
from deeptheory.data.image_axes import axes_of, ordered
from deeptheory.data.label_numbers import EXPECTED, number_labels
from deeptheory.data.row_blocks import row_blocks
from deeptheory.data.stored_array import StoredArray
from deeptheory.data.stored_images import StoredImages, in_memory
from deeptheory.errors import InputError
from deeptheory.system.memory import require_memory

NUMBERS = 4 * 8  # bytes of an input beside its pixels, while labels are numbered


def from_arrays(
    train_images: Any,
    train_labels: Any,
    test_images: Any = None,
    test_labels: Any = None,
    *,
    label_names: Sequence[str] | None = None,
    name: str = "arrays",
) -> Dataset:
    """A data set from arrays or tensors; what could mean two things is refused, with the line that mends it.

    Parameters
    ----------
    train_images, test_images : array (N, H, W, C), (N, C, H, W), or (N, H, W) for grey
        The channels are the axis of 1 or 3, or of fewer than rows and columns. Whole numbers in 0..255, truth
        values, floats in [0, 1] (rounded to 256 levels), or floats that are whole grey levels of 0..255 or of
        [-1, 1]. Without `test_images` the test set is empty, and drawn from the training images with the splits.
    train_labels, test_labels : array (N,), (N, 1), or one-hot (N, K)
        Whole numbers or texts. Numbers may start at 1 or have gaps: labels are those that occur, in order, named
        by their numbers.
    label_names : sequence of str (K,), optional
    name : str
        Of the data set, in errors and run files.

    Returns
    -------
    Dataset
        Grey levels, uint8 (N, H, W, C), labels 0..K-1. Arrays that are of this kind are NOT copied.

    Raises
    ------
    InputError
        Images whose axes or values could mean something else, that are not finite, or of different ranges in the
        two sets; labels that are not one for each image; a test set of which only one array is given.
    """
    if (test_images is None) != (test_labels is None):
        given = "test_images" if test_labels is None else "test_labels"
        raise InputError(f"test set of '{name}'", "test_images and test_labels", f"{given} alone")
    sets = ("training", train_images, train_labels), ("test", test_images, test_labels)
    present = [part for part in sets if part[1] is not None]
    what = [f"{part} images of '{name}'" for part, *_ in present]
    labels = [_labels(f"{part} labels of '{name}'", given) for part, _, given in present]
    _require_labels_fit(name, labels)
    numbered = number_labels(name, labels[0], labels[1] if len(labels) > 1 else (), label_names)
    arrays, axes = [], []
    for title, (_, given, _), one_each in zip(what, present, labels, strict=True):
        arrays.append(given if isinstance(given, StoredArray) else array_of(given, title))
        axes.append(axes_of(title, arrays[-1].shape, len(one_each)))
        if len(arrays[-1]) != len(one_each):
            expected = f"{len(arrays[-1])} labels, one for every image"
            raise InputError(title, expected, f"{len(one_each)} labels")
    _require_same_shapes(what, arrays, axes)
    shown = range_of(what[0], arrays[0])
    if len(arrays) > 1 and len(arrays[1]) and (other := range_of(what[1], arrays[1])) != shown:
        do = "scale the images of both sets alike, for example to whole numbers from 0 to 255"
        raise InputError(what[1], f"{shown}, as those of training", f"{other}", do)
    train, *test = (_grey(array, order, shown) for array, order in zip(arrays, axes, strict=True))
    _refuse_alpha(what[0], train)
    return Dataset(
        name,
        train,
        numbered.train,
        test[0] if test else np.empty((0, *train.shape[1:]), np.uint8),
        numbered.test,
        numbered.names,
        numbered.numbers,
    )


def _labels(what: str, given: Any) -> NDArray[Any]:
    if isinstance(given, StoredArray):  # of as many axes as images, which alone stay in their file
        raise InputError(what, EXPECTED, f"shape {given.shape}")
    return as_array(given, what)


def _require_labels_fit(name: str, labels: Sequence[NDArray[Any]]) -> None:
    """Refuse more inputs than the memory has room for, with no more than a number for each."""
    n = sum(len(each) for each in labels if each.ndim)
    require_memory(f"{n} labels of '{name}'", NUMBERS * n, SMALLER)


def _require_same_shapes(
    what: Sequence[str], arrays: Sequence[NDArray[Any] | StoredArray], axes: Sequence[tuple[int, ...]]
) -> None:
    """Refuse images of two shapes, before their values are looked at."""
    shapes = [
        (*(array.shape[axis] for axis in order[1:]), *[1] * (4 - len(order)))
        for array, order in zip(arrays, axes, strict=True)
    ]
    if shapes[-1] != shapes[0]:
        raise InputError(what[1], f"the shape of the training images {shapes[0]}", f"{shapes[1]}")


def _grey(array: NDArray[Any] | StoredArray, axes: tuple[int, ...], shown: Range) -> Images:
    """Images (N, H, W, C) of grey levels."""
    if isinstance(array, StoredArray):
        return StoredImages(array, axes, shown, np.arange(len(array)))
    return to_levels(ordered(array, axes), shown)


def _refuse_alpha(what: str, images: Images) -> None:
    """Refuse images whose last channel is white everywhere, one more than those of grey or colour."""
    if images.shape[3] not in (2, 4):
        return
    for rows in row_blocks(images):
        if (in_memory(images[rows])[..., -1] != LEVELS).any():
            return
    found = f"{images.shape[3]}, of which the last is white everywhere: an alpha channel"
    raise InputError(what, "channels that differ between images", found, "images = images[..., :-1]")
