"""SNR budget: what removing connections of convolutions costs the margins of the fields, before retraining."""

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
from deeptheory.theory.budget.retraining import SURVIVING_SHARE, retrained_accuracy

__all__ = [
    "SURVIVING_SHARE",
    "BudgetOrder",
    "RemovalPaths",
    "budget_order",
    "connection_scores",
    "costs_without_refit",
    "largest_dilution",
    "margin_noise",
    "noisy_accuracy",
    "noisy_snr",
    "pairwise_accuracy",
    "paths_from_costs",
    "refitted_weights",
    "relative_noise",
    "removal_costs",
    "removal_paths",
    "residual_variance",
    "residuals_along",
    "retrained_accuracy",
]
