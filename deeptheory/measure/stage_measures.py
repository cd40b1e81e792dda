"""Strengths, clusters, noise and SNR of the filters of one stage."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeptheory.measure.clusters import all_clusters, count_clusters
from deeptheory.measure.fields import clip_with_strengths, iterate_fields
from deeptheory.measure.filter_intervals import Estimate, mean_estimate, ratio_estimate, share_estimate
from deeptheory.measure.filter_measures import measure_filters
from deeptheory.measure.options import MeasureOptions
from deeptheory.measure.snr import MeanFieldSNR, MeasuredSNR, mean_field_snr, measured_snr


@dataclass(frozen=True)
class StageMeasures:
    """Strengths, clusters, noise and SNR of one stage at one threshold.

    Attributes
    ----------
    strengths : float64 array (C, K)
        Normalised diagonal of every filter's field (`label_strengths`).
    served : bool array (C, K)
        Served labels of every filter.
    clusters : int32 array (C, K)
        Number of the cluster of every served label, -1 elsewhere.
    cluster_sizes : int64 array (number of clusters,)
        Labels of every cluster of every filter.
    filter_noise, filter_cluster_noise : int64 array (C,)
        Ones outside the clusters, and those of them in columns of a cluster.
    clusters_per_filter, cluster_size, noise, share_without_label : Estimate
        N_c, C_s (over all clusters), n, and the share of filters that serve no label, with intervals over filters.
    relabelled_clusters : float64 array (number of relabellings,)
        Clusters per filter when the labels are taken in a random order instead: how far the greedy clusters depend
        on the numbering of the labels.
    mean_field : MeanFieldSNR
    measured : MeasuredSNR
    """

    strengths: NDArray[np.float64]
    served: NDArray[np.bool_]
    clusters: NDArray[np.int32]
    cluster_sizes: NDArray[np.int64]
    filter_noise: NDArray[np.int64]
    filter_cluster_noise: NDArray[np.int64]
    clusters_per_filter: Estimate
    cluster_size: Estimate
    noise: Estimate
    share_without_label: Estimate
    relabelled_clusters: NDArray[np.float64]
    mean_field: MeanFieldSNR
    measured: MeasuredSNR


def measure_stage(
    means: NDArray[np.floating],
    probe_weight: NDArray[np.floating],
    options: MeasureOptions,
    rng: np.random.Generator,
) -> StageMeasures:
    """Measure the filters of one stage from its class-mean activations and its probe.

    Parameters
    ----------
    means : float array (K, C, P)
        Class-mean activations, on inputs to which neither the network nor the probe was fitted.
    probe_weight : float array (K, C, P)
    options : MeasureOptions
    rng : numpy.random.Generator
        For the bootstrap and the relabellings.

    Returns
    -------
    StageMeasures
        All of it depends on the threshold of clipping. The field of one filter a thread is held at a time.

    Raises
    ------
    InputError
        The shapes differ, or fields are not finite.
    """
    n_labels, n_filters = means.shape[:2]
    orders = np.array([rng.permutation(n_labels) for _ in range(options.relabellings)])
    found = measure_filters(means, probe_weight, options.threshold, orders)
    clusters, noise = found.clusters, found.noise
    served, counts = clusters >= 0, count_clusters(clusters)
    samples = rng.integers(n_filters, size=(options.bootstrap, n_filters))
    sizes = served.sum(axis=1)
    clusters_per_filter = mean_estimate(counts, samples)
    cluster_size = ratio_estimate(sizes, counts, samples)
    mean_noise = mean_estimate(noise, samples)
    return StageMeasures(
        strengths=found.strengths,
        served=served,
        clusters=clusters,
        cluster_sizes=cluster_sizes(clusters),
        filter_noise=noise,
        filter_cluster_noise=found.cluster_noise,
        clusters_per_filter=clusters_per_filter,
        cluster_size=cluster_size,
        noise=mean_noise,
        share_without_label=share_estimate(sizes == 0),
        relabelled_clusters=found.relabelled.sum(axis=0) / n_filters,
        mean_field=mean_field_snr(
            n_filters, n_labels, clusters_per_filter.value, cluster_size.value, mean_noise.value
        ),
        measured=measured_snr(found.ones),
    )


def stage_clusters(
    means: NDArray[np.floating], probe_weight: NDArray[np.floating], threshold: float
) -> NDArray[np.int32]:
    """Clusters of the filters of one stage at a threshold (the rule of `find_clusters`).

    Parameters
    ----------
    means, probe_weight : float array (K, C, P)
        As for `measure_stage`.
    threshold : float
        Fields are clipped above this share of the filter's largest.

    Returns
    -------
    int32 array (C, K)
        Number of every label's cluster within its filter, -1 where the filter does not serve it. At most 128 MiB
        of fields are held at a time.
    """
    blocks = [
        all_clusters(clip_with_strengths(block.fields, threshold)[0])
        for block in iterate_fields(means, probe_weight)
    ]
    return np.concatenate(blocks)


def cluster_sizes(clusters: NDArray[np.int32]) -> NDArray[np.int64]:
    """Labels of every cluster of every filter, filter by filter."""
    rows, columns = np.nonzero(clusters >= 0)
    most = clusters.max(initial=-1) + 1
    sizes = np.bincount(rows * most + clusters[rows, columns], minlength=len(clusters) * most)
    return sizes[sizes > 0]
