"""Clusters of labels that a filter serves, and the noise outside them."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.system.compiled import inner, njit, prange


@inner
def fill_mutual(clipped: NDArray[np.bool_], mutual: NDArray[np.uint8]) -> None:
    """Set mutual[i, j] of served labels to 1 where both have a one for the other in clipped (K, K), else to 0."""
    n_labels = len(clipped)
    served = np.empty(n_labels, np.int64)
    n_served = 0
    for i in range(n_labels):
        mutual[i, i] = clipped[i, i]
        if clipped[i, i]:
            served[n_served] = i
            n_served += 1
    for i in served[:n_served]:
        for j in served[:n_served]:
            if j < i:
                mutual[i, j] = mutual[j, i] = clipped[i, j] & clipped[j, i]


@inner
def assign(mutual: NDArray[np.uint8], order: NDArray[np.int64], cluster: NDArray[np.int32]) -> int:
    """Fill cluster (K,) with the cluster number of each label, -1 where it is not served; return their number.

    mutual[i, j] is 1 where labels i and j may share a cluster (uint8: bytes are combined many at a time); of
    labels that are not served only mutual[i, i] counts.
    """
    left = np.empty(order.size, np.int64)  # served labels without a cluster, in order
    n_left = 0
    for label in order:
        cluster[label] = -1
        if mutual[label, label]:
            left[n_left] = label
            n_left += 1
    joins = np.empty(order.size, np.uint8)  # labels that may share a cluster with all its members so far
    n_clusters = 0
    while n_left:
        still_left = 0
        joins[:] = mutual[left[0]]
        cluster[left[0]] = n_clusters
        for k in range(1, n_left):
            label = left[k]
            if joins[label]:
                cluster[label] = n_clusters
                row = mutual[label]
                for j in range(row.size):
                    joins[j] &= row[j]
            else:
                left[still_left] = label
                still_left += 1
        n_left = still_left
        n_clusters += 1
    return n_clusters


@njit(parallel=True)
def _assign_all(clipped: NDArray[np.bool_], orders: NDArray[np.int64]) -> NDArray[np.int32]:
    n_filters, n_labels, _ = clipped.shape
    clusters = np.empty((len(orders), n_filters, n_labels), np.int32)
    for f in prange(n_filters):
        mutual = np.empty((n_labels, n_labels), np.uint8)
        fill_mutual(clipped[f], mutual)
        for k in range(len(orders)):
            assign(mutual, orders[k], clusters[k, f])
    return clusters


@njit(parallel=True)
def _count_noise(
    clipped: NDArray[np.bool_], clusters: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ones outside the cluster squares (C,), and those of them in columns of a cluster (C,)."""
    n_filters, n_labels, _ = clipped.shape
    outside = np.zeros(n_filters, np.int64)
    in_columns = np.zeros(n_filters, np.int64)
    for f in prange(n_filters):
        for i in range(n_labels):
            for j in range(n_labels):
                if not clipped[f, i, j]:
                    continue
                served = clusters[f, j] >= 0
                if served and clusters[f, i] == clusters[f, j]:
                    continue
                outside[f] += 1
                if served:
                    in_columns[f] += 1
    return outside, in_columns


def all_clusters(clipped: NDArray[np.bool_], orders: NDArray[np.integer] | None = None) -> NDArray[np.int32]:
    """Clusters of every filter of a stage (the rule of `find_clusters`).

    Parameters
    ----------
    clipped : bool array (C, K, K)
        Output of `clip`.
    orders : int array (n, K), optional
        Orders in which labels are taken; by default one, increasing.

    Returns
    -------
    int32 array (C, K), or (n, C, K) with `orders`
        Number of the label's cluster within the filter (from 0, in the order of opening), -1 where the filter
        does not serve the label.
    """
    clipped = np.ascontiguousarray(clipped, np.bool_)
    if clipped.ndim != 3 or clipped.shape[1] != clipped.shape[2]:
        raise InputError("clipped fields", "shape (C, K, K)", f"shape {clipped.shape}")
    taken = np.arange(clipped.shape[1])[None] if orders is None else np.asarray(orders, np.int64)
    clusters: NDArray[np.int32] = _assign_all(clipped, taken)
    return clusters[0] if orders is None else clusters


def count_clusters(clusters: NDArray[np.int32]) -> NDArray[np.int64]:
    """Clusters of every filter (...,), from the cluster numbers (..., K)."""
    highest: NDArray[np.int64] = clusters.max(axis=-1, initial=-1).astype(np.int64)
    return highest + 1


def all_noise(
    clipped: NDArray[np.bool_], clusters: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Noise and cluster noise of every filter, from the output of `all_clusters`.

    Returns
    -------
    noise, cluster_noise : int64 arrays (C,)
        As `noise` and `cluster_noise` count them for one filter.
    """
    outside, in_columns = _count_noise(np.ascontiguousarray(clipped, np.bool_), clusters)
    return outside, in_columns


def find_clusters(matrix: NDArray[np.bool_]) -> list[list[int]]:
    """Partition the served labels of one filter into clusters, greedily.

    Labels are taken in increasing order: the first one left opens a cluster, and each later one left joins it
    if the whole square sub-matrix of the enlarged cluster is ones ("Advanced deep architecture pruning using
    single filter performance"; "Towards a universal mechanism for successful deep learning").

    Parameters
    ----------
    matrix : bool array (K, K)
        Clipped field matrix.

    Returns
    -------
    list of lists of int
        The labels of each cluster, increasing; clusters in the order of their first label.

    Notes
    -----
    The partition depends on the numbering of the labels and is not the one with the fewest clusters:
    `StageMeasures.relabelled_clusters` shows how much the number of clusters varies with it.
    """
    cluster = all_clusters(np.asarray(matrix, np.bool_)[None])[0]
    return [np.flatnonzero(cluster == c).tolist() for c in range(cluster.max(initial=-1) + 1)]


def noise(matrix: NDArray[np.bool_], clusters: list[list[int]]) -> int:
    """Noise n_f: ones of the clipped matrix (K, K) outside the squares of its clusters.

    It counts elements, whatever their size above the threshold: it is not a variance.
    """
    return int((np.asarray(matrix, np.bool_) & ~_squares(len(matrix), clusters)).sum())


def cluster_noise(matrix: NDArray[np.bool_], clusters: list[list[int]]) -> int:
    """Cluster noise: the part of `noise` that lies in columns (output units) of labels in a cluster."""
    outside = np.asarray(matrix, np.bool_) & ~_squares(len(matrix), clusters)
    columns = [label for members in clusters for label in members]
    return int(outside[:, columns].sum())


def _squares(n_labels: int, clusters: list[list[int]]) -> NDArray[np.bool_]:
    squares = np.zeros((n_labels, n_labels), np.bool_)
    for members in clusters:
        squares[np.ix_(members, members)] = True
    return squares
