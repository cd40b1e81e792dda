"""Probes: one new bias-free linear layer from the features of a stage to the labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.measure.fields import label_counts
from deeptheory.store.checkpoints import CheckpointStore
from deeptheory.system import interruption


@dataclass(frozen=True)
class ProbeFit:
    """A fitted probe.

    Attributes
    ----------
    weight : float32 array (K, D)
        Filter-major: `weight.reshape(K, C, P)` gives W[j, f, p].
    loss : float
        Mean cross-entropy + l2/2 ||W||^2 on the inputs it was fitted to, in nats. It says nothing about new
        inputs.
    iterations : int
        L-BFGS iterations on the full features, or epochs of SGD.
    converged : bool
        The gradient criterion was met (exact solver only; SGD: the epochs were completed).
    gradient_norm : float
        Norm of the gradient at the end, relative to its norm at zero weights.
    """

    weight: NDArray[np.float32]
    loss: float
    iterations: int
    converged: bool
    gradient_norm: float


def check_probe_input(
    features: NDArray, labels: NDArray, n_labels: int, mask: NDArray | None
) -> NDArray[np.int64]:
    """Refuse what no probe can be fitted to; return the labels as int64."""
    if features.ndim != 2 or features.dtype != np.float32:
        raise InputError("features", "a float32 array (N, D)", f"{features.dtype} of shape {features.shape}")
    label_counts(labels, n_labels, len(features))
    shape = (n_labels, features.shape[1])
    if mask is not None and (mask.shape != shape or mask.dtype != np.bool_):
        raise InputError("mask of the probe", f"bool of shape {shape}", f"{mask.dtype} of shape {mask.shape}")
    return np.asarray(labels, np.int64)


def balanced_subset(labels: NDArray, n_inputs: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of the same number of inputs per label, `n_inputs` together at most, increasing."""
    order = rng.permutation(len(labels))
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        own = order[labels[order] == label]
        rank[own] = np.arange(len(own))
    per_label = max(1, n_inputs // len(np.unique(labels)))
    return np.flatnonzero(rank < per_label)


def pause(checkpoint: CheckpointStore | None, state: Callable[[], Mapping[str, Any]]) -> None:
    """Between two iterations: write a checkpoint when it is time, and end the work if it was asked for."""
    if checkpoint and (checkpoint.due or interruption.requested()):
        checkpoint.save(state())
    interruption.check()


def check_checkpoint(
    checkpoint: CheckpointStore, tree: Mapping[str, Any], name: str, shape: tuple[int, ...]
) -> None:
    """Refuse a checkpoint that does not hold a float32 array of this name and shape."""
    found = tree.get(name)
    if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != np.float32:
        raise InputError(
            f"checkpoint {checkpoint.path}",
            f"that of a probe with '{name}' of shape {shape}",
            "that of something else",
            "delete it to fit the probe from the start",
        )
