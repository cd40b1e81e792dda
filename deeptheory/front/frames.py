"""Numbers of runs as pandas DataFrames; pandas is imported only here."""

from collections.abc import Callable
from typing import Any

from deeptheory.errors import unknown_name
from deeptheory.interop.optional_packages import needed
from deeptheory.runs.run import Run
from deeptheory.runs.stored_arrays import stage_names
from deeptheory.runs.summaries import prediction_summaries, step_summaries
from deeptheory.store import paths

Columns = dict[str, Any]
OF_FILTERS = (
    paths.FILTER_NOISE,
    paths.SIGNAL_SHARE,
    paths.VARIANCE_SHARE,
    "single_filter_accuracy",
    "mutual_information",
    "participation_ratio",
    "class_selectivity_index",
    "served_label_auc",
)


def step_of(of: str) -> str:
    """The step that one of `FRAMES` needs; `InputError` for another name."""
    if of not in FRAMES:
        raise unknown_name("to_frame", of, FRAMES)
    return FRAMES[of][0]


def frame_of(run: Run, of: str) -> Any:
    """One of `FRAMES` as a DataFrame; its step has to be done."""
    pandas = needed("pandas", "notebook")
    _, index, rows = FRAMES[of]
    return pandas.DataFrame(rows(run)).set_index(list(index))


def _stages(run: Run) -> list[Columns]:
    return [{"stage": stage, **step_summaries.stage_numbers(run, stage)} for stage in stage_names(run)]


def _filters(run: Run) -> Columns:
    columns: dict[str, list[Any]] = {name: [] for name in ("stage", "filter", "labels_served", *OF_FILTERS)}
    for stage in stage_names(run):
        of_stage = run.read_tree(paths.stage_path("measure", stage))
        served = of_stage.read_array(paths.SERVED).sum(axis=1)
        columns["stage"] += [stage] * len(served)
        columns["filter"] += range(len(served))
        columns["labels_served"] += served.tolist()
        for name in OF_FILTERS:
            columns[name] += of_stage.read_array(name).tolist()
    return columns


def _arms(run: Run) -> list[Columns]:
    step = "retrain" if run.done("retrain") else "prune"
    return [{"arm": arm, **numbers} for arm, numbers in step_summaries.SUMMARIES[step](run).numbers.items()]


def _layers(run: Run) -> list[Columns]:
    layers = prediction_summaries.predicted(run).numbers["layers"]
    return [{"layer": layer, **numbers} for layer, numbers in layers.items()]


def _history(run: Run) -> Columns:
    history = run.read_arrays(paths.join("train", paths.HISTORY))
    return {"epoch": range(len(history[paths.LOSS])), **history}


FRAMES: dict[str, tuple[str, tuple[str, ...], Callable[[Run], Any]]] = {  # step, index, rows
    "stages": ("measure", ("stage",), _stages),
    "filters": ("measure", ("stage", "filter"), _filters),
    "arms": ("prune", ("arm",), _arms),
    "layers": ("predict", ("layer",), _layers),
    "history": ("train", ("epoch",), _history),
}
