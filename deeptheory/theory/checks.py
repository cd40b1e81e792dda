"""Checks of arguments that several formulas share."""

import numpy as np
from numpy.typing import NDArray


def check_fields(fields: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
    """Refuse fields that are not finite and (N, K), and labels that do not belong to them."""
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
