"""Retrain every arm under its mask, and the unpruned network equally long."""

import time
from dataclasses import asdict

import numpy as np

from deeptheory import data, nn, prune
from deeptheory.runs import paths
from deeptheory.runs.run import Run
from deeptheory.runs.seeds import generator
from deeptheory.runs.steps.layers import masked_layers
from deeptheory.runs.steps.train import stored_splits, trained_network


def retrain(run: Run) -> None:
    """Retrain all arms from the trained weights with the same batches and the mask fixed at every step.

    An arm that is already in the run file is not retrained again; the one under way resumes from its
    checkpoint.
    """
    if run.done("retrain"):
        return
    run.require("prune")
    started = time.monotonic()
    for arm in (prune.UNPRUNED, *run.config.prune.arms):
        if not run.has(paths.arm_path("retrain", arm)):
            _retrain_arm(run, arm)
    run.finish("retrain", {}, started)


def _retrain_arm(run: Run, arm: str) -> None:
    config, splits = run.config, stored_splits(run)
    network = trained_network(run)
    masks = None if arm == prune.UNPRUNED else stored_masks(run, network, arm)
    update = f"{paths.arm_path('prune', arm)}/update"
    if run.has(update):
        network.load_state(network.state() | run.read(update))
    checkpoint = run.directory / paths.CHECKPOINT
    history = nn.fit(
        network,
        *data.select(run.dataset, splits, "train"),
        config.retrain,
        generator(config.seed, "retrain-batches"),
        generator(config.seed, "retrain-augmentation"),
        masks=masks,
        checkpoint=nn.CheckpointStore(checkpoint),
        title=f"{run.directory.name} retrain {arm}",
        quiet=run.quiet,
    )
    accuracy = nn.accuracy(network, *data.select(run.dataset, splits, "test"))
    tree = {"accuracy": accuracy, "history": asdict(history), "state": network.state()}
    if masks is not None:
        kept = sum(int(np.count_nonzero(network.parameters()[name])) for name in masks)
        tree["achieved_density"] = kept / sum(mask.size for mask in masks.values())
    run.store(paths.arm_path("retrain", arm), tree)
    checkpoint.unlink(missing_ok=True)
    run.log(f"retrained {arm}, test accuracy {accuracy:.4f}")


def stored_masks(run: Run, network: nn.Network, arm: str) -> prune.Masks:
    """The masks of one arm as they were stored by the step `prune`."""
    return prune.Masks(masked_layers(run, network), run.read(f"{paths.arm_path('prune', arm)}/masks"))
