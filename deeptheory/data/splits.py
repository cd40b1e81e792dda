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
MEASURED = {"train": "training images", "test": "test images", "held-out": "held-out images"}
Indices = NDArray[np.int64]
FROM_TRAIN, FROM_TEST, HELD_OUT = (
    "train",
    "test",
    "held-out",
)  # where the images of the measure split come from


@dataclass(frozen=True, repr=False)
class Splits:
    """Sorted indices of the inputs of each split.

    Parameters
    ----------
    train : ndarray of int64 `(n,)`
        Indices into the data set's training images.
    measure : ndarray of int64 `(n,)`
        Indices into the images that `measure_from` names.
    test : ndarray of int64 `(n,)`
        Indices into the test images, or into the training images when `test_from_pool`.
    test_from_pool : bool
        Whether the test split was held out of the training images because the source has no test set.
    noise : LabelNoise, optional
        Labels of the train split that are wrong on purpose.
    measure_from : str
        "train", "test" or "held-out".
    """

    train: Indices
    measure: Indices
    test: Indices
    test_from_pool: bool
    noise: LabelNoise | None = None
    measure_from: str = FROM_TRAIN

    def __repr__(self) -> str:
        test = "training images, as there is no test set" if self.test_from_pool else "test images"
        return (
            f"Splits: {len(self.train)} inputs to train, {len(self.measure)} to measure, "
            f"{len(self.test)} to test\n"
            f"train from the training images, measure from the {MEASURED[self.measure_from]}, test from the {test}"
        )


def draw_splits(
    dataset: Dataset,
    measure_share: float,
    test_share: float,
    rng: np.random.Generator,
    measure_from: str = FROM_TRAIN,
) -> Splits:
    """Draw the splits, the same share of every label (rounded to whole inputs, at least one).

    Labels that leave a split too few inputs are refused here, before anything is computed, not by the first step
    that takes their covariances.

    Parameters
    ----------
    dataset : Dataset
        The inputs.
    measure_share : float
        Share for measure of the training images without the test split, or of the test images.
    test_share : float
        Share of the training images for test; used only if the source has no test set.
    rng : numpy.random.Generator
        Draws the splits.
    measure_from : str
        "train"; "test" for images that are then not tested on, where a network was trained on all training images;
        anything else for all held-out images of the data set.

    Raises
    ------
    InputError
        A share is not between 0 and 1, there are no test images to measure on, or a label has fewer inputs in a
        split than `FEWEST`.
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
    if measure_from == FROM_TRAIN:
        measure, left = _take(left, measure_share)
    elif measure_from == FROM_TEST:
        if test_from_pool:
            do = "name a file of images that the network was not trained on"
            raise InputError("data.measure_from", "data with test images for 'test'", "none", do)
        pools = [
            rng.permutation(np.flatnonzero(dataset.test_labels == label)) for label in range(dataset.n_labels)
        ]
        measure, pools = _take(pools, measure_share)
        test = np.sort(np.concatenate(pools))
    else:
        assert dataset.held_out_labels is not None
        measure, measure_from = np.arange(len(dataset.held_out_labels)), HELD_OUT
    train = np.sort(np.concatenate(left))
    splits = Splits(train, measure, test, test_from_pool, measure_from=measure_from)
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
    images, labels = _pool(dataset, splits, name)
    if name == "train" and splits.noise is not None:
        labels = splits.noise.applied_to(labels)
    return images[index], labels[index]


def _pool(dataset: Dataset, splits: Splits, name: str) -> tuple[Images, Labels]:
    """The images that the indices of a split are of."""
    from_test = not splits.test_from_pool if name == "test" else splits.measure_from == FROM_TEST
    if name != "train" and from_test:
        return dataset.test_images, dataset.test_labels
    if name == "measure" and splits.measure_from == HELD_OUT:
        assert dataset.held_out_images is not None
        assert dataset.held_out_labels is not None
        return dataset.held_out_images, dataset.held_out_labels
    return dataset.train_images, dataset.train_labels


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
    _, labels = _pool(dataset, splits, name)
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
    if splits.measure_from != FROM_TRAIN:
        return "give this label more inputs, or change what is measured on"
    held = sum(
        int((dataset.train_labels[_index(splits, part)] == label).sum()) for part in ("train", "measure")
    )
    if name == "measure" and held >= FEWEST["train"] + FEWEST["measure"]:
        return f"set data.measure_share={math.ceil(100 * FEWEST['measure'] / held) / 100:g}"
    return "give this label more inputs, or change the shares of the splits"
