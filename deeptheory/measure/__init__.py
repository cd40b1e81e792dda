"""What single filters do: class means, probes, fields, clusters, noise, SNR and specialisation.

Masks are decided from the measure split: no function here should be given the test labels, except to count
accuracies, or where `measure.split` asks for it. Every word is explained in docs/concepts.md.
"""

from deeptheory.measure.activation_moments import (
    SecondOrderStatistics,
    low_rank_statistics,
    second_order_statistics,
)
from deeptheory.measure.attention_maps import attention_maps
from deeptheory.measure.clusters import all_clusters, all_noise, cluster_noise, find_clusters, noise
from deeptheory.measure.covariances import FullCovariances, LowRankCovariances
from deeptheory.measure.features import complete_fields, iterate_features, stage_features
from deeptheory.measure.fields import (
    clip,
    field_matrices,
    fields_from_class_means,
    iterate_fields,
    label_strengths,
    normalise,
)
from deeptheory.measure.filter_intervals import Estimate
from deeptheory.measure.interval_bounds import FieldBounds, field_bounds
from deeptheory.measure.labels import balanced_subset, check_inputs, class_means
from deeptheory.measure.margin_sensitivity import squared_sensitivity
from deeptheory.measure.mean_activations import ClassStatistics, class_statistics
from deeptheory.measure.network_measures import MeasuredStage, measure_stages
from deeptheory.measure.options import MeasureOptions, ProbeOptions
from deeptheory.measure.patches import PatchMoments, mixing_layer, moments_of, patch_moments
from deeptheory.measure.probes.fitting import fit_probe, iterate_probes
from deeptheory.measure.probes.task import ProbeFit
from deeptheory.measure.single_filters import FilterStatistics, filter_statistics
from deeptheory.measure.snr import (
    FieldSNR,
    MeanFieldSNR,
    MeasuredSNR,
    field_snr,
    mean_field_snr,
    measured_snr,
)
from deeptheory.measure.specialisation import (
    class_selectivity_index,
    mutual_information,
    participation_ratio,
    served_label_auc,
)
from deeptheory.measure.stage_measures import StageMeasures, cluster_sizes, measure_stage, stage_clusters
from deeptheory.measure.stored_measures import stage_record
from deeptheory.measure.streaming import Images, Measurable

__all__ = [
    "ClassStatistics",
    "Estimate",
    "FieldBounds",
    "FieldSNR",
    "FilterStatistics",
    "FullCovariances",
    "Images",
    "LowRankCovariances",
    "MeanFieldSNR",
    "Measurable",
    "MeasureOptions",
    "MeasuredSNR",
    "MeasuredStage",
    "PatchMoments",
    "ProbeFit",
    "ProbeOptions",
    "SecondOrderStatistics",
    "StageMeasures",
    "all_clusters",
    "all_noise",
    "attention_maps",
    "balanced_subset",
    "check_inputs",
    "class_means",
    "class_selectivity_index",
    "class_statistics",
    "clip",
    "cluster_noise",
    "cluster_sizes",
    "complete_fields",
    "field_bounds",
    "field_matrices",
    "field_snr",
    "fields_from_class_means",
    "filter_statistics",
    "find_clusters",
    "fit_probe",
    "iterate_features",
    "iterate_fields",
    "iterate_probes",
    "label_strengths",
    "low_rank_statistics",
    "mean_field_snr",
    "measure_stage",
    "measure_stages",
    "measured_snr",
    "mixing_layer",
    "moments_of",
    "mutual_information",
    "noise",
    "normalise",
    "participation_ratio",
    "patch_moments",
    "second_order_statistics",
    "served_label_auc",
    "squared_sensitivity",
    "stage_clusters",
    "stage_features",
    "stage_record",
]
