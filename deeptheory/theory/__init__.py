"""Formulas and predictions: pure functions of numbers and measured statistics, with no network inside."""

from deeptheory.theory.budget import (
    RemovalPaths,
    costs_without_refit,
    paths_from_costs,
    refitted_weights,
    relative_noise,
    removal_costs,
    removal_paths,
    residual_variance,
    residuals_along,
)
from deeptheory.theory.committee import (
    I2,
    I3,
    I4,
    Deletion,
    LearningCurve,
    OrderParameters,
    delete_units,
    generalisation_error,
    greedy_deletions,
    learning_curve,
    order_parameter_rates,
    overlaps,
    ranked_deletions,
)
from deeptheory.theory.detection import detection_accuracy, detection_error_linear
from deeptheory.theory.dilution import expected_dilution, head_dilution, random_dilution
from deeptheory.theory.gaussian_field import FieldAccuracy, accuracy_from_activations, accuracy_from_fields
from deeptheory.theory.magnitude import magnitude_overlap, sign_disagreement
from deeptheory.theory.margin import margin_certificate
from deeptheory.theory.mixture import accuracy_from_mixture, mixture_components
from deeptheory.theory.orthant import orthant_probability
from deeptheory.theory.perceptron import annealed_capacity, capacity, quenched_capacity, separable_share
from deeptheory.theory.refit import gaussian_surrogates, ridge_head
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
    "Deletion",
    "FieldAccuracy",
    "LearningCurve",
    "NoiseBulk",
    "NoiseEdges",
    "OrderParameters",
    "RemovalPaths",
    "accuracy_from_activations",
    "accuracy_from_fields",
    "accuracy_from_mixture",
    "annealed_capacity",
    "capacity",
    "costs_without_refit",
    "delete_units",
    "detection_accuracy",
    "detection_error_linear",
    "expected_dilution",
    "gaussian_surrogates",
    "generalisation_error",
    "greedy_deletions",
    "head_dilution",
    "keep_components",
    "learning_curve",
    "magnitude_overlap",
    "margin_certificate",
    "mixture_components",
    "noise_bulk",
    "noise_density",
    "noise_edges",
    "order_parameter_rates",
    "orthant_probability",
    "overlaps",
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
]
