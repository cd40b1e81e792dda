"""The labels of inputs: checked, counted, averaged over, and drawn from in equal numbers."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError


def check_labels(labels: NDArray[np.integer], n_labels: int, n_inputs: int) -> None:
    """Refuse labels outside the range and a wrong number of them."""
    if labels.shape != (n_inputs,):
        raise InputError("labels", f"one per input, shape ({n_inputs},)", f"shape {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError("labels", "integers", f"values of type {labels.dtype}")
    if labels.size and (labels.min() < 0 or labels.max() >= n_labels):
        outside = labels[(labels < 0) | (labels >= n_labels)][0]
        raise InputError("labels", f"0 to {n_labels - 1}", f"label {outside}", "check the number of labels")


def label_counts(labels: NDArray[np.integer], n_labels: int, n_inputs: int) -> NDArray[np.int64]:
    """Inputs per label (K,); refuses a label without input and whatever `check_labels` refuses."""
    labels = np.asarray(labels)
    check_labels(labels, n_labels, n_inputs)
    counts = np.bincount(labels, minlength=n_labels)
    if not counts.all():
        missing = int(np.flatnonzero(counts == 0)[0])
        raise InputError(
            "labels", "at least one input of every label", f"none of label {missing}", "use more inputs"
        )
    return counts


def class_means(
    values: NDArray[np.floating], labels: NDArray[np.integer], n_labels: int
) -> NDArray[np.float64]:
    """Mean of `values` over the inputs of each label.

    Parameters
    ----------
    values : array (N, ...)
        One row per input.
    labels : int array (N,)
    n_labels : int

    Returns
    -------
    float64 array (K, ...)

    Raises
    ------
    InputError
        A label is outside 0..K-1 or has no input, or the lengths differ.
    """
    counts = label_counts(labels, n_labels, len(values))
    order = np.argsort(labels, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sums: NDArray[np.float64] = np.add.reduceat(values[order], starts, axis=0, dtype=np.float64)
    return sums / counts.reshape(-1, *[1] * (values.ndim - 1))


def balanced_subset(
    labels: NDArray[np.integer], n_inputs: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Rows of the same number of inputs for every label, at most `n_inputs` in all, increasing.

    Raises
    ------
    InputError
        Fewer inputs than labels.
    """
    present = np.unique(labels)
    check_inputs(n_inputs, len(present))
    order = rng.permutation(len(labels))
    rank = np.empty(len(labels), np.int64)
    for label in present:
        rows = order[labels[order] == label]
        rank[rows] = np.arange(len(rows))
    return np.flatnonzero(rank < n_inputs // len(present))


def check_inputs(n_inputs: int, n_labels: int) -> None:
    """Refuse fewer inputs of a probe than one for each label; 0 is all of them."""
    if 0 < n_inputs < n_labels:
        raise InputError(
            "probe.inputs", f"0 for all, or at least {n_labels}, one for each label", f"{n_inputs}"
        )
