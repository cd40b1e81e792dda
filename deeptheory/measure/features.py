"""Outputs of stages for every input: kept as features that probes are fitted to, or reduced to complete fields."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deeptheory.measure.array_layout import filter_major
from deeptheory.measure.streaming import Images, Measurable, StageObserver, output_sizes, visit
from deeptheory.system import memory
from deeptheory.system.compiled import njit, prange

TOGETHER = (
    0.5  # share of the free memory that features of several stages may take: the solver needs some as well
)
PART = 25  # inputs in one product of a thread


def stage_features(
    network: Measurable,
    images: Images,
    stage: str,
    title: str = "features",
    quiet: bool = False,
) -> NDArray[np.float32]:
    """Outputs of one stage for all images, to fit a probe to.

    Returns
    -------
    float32 array (N, C*P)
        Filter-major, as a probe's weights are. Needs N*C*P*4 bytes.

    Raises
    ------
    InputError
        The features would not fit into the free memory.
    """
    advice = "use fewer images or more memory"
    return next(iterate_features(network, images, [stage], title, quiet, advice))[1]


def iterate_features(
    network: Measurable,
    images: Images,
    stages: Sequence[str],
    title: str = "features",
    quiet: bool = False,
    advice: str = "set probe.inputs to fit the probes on fewer inputs",
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The features of several stages, from as few passes as the memory allows.

    One pass makes the features of as many stages as take half of the memory that is free when it starts.

    Yields
    ------
    stage : str
    features : float32 array (N, C*P)
        As from `stage_features`. They are freed when the next are asked for, unless the caller keeps them.

    Raises
    ------
    InputError
        The features of one stage would take more than 80 % of the free memory; the message ends with `advice`.
    """
    sizes = output_sizes(network, images, stages)
    left = list(stages)
    while left:
        group = _group(left, {stage: 4 * len(images) * size for stage, size in sizes.items()}, advice)
        kept = {stage: np.empty((len(images), sizes[stage]), np.float32) for stage in group}
        observers = {stage: _keep(features) for stage, features in kept.items()}
        visit(network, images, np.arange(len(images)), observers, title, quiet)
        observers.clear()
        for stage in group:
            yield stage, kept.pop(stage)
        left = left[len(group) :]


def _keep(features: NDArray[np.float32]) -> StageObserver:
    def keep(outputs: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        _, n_positions, n_filters = outputs.shape
        filter_major(outputs, features[rows[0] : rows[-1] + 1].reshape(-1, n_filters, n_positions))

    return keep


def _group(stages: Sequence[str], needed: Mapping[str, int], advice: str) -> Sequence[str]:
    """The first of the stages whose features are made together: at least one."""
    free = memory.free_memory()
    if free is None:
        return stages[:1]
    memory.require_memory(f"features of {stages[0]}", needed[stages[0]], advice)
    together = np.cumsum([needed[stage] for stage in stages])
    return stages[: max(1, int(np.count_nonzero(together <= TOGETHER * free)))]


@njit(parallel=True)
def _products(outputs: NDArray[np.float32], weight: NDArray[np.float32], fields: NDArray[np.float32]) -> None:
    """fields (n, K) = outputs (n, D) times weight (D, K)."""
    n = len(outputs)
    for part in prange((n + PART - 1) // PART):
        rows = slice(part * PART, min((part + 1) * PART, n))
        np.dot(outputs[rows], weight, fields[rows])


def complete_fields(
    network: Measurable,
    images: Images,
    probes: Mapping[str, NDArray[np.floating]],
    title: str = "fields",
    quiet: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """Complete fields H = W a of every stage's probe for every input, in one streamed pass.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C), or float32 array (N, ...), as in `visit`
    probes : mapping of stage name to float array (K, C*P)

    Returns
    -------
    dict of float64 arrays (N, K)
        By stage name. The sizes of fields of different stages cannot be compared: each probe has its own scale.
    """
    observers = {stage: _CompleteFields(probe, len(images)) for stage, probe in probes.items()}
    visit(network, images, np.arange(len(images)), observers, title, quiet)
    return {stage: observer.fields for stage, observer in observers.items()}


class _CompleteFields:
    """Observer of one stage: products of its outputs with the probe, which is brought into their layout once."""

    def __init__(self, probe: NDArray[np.floating], n_inputs: int) -> None:
        self.probe = probe
        self.weight = np.empty((0, 0), np.float32)
        self.fields = np.empty((n_inputs, len(probe)))

    def __call__(self, outputs: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        n, n_positions, n_filters = outputs.shape
        if not self.weight.size:
            by_position = self.probe.reshape(-1, n_filters, n_positions).transpose(2, 1, 0)
            self.weight = np.ascontiguousarray(by_position, np.float32).reshape(-1, len(self.probe))
        fields = np.empty((n, len(self.probe)), np.float32)
        _products(outputs.reshape(n, -1), self.weight, fields)
        self.fields[rows] = fields
