"""Measure the filters again at other thresholds and on parts of the split that is measured."""

import dataclasses
from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from deeptheory import data
from deeptheory import measure as measuring
from deeptheory.runs.random_streams import generator
from deeptheory.runs.run import Run, step
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import paths
from deeptheory.system.progress import Progress

THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6)
SHARES = (0.5, 0.25)  # of the split that is measured, at the threshold of the run
Means = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Variation:
    """One way to measure: at which threshold, on which share of the split that is measured."""

    threshold: float
    share: float = 1.0

    @property
    def name(self) -> str:
        """In `run.h5` and in tables: "threshold 0.2", "half" of the inputs as "inputs 0.5"."""
        return f"threshold {self.threshold:g}" if self.share == 1 else f"inputs {self.share:g}"


def variations(run: Run) -> list[Variation]:
    """The thresholds, the run's own among them, then the parts of the split."""
    of_run = run.config.measure.threshold
    return [Variation(threshold) for threshold in sorted({*THRESHOLDS, of_run})] + [
        Variation(of_run, share) for share in SHARES
    ]


@step
def sensitivity(run: Run) -> None:
    """Clusters, noise and SNR of every stage under all `variations`; the probes stay as they are.

    A part of the split is the first inputs of every label in an order drawn from the seed, one at least.
    Stored variations are skipped.
    """
    run.require("measure")
    missing = [
        variation for variation in variations(run) if not run.has(paths.sensitivity_path(variation.name))
    ]
    if missing:
        run.require_writable()
    with Progress(f"{run.directory.name} sensitivity", len(missing) + 1, "variation", run.quiet) as progress:
        for done, variation in enumerate(missing, start=1):
            run.store(paths.sensitivity_path(variation.name), _measured(run, variation))
            progress.advance(done)


def _measured(run: Run, variation: Variation) -> dict[str, dict[str, float]]:
    stages = run.read_names(paths.join("measure", paths.STAGE_NAMES))
    probes = {
        stage: run.read_array(paths.stage_path("measure", stage, paths.PROBE_WEIGHT)) for stage in stages
    }
    means = _class_means(run, variation.share, probes)
    options = msgspec.structs.replace(run.config.measure, threshold=variation.threshold)
    rng = generator(run.config.seed, "bootstrap")
    numbers = {}
    for stage, of_stage in means.items():
        measures = measuring.measure_stage(of_stage, probes[stage].reshape(of_stage.shape), options, rng)
        numbers[stage] = {name: number(measures) for name, number in NUMBERS.items()}
    return numbers


def _class_means(run: Run, share: float, probes: Means) -> Means:
    if share == 1:
        return {
            stage: run.read_array(paths.stage_path("measure", stage, paths.CLASS_MEANS)) for stage in probes
        }
    images, labels = data.select(run.dataset, stored_splits(run), run.config.measure.split)
    order = generator(run.config.seed, "sensitivity").permutation(len(labels))
    chosen = []
    for label in np.unique(labels):
        of_label = order[labels[order] == label]
        chosen += of_label[: max(1, round(share * len(of_label)))].tolist()
    rows = np.sort(chosen)
    statistics = measuring.filter_statistics(
        trained_network(run), images[rows], labels[rows], probes, quiet=True
    )
    return {stage: of_stage.means for stage, of_stage in statistics.items()}


NUMBERS: dict[str, Callable[[measuring.StageMeasures], float]] = {
    "clusters_per_filter": lambda measures: measures.clusters_per_filter.value,
    "cluster_size": lambda measures: measures.cluster_size.value,
    "noise": lambda measures: measures.noise.value,
    "share_without_label": lambda measures: measures.share_without_label.value,
    "snr_mean_field": lambda measures: measures.mean_field.snr,
    "snr_measured": lambda measures: measures.measured.snr,
    "relabelled_clusters": lambda measures: float(measures.relabelled_clusters.mean()),
    "relabelled_spread": lambda measures: float(measures.relabelled_clusters.std()),
}
