"""Retrain every arm under its mask, and the unpruned network equally long."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import data, judge, nn, prune
from deeptheory.errors import InputError
from deeptheory.runs.random_streams import generator
from deeptheory.runs.run import Run, step
from deeptheory.runs.steps.layer_choice import check_retrained, check_schedule, masked_layers
from deeptheory.runs.steps.mask_revision import Revision
from deeptheory.runs.steps.training import (
    arm_accuracy,
    build_network,
    early_stop,
    stored_splits,
    trained_network,
)
from deeptheory.store import paths

NO_PRUNING = prune.PruneOptions()  # of the unpruned arm, which depends on none of them


@dataclass(frozen=True)
class Retrained:
    """A network after retraining, its history and its final masks."""

    network: nn.Network
    history: nn.History
    masks: prune.Masks | None


@step
def retrain(run: Run) -> None:
    """Retrain all arms from the trained weights with the same batches and the mask enforced at every step.

    With `retrain.stages` only these are trained, in every arm, the unpruned one too. The others are held at their
    weights, but for what a mask removes of them; their batch norms go on normalising by the batch and following
    their running statistics (`nn.fit`).

    If `prune.schedule` or `prune.disorder` change the masks during retraining, the final ones are stored.

    An arm whose criterion trains from scratch (`prune.Criterion`) starts from the run's initial weights, scaled to
    the surviving fan-in. It is trained under its mask by the recipe and with the batches of the step `train`: the
    cost of a whole training.

    Arms in the run file are skipped; an interrupted one resumes from its checkpoint.
    """
    run.require("prune")
    check_retrained(run.config, trained_network(run), run.config.prune.arms)
    check_schedule(run.config.prune, run.config.retrain.epochs)
    started = time.monotonic()
    for arm in (prune.UNPRUNED, *run.config.prune.arms):
        retrain_arm(run, arm)
    run.finish("retrain", {}, started)


def retrain_arm(run: Run, arm: str) -> None:
    """Retrain one arm and store it, unless that is done."""
    if not run.has(paths.arm_path("retrain", arm)):
        _retrain_arm(run, arm)
    remove_checkpoints(run, arm, run.config.prune)


def _retrain_arm(run: Run, arm: str) -> None:
    network = trained_network(run)
    masks = None if arm == prune.UNPRUNED else stored_masks(run, network, arm)
    update = paths.arm_path("prune", arm, paths.UPDATE)
    start = network.state() | (run.read_arrays(update) if run.has(update) else {})
    retrained = retrain_network(run, arm, masks, start, run.config.prune)
    tree = {
        **arm_accuracy(run, retrained.network),
        paths.HISTORY: retrained.history.entries,
        paths.STATE: retrained.network.state(),
    }
    if retrained.masks is not None:
        tree[paths.MASKS] = {name: retrained.masks.stored(name) for name in retrained.masks}
        kept = sum(int(np.count_nonzero(retrained.network.parameters()[name])) for name in retrained.masks)
        tree["achieved_density"] = kept / sum(mask.size for mask in retrained.masks.values())
    run.store(paths.arm_path("retrain", arm), tree)
    run.log(f"retrained {arm}, test accuracy {tree[paths.ACCURACY]:.4f}")
    if arm == prune.UNPRUNED:
        warn_of_damage(run, tree)


def warn_of_damage(run: Run, unpruned: Mapping[str, Any]) -> None:
    """A line in the log where retraining cost the unpruned network clearly more than the margin of no loss."""
    correct = paths.join("train", paths.CORRECT)
    if not run.has(correct):
        return
    before = run.read_number(paths.join("train", paths.ACCURACY, "test"))
    loss = before - unpruned[paths.ACCURACY]
    variance = judge.paired_variance(unpruned[paths.CORRECT], run.read_array(correct))
    if judge.clearly_below(np.array([loss]), np.array([variance]), judge.FIXED.margin / 100):
        run.log(
            f"warning: retraining took the unpruned network from {before:.4f} to {unpruned[paths.ACCURACY]:.4f}: "
            "no verdict will be given; lower retrain.learning_rate, or retrain for more epochs"
        )


def retrain_network(
    run: Run, arm: str, masks: prune.Masks | None, start: dict[str, np.ndarray], options: prune.PruneOptions
) -> Retrained:
    """Retrain one arm by the schedule of `options`.

    Parameters
    ----------
    run : Run
    arm : str
        A criterion, or "unpruned".
    masks : Masks or None
        The one-shot masks; a schedule computes its own. None for the unpruned arm, whatever the options are.
    start : dict of str to array
        State of the network at the start of retraining; an arm from scratch has its own.
    options : PruneOptions

    Notes
    -----
    The checkpoints stay until the caller has stored the result and calls `remove_checkpoints`.
    """
    options = NO_PRUNING if masks is None else options
    checkpoint = paths.arm_checkpoint(arm, options.density)
    if masks is not None and prune.CRITERIA[arm].from_scratch:
        network = build_network(run)
        network.load_state(network.state() | prune.scaled_to_fan_in(network.parameters(), masks))
        return Retrained(network, fit_arm(run, network, arm, checkpoint, masks, from_scratch=True), masks)
    network = trained_network(run)
    trained = network.state()
    network.load_state(start)
    if masks is None or not prune.densities(options):
        return Retrained(network, fit_arm(run, network, arm, checkpoint, masks), masks)
    revision = Revision(run, arm, masks.layers, options, trained)
    if options.schedule == "iterative":
        return _iterate(run, network, revision, arm)
    history = fit_arm(run, network, arm, checkpoint, before_epoch=revision.before_epoch(network))
    return Retrained(network, history, revision.stored(len(revision.densities) - 1))


def _iterate(run: Run, network: nn.Network, revision: Revision, arm: str) -> Retrained:
    """Prune, retrain and go back to the rewinding weights, once per round; completed rounds are skipped."""
    if not run.has(paths.REWIND):
        do = "train it again with this prune.schedule"
        raise InputError(
            f"run {run.directory}", f"weights of epoch {revision.options.rewind_epoch}", "none", do
        )
    masks = None
    for number in range(len(revision.densities)):
        state = revision.where(number, paths.STATE)
        if run.has(state):
            network.load_state(run.read_arrays(state))
            masks = revision.stored(number)
            history = nn.History(**run.read_arrays(revision.where(number, paths.HISTORY)))
            continue
        masks = revision.masks(number, network, masks)
        network.load_state(run.read_arrays(paths.join(paths.REWIND, paths.STATE)))
        checkpoint = paths.arm_checkpoint(arm, revision.options.density, number)
        history = fit_arm(run, network, arm, checkpoint, masks)
        run.add(revision.where(number), {paths.STATE: network.state(), paths.HISTORY: history.entries})
    return Retrained(network, history, masks)


def fit_arm(
    run: Run,
    network: nn.Network,
    name: str,
    checkpoint: str,
    masks: Mapping[str, NDArray[np.bool_]] | None = None,
    before_epoch: nn.BeforeEpoch = lambda epoch, masks: None,
    from_scratch: bool = False,
) -> nn.History:
    """One retraining, from its checkpoint if there is one; all see the same batches, or those of the training.

    Parameters
    ----------
    run : Run
    network : Network
        Trained in place, from the weights that it has.
    name, checkpoint : str
        Of the arm in the report of progress, and of its file.
    masks : mapping of str to bool array, optional
    before_epoch : callable
        As in `nn.fit`.
    from_scratch : bool
        Follow the recipe and the batches of the step `train`.
    """
    recipe, prefix = (run.config.train, "") if from_scratch else (run.config.retrain, "retrain-")
    splits = stored_splits(run)
    return nn.fit(
        network,
        *data.select(run.dataset, splits, "train"),
        recipe,
        nn.Generators(
            *(generator(run.config.seed, f"{prefix}{name}") for name in ("batches", "augmentation"))
        ),
        masks=masks,
        stages=() if from_scratch else run.config.retrain.stages,
        before_epoch=before_epoch,
        early_stop=early_stop(run.config, run.dataset, splits) if from_scratch else None,
        session=nn.Session(
            run.checkpoint(checkpoint),
            f"{run.directory.name} retrain {name}",
            run.quiet,
        ),
    )


def remove_checkpoints(run: Run, arm: str, options: prune.PruneOptions) -> None:
    """Delete the checkpoints of `retrain_network`, when its result is stored."""
    options = NO_PRUNING if arm == prune.UNPRUNED else options
    for number in (None, *range(len(prune.densities(options)))):
        run.checkpoint(paths.arm_checkpoint(arm, options.density, number)).remove()


def stored_masks(run: Run, network: nn.Network, arm: str) -> prune.Masks:
    """The masks of one arm as they were stored by the step `prune`."""
    return prune.Masks(
        masked_layers(run, network), run.read_arrays(paths.arm_path("prune", arm, paths.MASKS))
    )
