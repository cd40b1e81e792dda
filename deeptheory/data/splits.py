"""Stratified splits: train for the weights, measure for fields and masks, test for the accuracy."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.dataset import Dataset, Images, Labels
from deeptheory.data.label_noise import LabelNoise
from deeptheory.errors import InputError, unknown_name

SplitName = Literal["train", "measure", "test"]
FEWEST = {
    "train": 2,
    "measure": 2,
    "test": 1,
}  # inputs of every label; covariances, for predictions, take two
Indices = NDArray[np.int64]


@dataclass(frozen=True, repr=False)
class Splits:
    """Sorted indices of the inputs of each split.

    Parameters
    ----------
    train, measure : ndarray of int64 `(n,)`
        Indices into the data set's training images.
    test : ndarray of int64 `(n,)`
        Indices into the test images, or into the training images when `test_from_pool`.
    test_from_pool : bool
        Whether the test split was held out of the training images because the source has no test set.
    noise : LabelNoise, optional
        Labels of the train split that are wrong on purpose.
    """

    train: Indices
    measure: Indices
    test: Indices
    test_from_pool: bool
    noise: LabelNoise | None = None

    def __repr__(self) -> str:
        test = "training images, as there is no test set" if self.test_from_pool else "test images"
        return (
            f"Splits: {len(self.train)} inputs to train, {len(self.measure)} to measure, "
            f"{len(self.test)} to test\ntrain and measure from the training images, test from the {test}"
        )


def draw_splits(
    dataset: Dataset, measure_share: float, test_share: float, rng: np.random.Generator
) -> Splits:
    """Draw the splits, the same share of every label (rounded to whole inputs, at least one).

    Labels that leave a split too few inputs are refused here, before anything is computed, not by the first step
    that takes their covariances.

    Parameters
    ----------
    dataset : Dataset
        The inputs.
    measure_share : float
        Share for measure of the training images without the test split.
    test_share : float
        Share of the training images for test; used only if the source has no test set.
    rng : numpy.random.Generator
        Draws the splits.

    Raises
    ------
    InputError
        A share is not between 0 and 1, or a label has fewer inputs in a split than `FEWEST`.
    """
    for name, share in (("measure_share", measure_share), ("test_share", test_share)):
        if not 0 < share < 1:
            raise InputError(name, "a number between 0 and 1, both excluded", f"{share}")
    test_from_pool = len(dataset.test_images) == 0
    left = [
        rng.permutation(np.flatnonzero(dataset.train_labels == label)) for label in range(dataset.n_labels)
    ]
    if test_from_pool:
        test, left = _take(left, test_share)
    else:
        test = np.arange(len(dataset.test_labels))
    measure, left = _take(left, measure_share)
    splits = Splits(np.sort(np.concatenate(left)), measure, test, test_from_pool)
    for name in get_args(SplitName):
        _check_every_label(dataset, splits, name)
    return splits


def select(dataset: Dataset, splits: Splits, name: SplitName) -> tuple[Images, Labels]:
    """Images `(n, H, W, C)` uint8 and labels `(n,)` of one split, the train split with its label noise.

    Raises
    ------
    InputError
        There is no split of that name.
    """
    index = _index(splits, name)
    if name == "test" and not splits.test_from_pool:
        return dataset.test_images[index], dataset.test_labels[index]
    labels = dataset.train_labels
    if name == "train" and splits.noise is not None:
        labels = splits.noise.applied_to(labels)
    return dataset.train_images[index], labels[index]


def _index(splits: Splits, name: str) -> Indices:
    indices = {"train": splits.train, "measure": splits.measure, "test": splits.test}
    if name not in indices:
        raise unknown_name("split", name, indices)
    return indices[name]


def _take(left: list[Indices], share: float) -> tuple[Indices, list[Indices]]:
    """A share of the inputs of every label, at least one if there are any, and the inputs that are left."""
    counts = [max(round(share * len(inputs)), min(len(inputs), 1)) for inputs in left]
    taken = np.concatenate([inputs[:count] for inputs, count in zip(left, counts, strict=True)])
    return np.sort(taken), [inputs[count:] for inputs, count in zip(left, counts, strict=True)]


def _check_every_label(dataset: Dataset, splits: Splits, name: SplitName) -> None:
    in_pool = name != "test" or splits.test_from_pool
    labels = dataset.train_labels if in_pool else dataset.test_labels
    counts = np.bincount(labels[_index(splits, name)], minlength=dataset.n_labels)
    if (counts < FEWEST[name]).any():
        label = int(np.flatnonzero(counts < FEWEST[name])[0])
        raise InputError(
            f"split '{name}' of '{dataset.name}'",
            f"at least {FEWEST[name]} input{'s' * (FEWEST[name] > 1)} of every label",
            f"{counts[label]} of label {label} ('{dataset.label_names[label]}')",
            _more_inputs(dataset, splits, name, label),
        )


def _more_inputs(dataset: Dataset, splits: Splits, name: SplitName, label: int) -> str:
    """What to do about a label with too few inputs in a split."""
    held = sum(
        int((dataset.train_labels[_index(splits, part)] == label).sum()) for part in ("train", "measure")
    )
    if name == "measure" and held >= FEWEST["train"] + FEWEST["measure"]:
        return f"set data.measure_share={math.ceil(100 * FEWEST['measure'] / held) / 100:g}"
    return "give this label more inputs, or change the shares of the splits"
