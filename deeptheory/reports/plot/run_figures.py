"""Figures of finished runs: read the numbers from the run files and draw them."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deeptheory import measure, prune
from deeptheory.errors import InputError, unknown_name
from deeptheory.reports.plot.accuracy_against_density import draw_accuracy_against_density
from deeptheory.reports.plot.accuracy_against_dilution import draw_accuracy_against_dilution
from deeptheory.reports.plot.accuracy_and_snr import draw_accuracy_and_snr
from deeptheory.reports.plot.cluster_sizes import draw_cluster_sizes
from deeptheory.reports.plot.error_against_labels import draw_error_against_labels
from deeptheory.reports.plot.field_matrix import draw_field_matrix
from deeptheory.reports.plot.files import save
from deeptheory.reports.plot.predicted_against_measured import draw_predicted_against_measured
from deeptheory.runs import Run
from deeptheory.runs.discovery import check_one_configuration, find_runs
from deeptheory.runs.run import make_directory
from deeptheory.runs.stored_arrays import over_seeds, over_stages, stage_names
from deeptheory.store import paths
from deeptheory.studies import evidence
from deeptheory.studies.comparison import compared_so_far


def draw(
    name: str,
    directories: Sequence[Path],
    out: Path,
    stage: str | None = None,
    filter_index: int | None = None,
) -> Path:
    """Draw one figure from runs of one configuration and save it as ``out/NAME.pdf``.

    Parameters
    ----------
    name : str
        One of `FIGURES`.
    directories : sequence of Path
        Run directories, or study directories, which stand for all their runs.
    out : Path
        Directory, made if missing.
    stage : str, optional
        Of ``field-matrix``; the last stage by default.
    filter_index : int, optional
        Of ``field-matrix``; by default the filter that serves the median number of labels.

    Raises
    ------
    InputError
        An unknown figure, stage or filter, a run that lacks the step, runs of different configurations, a
        directory that cannot be written.
    """
    if name not in FIGURES:
        raise unknown_name("figure", name, FIGURES)
    runs = [run for directory in directories for run in find_runs(directory)]
    check_one_configuration(runs, "figure", MAY_DIFFER.get(name, ()))
    step, function = FIGURES[name]
    for run in runs:
        run.require(step)
    if name == "field-matrix":
        function = partial(_field_matrix, stage=stage, filter_index=filter_index)
    elif stage is not None or filter_index is not None:
        raise InputError("--stage and --filter", "figure field-matrix", f"figure {name}", "leave them out")
    make_directory(out)
    path = out / f"{name}.pdf"
    save(function(runs), path)
    return path


def draw_all(runs: Sequence[Run], out: Path) -> list[Path]:
    """Draw every figure of a finished confirm study."""
    directories = [run.directory for run in runs]
    return [draw(name, directories, out) for name in FIGURES if name not in OF_OTHER_STUDIES]


def draw_finished(runs: Sequence[Run]) -> dict[str, Figure]:
    """Every figure of runs of one configuration, by name, whose step all of them have done."""
    return {
        name: function(runs)
        for name, (step, function) in FIGURES.items()
        if name not in OF_OTHER_STUDIES and all(run.done(step) for run in runs)
    }


def draw_sweep(runs: Sequence[Run]) -> dict[str, Figure]:
    """Every figure that members of a sweep allow, by name."""
    try:
        check_one_configuration(runs, "figure", MAY_DIFFER["error-against-labels"])
        return {"error-against-labels": _error_against_labels(runs)}
    except InputError:  # it is a sweep over something else, or not finished
        return {}


def _n_test(run: Run) -> int:
    return len(run.read_array(paths.join("train", paths.SPLITS, "test")))


def _accuracy_and_snr(runs: Sequence[Run]) -> Figure:
    return draw_accuracy_and_snr(
        stage_names(runs[0]),
        over_stages(runs, "measure", paths.PROBE_ACCURACY),
        over_stages(runs, "predict", paths.ACCURACY),
        over_stages(runs, "measure", paths.SNR_MEAN_FIELD),
        over_stages(runs, "measure", paths.SNR_MEASURED),
        runs[0].config.measure.threshold,
        _n_test(runs[0]),
    )


def _field_matrix(runs: Sequence[Run], stage: str | None = None, filter_index: int | None = None) -> Figure:
    run = runs[0]
    names = stage_names(run)
    stage = stage or names[-1]
    if stage not in names:
        raise unknown_name("stage", stage, names)
    of_stage = run.read_tree(paths.stage_path("measure", stage))
    threshold = run.config.measure.threshold
    if filter_index is None:
        order = np.argsort(of_stage.read_array(paths.SERVED).sum(axis=1), kind="stable")
        filter_index = int(order[len(order) // 2])
    means = of_stage.read_array(paths.CLASS_MEANS)
    n_filters = means.shape[1]
    if filter_index >= n_filters:
        raise InputError("--filter", f"0 to {n_filters - 1} in {stage}", str(filter_index))
    weight = of_stage.read_array(paths.PROBE_WEIGHT).reshape(means.shape)
    one = slice(filter_index, filter_index + 1)
    field = measure.fields_from_class_means(means[:, one], weight[:, one])[0]
    clusters = measure.find_clusters(measure.clip(field, threshold))
    return draw_field_matrix(
        field, threshold, clusters, f"{stage}, filter {filter_index}, seed {run.config.seed}"
    )


def _cluster_sizes(runs: Sequence[Run]) -> Figure:
    sizes: dict[str, np.ndarray] = {}
    n_filters: dict[str, int] = {}
    for run in runs:
        for stage in stage_names(run):
            of_run = run.read_array(paths.stage_path("measure", stage, paths.CLUSTER_SIZES))
            sizes[stage] = np.concatenate([sizes.get(stage, np.empty(0, np.int64)), of_run])
            served = run.read_array(paths.stage_path("measure", stage, paths.SERVED))
            n_filters[stage] = n_filters.get(stage, 0) + len(served)
    return draw_cluster_sizes(sizes, n_filters)


def _accuracy_against_dilution(runs: Sequence[Run]) -> Figure:
    def of_arm(step: str, arm: str, entry: str) -> NDArray[np.float64]:
        return over_seeds(runs, paths.arm_path(step, arm, entry))

    arms = runs[0].config.prune.arms
    return draw_accuracy_against_dilution(
        {arm: of_arm("prune", arm, paths.DILUTION)[:, None] for arm in arms},
        {arm: of_arm("prune", arm, paths.ACCURACY)[:, None] for arm in arms},
        {arm: of_arm("retrain", arm, paths.ACCURACY)[:, None] for arm in arms},
        of_arm("prune", prune.UNPRUNED, paths.ACCURACY),
        of_arm("retrain", prune.UNPRUNED, paths.ACCURACY),
        _n_test(runs[0]),
        runs[0].config.judge.margin,
    )


def _predicted_against_measured(runs: Sequence[Run]) -> Figure:
    arms = (prune.UNPRUNED, *runs[0].config.prune.arms)

    def over_arms(step: str, *entry: str) -> NDArray[np.float64]:
        return np.array([run.read_number(paths.arm_path(step, arm, *entry)) for run in runs for arm in arms])

    groups = {
        "probes of stages": (
            over_stages(runs, "predict", paths.ACCURACY).ravel(),
            over_stages(runs, "measure", paths.PROBE_ACCURACY).ravel(),
        ),
        "masked, refitted heads": (
            over_arms("predict", paths.HEAD, paths.ACCURACY),
            over_arms("prune", paths.REFIT_ACCURACY),
        ),
        "retrained arms": (over_arms("predict", paths.RETRAINED), over_arms("retrain", paths.ACCURACY)),
    }
    return draw_predicted_against_measured(groups, _n_test(runs[0]))


def _accuracy_against_density(runs: Sequence[Run]) -> Figure:
    compared = compared_so_far(runs)
    return draw_accuracy_against_density(compared.unpruned, compared.accuracy, runs[0].config.judge.margin)


def _error_against_labels(runs: Sequence[Run]) -> Figure:
    return draw_error_against_labels(evidence.label_scaling(runs))


FIGURES: dict[str, tuple[str, Callable[[Sequence[Run]], Figure]]] = {  # the step that it needs, and how
    "accuracy-and-snr": ("predict", _accuracy_and_snr),
    "field-matrix": ("measure", _field_matrix),
    "cluster-sizes": ("measure", _cluster_sizes),
    "accuracy-against-dilution": ("retrain", _accuracy_against_dilution),
    "predicted-against-measured": ("retrain", _predicted_against_measured),
    "accuracy-against-density": ("train", _accuracy_against_density),
    "error-against-labels": ("measure", _error_against_labels),
}
OF_OTHER_STUDIES = ("accuracy-against-density", "error-against-labels")  # a comparison, a sweep
MAY_DIFFER = {"error-against-labels": ("data.n_labels",)}
