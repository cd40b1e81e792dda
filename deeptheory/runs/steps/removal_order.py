"""The order in which the connections of a trained network can go, and how much the margins feel it."""

import numpy as np

from deeptheory import data, measure, nn, prune, theory
from deeptheory.errors import InputError
from deeptheory.runs.random_streams import generator
from deeptheory.runs.run import Run
from deeptheory.runs.steps.training import stored_splits
from deeptheory.store import paths
from deeptheory.system.progress import Progress

SENSITIVITY_INPUTS = 1000  # over all labels; one at least of each
EXACT_WEIGHTS = 1152  # per filter, up to which the exact greedy paths take half a second a filter


def maskable_layers(network: nn.Network) -> tuple[prune.MaskedLayer, ...]:
    """All layers that are linear in their weights and read the filters of a stage, the head among them."""
    kinds = {node.name: type(node.layer) for node in network.nodes}
    layers = prune.masked_layers(network, prune.maskable_stages(network), head=True)
    return tuple(layer for layer in layers if kinds[layer.name] is not nn.SelfAttention)


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


def _removal_paths(network: nn.Network, layer: prune.MaskedLayer, images: data.Images) -> theory.RemovalPaths:
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
