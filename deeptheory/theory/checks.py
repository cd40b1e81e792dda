"""Checks of arguments that several formulas share."""

import numpy as np
from numpy.typing import NDArray


def check_fields(fields: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
    """Refuse fields that are not finite and (N, K), and labels of another length or out of range."""
    if fields.ndim != 2 or fields.shape[1] < 2 or labels.shape != (len(fields),):
        raise ValueError(
            "fields must be (N, K) with K at least 2 and labels (N,), "
            f"found {fields.shape} and {labels.shape}"
        )
    n_labels = fields.shape[1]
    if not np.all(np.isfinite(fields)):
        raise ValueError("fields must be finite, found infinity or NaN")
    if len(labels) and (labels.min() < 0 or labels.max() >= n_labels):
        raise ValueError(f"labels must be within 0..{n_labels - 1}, found {labels.min()} to {labels.max()}")


def check_label_counts(labels: NDArray[np.integer], n_labels: int, fewest: int) -> NDArray[np.int64]:
    """Inputs of every label (K,); refuses labels with fewer than `fewest`."""
    counts = np.bincount(labels, minlength=n_labels)
    if counts.min() < fewest:
        label = int(counts.argmin())
        needed = "1 input" if fewest == 1 else f"{fewest} inputs"
        raise ValueError(f"every label needs at least {needed}, found {counts[label]} of label {label}")
    return counts
