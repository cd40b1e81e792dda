"""Label noise: some labels of the train split replaced by wrong ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.data.dataset import Labels


@dataclass(frozen=True)
class LabelNoise:
    """Which labels are replaced, and by which.

    Parameters
    ----------
    inputs : ndarray of int64 `(n,)`
        Sorted indices into the data set's training images.
    labels : ndarray of int64 `(n,)`
        The wrong labels of these inputs.
    """

    inputs: NDArray[np.int64]
    labels: Labels

    def applied_to(self, labels: Labels) -> Labels:
        """A copy of the labels of all training images with those that are replaced."""
        noisy = labels.copy()
        noisy[self.inputs] = self.labels
        return noisy


def draw_label_noise(
    labels: Labels, inputs: NDArray[np.int64], n_labels: int, share: float, rng: np.random.Generator
) -> LabelNoise:
    """Replace the labels of a share of the inputs, rounded to whole ones, by others.

    Parameters
    ----------
    labels : ndarray of int64
        Of all training images of the data set.
    inputs : ndarray of int64 `(n,)`
        Indices of those that may get a wrong label: the train split.
    n_labels : int
        K; each of the K - 1 wrong labels is equally likely.
    share : float
        Within [0, 1): of wrong labels, not of labels that are drawn anew and may come out right.
    rng : numpy.random.Generator
        With the same generator, what a smaller share replaces is a part of what a larger one does, by the same
        labels.
    """
    order = rng.permutation(len(inputs))
    shifts = rng.integers(1, n_labels, len(inputs))
    chosen = order[: round(share * len(inputs))]
    replaced = inputs[chosen]
    wrong = (labels[replaced] + shifts[chosen]) % n_labels
    sorting = np.argsort(replaced)
    return LabelNoise(replaced[sorting], wrong[sorting])
