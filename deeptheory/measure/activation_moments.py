"""Means and covariances of the activations of every label, or of its components, in one streamed pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.measure.array_layout import filter_major
from deeptheory.measure.covariances import (
    FullCovariances,
    FullScatter,
    LowRankCovariances,
    LowRankScatter,
    sketch_rows,
)
from deeptheory.measure.labels import label_counts
from deeptheory.measure.streaming import Images, Measurable, output_sizes, visit
from deeptheory.nn.pass_sizes import MOST
from deeptheory.system import memory

OFFERED_RANK = 128  # rank for which the error message states the memory of the low-rank form


@dataclass(frozen=True)
class SecondOrderStatistics:
    """Means and covariances of a stage's activations in G groups of inputs: the labels, or components of them.

    Attributes
    ----------
    labels : int64 array (G,)
        Label of every group, increasing.
    counts : int64 array (G,)
        Inputs of every group.
    means : float64 array (G, C, P)
    covariances : FullCovariances or LowRankCovariances
        Divided by the number of inputs n, not n - 1: the means already scatter with 1/n of the variance, so that
        an accuracy predicted from the true covariance would be unbiased.
    """

    labels: NDArray[np.int64]
    counts: NDArray[np.int64]
    means: NDArray[np.float64]
    covariances: FullCovariances | LowRankCovariances

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of every group among the inputs of its label (G,)."""
        return self.counts / np.bincount(self.labels, self.counts)[self.labels]

    def field_moments(self, weight: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        r"""Means and covariances of a head's fields in every group.

        .. math:: W M_g, \qquad W \Sigma_g W^T

        Exact: the moments of the fields of the same inputs, up to the error of a low rank. Source: deeptheory.

        Parameters
        ----------
        weight : float array (K, C*P) or (K, C, P)
            Any head, full, masked or refitted, that was fitted to other inputs.

        Returns
        -------
        means : float64 array (G, K)
        covariances : float64 array (G, K, K)
            That fields have these moments does NOT make them Gaussian.

        Raises
        ------
        InputError
            The head has another number of weights per output.
        """
        covariances = self.covariances.project(weight)
        head = np.asarray(weight, np.float64).reshape(len(weight), -1)
        return self.means.reshape(len(self.means), -1) @ head.T, covariances


def second_order_statistics(
    network: Measurable,
    images: Images,
    labels: NDArray[np.integer],
    stages: Sequence[str],
    n_labels: int,
    components: NDArray[np.integer] | None = None,
    pooled: bool = False,
    title: str = "covariances",
    quiet: bool = False,
) -> dict[str, SecondOrderStatistics]:
    """Means and full covariances of all C*P activations of stages, in one streamed pass.

    Batches are merged in float64 about their own means (Chan, Golub and LeVeque, "Updating formulae and a
    pairwise algorithm for computing sample variances", 1979), so a large common offset costs no precision.

    Parameters
    ----------
    network : Network
    images : uint8 array (N, H, W, C), or float32 array (N, ...), as in `visit`
        Inputs to which neither the network nor the head was fitted: fitted ones make predictions too high.
    labels : int array (N,)
        In any order; every label needs 2 inputs.
    stages : sequence of str
    n_labels : int
    components : int array (N,), optional
        Component of every input within its label (`theory.mixture_components`); without them one group per
        label. A component of one input has the covariance 0.
    pooled : bool
        One covariance for all groups, of the deviations from their own means. It needs 1/G of the memory and at
        least G + 1 inputs; as a model of trained networks it is worse than a covariance per label.

    Returns
    -------
    dict of SecondOrderStatistics
        By stage name. Needs 8 G (C*P)^2 bytes for each stage, 8 (C*P)^2 when pooled, whatever N is.

    Raises
    ------
    InputError
        They would take more than 80 % of the free memory (`low_rank_statistics` needs less); labels or components
        do not fit the inputs; a label has too few inputs; a stage does not exist; activations are not finite.
    """
    groups = _Groups.from_labels(labels, n_labels, len(images), components, pooled)
    sizes = output_sizes(network, images, stages)
    n_groups = len(groups.counts)
    memory.require_memory(
        f"covariances of {', '.join(stages)}",
        sum(8 * size * ((1 if pooled else n_groups) * size + n_groups) for size in sizes.values()),
        "use low_rank_statistics: "
        f"{memory.gigabytes(_low_rank_bytes(sizes, n_groups, OFFERED_RANK))} at rank {OFFERED_RANK}",
    )
    scatters = {stage: FullScatter(groups.counts, size, pooled) for stage, size in sizes.items()}
    return _pass(network, images, groups, scatters, title, quiet)


def low_rank_statistics(
    network: Measurable,
    images: Images,
    labels: NDArray[np.integer],
    stages: Sequence[str],
    n_labels: int,
    rank: int,
    components: NDArray[np.integer] | None = None,
    title: str = "covariances",
    quiet: bool = False,
) -> dict[str, SecondOrderStatistics]:
    """Means and covariances as diagonal plus low rank for every group, in one streamed pass: for wide stages.

    An incremental truncated principal component analysis that keeps 2 `rank` directions until a group is finished.
    Status: exact where no group's covariance has a larger rank (it is below the number of inputs); otherwise close
    to the best `rank` directions: on decaying spectra the error of field covariances was at most a tenth larger.
    Directions that appear late among the inputs of a group may be missed; `error_bounds` then shows it.
    Source: deeptheory.

    Too few directions predict too high an accuracy: with 128 by 0.1 to 1.1 points on stages of 2048 and 4096
    activations, with 8 by 2 to 6 (docs/results.md). The share of the variance that is kept does NOT say what a
    head reads.

    Parameters
    ----------
    network, images, labels, stages, n_labels, components
        As for `second_order_statistics`.
    rank : int
        Directions kept per group, at least 1.

    Returns
    -------
    dict of SecondOrderStatistics
        By stage name, with `LowRankCovariances`. Needs 8 C*P (G (rank + 2) + 4 rank + 2 batches) bytes for each
        stage, whatever N is.

    Raises
    ------
    InputError
        As `second_order_statistics`, or the rank is below 1.
    """
    if rank < 1:
        raise InputError("rank", "at least 1", str(rank))
    groups = _Groups.from_labels(labels, n_labels, len(images), components)
    sizes = output_sizes(network, images, stages)
    needed = _low_rank_bytes(sizes, len(groups.counts), rank)
    memory.require_memory(
        f"covariances of rank {rank} of {', '.join(stages)}", needed, "lower the rank or measure fewer stages"
    )
    scatters = {stage: LowRankScatter(groups.counts, size, min(rank, size)) for stage, size in sizes.items()}
    return _pass(network, images, groups, scatters, title, quiet)


class _Scatter(Protocol):
    def add(self, group: int, rows: NDArray[np.float64]) -> None: ...

    def finish(self) -> FullCovariances | LowRankCovariances: ...


@dataclass(frozen=True)
class _Groups:
    """The groups of inputs, numbered by label and then by component."""

    index: NDArray[np.int64]  # of every input's group
    labels: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def from_labels(
        cls,
        labels: NDArray[np.integer],
        n_labels: int,
        n_inputs: int,
        components: NDArray[np.integer] | None,
        pooled: bool = False,
    ) -> "_Groups":
        per_label = label_counts(labels, n_labels, n_inputs)
        if components is None:
            components = np.zeros(n_inputs, np.int64)
        elif np.shape(components) != (n_inputs,) or not np.issubdtype(components.dtype, np.integer):
            raise InputError(
                "components",
                f"integers of shape ({n_inputs},)",
                f"{components.dtype} of shape {np.shape(components)}",
            )
        pairs, index, counts = np.unique(
            np.stack([labels, components], axis=1), axis=0, return_inverse=True, return_counts=True
        )
        if pooled:
            if n_inputs <= len(pairs):
                raise InputError(
                    "inputs for a pooled covariance",
                    f"at least {len(pairs) + 1}, one more than there are groups",
                    str(n_inputs),
                    "use more inputs",
                )
        elif per_label.min() < 2:
            label = int(per_label.argmin())
            raise InputError(
                "inputs for covariances",
                "at least 2 of every label",
                f"{per_label[label]} of label {label}",
                "use more inputs, or pool the covariances",
            )
        return cls(index.reshape(-1), pairs[:, 0].astype(np.int64), counts)


def _pass(
    network: Measurable,
    images: Images,
    groups: _Groups,
    scatters: Mapping[str, _Scatter],
    title: str,
    quiet: bool,
) -> dict[str, SecondOrderStatistics]:
    observers = {stage: _Moments(stage, groups, scatter) for stage, scatter in scatters.items()}
    # Sorted, so that most of a batch is one group and a sketch sees the inputs of a group one after the other.
    visit(network, images, np.argsort(groups.index, kind="stable"), observers, title, quiet)
    return {stage: observer.finish() for stage, observer in observers.items()}


class _Moments:
    """Observer of one stage: means of every group; deviations from them go to the scatter."""

    def __init__(self, stage: str, groups: _Groups, scatter: _Scatter) -> None:
        self.stage, self.groups, self.scatter = stage, groups, scatter
        self.seen = np.zeros(len(groups.counts), np.int64)
        self.means = np.zeros((0, 0, 0))

    def __call__(self, outputs: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        activations = filter_major(outputs)
        if not self.means.size:
            self.means = np.zeros((len(self.seen), *activations.shape[1:]))
        groups = self.groups.index[rows]
        starts = np.flatnonzero(np.diff(groups)) + 1
        for run in np.split(np.arange(len(rows)), starts):
            self._merge(groups[run[0]], activations[run[0] : run[-1] + 1].reshape(len(run), -1))

    def _merge(self, group: int, activations: NDArray[np.float32]) -> None:
        """Add inputs of one group: deviations from their own mean, and the step to it from the mean so far."""
        n, seen = len(activations), self.seen[group]
        if not np.all(np.isfinite(activations)):
            raise InputError(f"activations of {self.stage}", "finite numbers", "infinity or NaN")
        mean = activations.mean(axis=0, dtype=np.float64)
        total = self.means[group].reshape(-1)
        step = mean - total
        deviations = np.empty((n + 1, activations.shape[1]))
        np.subtract(activations, mean, out=deviations[:n])
        np.multiply(step, np.sqrt(n * seen / (n + seen)), out=deviations[n])
        total += step * (n / (n + seen))
        self.seen[group] += n
        self.scatter.add(group, deviations)

    def finish(self) -> SecondOrderStatistics:
        return SecondOrderStatistics(
            self.groups.labels, self.groups.counts, self.means, self.scatter.finish()
        )


def _low_rank_bytes(sizes: Mapping[str, int], n_groups: int, rank: int) -> int:
    """Bytes of factors, residuals and means, of a sketch with its leading directions, and of a batch."""
    return sum(
        8 * size * (n_groups * (min(rank, size) + 2) + sketch_rows(rank) + 2 * rank + MOST)
        for size in sizes.values()
    )
