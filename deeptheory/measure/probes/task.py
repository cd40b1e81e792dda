"""A probe to be fitted, the fit that comes out, and the checkpoint in between."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.measure.probes.bar import ProbeBar
from deeptheory.measure.probes.crossentropy import CrossEntropy
from deeptheory.store.checkpoints import CheckpointStore
from deeptheory.store.typed_readers import StoredTree
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
    excess : float
        The loss is at most this far above its minimum, in nats: ``|gradient|^2 / (2 l2)``, because it curves by l2
        at least. A bound, usually far from tight.
    """

    weight: NDArray[np.float32]
    loss: float
    iterations: int
    converged: bool
    gradient_norm: float
    excess: float


@dataclass(frozen=True)
class ProbeTask:
    """What a solver is given.

    Attributes
    ----------
    objective : CrossEntropy
        Its features, labels, L2 coefficient and mask.
    n_labels : int
    rng : numpy.random.Generator
    bar : ProbeBar
        For the progress report.
    checkpoint : CheckpointStore or None
    """

    objective: CrossEntropy
    n_labels: int
    rng: np.random.Generator
    bar: ProbeBar
    checkpoint: CheckpointStore | None

    @property
    def zero_weight(self) -> NDArray[np.float32]:
        """Weights (K, D) to start from."""
        return np.zeros((self.n_labels, self.objective.features.shape[1]), np.float32)

    def resume(self, **shapes: tuple[int, ...]) -> StoredTree | None:
        """State of an earlier fit that was interrupted, or None.

        Parameters
        ----------
        **shapes
            Of the arrays that it has to have, by their names.

        Raises
        ------
        InputError
            The checkpoint has no such float32 arrays.
        """
        state = self.checkpoint.load() if self.checkpoint else None
        if self.checkpoint is None or state is None:
            return None
        for name, shape in shapes.items():
            array = state.get(name)
            if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != np.float32:
                raise InputError(
                    f"checkpoint {self.checkpoint.path}",
                    f"that of a probe with '{name}' of shape {shape}",
                    "that of something else",
                    "delete it to fit the probe from the start",
                )
        return state

    def pause(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Between two iterations: write a checkpoint if one is due, and raise if the process was asked to stop."""
        if self.checkpoint and (self.checkpoint.due or interruption.requested()):
            self.checkpoint.save(state())
        interruption.check()
