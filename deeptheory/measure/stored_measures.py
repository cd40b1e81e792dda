"""All measures of a stage under the names that they have in run files."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.measure.options import MeasureOptions
from deeptheory.measure.single_filters import FilterStatistics
from deeptheory.measure.snr import field_snr
from deeptheory.measure.specialisation import (
    class_selectivity_index,
    mutual_information,
    participation_ratio,
    served_label_auc,
)
from deeptheory.measure.stage_measures import StageMeasures, measure_stage


def stage_record(
    statistics: FilterStatistics,
    probe: NDArray[np.floating],
    labels: NDArray[np.integer],
    tested: tuple[NDArray[np.floating], NDArray[np.integer]],
    options: MeasureOptions,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """The measures of one stage as a tree of arrays and numbers.

    Parameters
    ----------
    statistics : FilterStatistics
        Of inputs to which neither the network nor the probe was fitted.
    probe : float array (K, C*P)
    labels : int array (N,)
        Of these inputs.
    tested : (fields, labels)
        Complete fields (n, K) and labels (n,) of the inputs on which the accuracies are counted.
    options : MeasureOptions
    rng : numpy.random.Generator
        For the bootstrap and the relabellings.

    Returns
    -------
    dict
        As stored in a run file under ``measure/stages/NAME``, with shares and specialisation of every filter.

    Raises
    ------
    InputError
        As in `measure_stage` and `field_snr`.
    """
    means = statistics.means
    measures = measure_stage(means, probe.reshape(means.shape), options, rng)
    fields, truth = tested
    correct = fields.argmax(axis=1) == truth
    return {
        "class_means": means,
        "probe_accuracy": float(correct.mean()),
        "label_accuracy": _label_accuracy(correct, truth, len(probe)),
        **_stage_entries(measures),
        "field_snr": field_snr(statistics.complete_fields, labels).snr,
        **_filter_entries(statistics, measures),
    }


def _label_accuracy(
    correct: NDArray[np.bool_], labels: NDArray[np.integer], n_labels: int
) -> NDArray[np.float64]:
    """Share of correct inputs of every label (K,); NaN for a label without inputs."""
    with np.errstate(invalid="ignore"):
        return np.bincount(labels, correct, n_labels) / np.bincount(labels, minlength=n_labels)


def _stage_entries(measures: StageMeasures) -> dict[str, Any]:
    intervals = {
        name: getattr(measures, name)
        for name in ("clusters_per_filter", "cluster_size", "noise", "share_without_label")
    }
    mean_field, measured = measures.mean_field, measures.measured
    return {
        "strengths": measures.strengths,
        "served": measures.served,
        "clusters": measures.clusters,
        "cluster_sizes": measures.cluster_sizes,
        "filter_noise": measures.filter_noise,
        "filter_cluster_noise": measures.filter_cluster_noise,
        **{name: estimate.value for name, estimate in intervals.items()},
        "intervals": {name: [estimate.low, estimate.high] for name, estimate in intervals.items()},
        "relabelled_clusters": measures.relabelled_clusters,
        "snr_mean_field": mean_field.snr,
        "mean_field": {
            "signal": mean_field.signal,
            "internal_noise": mean_field.internal_noise,
            "external_noise": mean_field.external_noise,
        },
        "snr_measured": measured.snr,
        "signal_per_label": measured.signal_per_label,
        "noise_per_pair": measured.noise_per_pair,
        "labels_unserved": measured.labels_unserved,
    }


def _filter_entries(statistics: FilterStatistics, measures: StageMeasures) -> dict[str, Any]:
    return {
        "signal_share": statistics.signal_share,
        "variance_share": statistics.variance_share,
        "single_filter_accuracy": statistics.single_filter_accuracy,
        "mutual_information": mutual_information(statistics.response_counts),
        "participation_ratio": participation_ratio(measures.strengths),
        "class_selectivity_index": class_selectivity_index(statistics.means),
        "served_label_auc": served_label_auc(statistics.response_counts, measures.served),
    }
