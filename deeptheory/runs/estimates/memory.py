"""The memory that the steps of a run take at their peak, from the sizes of their arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deeptheory.measure import ProbeOptions
from deeptheory.measure.features import TOGETHER
from deeptheory.measure.fields import BLOCK_BYTES
from deeptheory.measure.probes.curvature import RANK, ROWS
from deeptheory.measure.probes.lbfgs import MEMORY
from deeptheory.measure.streaming import BATCH
from deeptheory.prune.prediction import HEAD_INPUTS
from deeptheory.runs.estimates.sizes import Sizes
from deeptheory.store import paths

COMPARE = "compare"  # what `deeptheory compare` does once a run is trained and measured
MIXTURES = 60_000_000  # bytes that `theory.accuracy_from_mixture` works in, whatever it integrates
VECTORS = 2 * MEMORY + 12  # arrays of the size of a probe that the exact solver holds at a time


@dataclass(frozen=True)
class Parts:
    """Bytes that a step holds at its peak.

    Attributes
    ----------
    program : int
        Interpreter, libraries and compiled kernels.
    data : int
        Images and labels, and the copies of splits.
    weights : int
        Parameters with gradients, momentum, copies and masks.
    activations : int
        Outputs of the layers for a batch, and working memory of the kernels.
    features : int
        Outputs of stages for all inputs, to fit probes and heads on, and the solver.
    statistics : int
        Probes, class means, fields, clusters.
    prediction : int
        Covariances of patches, mixtures.
    """

    program: int = 0
    data: int = 0
    weights: int = 0
    activations: int = 0
    features: int = 0
    statistics: int = 0
    prediction: int = 0

    @property
    def total(self) -> int:
        """What the process takes."""
        return sum(getattr(self, name) for name in PARTS)


PARTS = tuple(Parts.__dataclass_fields__)


def peaks(sizes: Sizes, steps: Sequence[str], free: float = 0.0) -> dict[str, Parts]:
    """What every step holds at its peak.

    Parameters
    ----------
    sizes : Sizes
    steps : sequence of str
        Among `paths.STEPS` and `COMPARE`.
    free : float
        Free memory in bytes: features of several stages are held at a time where half of it suffices. By default
        one stage at a time, the least with which a step gets through.

    Returns
    -------
    dict of Parts
        By step. Status: a model, the sum of the arrays that are held together; how far it is off: docs/notes.md.
        What single criteria need beside the context of all is NOT in it.
    """
    found = {}
    for step in steps:
        largest = max(PHASES[step](sizes, free), key=lambda parts: parts.total)
        found[step] = replace(largest, program=sizes.program)
    return found


def steps_until(last: str) -> tuple[str, ...]:
    """The steps of a run as far as one of them."""
    return paths.STEPS[: paths.STEPS.index(last) + 1]


def file_bytes(sizes: Sizes, steps: Sequence[str]) -> int:
    """Bytes of `run.h5` after these steps: states, class means and probes; smaller things are left out."""
    options = sizes.config.prune
    rounds = 1 + options.rounds * (options.schedule == "iterative")
    of_step = {
        "train": sizes.state,
        "measure": 12 * sizes.n_labels * sum(sizes.outputs.values()),
        "retrain": (len(options.arms) * rounds + 1) * sizes.state,
    }
    return sum(of_step.get(step, 0) for step in steps)


def disk_bytes(sizes: Sizes, steps: Sequence[str]) -> int:
    """Bytes on disk at most: of run file and checkpoint that which is, the one before, and the one to come."""
    return 3 * file_bytes(sizes, steps) + 6 * sizes.state


def _train(sizes: Sizes, free: float) -> list[Parts]:
    # Parameters, momentum, and two states: that of the last checkpoint and the one that replaces it.
    return [_training(sizes, 4, sizes.training, sizes.dataset + sizes.split("train"))]


def _training(sizes: Sizes, copies: int, scratch: int, data: int, masks: int = 0) -> Parts:
    """A training that holds so many arrays of the size of the state; its scratch includes that of testing."""
    gradients = min(sizes.parameters, scratch)  # they are among the scratch
    return Parts(
        data=data,
        weights=copies * sizes.state + gradients + masks,
        activations=scratch - gradients,
    )


def _measure(sizes: Sizes, free: float) -> list[Parts]:
    k, inputs, options = sizes.n_labels, sizes.inputs["measure"], sizes.config.measure
    filters, outputs = sizes.filters.values(), sizes.outputs.values()
    held = Parts(
        data=sizes.dataset + sizes.split("measure"),
        weights=2 * sizes.state,
        activations=sizes.inferring,
        statistics=12 * k * sum(outputs),  # probes and class means
    )
    per_label = -(-inputs // k)
    # Single-filter fields of the open label, responses and complete fields; then the class means of a stage again,
    # and its responses in bins.
    passing = sum(4 * c * (inputs + per_label * k) + 8 * inputs * k for c in filters)
    passing += 4 * k * sum(outputs) + 8 * k * max(outputs) + 24 * inputs * max(filters)
    # Complete fields of all stages; of one the fields, their clips, class means and probe in float64, clusters
    # in every order, and resampled filters.
    measuring = 8 * (inputs + sizes.inputs["test"]) * k * len(outputs)
    measuring += min(8 * max(filters) * k**2, max(BLOCK_BYTES, 8 * k**2)) * 9 // 8 + 16 * k * max(outputs)
    measuring += max(filters) * (4 * (options.relabellings + 2) * k + 24 * options.bootstrap)
    return [
        *_probes(sizes, free),
        replace(held, statistics=held.statistics + passing),
        replace(held, data=held.data + sizes.split("test"), statistics=held.statistics + measuring),
    ]


def _probes(sizes: Sizes, free: float) -> list[Parts]:
    """One phase per probe: features of the stages that come from one pass are let go one after the other."""
    options, n = sizes.config.probe, sizes.inputs["train"]
    n = min(n, options.inputs) if options.inputs else n
    chosen = sizes.split("train") * n // sizes.inputs["train"] if options.inputs else 0
    needed = [4 * n * sizes.outputs[stage] for stage in sizes.probed]
    phases, first = list[Parts](), 0
    while first < len(needed):
        fitting = np.count_nonzero(np.cumsum(needed[first:]) <= TOGETHER * free)
        last = first + max(1, int(fitting))
        for place in range(first, last):
            width = sizes.outputs[sizes.probed[place]]
            held = sum(needed[place:last]) + _solver(options, n, width, sizes.n_labels)
            phases.append(
                Parts(
                    data=sizes.dataset + sizes.split("train") + chosen,
                    weights=2 * sizes.state,
                    activations=sizes.inferring,
                    features=held,
                )
            )
        first = last
    return phases


def _solver(options: ProbeOptions, n: int, width: int, n_labels: int) -> int:
    """Bytes beside the features: of the leading directions while they are found, then of the minimisation."""
    of_inputs = 8 * n * n_labels
    if options.solver == "sgd":
        return of_inputs + 4 * 4 * width * n_labels
    rank = min(RANK, width, n)
    directions = 4 * min(ROWS, n) * width + 28 * rank * width
    minimising = 12 * rank * width + 4 * VECTORS * width * n_labels + 4 * rank * n + 12 * rank**2 * n_labels
    return max(directions, minimising) + of_inputs


def _head(sizes: Sizes) -> int:
    """Bytes to fit a head on the last stage, beside its features."""
    return _solver(ProbeOptions(), sizes.inputs["train"], sizes.last, sizes.n_labels)


def _predict(sizes: Sizes, free: float) -> list[Parts]:
    train, held_out = sizes.inputs["train"], sizes.inputs["measure"]
    held = Parts(
        data=sizes.dataset + sizes.split("train", "train", "measure", "measure"),
        weights=5 * sizes.state + _masks(sizes),
        activations=2 * sizes.inferring,
        # Of the inputs, of their surrogates, and of what the refitted network makes of the inputs.
        features=4 * sizes.last * (2 * train + min(train, HEAD_INPUTS) + 2 * held_out),
    )
    refit = max((_regression(*patch) for patch in sizes.patches), default=0)
    mixtures = MIXTURES + 3 * 8 * held_out * sizes.n_labels
    return [
        replace(held, features=held.features + _head(sizes)),
        replace(held, prediction=refit),
        replace(held, prediction=mixtures),
    ]


def _regression(width: int, positions: int) -> int:
    """Bytes of a least-squares fit of a layer: its moments and their factors, and the patches of a batch."""
    return 32 * width**2 + 12 * BATCH * positions * width


def _prune(sizes: Sizes, free: float) -> list[Parts]:
    kept = sizes.inputs["train"] + sizes.inputs["test"]
    return [
        Parts(
            data=sizes.dataset + sizes.split("train", "train", "test"),
            weights=4 * sizes.state + _masks(sizes),
            activations=2 * sizes.inferring,  # of the intact and of the masked network
            features=4 * sizes.last * kept + _head(sizes),
        )
    ]


def _masks(sizes: Sizes) -> int:
    """Bytes of the masks and scores of all arms: half a weight's for every weight."""
    return len(sizes.config.prune.arms) * sizes.parameters // 2


def _retrain(sizes: Sizes, free: float) -> list[Parts]:
    # Beside what training holds: the trained network and its state, and the state to start from.
    data = sizes.dataset + sizes.split("train")
    return [_training(sizes, 7, sizes.retraining, data, masks=sizes.parameters)]


def _compare(sizes: Sizes, free: float) -> list[Parts]:
    # The context of the criteria keeps the training inputs in an order of its own.
    data = sizes.dataset + sizes.split("train", "train", "train")
    return [_training(sizes, 8, sizes.retraining, data, masks=2 * sizes.parameters)]


PHASES: dict[str, Callable[[Sizes, float], list[Parts]]] = {
    "train": _train,
    "measure": _measure,
    "predict": _predict,
    "prune": _prune,
    "retrain": _retrain,
    COMPARE: _compare,
}
