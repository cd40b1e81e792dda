"""Formulas and predictions: pure functions of numbers and measured statistics, with no network inside."""

from deeptheory.theory.budget.margins import margin_noise, noisy_accuracy, noisy_snr, pairwise_accuracy
from deeptheory.theory.budget.order import BudgetOrder, budget_order, connection_scores, largest_dilution
from deeptheory.theory.budget.removal import (
    RemovalPaths,
    costs_without_refit,
    paths_from_costs,
    removal_costs,
    removal_paths,
    residuals_along,
)
from deeptheory.theory.budget.residual import refitted_weights, relative_noise, residual_variance
from deeptheory.theory.committee.averages import I2, I3, I4
from deeptheory.theory.committee.deletion import Deletion, delete_units, greedy_deletions, ranked_deletions
from deeptheory.theory.committee.learning import LearningCurve, learning_curve, order_parameter_rates
from deeptheory.theory.committee.order_parameters import OrderParameters, generalisation_error, overlaps
from deeptheory.theory.committee.scatter import LearningScatter, learning_scatter
from deeptheory.theory.detection import detection_accuracy, detection_error_linear
from deeptheory.theory.dilution import expected_dilution, head_dilution, random_dilution
from deeptheory.theory.gaussian_field import (
    ActivationMoments,
    FieldAccuracy,
    accuracy_from_activations,
    accuracy_from_fields,
)
from deeptheory.theory.head_refit import gaussian_surrogates, ridge_head
from deeptheory.theory.label_subsets import (
    counted_subset_accuracy,
    detection_subset_accuracy,
    pair_distance,
    pairwise_subset_accuracy,
)
from deeptheory.theory.magnitude import magnitude_overlap, sign_disagreement
from deeptheory.theory.margin import field_margins, margin_certificate
from deeptheory.theory.mixture import accuracy_from_mixture, mixture_components
from deeptheory.theory.orthant import orthant_probability
from deeptheory.theory.perceptron import annealed_capacity, capacity, quenched_capacity, separable_share
from deeptheory.theory.recovery import (
    Calibration,
    LossInterval,
    RecoveryLaw,
    factor_after,
    head_capacity,
    learning_time,
    surviving_loss,
)
from deeptheory.theory.spectrum import (
    NoiseBulk,
    NoiseEdges,
    keep_components,
    noise_bulk,
    noise_density,
    noise_edges,
)

__all__ = [
    "I2",
    "I3",
    "I4",
    "ActivationMoments",
    "BudgetOrder",
    "Calibration",
    "Deletion",
    "FieldAccuracy",
    "LearningCurve",
    "LearningScatter",
    "LossInterval",
    "NoiseBulk",
    "NoiseEdges",
    "OrderParameters",
    "RecoveryLaw",
    "RemovalPaths",
    "accuracy_from_activations",
    "accuracy_from_fields",
    "accuracy_from_mixture",
    "annealed_capacity",
    "budget_order",
    "capacity",
    "connection_scores",
    "costs_without_refit",
    "counted_subset_accuracy",
    "delete_units",
    "detection_accuracy",
    "detection_error_linear",
    "detection_subset_accuracy",
    "expected_dilution",
    "factor_after",
    "field_margins",
    "gaussian_surrogates",
    "generalisation_error",
    "greedy_deletions",
    "head_capacity",
    "head_dilution",
    "keep_components",
    "largest_dilution",
    "learning_curve",
    "learning_scatter",
    "learning_time",
    "magnitude_overlap",
    "margin_certificate",
    "margin_noise",
    "mixture_components",
    "noise_bulk",
    "noise_density",
    "noise_edges",
    "noisy_accuracy",
    "noisy_snr",
    "order_parameter_rates",
    "orthant_probability",
    "overlaps",
    "pair_distance",
    "pairwise_accuracy",
    "pairwise_subset_accuracy",
    "paths_from_costs",
    "quenched_capacity",
    "random_dilution",
    "ranked_deletions",
    "refitted_weights",
    "relative_noise",
    "removal_costs",
    "removal_paths",
    "residual_variance",
    "residuals_along",
    "ridge_head",
    "separable_share",
    "sign_disagreement",
    "surviving_loss",
]
