"""Criteria of pruning, one file each: from a context to one score per kernel, higher = keep.

A new criterion is a function ``scores(context) -> {weight name: (out, n_inputs) float64}`` and one line here.
"""

from collections.abc import Callable

import numpy as np

from deeptheory.prune.context import Context
from deeptheory.prune.criteria import afcc, label_permuted, magnitude, random

Criterion = Callable[[Context], dict[str, np.ndarray]]

CRITERIA: dict[str, Criterion] = {
    "afcc": afcc.scores,
    "random": random.scores,
    "label-permuted": label_permuted.scores,
    "magnitude": magnitude.scores,
}

# Their scores are label strengths, so the threshold of a served label cuts them; the others only rank.
THRESHOLDED = frozenset({"afcc", "label-permuted"})

__all__ = ["CRITERIA", "THRESHOLDED", "Criterion"]
