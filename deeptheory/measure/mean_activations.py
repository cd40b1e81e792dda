"""Class-mean activations of stages in one streamed pass whose memory does not grow with the number of inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.measure.array_layout import filter_major
from deeptheory.measure.labels import label_counts
from deeptheory.measure.streaming import Images, Measurable, visit
from deeptheory.system.compiled import njit, prange

PART = 1024  # elements of an output summed by one thread at a time: their sum stays in the first-level cache


@dataclass(frozen=True)
class ClassStatistics:
    """Class means of the activations of a stage.

    Attributes
    ----------
    means : float64 array (K, C, P)
        Class-mean activations A[i, f, p].
    counts : int array (K,)
        Inputs per label.
    """

    means: NDArray[np.float64]
    counts: NDArray[np.int64]


def class_statistics(
    network: Measurable,
    images: Images,
    labels: NDArray[np.integer],
    stages: Sequence[str],
    n_labels: int,
    title: str = "class means",
    quiet: bool = False,
) -> dict[str, ClassStatistics]:
    """Class-mean activations of several stages in one streamed pass.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C), or float32 array (N, ...), as in `visit`
    labels : int array (N,)
    stages : sequence of str
    n_labels : int

    Returns
    -------
    dict of ClassStatistics
        By stage name. Memory is 8 K sum(C P) bytes, and at the end as much again for the largest stage, whatever
        N is.

    Raises
    ------
    InputError
        A label is out of range or has no input, or a stage does not exist.
    """
    counts = label_counts(labels, n_labels, len(images))
    sums = {stage: ClassSums(labels, counts) for stage in stages}
    visit(network, images, np.argsort(labels, kind="stable"), sums, title, quiet)
    # Popped, so that the sums of a stage are freed once its means exist.
    return {stage: ClassStatistics(sums.pop(stage).means(), counts) for stage in stages}


class ClassSums:
    """Observer of one stage: its outputs summed over the inputs of each label.

    The inputs may come in any order. Sorted by label they are fast, because a run of one label is summed in
    float32 before it is added to the float64 sums; a run is at most one batch, so the relative error is about 1e-7
    times the square root of its length. Memory: 8 K C P bytes.

    Parameters
    ----------
    labels : int array (N,)
    counts : int array (K,)
        Inputs per label.
    """

    def __init__(self, labels: NDArray[np.integer], counts: NDArray[np.int64]) -> None:
        self.labels, self.counts = np.asarray(labels, np.int64), counts
        self.sums = np.zeros((0, 0, 0))

    def __call__(self, outputs: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        """Add the outputs (b, P, C) of the inputs `rows`."""
        if not self.sums.size:
            self.sums = np.zeros((len(self.counts), *outputs.shape[1:]))
        flat = outputs.reshape(len(outputs), -1)
        _add_runs(flat, self.labels[rows], self.sums.reshape(len(self.counts), -1))

    def means(self) -> NDArray[np.float64]:
        """Class-mean activations (K, C, P), filter-major."""
        means = filter_major(self.sums)
        means /= self.counts[:, None, None]
        return means


@njit(parallel=True)
def _add_runs(outputs: NDArray[np.float32], labels: NDArray[np.int64], sums: NDArray[np.float64]) -> None:
    """Add outputs (n, D) to sums (K, D): in float32 over a run of one label, then in float64."""
    n, size = outputs.shape
    for part in prange((size + PART - 1) // PART):
        start, stop = part * PART, min((part + 1) * PART, size)
        run_sum = np.empty(stop - start, outputs.dtype)
        first = 0
        while first < n:
            label, last = labels[first], first
            run_sum[:] = 0
            while last < n and labels[last] == label:
                row = outputs[last, start:stop]
                for d in range(row.size):
                    run_sum[d] += row[d]
                last += 1
            total = sums[label, start:stop]
            for d in range(total.size):
                total[d] += run_sum[d]
            first = last
