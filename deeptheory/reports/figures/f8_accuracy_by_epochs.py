"""Accuracy against dilution after retrainings of different length, of comparisons that share their trainings."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.reports.figures.definition import RunFigure
from deeptheory.reports.plot import draw_accuracy_by_epochs
from deeptheory.runs import Run
from deeptheory.runs.stored_arrays import over_seeds
from deeptheory.store import paths
from deeptheory.studies.comparison import compared_so_far
from deeptheory.studies.soundness import chance

EPOCHS = "retrain.epochs"
Curves = dict[str, dict[float, NDArray[np.float64]]]


def _draw(runs: Sequence[Run]) -> Figure:
    by_epochs: dict[int, list[Run]] = {}
    for run in runs:
        by_epochs.setdefault(run.config.retrain.epochs, []).append(run)
    seeds = {epochs: [run.config.seed for run in of_epochs] for epochs, of_epochs in by_epochs.items()}
    if len({tuple(of_epochs) for of_epochs in seeds.values()}) > 1:
        raise InputError(
            "seeds of the comparisons", "the same, each once", f"{seeds}", "finish those with fewer"
        )
    unpruned, accuracy, predicted = {}, {}, {}
    for epochs, of_epochs in by_epochs.items():
        compared = compared_so_far(of_epochs)
        unpruned[epochs] = compared.unpruned
        accuracy[epochs] = {name: dict(curve) for name, curve in compared.accuracy.items()}
        predicted[epochs] = compared.predicted
    first = runs[: len(next(iter(seeds.values())))]
    unpruned[0] = over_seeds(first, paths.join("train", paths.ACCURACY, "test"))
    accuracy[0] = _not_retrained(first, next(iter(accuracy.values())))
    margin = runs[0].config.judge.margin
    return draw_accuracy_by_epochs(unpruned, accuracy, margin, chance(runs[0]), predicted)


def _not_retrained(runs: Sequence[Run], like: Curves) -> Curves:
    def masked(criterion: str, density: float) -> NDArray[np.float64]:
        path = paths.compare_path(criterion, density, entry=paths.ACCURACY_MASKED)
        return np.array([run.read_number(path) if run.has(path) else np.nan for run in runs])

    return {name: {density: masked(name, density) for density in curve} for name, curve in like.items()}


FIGURE = RunFigure(
    "accuracy-by-epochs",
    step="train",
    study="compare",
    draw=_draw,
    caption="Test accuracy and loss against dilution, masked and after retrainings of different length.",
    may_differ=(EPOCHS,),
)
