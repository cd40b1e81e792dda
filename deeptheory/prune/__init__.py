"""Which connections can be removed: criteria score them, masks keep the best at equal density.

A summary of the masks counts what they removed and warns; the cost is what is left. `compact` removes physically.
"""

from deeptheory.prune.arms import (
    PrunedArm,
    Target,
    check_arms,
    masks_for,
    prune_arm,
    prune_arms,
    scores_for,
)
from deeptheory.prune.compaction import CompactLayer, check_agreement, compact, compact_layers
from deeptheory.prune.cost import Cost, cost_of
from deeptheory.prune.criteria import CRITERIA, Criterion
from deeptheory.prune.criteria.afcc import head_scores, kernel_scores, scores_of_strengths
from deeptheory.prune.criteria.random_afcc import scaled_to_fan_in
from deeptheory.prune.criterion_context import Context, Scores
from deeptheory.prune.density_schedule import densities
from deeptheory.prune.footprint import Footprint, footprint_of
from deeptheory.prune.head_predictor import HeadPrediction, HeadPredictor, head_prediction
from deeptheory.prune.mask_summaries import LayerSummary, MaskSummary, mask_summary, warnings_of
from deeptheory.prune.masked_layers import (
    HEAD,
    HEAD_WEIGHT,
    Granularity,
    MaskedLayer,
    last_maskable_stages,
    maskable_stages,
    masked_layers,
)
from deeptheory.prune.masks import Masks, apply_masks, masked_network
from deeptheory.prune.options import CompareOptions, PruneOptions
from deeptheory.prune.prediction import (
    HEAD_INPUTS,
    Predictor,
    Refit,
    RefitPredictor,
    Refitted,
    layer_predictions,
    outputs_below,
)
from deeptheory.prune.refitting import (
    RIDGE,
    about_zero,
    images_for,
    images_for_patches,
    refit_layers,
    refitted_layer,
)
from deeptheory.prune.selection import DensityNotReached, Ranking, keep_density, keep_largest, masks_of_units
from deeptheory.prune.wide_refitting import WIDE, patches_of_wide, refitted_wide
from deeptheory.store.paths import AFCC, UNPRUNED

__all__ = [
    "AFCC",
    "CRITERIA",
    "HEAD",
    "HEAD_INPUTS",
    "HEAD_WEIGHT",
    "RIDGE",
    "UNPRUNED",
    "WIDE",
    "CompactLayer",
    "CompareOptions",
    "Context",
    "Cost",
    "Criterion",
    "DensityNotReached",
    "Footprint",
    "Granularity",
    "HeadPrediction",
    "HeadPredictor",
    "LayerSummary",
    "MaskSummary",
    "MaskedLayer",
    "Masks",
    "Predictor",
    "PruneOptions",
    "PrunedArm",
    "Ranking",
    "Refit",
    "RefitPredictor",
    "Refitted",
    "Scores",
    "Target",
    "about_zero",
    "apply_masks",
    "check_agreement",
    "check_arms",
    "compact",
    "compact_layers",
    "cost_of",
    "densities",
    "footprint_of",
    "head_prediction",
    "head_scores",
    "images_for",
    "images_for_patches",
    "keep_density",
    "keep_largest",
    "kernel_scores",
    "last_maskable_stages",
    "layer_predictions",
    "mask_summary",
    "maskable_stages",
    "masked_layers",
    "masked_network",
    "masks_for",
    "masks_of_units",
    "outputs_below",
    "patches_of_wide",
    "prune_arm",
    "prune_arms",
    "refit_layers",
    "refitted_layer",
    "refitted_wide",
    "scaled_to_fan_in",
    "scores_for",
    "scores_of_strengths",
    "warnings_of",
]
