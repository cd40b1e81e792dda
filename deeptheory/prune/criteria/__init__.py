"""Criteria of pruning, one file each: from a context to one score per weight, kernel or filter, higher = keep.

A new criterion is a function ``scores(context)`` in a file of its own and one line here.
"""

from deeptheory.prune.criteria import (
    afcc,
    geometric_median,
    grasp,
    l1,
    label_permuted,
    lamp,
    magnitude,
    obd,
    obs,
    random,
    random_afcc,
    snip,
    snr_budget,
    snr_overlap,
    snr_share,
    synflow,
    taylor,
)
from deeptheory.prune.criteria.criterion import Criterion

CRITERIA: dict[str, Criterion] = {
    "afcc": Criterion(afcc.scores, "layer", ("kernel", "filter"), thresholded=True, measured=True),
    "random": Criterion(random.scores, "layer"),
    "label-permuted": Criterion(label_permuted.scores, "layer", ("kernel",), thresholded=True, measured=True),
    "magnitude": Criterion(magnitude.scores, "layer"),
    "magnitude-global": Criterion(magnitude.scores, "network"),
    "lamp": Criterion(lamp.scores, "network"),
    "random-afcc": Criterion(random_afcc.scores, "network", ("kernel",), from_scratch=True),
    "snip": Criterion(snip.scores, "network"),
    "grasp": Criterion(grasp.scores, "network"),
    "synflow": Criterion(synflow.scores, "network"),
    "obd": Criterion(obd.scores, "network"),
    "obs": Criterion(obs.scores, "network", ("weight", "kernel"), update=obs.update),
    "taylor": Criterion(taylor.scores, "network"),
    "snr-budget": Criterion(snr_budget.scores, "network", ("kernel",)),
    "snr-overlap": Criterion(snr_overlap.scores, "network", ("kernel",)),
    "l1": Criterion(l1.scores, "layer", ("filter",)),
    "geometric-median": Criterion(geometric_median.scores, "layer", ("filter",)),
    "snr-share": Criterion(snr_share.scores, "layer", ("filter",), measured=True),
}

__all__ = ["CRITERIA", "Criterion"]
