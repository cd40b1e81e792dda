"""Class-mean activations of stages in one streamed pass whose memory does not grow with the number of inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.measure.labels import label_counts
from deeptheory.measure.streaming import Images, Measurable, visit
from deeptheory.system import threadpools
from deeptheory.system.compiled import njit, prange

PART = 4096  # elements of an output, at most, summed at a time: their sum stays in the first-level cache
FILTERS = 512  # at most, of a part
POSITIONS = 8  # at least, of a part: a cache line of means


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
        By stage name. Memory is 8 K sum(C P) bytes, whatever N is.

    Raises
    ------
    InputError
        A label is out of range or has no input, or a stage does not exist.
    """
    counts = label_counts(labels, n_labels, len(images))
    sums = {stage: ClassSums(counts) for stage in stages}
    visit(network, images, np.argsort(labels, kind="stable"), sums, title, quiet)
    return {stage: ClassStatistics(sums[stage].means, counts) for stage in stages}


class ClassSums:
    """Observer of one stage: its class-mean activations, label by label.

    Only the sum of one label is kept besides the means. A batch's inputs of one label are summed in float32
    before they are added in float64, so the relative error is about 1e-7 times the square root of their number.

    Parameters
    ----------
    counts : int array (K,)
        Inputs per label; they come sorted by label.

    Attributes
    ----------
    means : float64 array (K, C, P)
        Of the labels whose last input has been seen.
    """

    def __init__(self, counts: NDArray[np.int64]) -> None:
        self.counts, self.ends, self.seen = counts, np.cumsum(counts), 0
        self.means = np.empty((0, 0, 0))

    def __call__(self, outputs: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        """Add the outputs (b, P, C) of the next inputs."""
        n, n_positions, n_filters = outputs.shape
        if not self.seen:
            self.means = np.empty((len(self.counts), n_filters, n_positions))
            self.sums = np.empty((n_positions, n_filters))
        threads = threadpools.threads()
        _add_sorted(outputs, self.seen, self.counts, self.ends, self.sums, self.means, threads)
        self.seen += n


@njit(parallel=True)
def _add_sorted(
    outputs: NDArray[np.float32],
    seen: int,
    counts: NDArray[np.int64],
    ends: NDArray[np.int64],
    sums: NDArray[np.float64],
    means: NDArray[np.float64],
    threads: int,
) -> None:
    """Add outputs (n, P, C) to the sums (P, C) of the open label; fill means (K, C, P) of labels that end."""
    n, n_positions, n_filters = outputs.shape
    width = min(n_filters, FILTERS)
    depth = max(POSITIONS, min(PART // width, (n_positions + threads - 1) // threads))
    across = (n_filters + width - 1) // width
    for part in prange(across * ((n_positions + depth - 1) // depth)):
        p, f = part // across * depth, part % across * width
        p_end, f_end = min(p + depth, n_positions), min(f + width, n_filters)
        run_sum = np.empty((p_end - p, f_end - f), outputs.dtype)
        first, label = 0, np.searchsorted(ends, seen, side="right")
        while first < n:
            last = min(n, ends[label] - seen)
            run_sum[:] = 0
            for x in range(first, last):
                for i in range(p_end - p):
                    row, total = outputs[x, p + i, f:f_end], run_sum[i]
                    for j in range(row.size):
                        total[j] += row[j]
            begins = seen + first == ends[label] - counts[label]
            for i in range(p_end - p):
                run, open_sum = run_sum[i], sums[p + i, f:f_end]
                for j in range(run.size):
                    open_sum[j] = run[j] + (0.0 if begins else open_sum[j])
            if seen + last == ends[label]:
                for j in range(f, f_end):
                    for i in range(p, p_end):
                        means[label, j, i] = sums[i, j] / counts[label]
            first = last
            label += 1
