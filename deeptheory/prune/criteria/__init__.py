"""Criteria of pruning, one file each: from a context to one score per weight, kernel or filter, higher = keep.

A new criterion is a function ``scores(context)`` in a file of its own and one entry in `CRITERIA`.
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
    published_indexing,
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
from deeptheory.prune.masked_layers import Granularity

KERNEL: tuple[Granularity, ...] = ("kernel",)
FILTER: tuple[Granularity, ...] = ("filter",)

CRITERIA: dict[str, Criterion] = {
    "afcc": Criterion(
        afcc.scores, "layer", ("kernel", "filter"), thresholded=True, measured=True, title="AFCC"
    ),
    "random": Criterion(random.scores, "layer"),
    "label-permuted": Criterion(label_permuted.scores, "layer", KERNEL, thresholded=True, measured=True),
    "published-indexing": Criterion(
        published_indexing.scores,
        "layer",
        KERNEL,
        thresholded=True,
        one_density=True,
        measured=True,
        warnings=published_indexing.warnings,
        title="as published (indexing)",
    ),
    "magnitude": Criterion(magnitude.scores, "layer"),
    "magnitude-global": Criterion(magnitude.scores, "network"),
    "lamp": Criterion(lamp.scores, "network", title="LAMP"),
    "random-afcc": Criterion(
        random_afcc.scores, "network", KERNEL, running=True, from_scratch=True, title="random AFCC"
    ),
    "snip": Criterion(snip.scores, "network", running=True, title="SNIP"),
    "grasp": Criterion(grasp.scores, "network", running=True, title="GraSP"),
    "synflow": Criterion(synflow.scores, "network", running=True, title="SynFlow"),
    "obd": Criterion(obd.scores, "network", running=True, title="OBD"),
    "obs": Criterion(
        obs.scores, "network", ("weight", "kernel"), running=True, update=obs.update, title="OBS"
    ),
    "taylor": Criterion(taylor.scores, "network", running=True, title="Taylor"),
    "snr-budget": Criterion(snr_budget.scores, "network", KERNEL, running=True, title="SNR budget"),
    "snr-overlap": Criterion(snr_overlap.scores, "network", KERNEL, running=True, title="SNR overlap"),
    "l1": Criterion(l1.scores, "layer", FILTER),
    "geometric-median": Criterion(geometric_median.scores, "layer", FILTER),
    "snr-share": Criterion(snr_share.scores, "layer", FILTER, measured=True, title="SNR share"),
}

__all__ = ["CRITERIA", "Criterion"]
