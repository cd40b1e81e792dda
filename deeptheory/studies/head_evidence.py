"""Evidence on heads of attention, read from run files of measured transformers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import measure
from deeptheory.errors import InputError, Unsuited
from deeptheory.judge.evidence import Values
from deeptheory.judge.head_evidence import Heads, SingleFilters
from deeptheory.judge.hypotheses.h25_single_heads_know_more import ACCURACY
from deeptheory.runs.configuration import differences
from deeptheory.runs.discovery import check_one_configuration
from deeptheory.runs.run import Run
from deeptheory.runs.stored_arrays import stage_names
from deeptheory.store import paths
from deeptheory.studies import soundness

Floats = NDArray[np.float64]
HEADS = "heads"  # what the names of stages begin with whose filters are heads
OF_BLOCKS = (HEADS, "attention", "nodes", "block")  # the same of all stages of a transformer's blocks
SCATTERINGS = 20
OF_STAGES = (paths.SNR_MEAN_FIELD, paths.SNR_MEASURED, "cluster_size")
SAME = ("probe.", "measure.threshold", "measure.split")  # options that numbers of filters depend on
SPLITS = ("data.labels", "data.measure_", "data.test_share")  # and on one data set, which a fingerprint names


def heads(runs: Sequence[Run]) -> Heads:
    """The stages of heads of measured runs of one configuration."""
    check_one_configuration(runs, "hypothesis")
    for run in runs:
        run.require("measure")
    stages = tuple(name for name in stage_names(runs[0]) if name.startswith(HEADS))
    if not stages:
        do = "measure a transformer: network.name = 'cct'"
        raise Unsuited(f"run {runs[0].directory}", "stages whose filters are heads", "none", do)

    def over_blocks(value: Callable[[Run, str], float]) -> Floats:
        return np.array([[value(run, stage) for stage in stages] for run in runs])

    def number(entry: str) -> Floats:
        return over_blocks(lambda run, stage: run.read_number(paths.stage_path("measure", stage, entry)))

    return Heads(
        stages,
        {
            **{entry: number(entry) for entry in OF_STAGES},
            "scattered_cluster_size": over_blocks(_scattered_cluster_size),
            ACCURACY: over_blocks(lambda run, stage: float(_array(run, stage, ACCURACY).mean())),
        },
        soundness.n_labels(runs[0]),
        np.array([soundness.chance(run) for run in runs]),
        _n_inputs(runs[0]),
    )


def single_filters(runs: Sequence[Run]) -> SingleFilters:
    """Filters of convolutions and heads, by seed, of all networks that were measured on the same inputs.

    The networks of a seed may be several, a VGG and a transformer for example.
    """
    _check_comparable(runs)
    by_seed: dict[int, tuple[dict[str, Floats], dict[str, Floats]]] = {}
    for run in runs:
        convolutions, of_heads = by_seed.setdefault(run.config.seed, ({}, {}))
        network = run.config.network.name
        for stage in stage_names(run):
            kind = stage.rstrip("0123456789")
            if kind == HEADS:
                of_heads[f"{network} {stage}"] = _filters(run, stage)
            elif kind not in OF_BLOCKS and run.has(_convolution(stage)):
                convolutions[f"{network} {stage}"] = _filters(run, stage)
    lacking = [
        str(seed) for seed, (convolutions, of_heads) in by_seed.items() if not convolutions or not of_heads
    ]
    if lacking:
        found = f"one of them only for seed {', '.join(lacking)}"
        do = "name a study of a VGG and one of a transformer on the same data and seeds, each by --runs"
        raise InputError("single filters", "convolutions and heads of every seed", found, do)
    of_seeds: list[tuple[Values, Values]] = [by_seed[seed] for seed in sorted(by_seed)]
    return SingleFilters(tuple(one for one, _ in of_seeds), tuple(other for _, other in of_seeds))


def _check_comparable(runs: Sequence[Run]) -> None:
    """Refuse runs on other data than the first, or measured in another way.

    Data are the same by their fingerprint, whatever options say that their source does not read; by all options of
    data where a run records none.
    """
    first = runs[0]
    for run in runs:
        run.require("measure")
        known = first.fingerprint and run.fingerprint
        names = (*SAME, *(SPLITS if known else ("data.",)))
        found = [
            f"{name} = {one!r} in {first.directory} and {other!r} in {run.directory}"
            for name, one, other in differences(first.config, run.config)
            if name.startswith(names)
        ]
        if known and first.fingerprint != run.fingerprint:
            hashes = (f"{each.fingerprint[:16]} in {each.directory}" for each in (first, run))
            found.append(f"images and labels of SHA-256 {' and '.join(hashes)}")
        if found:
            raise InputError("single filters", "networks on the same data, measured alike", found[0])


def _convolution(stage: str) -> str:
    return paths.join("train", paths.STATE, f"{stage}.conv.weight")


def _filters(run: Run, stage: str) -> Floats:
    """ln SNR and logit of the accuracy of the filters that serve a label, (2, C).

    Half a one and half an input are added where numbers of ones and of inputs may be 0.
    """
    clusters = _array(run, stage, paths.CLUSTERS)
    n_labels = clusters.shape[1]
    served = (clusters >= 0).sum(axis=1)
    inside = np.array([(np.bincount(of[of >= 0]) ** 2).sum() if (of >= 0).any() else 0 for of in clusters])
    beside = inside - served + _array(run, stage, paths.FILTER_NOISE)
    correct = _array(run, stage, ACCURACY) * (n := _n_inputs(run))
    serving = served > 0
    snr = served[serving] * (n_labels - 1) / (beside[serving] + 0.5)
    odds = (correct[serving] + 0.5) / (n - correct[serving] + 0.5)
    logarithms: Floats = np.log(np.stack([snr, odds]))
    return logarithms


def _scattered_cluster_size(run: Run, stage: str) -> float:
    """Labels in a cluster of the clipped fields with as many ones beside the diagonal, at random places."""
    rng = np.random.default_rng(run.config.seed)
    means, weight = (_array(run, stage, entry) for entry in (paths.CLASS_MEANS, paths.PROBE_WEIGHT))
    fields = measure.fields_from_class_means(means, weight.reshape(means.shape))
    clipped = measure.clip(fields, run.config.measure.threshold)
    beside = ~np.eye(clipped.shape[1], dtype=bool)
    sizes = []
    for _ in range(SCATTERINGS):
        for of_filter in clipped:
            of_filter[beside] = rng.permutation(of_filter[beside])
        sizes.append(measure.cluster_sizes(measure.all_clusters(clipped)))
    return float(np.mean(np.concatenate(sizes)))


def _array(run: Run, stage: str, entry: str) -> NDArray[Any]:
    return run.read_array(paths.stage_path("measure", stage, entry))


def _n_inputs(run: Run) -> int:
    return len(run.read_array(paths.join("train", paths.SPLITS, "measure")))
