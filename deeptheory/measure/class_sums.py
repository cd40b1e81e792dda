"""Sums of a stage's outputs over the inputs of each label, taken while the outputs are in the cache."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.measure.array_layout import filter_major
from deeptheory.system.compiled import njit, prange

PART = 1024  # elements of an output summed by one thread at a time: their sum stays in the first-level cache


@njit(parallel=True)
def _add_runs(outputs, labels, sums):
    """Add outputs (n, D) to sums (K, D): in float32 over a run of one label, then in float64."""
    n, size = outputs.shape
    for part in prange((size + PART - 1) // PART):
        start, stop = part * PART, min((part + 1) * PART, size)
        of_run = np.empty(stop - start, outputs.dtype)
        first = 0
        while first < n:
            label, last = labels[first], first
            of_run[:] = 0
            while last < n and labels[last] == label:
                row = outputs[last, start:stop]
                for d in range(row.size):
                    of_run[d] += row[d]
                last += 1
            total = sums[label, start:stop]
            for d in range(total.size):
                total[d] += of_run[d]
            first = last


def add_runs_plainly(outputs: NDArray, labels: NDArray, sums: NDArray[np.float64]) -> None:
    """Definition of the compiled kernel: sums[labels[x]] += outputs[x] for every input x."""
    np.add.at(sums, labels, outputs)


class ClassSums:
    """Observer of one stage: its outputs summed over the inputs of each label.

    Any order of inputs is right; sorted by label it is fast, because a run of one label is summed before it is
    added to the float64 sums. A run is at most one batch, so float32 is enough within it (relative error about
    1e-7 times the square root of its length). Memory: 8 K C P bytes.

    Parameters
    ----------
    labels : int array (N,)
    counts : int array (K,)
        Inputs per label.
    """

    def __init__(self, labels: NDArray, counts: NDArray[np.int64]) -> None:
        self.labels, self.counts = np.asarray(labels, np.int64), counts
        self.sums = np.zeros((0, 0, 0))

    def __call__(self, outputs: NDArray, rows: NDArray[np.int64]) -> None:
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
