"""Mask the trained network in every arm and test it before any retraining."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from deeptheory import data, measure, nn
from deeptheory import prune as pruning
from deeptheory.runs.random_streams import generator
from deeptheory.runs.run import Run, step
from deeptheory.runs.steps.arms import pruned_arms
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import paths
from deeptheory.system.progress import Progress


@step
def prune(run: Run) -> None:
    """Store the masks of every arm with their densities, costs, warnings and accuracies without retraining.

    ``accuracy`` is that of the masked network as it stands. ``refit_accuracy`` is that of the intact stages
    under the masked head, refitted to its convex optimum: what `predict` foretells as ``head``.
    """
    run.require("predict")
    started = time.monotonic()
    splits = stored_splits(run)
    test = data.select(run.dataset, splits, "test")
    network = trained_network(run)
    arms: dict[str, pruning.PrunedArm | None] = {pruning.UNPRUNED: None, **pruned_arms(run)}
    refit, said = _refit_accuracies(run, network, arms), set[str]()
    with Progress(f"{run.directory.name} prune", len(arms), "arm", run.quiet) as progress:
        for done, (name, arm) in enumerate(arms.items(), start=1):
            masked = trained_network(run)
            if arm is not None:
                masked.load_state(masked.state() | arm.update)
                pruning.apply_masks(masked, arm.masks)
                if news := [text for text in pruning.warnings_of(arm.summary) if text not in said]:
                    run.log(f"warning, {name}: {'; '.join(news)}")
                    said.update(news)  # filters without a label are the same in every arm
            tree: dict[str, Any] = {
                paths.ACCURACY: nn.accuracy(masked, *test),
                paths.REFIT_ACCURACY: refit[name],
                paths.ARM_COST: cost_of(network, arm.masks if arm else None),
            }
            if arm is not None:
                tree[paths.MASKS] = {weight: arm.masks.stored(weight) for weight in arm.masks}
                tree[paths.LAYERS] = {layer.weight: _layer(layer) for layer in arm.summary.layers}
                tree[paths.DILUTION] = arm.summary.dilution
                if arm.update:
                    tree[paths.UPDATE] = arm.update
                tree["warnings"] = pruning.warnings_of(arm.summary)
            run.store(paths.arm_path("prune", name), tree)
            progress.advance(done)
    run.finish("prune", {}, started)
    afcc = arms["afcc"]
    assert afcc is not None
    run.log(f"pruned {len(arms) - 1} arms at dilution {afcc.summary.dilution:.4f} of the masked layers")


def _refit_accuracies(
    run: Run, network: nn.Network, arms: Mapping[str, pruning.PrunedArm | None]
) -> dict[str, float]:
    """Test accuracy of the head refitted on the intact last stage, with and without each arm's head mask."""
    splits, stage = stored_splits(run), network.stages[-1].name
    features, labels = {}, {}
    for name in ("train", "test"):
        images, labels[name] = data.select(run.dataset, splits, name)
        features[name] = measure.stage_features(network, images, stage, quiet=run.quiet)
    accuracies, rng = {}, generator(run.config.seed, "probe")
    for name, arm in arms.items():
        mask = None if arm is None else arm.masks.get(pruning.HEAD_WEIGHT)
        fit = measure.fit_probe(
            features["train"],
            labels["train"],
            network.n_labels,
            measure.ProbeOptions(l2=run.config.retrain.l2),
            rng,
            mask=mask,
            quiet=True,
        )
        guesses = (features["test"] @ fit.weight.T).argmax(axis=1)
        accuracies[name] = float(np.mean(guesses == labels["test"]))
    return accuracies


def cost_of(network: nn.Network, masks: pruning.Masks | None) -> dict[str, float]:
    """What masks leave of all parameters and multiply-adds of a network, as it is stored."""
    shapes = {name: array.shape for name, array in network.parameters().items()}
    cost = pruning.cost_of(shapes, network.multiply_adds(), masks)
    return {
        "parameters": cost.parameters,
        "parameters_left": cost.parameters_left,
        "parameters_share": cost.parameters_share,
        "multiply_adds": cost.multiply_adds,
        "multiply_adds_left": cost.multiply_adds_left,
        "multiply_adds_share": cost.multiply_adds_share,
    }


def _layer(layer: pruning.LayerSummary) -> dict[str, float]:
    where_known = {
        "natural_density": layer.natural_density,
        "inputs_without_label": layer.inputs_without_label,
    }
    return {
        "weights_kept": layer.weights_kept,
        "weights_total": layer.weights_total,
        "kernels_kept": layer.kernels_kept,
        "kernels_total": layer.kernels_total,
        "density": layer.density,
        "dilution": layer.dilution,
        "outputs_without_input": layer.outputs_without_input,
        **{name: value for name, value in where_known.items() if value is not None},
    }
