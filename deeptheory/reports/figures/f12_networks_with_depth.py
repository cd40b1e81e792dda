"""Accuracy of the probes and SNR against relative depth, several networks in one frame."""

from collections.abc import Sequence

import msgspec
import numpy as np
from matplotlib.figure import Figure

from deeptheory.errors import InputError
from deeptheory.reports.figures.definition import RunFigure
from deeptheory.reports.plot import DepthCurve, draw_networks_with_depth
from deeptheory.runs import Run
from deeptheory.runs.configuration import Config
from deeptheory.runs.stored_arrays import over_stages, stage_names
from deeptheory.store import paths
from deeptheory.studies.soundness import chance, n_labels

SUMS = (
    "attention",
    "block",
)  # stages of transformers whose outputs are mostly those of earlier ones: left out
KINDS = ("heads", "nodes")  # the others of their blocks; all other stages are convolutions or hidden layers


def _draw(runs: Sequence[Run]) -> Figure:
    thresholds = sorted({run.config.measure.threshold for run in runs})
    if len(thresholds) > 1:
        found = ", ".join(f"{threshold:g}" for threshold in thresholds)
        do = "an SNR means nothing without it: measure them alike"
        raise InputError("figure networks-with-depth", "one measure.threshold", found, do)
    networks: dict[Config, list[Run]] = {}
    for run in runs:
        networks.setdefault(msgspec.structs.replace(run.config, seed=0), []).append(run)
    curves = [curve for of_network in networks.values() for curve in _curves(of_network)]
    return draw_networks_with_depth(curves, thresholds[0])


def _curves(runs: Sequence[Run]) -> list[DepthCurve]:
    first = runs[0]
    names = stage_names(first)
    accuracy, snr = (
        over_stages(runs, "measure", entry) for entry in (paths.PROBE_ACCURACY, paths.SNR_MEAN_FIELD)
    )
    network = f"{first.config.network.name}, {n_labels(first)} labels"
    depth = (1 + np.arange(len(names))) / len(names)
    kinds = [name.rstrip("0123456789") for name in names]
    found = []
    for kind in ("filters", *KINDS):
        wanted = (kind,) if kind in KINDS else set(kinds) - {*KINDS, *SUMS}
        of_kind = np.array([each in wanted for each in kinds])
        if of_kind.any():
            found.append(
                DepthCurve(
                    network, kind, depth[of_kind], accuracy[:, of_kind], snr[:, of_kind], chance(first)
                )
            )
    return found


FIGURE = RunFigure(
    "networks-with-depth",
    step="measure",
    study="networks",
    draw=_draw,
    caption="Probe accuracy on the test split and mean-field SNR of the clipped fields against relative depth.",
)
