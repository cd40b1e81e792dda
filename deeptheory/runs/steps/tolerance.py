"""The prunable set at a given tolerance, by the SNR budget: per layer and for the whole network."""

import time
from typing import Any

import numpy as np

from deeptheory import prune, theory
from deeptheory.runs.run import Run, now, step
from deeptheory.runs.steps.calibration import (
    calibrated,
    law_entries,
    make_predictor,
    prediction_of,
)
from deeptheory.runs.steps.removal_order import maskable_layers, removal_paths, sensitivities
from deeptheory.runs.steps.training import trained_network
from deeptheory.store import paths
from deeptheory.system import provenance
from deeptheory.system.progress import Progress

CALIBRATED = (0.6, 0.9)  # dilutions of all layers at which the law is calibrated
STEPS = {"layer": 5, "network": 6}  # bisections: dilutions to 1/32 and 1/64


@step
def budget(run: Run, tolerance: float) -> None:
    """Find and store the largest dilution whose predicted loss of accuracy stays within the tolerance.

    The connections go in the order of `theory.budget_order`; how far one can go along it is found by bisection
    with `theory.RecoveryLaw`, for every layer alone and for all together. The law is calibrated by two masks along
    the order of all layers. Training inputs give the moments of the patches, the measure split the margins, their
    sensitivities and the accuracies; the test split decides nothing.

    Every result is stored as soon as it is computed; a second call continues an interrupted one.

    Raises
    ------
    InputError
        The run is not trained, or its network gives all inputs of a label the same fields.
    """
    run.require("train")
    where = paths.budget_path(tolerance)
    if run.has(paths.budget_path(tolerance, paths.FINISHED)):
        return
    run.require_writable()
    started, begun = time.monotonic(), now()
    network = trained_network(run)
    layers = maskable_layers(network)
    removals = removal_paths(run, network, layers)
    squares, margins = sensitivities(run, network, layers)
    predictor = make_predictor(run, network)
    everything = theory.budget_order([removals[layer.weight] for layer in layers], squares, *margins)
    along = {f"budget-{dilution:g}": _masks(layers, everything, dilution) for dilution in CALIBRATED}
    law = calibrated(run, predictor, along, paths.CALIBRATION)
    searches: dict[str, tuple[tuple[prune.MaskedLayer, ...], theory.BudgetOrder]] = {
        layer.weight: ((layer,), theory.budget_order([removals[layer.weight]], [square], *margins))
        for layer, square in zip(layers, squares, strict=True)
    }
    searches[paths.NETWORK] = (layers, everything)
    with Progress(f"{run.directory.name} budget", len(searches), "set", run.quiet) as progress:
        for done, (name, (among, order)) in enumerate(searches.items(), start=1):
            if not run.has(paths.budget_path(tolerance, name)):
                steps = STEPS["network" if name == paths.NETWORK else "layer"]
                found = _search(predictor, law, among, order, tolerance, steps)
                run.store(paths.budget_path(tolerance, name), found)
            progress.advance(done)
    tree = {
        paths.BEGUN: begun,
        paths.TOLERANCE: tolerance,
        paths.INTACT: predictor.intact.refitted,
        paths.RECOVERY: law_entries(law),
        "prunability": dict(zip([layer.weight for layer in layers], _prunability(everything), strict=True)),
        paths.PROVENANCE: provenance.provenance(),
        paths.WALL_SECONDS: time.monotonic() - started,
        paths.FINISHED: now(),
    }
    run.add(where, tree)
    dilution = run.read_number(paths.budget_path(tolerance, paths.NETWORK, paths.DILUTION))
    run.log(f"budget at tolerance {tolerance:g}: dilution {dilution:.4f}")


def _search(
    predictor: prune.Predictor,
    law: theory.RecoveryLaw,
    layers: tuple[prune.MaskedLayer, ...],
    order: theory.BudgetOrder,
    tolerance: float,
    steps: int,
) -> dict[str, Any]:
    """Bisect the dilution along an order; the prediction at the largest one within the tolerance."""

    def predicted(dilution: float) -> dict[str, float]:
        return prediction_of(predictor, law, _masks(layers, order, dilution))

    low, high, best, visited = 0.0, 1.0, None, []
    for _ in range(steps):
        middle = (low + high) / 2
        prediction = predicted(middle)
        visited.append({paths.DILUTION: middle, **prediction})
        if prediction[paths.LOSS] <= tolerance:
            low, best = middle, prediction
        else:
            high = middle
    masks = _masks(layers, order, low)
    return {
        paths.DILUTION: 1 - masks.total_density,
        paths.PRUNABLE: {name: ~masks.kernels(name) for name in masks},
        paths.PREDICTION: best or predicted(0.0),
        "dilution_by_margins": theory.largest_dilution(order.dilution, order.accuracy, tolerance),
        paths.CURVE: {entry: np.array([each[entry] for each in visited]) for entry in visited[0]},
    }


def _masks(layers: tuple[prune.MaskedLayer, ...], order: theory.BudgetOrder, dilution: float) -> prune.Masks:
    names = [layer.weight for layer in layers]
    return prune.Masks(layers, dict(zip(names, order.masks(dilution), strict=True)))


def _prunability(order: theory.BudgetOrder) -> list[np.ndarray]:
    """Dilution of the whole network at which each connection goes; 1 for the last one of a filter."""
    sizes = np.array(order.group_sizes)[order.layer]
    share = np.cumsum(sizes) / sum(
        filters * inputs * size
        for (filters, inputs), size in zip(order.grids, order.group_sizes, strict=True)
    )
    return order.laid_out(share)
