"""The prunable set at a given tolerance, by the SNR budget: per layer and for the whole network."""

import time
from dataclasses import asdict
from typing import Any

import numpy as np

from deeptheory import data, measure, nn, prune, theory
from deeptheory.errors import InputError
from deeptheory.runs.random_streams import generator
from deeptheory.runs.run import Run, now, step
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import paths
from deeptheory.system import provenance
from deeptheory.system.progress import Progress

SENSITIVITY_INPUTS = 1000  # over all labels; one at least of each
EXACT_WEIGHTS = 1152  # per filter, up to which the exact greedy paths take half a second a filter
STEPS = {"layer": 5, "network": 6}  # bisections: dilutions to 1/32 and 1/64


@step
def budget(run: Run, tolerance: float) -> None:
    """Find and store the largest dilution whose predicted loss of accuracy stays within the tolerance.

    The connections go in the order of `theory.budget_order`; how far one can go along it is found by bisection
    with `prune.Predictor`, for every layer alone and for all together. Training inputs give the moments of the
    patches, the measure split the margins, their sensitivities and the accuracies; the test split is not read.

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
    started, begun = time.monotonic(), now()
    network = trained_network(run)
    layers = maskable_layers(network)
    removals = removal_paths(run, network, layers)
    squares, margins = sensitivities(run, network, layers)
    predictor = make_predictor(run, network)
    everything = theory.budget_order([removals[layer.weight] for layer in layers], squares, *margins)
    searches: dict[str, tuple[tuple[prune.MaskedLayer, ...], theory.BudgetOrder]] = {
        layer.weight: ((layer,), theory.budget_order([removals[layer.weight]], [square], *margins))
        for layer, square in zip(layers, squares, strict=True)
    }
    searches[paths.NETWORK] = (layers, everything)
    with Progress(f"{run.directory.name} budget", len(searches), "set", run.quiet) as progress:
        for done, (name, (among, order)) in enumerate(searches.items(), start=1):
            if not run.has(paths.budget_path(tolerance, name)):
                steps = STEPS["network" if name == paths.NETWORK else "layer"]
                run.store(
                    paths.budget_path(tolerance, name), _search(predictor, among, order, tolerance, steps)
                )
            progress.advance(done)
    tree = {
        paths.BEGUN: begun,
        paths.TOLERANCE: tolerance,
        paths.INTACT: predictor.intact[0],
        "prunability": dict(zip([layer.weight for layer in layers], _prunability(everything), strict=True)),
        paths.PROVENANCE: provenance.provenance(),
        paths.WALL_SECONDS: time.monotonic() - started,
        paths.FINISHED: now(),
    }
    run.add(where, tree)
    dilution = run.read_number(paths.budget_path(tolerance, paths.NETWORK, paths.DILUTION))
    run.log(f"budget at tolerance {tolerance:g}: dilution {dilution:.4f}")


def maskable_layers(network: nn.Network) -> tuple[prune.MaskedLayer, ...]:
    """All layers whose inputs are filters of a stage, the head among them."""
    shapes = {name: array.shape for name, array in network.parameters().items()}
    names = [stage.name for stage in network.stages]
    return prune.masked_layers(shapes, names, names[1:], head=True)


def removal_paths(
    run: Run, network: nn.Network, layers: tuple[prune.MaskedLayer, ...]
) -> dict[str, theory.RemovalPaths]:
    """The order in which the connections of every filter go, and the residuals: stored once for all tolerances."""
    images, _ = data.select(run.dataset, stored_splits(run), "train")
    images = images[generator(run.config.seed, "budget").permutation(len(images))]
    removals = {}
    with Progress(f"{run.directory.name} removal paths", len(layers), "layer", run.quiet) as progress:
        for done, layer in enumerate(layers, start=1):
            where = paths.join(paths.BUDGET, paths.REMOVAL_PATHS, layer.weight)
            if not run.has(where):
                made = _removal_paths(network, layer, images)
                run.store(where, {"inputs": made.inputs, "residual": made.residual})
            stored = run.read_arrays(where)
            removals[layer.weight] = theory.RemovalPaths(
                stored["inputs"], stored["residual"], layer.kernel_size
            )
            progress.advance(done)
    return removals


def _removal_paths(network: nn.Network, layer: prune.MaskedLayer, images: np.ndarray) -> theory.RemovalPaths:
    enough = images[: prune.images_for(network, layer.name)]
    moments = measure.patch_moments(network, enough, layer.name, quiet=True)
    weight = network.parameters()[layer.weight]
    flat = weight.reshape(len(weight), -1)
    if moments.constant:  # removing connections costs nothing, in any order
        return theory.paths_from_costs(np.zeros(layer.grid), layer.kernel_size)
    if flat.shape[1] <= EXACT_WEIGHTS:
        return theory.removal_paths(moments.covariance, flat, layer.n_inputs)
    costs = theory.costs_without_refit(moments.covariance, flat, layer.n_inputs)
    order = theory.paths_from_costs(costs, layer.kernel_size).inputs
    exact = theory.residuals_along(moments.covariance, flat, order)
    return theory.RemovalPaths(order, exact, layer.kernel_size)


def sensitivities(
    run: Run, network: nn.Network, layers: tuple[prune.MaskedLayer, ...]
) -> tuple[list[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Squared sensitivities of every layer, and mean and variance of the margins, from the measure split."""
    images, labels = data.select(run.dataset, stored_splits(run), "measure")
    per_label = max(1, SENSITIVITY_INPUTS // network.n_labels)
    chosen = np.concatenate([np.flatnonzero(labels == k)[:per_label] for k in range(network.n_labels)])
    names = [layer.name for layer in layers]
    title = f"{run.directory.name} sensitivity"
    squares = measure.squared_sensitivity(network, images[chosen], labels[chosen], names, title, run.quiet)
    last = network.stages[-1].name
    head = {last: network.parameters()[prune.HEAD_WEIGHT]}
    fields = measure.complete_fields(network, images, head, quiet=True)[last]
    snr = measure.field_snr(fields, labels)
    stuck = int(np.count_nonzero(snr.variance == 0)) - network.n_labels  # the diagonal has no margin
    if stuck:
        raise InputError(
            "margins of the measure split",
            "a spread within every label",
            f"none between {stuck} pairs of labels",
            "train the network further, or hold out more inputs",
        )
    return [squares[name] for name in names], (snr.mean, snr.variance)


def make_predictor(run: Run, network: nn.Network) -> prune.Predictor:
    """The predictor of a run's masked networks."""
    splits = stored_splits(run)
    train, held_out = (data.select(run.dataset, splits, name) for name in ("train", "measure"))
    rng = generator(run.config.seed, "budget")
    return prune.Predictor(network, train, held_out, run.config.retrain.l2, rng)


def _search(
    predictor: prune.Predictor,
    layers: tuple[prune.MaskedLayer, ...],
    order: theory.BudgetOrder,
    tolerance: float,
    steps: int,
) -> dict[str, Any]:
    """Bisect the dilution along an order; the prediction at the largest one within the tolerance."""

    def kernels_at(dilution: float) -> dict[str, np.ndarray]:
        return dict(zip([layer.weight for layer in layers], order.masks(dilution), strict=True))

    def predicted(dilution: float) -> prune.Prediction:
        return predictor.predict(prune.Masks(layers, kernels_at(dilution)))

    low, high, best, visited = 0.0, 1.0, None, []
    for _ in range(steps):
        middle = (low + high) / 2
        prediction = predicted(middle)
        visited.append((middle, prediction.refitted, prediction.refitted_theory, prediction.retrained))
        if prediction.loss <= tolerance:
            low, best = middle, prediction
        else:
            high = middle
    kernels = kernels_at(low)
    removed = sum(int((~kernels[layer.weight]).sum()) * layer.kernel_size for layer in layers)
    weights = sum(layer.n_kernels * layer.kernel_size for layer in layers)
    return {
        paths.DILUTION: removed / weights,
        paths.PRUNABLE: {name: ~mask for name, mask in kernels.items()},
        "prediction": asdict(best or predicted(0.0)),
        "dilution_by_margins": theory.largest_dilution(order.dilution, order.accuracy, tolerance),
        "visited": np.array(visited),
    }


def _prunability(order: theory.BudgetOrder) -> list[np.ndarray]:
    """Dilution of the whole network at which each connection goes; 1 for the last one of a filter."""
    sizes = np.array(order.group_sizes)[order.layer]
    share = np.cumsum(sizes) / sum(
        filters * inputs * size
        for (filters, inputs), size in zip(order.grids, order.group_sizes, strict=True)
    )
    return order.laid_out(share)
