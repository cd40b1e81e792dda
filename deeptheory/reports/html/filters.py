"""The data that the report shows of every filter of one run: fields, clusters, numbers, and the masks."""

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.prune.criteria import snr_share
from deeptheory.prune.masked_layers import HEAD
from deeptheory.reports.html.field_codes import arrays_of, encode, packed, precision
from deeptheory.runs import Run
from deeptheory.runs.stored_arrays import stage_names
from deeptheory.runs.summaries.step_summaries import stage_numbers
from deeptheory.store import paths
from deeptheory.studies.sweep.seed_means import OF_STAGE

NO_CLUSTER = 65535
DIGITS = 4  # significant, of the numbers of a filter


def stage_of_run(run: Run, stage: str) -> tuple[dict[str, Any], str]:
    """Numbers of the filters of one stage, and their fields and clusters packed.

    Parameters
    ----------
    run : Run
        Measured.
    stage : str

    Returns
    -------
    numbers : dict
        Of every filter: number of labels served, noise, cluster noise, signal and variance shares, accuracy. Of
        the stage: the thresholds of measuring and pruning, the precision of the fields, and the printed means.
    packed : str
        As the run stored them, the cluster of every label, uint16 (C, K), 65535 where it is not served, and a bit
        for every filter and label, set if it is served at the threshold of pruning; then the fields as
        `field_codes.arrays_of` gives them.
    """
    stored = run.read_tree(paths.stage_path("measure", stage))
    thresholds = run.config.measure.threshold, prune_threshold(run, stage)
    signal, variance = stored.read_array(paths.SIGNAL_SHARE), stored.read_array(paths.VARIANCE_SHARE)
    means = stored.read_array(paths.CLASS_MEANS)
    weight = stored.read_array(paths.PROBE_WEIGHT).reshape(means.shape)
    means_of = stage_numbers(run, stage)
    rounded = {head: format(means_of[name], style) for name, (head, style) in OF_STAGE.items()}
    exact = sorted(set(thresholds))
    codes = list(encode(means, weight, exact))
    numbers = {
        "name": stage,
        "split": run.config.measure.split,
        "measured": thresholds[0],
        "pruned": thresholds[1],
        "exact": exact,
        "factored": codes[0].numbers.ndim == 3,
        "precision": precision(len(means)),
        "means": {head: None if text == "nan" else text for head, text in rounded.items()},
        "served": stored.read_array(paths.SERVED).sum(axis=1).tolist(),
        "noise": stored.read_array(paths.FILTER_NOISE).tolist(),
        "clusterNoise": stored.read_array("filter_cluster_noise").tolist(),
        "signal": _rounded(signal),
        "variance": _rounded(variance),
        "snr": _rounded(snr_share.from_shares(signal, variance)),
        "accuracy": _rounded(stored.read_array("single_filter_accuracy")),
    }
    of_labels = stored.read_array("clusters")
    clusters = np.where(of_labels >= 0, of_labels, NO_CLUSTER).astype("<u2")
    served = np.packbits(stored.read_array(paths.STRENGTHS) > thresholds[1])
    return numbers, packed(clusters, served, *arrays_of(codes))


def accuracies_of_run(run: Run) -> dict[str, str]:
    """Test accuracy of every arm after retraining in percent; empty where the run is not retrained."""
    arms = (paths.UNPRUNED, *run.config.prune.arms) if run.done("retrain") else ()
    return {
        arm: f"{100 * run.read_number(paths.arm_path('retrain', arm, paths.ACCURACY)):.2f}" for arm in arms
    }


def prune_threshold(run: Run, stage: str) -> float:
    """Threshold of served labels for pruning: that of the stage if it has one, else the general one."""
    options = run.config.prune
    return dict(zip(options.stages, options.thresholds, strict=False)).get(stage, options.threshold)


def masks_of_run(run: Run) -> tuple[dict[str, Any], str]:
    """The kernels that every arm of a run keeps at the end.

    Returns
    -------
    numbers : dict
        Names of the arms (none of a run that is not pruned) and the layers with the stages they connect.
    packed : str
        For every arm and layer one bit per kernel, (out, in), set if any of its weights is kept; eight bits to a
        byte, highest bit first, and every layer starts a new byte.
    """
    names = stage_names(run)
    n_filters = {
        name: len(run.read_array(paths.stage_path("measure", name, paths.FILTER_NOISE))) for name in names
    }
    arms, layers, bits = [], dict[str, dict[str, Any]](), []
    for arm, masks in _masks(run):
        arms.append(arm)
        for weight, mask in masks.items():
            above = weight.rsplit(".", 2)[0]
            below = names[-1] if above == HEAD else names[names.index(above) - 1]
            kernels = mask.reshape(len(mask), n_filters[below], -1).any(axis=2)
            layers[weight] = {"from": below, "to": above, "outputs": len(mask), "inputs": n_filters[below]}
            bits.append(np.packbits(kernels))
    return {"arms": arms, "layers": list(layers.values())}, packed(*bits)


def _masks(run: Run) -> Iterator[tuple[str, dict[str, NDArray[np.bool_]]]]:
    """The arms of the run, then those of a comparison; the masks after retraining if it changed them."""
    for arm in run.config.prune.arms:
        for step in ("retrain", "prune"):
            masks = paths.arm_path(step, arm, paths.MASKS)
            if run.has(masks):
                yield arm, run.read_arrays(masks)
                break
    compared = run.config.compare
    for criterion, density in itertools.product(compared.criteria, compared.densities):
        masks = paths.compare_path(criterion, density, entry=paths.MASKS)
        if run.has(masks):
            yield f"{criterion}, density {density:g}", run.read_arrays(masks)


def _rounded(values: Iterable[float]) -> list[float | None]:
    """To four significant digits; JSON has no NaN."""
    return [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in values]
