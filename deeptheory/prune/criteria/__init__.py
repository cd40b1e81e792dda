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
    "random-afcc": Criterion(random_afcc.scores, "network", ("kernel",), running=True, from_scratch=True),
    "snip": Criterion(snip.scores, "network", running=True),
    "grasp": Criterion(grasp.scores, "network", running=True),
    "synflow": Criterion(synflow.scores, "network", running=True),
    "obd": Criterion(obd.scores, "network", running=True),
    "obs": Criterion(obs.scores, "network", ("weight", "kernel"), running=True, update=obs.update),
    "taylor": Criterion(taylor.scores, "network", running=True),
    "snr-budget": Criterion(snr_budget.scores, "network", ("kernel",), running=True),
    "snr-overlap": Criterion(snr_overlap.scores, "network", ("kernel",), running=True),
    "l1": Criterion(l1.scores, "layer", ("filter",)),
    "geometric-median": Criterion(geometric_median.scores, "layer", ("filter",)),
    "snr-share": Criterion(snr_share.scores, "layer", ("filter",), measured=True),
}

__all__ = ["CRITERIA", "Criterion"]
