"""Predicted loss against dilution along the order of the SNR budget, layer by layer and for all of them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deeptheory import prune, theory
from deeptheory.errors import InputError
from deeptheory.reports.figures.definition import RunFigure
from deeptheory.reports.plot import LossCurve, draw_loss_curves
from deeptheory.runs import Run
from deeptheory.store import paths
from deeptheory.store.typed_readers import StoredTree

CRITERION = "snr-budget"  # that removes along the same order, so that its masks can be drawn as measured
LENGTHS = (0, 1, 2, 5, 10)  # epochs


def _draw(runs: Sequence[Run]) -> Figure:
    if len(runs) > 1:
        do = "give one: networks differ in the dilutions that were tried"
        raise InputError("figure loss-curves", "one run", f"{len(runs)}", do)
    (run,) = runs
    tolerances = [
        name for name in run.entry_names(paths.BUDGET) if run.has(f"{paths.BUDGET}/{name}/{paths.FINISHED}")
    ]
    if not tolerances:
        do = f"run 'deeptheory predict {run.directory} --tolerance 0.005' first"
        raise InputError(f"run {run.directory}", "the prunable set at a tolerance", "none", do)
    stored = run.read_tree(paths.join(paths.BUDGET, tolerances[0]))
    names = [*stored.read_tree(paths.NETWORK).read_arrays(paths.PRUNABLE), paths.NETWORK]
    curves = {
        name.removesuffix(".weight") if name != paths.NETWORK else "all together": _curve(run, stored, name)
        for name in names
    }
    return draw_loss_curves(curves, run.config.retrain.epochs, stored.read_number(paths.TOLERANCE))


def _curve(run: Run, stored: StoredTree, name: str) -> LossCurve:
    found = stored.read_tree(name)
    arrays = found.read_arrays(paths.CURVE)
    order = np.argsort(arrays[paths.DILUTION])
    arrays = {entry: values[order] for entry, values in arrays.items()}
    epochs, law = run.config.retrain.epochs, stored.read_tree(paths.RECOVERY)
    accuracy = stored.read_number(paths.INTACT)

    def after(length: int) -> NDArray[np.float64]:
        if length == 0:
            return arrays[paths.REFIT_LOSS]
        if length == epochs:
            return arrays[paths.LOSS]
        factor = theory.factor_after(law.read_number("factor"), length / epochs)
        losses = np.clip(arrays[paths.REFIT_LOSS], 0, accuracy)
        exponent = law.read_number("exponent")
        return theory.surviving_loss(losses, accuracy, factor, exponent, arrays[paths.CAPACITY])

    return LossCurve(
        arrays[paths.DILUTION],
        {length: after(length) for length in sorted({*LENGTHS, epochs})},
        arrays[paths.LOSS_LOW],
        arrays[paths.LOSS_HIGH],
        _measured(run, found, name),
        found.read_number(paths.DILUTION),
    )


def _measured(run: Run, found: StoredTree, name: str) -> dict[float, float]:
    """Losses of retrained masks of the same order and the same layers, by dilution."""
    group = paths.COMPARE if name == paths.NETWORK else paths.join(paths.COMPARE_ALONE, name)
    group, layers = paths.join(group, CRITERION), set(found.read_arrays(paths.PRUNABLE))
    losses = {}
    for density in run.entry_names(group) if run.has(group) else ():
        place = paths.join(group, density)
        if run.has(paths.join(place, paths.ACCURACY)) and layers == set(
            run.entry_names(paths.join(place, paths.MASKS))
        ):
            kept, accuracy = (
                run.read_number(paths.join(place, entry)) for entry in (paths.DENSITY, paths.ACCURACY)
            )
            losses[1 - kept] = (
                run.read_number(paths.join(paths.COMPARE, prune.UNPRUNED, paths.ACCURACY)) - accuracy
            )
    return losses


FIGURE = RunFigure(
    "loss-curves",
    step="train",
    study="budget",
    draw=_draw,
    caption="Predicted loss of accuracy against dilution, layer by layer and for all, by epochs of retraining.",
)
