"""Single-filter fields of every input: shares in signal and variance, accuracies and responses, from one pass."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.measure.array_layout import filter_major
from deeptheory.measure.labels import label_counts
from deeptheory.measure.mean_activations import ClassSums
from deeptheory.measure.streaming import Images, Measurable, visit
from deeptheory.system.compiled import njit, prange

BINS = 10  # of a filter's response, between its smallest and largest value


@dataclass(frozen=True)
class FilterStatistics:
    """Statistics of the filters of a stage and of their fields under its probe.

    Attributes
    ----------
    means : float64 array (K, C, P)
        Class-mean activations A[i, f, p].
    complete_fields : float64 array (N, K)
        Complete field of every input, the sum of its single-filter fields.
    signal_share : float64 array (C,)
        Share of each filter in the mean margin over the strongest rival, averaged over labels; sums to 1.
    variance_share : float64 array (C,)
        Share of each filter in the variance of that margin, Cov(D_f, D | i) / v_i, averaged over labels; sums
        to 1. Negative for a filter that reduces the fluctuations of the others.
    single_filter_accuracy : float64 array (C,)
        Accuracy with every probe weight but the filter's set to zero. For a node behind a ReLU (one position, a
        response that is never negative) it is about chance, exactly: the fields are the response times fixed
        weights, so every input is assigned the same label, or label 0 where the node is silent and all fields tie.
        What such a node knows is in its field matrix, its served labels and `served_label_auc`.
    response_counts : int array (C, K, B)
        Inputs of each label in each of 10 equal bins of the filter's response, its mean over positions.
    """

    means: NDArray[np.float64]
    complete_fields: NDArray[np.float64]
    signal_share: NDArray[np.float64]
    variance_share: NDArray[np.float64]
    single_filter_accuracy: NDArray[np.float64]
    response_counts: NDArray[np.int64]


def filter_statistics(
    network: Measurable,
    images: Images,
    labels: NDArray[np.integer],
    probes: Mapping[str, NDArray[np.floating]],
    title: str = "single filters",
    quiet: bool = False,
) -> dict[str, FilterStatistics]:
    """Class means, complete fields and the contributions of single filters, of all stages in one streamed pass.

    The margin is that over the strongest rival j*(i), the label with the largest mean complete field besides
    the true one: D = H_i - H_j*(i), and D_f is the filter's part of it. Both shares sum to 1 over filters by
    linearity. Source: deeptheory.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C), or float32 array (N, ...), as in `visit`
    labels : int array (N,)
    probes : mapping of stage name to float array (K, C*P)

    Returns
    -------
    dict of FilterStatistics
        By stage name. Inputs are visited label by label, so that the rival is known before the single-filter
        fields of the label are freed. Memory per stage, n the inputs of the largest label: 8 K C P + 4 C (N + n K)
        + 8 N K bytes.

    Raises
    ------
    InputError
        A label is out of range or has no input, or a stage does not exist.
    """
    n_labels = len(next(iter(probes.values())))
    counts = label_counts(labels, n_labels, len(images))
    order = np.argsort(labels, kind="stable")
    observers = {stage: _SingleFilters(probe, labels, counts, order) for stage, probe in probes.items()}
    visit(network, images, order, observers, title, quiet)
    return {stage: observers.pop(stage).result() for stage in probes}


@njit(parallel=True)
def _single_filter_fields(
    by_filter: NDArray[np.float32],
    weight: NDArray[np.float32],
    label: int,
    fields: NDArray[np.float32],
    start: int,
    correct: NDArray[np.int64],
) -> None:
    """Fields of each filter (C, n, P) alone, into fields[:, start : start + n]; count the correct answers."""
    n_filters, n, _ = by_filter.shape
    for f in prange(n_filters):
        block = fields[f, start : start + n]
        np.dot(by_filter[f], weight[f], block)
        for x in range(n):
            row = block[x]
            true, beaten = row[label], False
            # The first of equal fields wins, as for argmax.
            for j in range(label):
                beaten |= row[j] >= true
            for j in range(label + 1, row.size):
                beaten |= row[j] > true
            correct[f] += not beaten


@njit(parallel=True)
def _sum_over_filters(fields: NDArray[np.float32], start: int, total: NDArray[np.float64]) -> None:
    """total (n, K) = sum of fields[:, start : start + n] over filters, in float64."""
    for x in prange(total.shape[0]):
        total[x] = 0
        for f in range(fields.shape[0]):
            row = fields[f, start + x]
            for j in range(row.size):
                total[x, j] += row[j]


@njit(parallel=True)
def _responses(outputs: NDArray[np.float32], response: NDArray[np.float32]) -> None:
    """Fill response (n, C) with the mean over positions of outputs (n, P, C)."""
    n, n_positions, n_filters = outputs.shape
    for x in prange(n):
        total = np.zeros(n_filters)
        for p in range(n_positions):
            for f in range(n_filters):
                total[f] += outputs[x, p, f]
        for f in range(n_filters):
            response[x, f] = total[f] / n_positions


class _SingleFilters:
    """Observer of one stage; inputs come sorted by label, and a label is closed with its last input."""

    def __init__(
        self,
        probe: NDArray[np.floating],
        labels: NDArray[np.integer],
        counts: NDArray[np.int64],
        order: NDArray[np.int64],
    ) -> None:
        self.probe, self.labels, self.counts, self.order = probe, np.asarray(labels, np.int64), counts, order
        self.sums = ClassSums(counts)
        self.seen = 0
        self.complete = np.empty((len(labels), len(counts)))
        self.rivals = np.empty(len(counts), np.int64)

    def _prepare(self, n_positions: int, n_filters: int) -> None:
        n_labels = len(self.counts)
        by_filter = self.probe.reshape(n_labels, n_filters, n_positions).transpose(1, 2, 0)
        self.weight = np.ascontiguousarray(by_filter, np.float32)  # (C, P, K)
        self.responses = np.empty((len(self.labels), n_filters), np.float32)
        self.correct = np.zeros(n_filters, np.int64)
        self.covariance = np.empty((n_labels, n_filters))
        self.fields = np.empty((n_filters, self.counts.max(), n_labels), np.float32)  # of the open label

    def __call__(self, outputs: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        """Add the outputs (b, P, C) of the inputs `rows`."""
        if not self.seen:
            self._prepare(*outputs.shape[1:])
        self.sums(outputs, rows)
        response = np.empty((len(rows), outputs.shape[2]), np.float32)
        _responses(outputs, response)
        self.responses[rows] = response
        first = 0
        while first < len(rows):
            label = self.labels[rows[first]]
            start = self.seen - self.counts[:label].sum()
            last = min(len(rows), first + self.counts[label] - start)
            self._add_run(outputs[first:last], rows[first:last], label, start)
            first = last

    def _add_run(self, outputs: NDArray[np.float32], rows: NDArray[np.int64], label: int, start: int) -> None:
        """Add inputs of one label, of which `start` have been seen."""
        n, n_positions, n_filters = outputs.shape
        by_filter = np.empty((n_filters, n, n_positions), np.float32)
        filter_major(outputs, by_filter.transpose(1, 0, 2))
        _single_filter_fields(by_filter, self.weight, label, self.fields, start, self.correct)
        total = np.empty((n, len(self.counts)))
        _sum_over_filters(self.fields, start, total)
        self.complete[rows] = total
        self.seen += n
        if start + n == self.counts[label]:
            self._close(label)

    def _close(self, label: int) -> None:
        """Covariances of D_f with D, now that the rival of the label is known."""
        n = self.counts[label]
        mean = self.complete[self.order[self.seen - n : self.seen]].mean(axis=0)
        mean[label] = -np.inf
        rival = self.rivals[label] = mean.argmax()
        parts = np.subtract(self.fields[:, :n, label], self.fields[:, :n, rival], dtype=np.float64)  # (C, n)
        parts -= parts.mean(axis=1, keepdims=True)
        self.covariance[label] = parts @ parts.sum(axis=0) / n

    def result(self) -> FilterStatistics:
        """The shares, averaged over the labels whose margin has a signal and a spread."""
        means = self.sums.means
        weight = self.probe.reshape(means.shape)
        mean_parts = np.empty(means.shape[:2])
        for label, rival in enumerate(self.rivals):
            contrast = weight[label].astype(np.float64) - weight[rival]
            mean_parts[label] = np.einsum("cp,cp->c", contrast, means[label])
        return FilterStatistics(
            means=means,
            complete_fields=self.complete,
            signal_share=_mean_share(mean_parts),
            variance_share=_mean_share(self.covariance),
            single_filter_accuracy=self.correct / len(self.labels),
            response_counts=_histograms(self.responses, self.labels, len(self.counts)),
        )


def _histograms(
    responses: NDArray[np.float32], labels: NDArray[np.int64], n_labels: int
) -> NDArray[np.int64]:
    """Inputs of each label in each bin between the smallest and largest response of a filter (C, K, B)."""
    n_filters = responses.shape[1]
    low, high = responses.min(axis=0), responses.max(axis=0)
    width = np.where(high > low, high - low, np.float32(1)) / BINS
    bins = ((responses - low) / width).astype(np.int64).clip(0, BINS - 1)
    cells = (np.arange(n_filters) * n_labels + labels[:, None]) * BINS + bins
    counts = np.bincount(cells.ravel(), minlength=n_filters * n_labels * BINS)
    return counts.reshape(n_filters, n_labels, BINS)


def _mean_share(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Parts (K, C) as shares of their sum over filters, averaged over the labels whose sum is not 0."""
    total = parts.sum(axis=1, keepdims=True)
    known = np.abs(total[:, 0]) > 1e-12 * np.abs(parts).sum(axis=1)
    if not known.any():
        return np.full(parts.shape[1], np.nan)
    mean: NDArray[np.float64] = np.mean(parts[known] / total[known], axis=0)
    return mean
