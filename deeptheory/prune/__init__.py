"""Which connections can go: criteria give every kernel a score, masks keep the best at equal density.

A report says what was removed and what deserves a warning; the cost says what is left.
"""

from deeptheory.prune.arms import (
    UNPRUNED,
    PrunedArm,
    Target,
    check_arms,
    masks_for,
    prune_arm,
    scores_for,
)
from deeptheory.prune.context import Context
from deeptheory.prune.cost import Cost, cost_of
from deeptheory.prune.criteria import CRITERIA, Criterion
from deeptheory.prune.criteria.afcc import head_scores, kernel_scores
from deeptheory.prune.criteria.random_afcc import scaled_to_fan_in
from deeptheory.prune.layers import HEAD_WEIGHT, Granularity, MaskedLayer, check_stages, masked_layers
from deeptheory.prune.masks import Masks, apply_masks
from deeptheory.prune.options import PruneOptions
from deeptheory.prune.prediction import Prediction, Predictor
from deeptheory.prune.refit import images_for, refit_layers
from deeptheory.prune.report import LayerReport, Report, report_of, warnings_of
from deeptheory.prune.schedule import densities
from deeptheory.prune.select import keep_density, keep_largest, masks_of_units

__all__ = [
    "CRITERIA",
    "HEAD_WEIGHT",
    "UNPRUNED",
    "Context",
    "Cost",
    "Criterion",
    "Granularity",
    "LayerReport",
    "MaskedLayer",
    "Masks",
    "Prediction",
    "Predictor",
    "PruneOptions",
    "PrunedArm",
    "Report",
    "Target",
    "apply_masks",
    "check_arms",
    "check_stages",
    "cost_of",
    "densities",
    "head_scores",
    "images_for",
    "keep_density",
    "keep_largest",
    "kernel_scores",
    "masked_layers",
    "masks_for",
    "masks_of_units",
    "prune_arm",
    "refit_layers",
    "report_of",
    "scaled_to_fan_in",
    "scores_for",
    "warnings_of",
]
