"""Strengths, clusters and noise of the filters of one stage, each filter's field computed, read and forgotten."""

from dataclasses import dataclass

import numpy as np
from numba import types
from numpy.typing import NDArray

from deeptheory.measure.clusters import assign, fill_mutual
from deeptheory.measure.fields import check_finite, check_same_shape, check_threshold, clip_one
from deeptheory.system import threadpools
from deeptheory.system.apart import apart, make_ready
from deeptheory.system.compiled import inner, njit, prange, signed

MOST = 255  # filters whose ones are counted in bytes
BROKEN = -1  # in place of the noise of a field that is not finite
MATRIX, BITS, BYTES = (types.Array(kind, 2, "C") for kind in (types.float64, types.boolean, types.uint8))


@dataclass(frozen=True)
class FilterMeasures:
    """What the clipped fields of a stage's filters hold.

    Attributes
    ----------
    strengths : float64 array (C, K)
    clusters : int32 array (C, K)
        As of `all_clusters`.
    noise, cluster_noise : int64 array (C,)
    relabelled : int64 array (C, n)
        Number of clusters with the labels in other orders.
    ones : int64 array (K, K)
        Filters with a one at input label i and output j.
    """

    strengths: NDArray[np.float64]
    clusters: NDArray[np.int32]
    noise: NDArray[np.int64]
    cluster_noise: NDArray[np.int64]
    relabelled: NDArray[np.int64]
    ones: NDArray[np.int64]


def measure_filters(
    means: NDArray[np.floating],
    probe_weight: NDArray[np.floating],
    threshold: float,
    orders: NDArray[np.int64],
) -> FilterMeasures:
    """Clip the fields of every filter, and find clusters and noise in them.

    The numbers are those of `fields_from_class_means`, `clip`, `label_strengths`, `all_clusters` and `all_noise`
    one after the other; but a field is in the cache of one processor while it is read, and every thread holds no
    more than that of one filter.

    Parameters
    ----------
    means, probe_weight : float array (K, C, P)
    threshold : float
        Fields are clipped above this share of the filter's largest.
    orders : int array (n, K)
        Orders in which labels are taken for clusters, besides the increasing one.

    Raises
    ------
    InputError
        The shapes differ, the threshold is out of range, or fields are not finite.
    """
    check_same_shape(means, probe_weight)
    check_threshold(threshold)
    n_labels, n_filters = means.shape[:2]
    weight_type = np.float32 if probe_weight.dtype == np.float32 else np.float64
    strengths = np.empty((n_filters, n_labels))
    clusters = np.empty((n_filters, n_labels), np.int32)
    counts = np.empty((n_filters, 2 + len(orders)), np.int64)
    make_ready(_measure_filter)
    with threadpools.kernel_threads():
        ones = np.zeros((min(threadpools.threads(), n_filters), n_labels, n_labels), np.int64)
        _measure_all(
            np.ascontiguousarray(means, np.float64),
            np.ascontiguousarray(probe_weight, weight_type),
            threshold,
            np.concatenate([np.arange(n_labels)[None], orders]),
            strengths,
            clusters,
            counts,
            ones,
        )
    noise, cluster_noise, relabelled = counts[:, 0], counts[:, 1], counts[:, 2:]
    check_finite(int(np.count_nonzero(noise == BROKEN)))
    return FilterMeasures(strengths, clusters, noise, cluster_noise, relabelled, ones.sum(axis=0))


@njit(parallel=True)
def _measure_all(
    means: NDArray[np.float64],
    weight: NDArray[np.floating],
    threshold: float,
    orders: NDArray[np.int64],
    strengths: NDArray[np.float64],
    clusters: NDArray[np.int32],
    counts: NDArray[np.int64],
    ones: NDArray[np.int64],
) -> None:
    """One part of the filters for each of `ones` (parts, K, K)."""
    n_labels, n_filters, n_positions = means.shape
    parts = len(ones)
    for thread in prange(parts):
        part = signed(thread)
        mean, row = np.empty((n_labels, n_positions)), np.empty((n_labels, n_positions))
        field = np.empty((n_labels, n_labels))
        clipped = np.empty((n_labels, n_labels), np.bool_)
        mutual = np.empty((n_labels, n_labels), np.uint8)
        counted = np.zeros((n_labels, n_labels), np.uint8)
        start, stop = part * n_filters // parts, (part + 1) * n_filters // parts
        for f in range(start, stop):
            for i in range(n_labels):
                for p in range(n_positions):
                    mean[i, p], row[i, p] = means[i, f, p], weight[i, f, p]
            _measure_filter(
                mean, row, threshold, orders, field, clipped, mutual, strengths[f], clusters[f], counts[f]
            )
            _add(clipped.ravel(), counted.ravel())
            if (f - start) % MOST == MOST - 1 or f == stop - 1:
                _add(counted.ravel(), ones[part].ravel())
                counted[:] = 0


@apart(
    MATRIX,
    MATRIX,
    types.float64,
    types.Array(types.int64, 2, "C"),
    MATRIX,
    BITS,
    BYTES,
    types.Array(types.float64, 1, "C"),
    types.Array(types.int32, 1, "C"),
    types.Array(types.int64, 1, "C"),
)
def _measure_filter(
    mean: NDArray[np.float64],
    row: NDArray[np.float64],
    threshold: float,
    orders: NDArray[np.int64],
    field: NDArray[np.float64],
    clipped: NDArray[np.bool_],
    mutual: NDArray[np.uint8],
    strengths: NDArray[np.float64],
    cluster: NDArray[np.int32],
    counts: NDArray[np.int64],
) -> None:
    """Fill all that comes after `orders` for the filter of class means and weights (K, P)."""
    np.dot(mean, row.T, field)
    if clip_one(field, threshold, clipped, strengths):
        counts[0] = BROKEN
        return
    fill_mutual(clipped, mutual)
    for k in range(1, len(orders)):
        counts[k + 1] = assign(mutual, orders[k], cluster)
    n_clusters = assign(mutual, orders[0], cluster)
    # The squares of clusters hold nothing but ones.
    sizes = np.zeros(n_clusters, np.int64)
    in_columns = 0
    for j in range(len(cluster)):
        if cluster[j] >= 0:
            sizes[cluster[j]] += 1
            for i in range(len(cluster)):
                in_columns += clipped[i, j]
    inside = (sizes**2).sum()
    counts[0] = _total(clipped.ravel()) - inside
    counts[1] = in_columns - inside


# Loops along flat arrays are compiled to vectors at every level of optimisation, nested ones are not.
@inner
def _add(some: NDArray[np.integer] | NDArray[np.bool_], total: NDArray[np.integer]) -> None:
    for k in range(some.size):
        total[k] += some[k]


@inner
def _total(ones: NDArray[np.bool_]) -> int:
    total = 0
    for k in range(ones.size):
        total += ones[k]
    return total
