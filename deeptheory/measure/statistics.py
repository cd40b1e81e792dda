"""Class statistics of all stages in streamed passes whose memory does not grow with the number of inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.measure.features import Measurable, iterate_stages
from deeptheory.measure.fields import label_counts

BINS = 10  # of a filter's response, between its smallest and largest value
FIELD_BYTES = 2**27  # one block of single-filter fields of a batch: 128 MiB


@dataclass(frozen=True)
class ClassStatistics:
    """What one pass leaves of the activations of a stage.

    Attributes
    ----------
    means : float64 array (K, C, P)
        Class-mean activations A[i, f, p].
    counts : int array (K,)
        Inputs per label.
    response_range : float64 array (C, 2)
        Smallest and largest response of each filter; the response is the mean over positions.
    """

    means: NDArray[np.float64]
    counts: NDArray[np.int64]
    response_range: NDArray[np.float64]


def class_statistics(
    network: Measurable,
    images: NDArray[np.uint8],
    labels: NDArray,
    stages: Sequence[str],
    n_labels: int,
    title: str = "class means",
    quiet: bool = False,
) -> dict[str, ClassStatistics]:
    """Class-mean activations of all stages in one streamed pass.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C)
    labels : int array (N,)
    stages : sequence of str
    n_labels : int

    Returns
    -------
    dict of ClassStatistics
        By stage name. Memory is 8 K sum(C P) bytes and one batch of activations, whatever N is.

    Raises
    ------
    InputError
        A label is out of range or has no input, or a stage does not exist.
    """
    counts = label_counts(labels, n_labels, len(images))
    sums: dict[str, NDArray[np.float64]] = {}
    ranges: dict[str, NDArray[np.float64]] = {}
    for rows, outputs in iterate_stages(network, images, stages, title, quiet):
        of_batch = labels[rows]
        for stage, output in outputs.items():
            if stage not in sums:
                sums[stage] = np.zeros((n_labels, *output.shape[1:]))
                ranges[stage] = np.tile([np.inf, -np.inf], (output.shape[1], 1))
            for label, of_input in zip(of_batch, output, strict=True):
                sums[stage][label] += of_input
            response, limits = output.mean(axis=2), ranges[stage]
            np.minimum(limits[:, 0], response.min(axis=0), out=limits[:, 0])
            np.maximum(limits[:, 1], response.max(axis=0), out=limits[:, 1])
    return {
        stage: ClassStatistics(total / counts[:, None, None], counts, ranges[stage])
        for stage, total in sums.items()
    }


@dataclass(frozen=True)
class FilterStatistics:
    """What the single-filter fields of every input leave behind.

    Attributes
    ----------
    signal_share : float64 array (C,)
        Share of each filter in the mean margin over the strongest rival, averaged over labels; sums to 1.
    variance_share : float64 array (C,)
        Share of each filter in the variance of that margin, Cov(D_f, D | i) / v_i, averaged over labels; sums
        to 1. Negative for a filter that damps the others.
    single_filter_accuracy : float64 array (C,)
        Accuracy with every probe weight but the filter's silenced.
    response_counts : int array (C, K, B)
        Inputs of each label in each of 10 equal bins of the filter's response.
    """

    signal_share: NDArray[np.float64]
    variance_share: NDArray[np.float64]
    single_filter_accuracy: NDArray[np.float64]
    response_counts: NDArray[np.int64]


def strongest_rivals(means: NDArray, probe_weight: NDArray) -> NDArray[np.int64]:
    """For every label i the rival j with the largest mean complete field, (K,)."""
    n_labels = len(means)
    fields = means.reshape(n_labels, -1) @ np.asarray(probe_weight, np.float64).reshape(n_labels, -1).T
    np.fill_diagonal(fields, -np.inf)
    return fields.argmax(axis=1)


def filter_statistics(
    network: Measurable,
    images: NDArray[np.uint8],
    labels: NDArray,
    probes: Mapping[str, NDArray],
    statistics: Mapping[str, ClassStatistics],
    title: str = "single filters",
    quiet: bool = False,
) -> dict[str, FilterStatistics]:
    """Shares of signal and variance, single-filter accuracy and response histograms, in one streamed pass.

    The margin is that over the strongest rival, D = H_i - H_j*(i), and D_f the filter's part of it
    (deeptheory; physics.md section 4: both shares sum to 1 over filters by linearity).

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C)
    labels : int array (N,)
    probes : mapping of stage name to float array (K, C*P)
    statistics : mapping of stage name to ClassStatistics
        Of the same images.

    Returns
    -------
    dict of FilterStatistics
        By stage name. Costs about as much as the probes' fields; memory does not grow with N.
    """
    n_labels = len(next(iter(probes.values())))
    sums = {stage: _Sums(probes[stage], statistics[stage]) for stage in probes}
    for rows, outputs in iterate_stages(network, images, tuple(probes), title, quiet):
        for stage, output in outputs.items():
            sums[stage].add(output, labels[rows])
    counts = label_counts(labels, n_labels, len(images))
    return {stage: of_stage.result(counts) for stage, of_stage in sums.items()}


class _Sums:
    """Running sums of one stage, per label: D_f, D_f D, D^2 about the known class mean of D."""

    def __init__(self, probe: NDArray, statistics: ClassStatistics) -> None:
        means = statistics.means
        self.n_labels, self.n_filters = means.shape[:2]
        self.weight = np.ascontiguousarray(probe.reshape(means.shape).transpose(1, 2, 0))  # (C, P, K)
        self.rivals = strongest_rivals(means, probe)
        contrast = probe.reshape(means.shape) - probe.reshape(means.shape)[self.rivals]  # (K, C, P)
        self.mean_part = np.einsum("icp,icp->ic", contrast.astype(np.float64), means)
        self.product = np.zeros((self.n_labels, self.n_filters))
        self.correct = np.zeros(self.n_filters, np.int64)
        low, high = statistics.response_range.T
        self.low, self.width = low, np.where(high > low, high - low, 1.0) / BINS
        self.histogram = np.zeros((self.n_filters, self.n_labels, BINS), np.int64)

    def add(self, output: NDArray, labels: NDArray) -> None:
        """Add a batch (n, C, P)."""
        parts = np.empty((len(output), self.n_filters))
        row, block = np.arange(len(output)), max(1, FIELD_BYTES // (4 * len(output) * self.n_labels))
        for start in range(0, self.n_filters, block):
            filters = slice(start, start + block)
            fields = output[:, filters].transpose(1, 0, 2) @ self.weight[filters]  # (c, n, K)
            self.correct[filters] += (fields.argmax(axis=2) == labels).sum(axis=1)
            parts[:, filters] = (fields[:, row, labels] - fields[:, row, self.rivals[labels]]).T
        deviation = parts - self.mean_part[labels]
        np.add.at(self.product, labels, deviation * deviation.sum(axis=1, keepdims=True))
        bins = ((output.mean(axis=2) - self.low) / self.width).astype(np.int64).clip(0, BINS - 1)
        np.add.at(self.histogram, (np.arange(self.n_filters), labels[:, None], bins), 1)

    def result(self, counts: NDArray[np.int64]) -> FilterStatistics:
        """The shares, averaged over the labels whose margin has a signal and a spread."""
        covariance = self.product / counts[:, None]
        return FilterStatistics(
            signal_share=_mean_share(self.mean_part),
            variance_share=_mean_share(covariance),
            single_filter_accuracy=self.correct / counts.sum(),
            response_counts=self.histogram,
        )


def _mean_share(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    total = parts.sum(axis=1, keepdims=True)
    known = np.abs(total[:, 0]) > 1e-12 * np.abs(parts).sum(axis=1)
    if not known.any():
        return np.full(parts.shape[1], np.nan)
    return (parts[known] / total[known]).mean(axis=0)
