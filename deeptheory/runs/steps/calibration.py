"""The recovery law of a run: what its training says, and calibration masks, of no arm, retrained to find it."""

import math
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from deeptheory import data, judge, nn, prune, theory
from deeptheory.nn.training import steps_per_epoch
from deeptheory.runs.random_streams import generator
from deeptheory.runs.run import Run
from deeptheory.runs.steps.retraining import fit_arm, retrain_arm
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import paths
from deeptheory.system.progress import Progress

SURE = 0.01  # width of the intervals of losses up to which nothing is retrained to make them narrower
SPARSER, DENSER = 0.8, 1.25  # densities of the calibration over the least and the largest of the arms
N_CALIBRATIONS = 3
MaskArrays = Mapping[str, NDArray[np.bool_]]
Kept = Mapping[str, int] | float  # units of every layer, or a density


def predict_losses(
    run: Run,
    network: nn.Network,
    masks: Mapping[str, MaskArrays],
    kept: tuple[Kept, Kept],
    layers: tuple[prune.MaskedLayer, ...],
    where: str,
) -> tuple[dict[str, dict[str, float]], theory.RecoveryLaw]:
    """The losses of masked networks after retraining, and the law that they follow.

    The law is first that of the network's training alone. Where an interval is then wider than a point, masks of
    no arm (`calibration_masks`) are retrained to find its constants.

    Parameters
    ----------
    run, network : Run, Network
    masks : mapping of str to masks
        By name; none is lost without a mask.
    kept : pair of (float or mapping of str to int)
        The least and the most that they keep.
    layers : tuple of MaskedLayer
        That they mask.
    where : str
        Group of the run file that gets the refits and the calibration, each as soon as it is done.

    Returns
    -------
    predictions : dict of dict
        By name, the entries of a prediction.
    law : RecoveryLaw
    """
    predictor = make_predictor(run, network)
    law, found = (
        theory.RecoveryLaw(predictor.intact.refitted, _relative_time(run)),
        dict[str, dict[str, float]](),
    )
    with Progress(f"{run.directory.name} predict masks", len(masks), "mask", run.quiet) as progress:
        for done, (name, mask) in enumerate(masks.items(), start=1):
            place = paths.join(where, paths.REFITS, name)
            if not run.has(paths.join(place, paths.REFIT_ERROR)):  # or by a version that did not store it
                run.store(place, asdict(predictor.predict(mask)))
            found[name] = _prediction(law, prune.Refit(**run.read_numbers(place)), mask)
            progress.advance(done)
    widths = [each[paths.LOSS_HIGH] - each[paths.LOSS_LOW] for each in found.values()]
    if max(widths, default=0.0) > SURE:
        law = calibrated(run, predictor, calibration_masks(run, network, layers, *kept), where)
        for name, mask in masks.items():
            refit = prune.Refit(**run.read_numbers(paths.join(where, paths.REFITS, name)))
            found[name] = _prediction(law, refit, mask)
    return found, law


def calibrated(
    run: Run, predictor: prune.Predictor, masks: Mapping[str, MaskArrays], where: str
) -> theory.RecoveryLaw:
    """The law after retraining some masks by the recipe of the run; their losses are counted on the measure split.

    Parameters
    ----------
    run : Run
    predictor : Predictor
    masks : mapping of str to masks
        By names that belong to these very masks: what is stored under them is not computed again.
    where : str
        Group of the run file that gets them.

    Notes
    -----
    The unpruned arm is retrained as well, where it is not yet, and stored as the arm that it is.
    """
    known = []
    for name, mask in masks.items():
        place = paths.join(where, name)
        if not run.has(place):
            run.store(place, _calibration(run, predictor, name, mask))
        run.checkpoint(paths.calibration_checkpoint(name)).remove()
        stored = run.read_tree(place)
        known.append(
            theory.Calibration(
                *(
                    stored.read_number(entry)
                    for entry in (paths.REFIT_LOSS, paths.LOSS, paths.LOSS_ERROR, paths.CAPACITY)
                )
            )
        )
    return theory.RecoveryLaw(predictor.intact.refitted, _relative_time(run), known)


def calibration_masks(
    run: Run,
    network: nn.Network,
    layers: tuple[prune.MaskedLayer, ...],
    lowest: Kept,
    highest: Kept,
) -> dict[str, prune.Masks]:
    """A random mask that keeps less than all arms, one by magnitude that keeps more, and a random one between.

    The first two enclose the losses of the arms; the third says how the law bends where the capacity ends.

    Parameters
    ----------
    run, network : Run, Network
    layers : tuple of MaskedLayer
    lowest, highest : float or mapping of str to int
        What the arms keep: a density, or a number of units of every layer.
    """
    options = run.config.prune
    context = prune.Context(
        layers,
        network.parameters(),
        {},
        options.threshold,
        generator(run.config.seed, "budget", "calibration"),
        granularity=options.granularity,
        network=network,
    )
    least, most = _scaled(lowest, SPARSER, context), _scaled(highest, DENSER, context)
    return {
        "random": prune.masks_for("random", context, least),
        "random-between": prune.masks_for("random", context, _between(least, most)),
        "magnitude": prune.masks_for("magnitude", context, most),
    }


def prediction_of(predictor: prune.Predictor, law: theory.RecoveryLaw, masks: MaskArrays) -> dict[str, float]:
    """The entries of a prediction: accuracy after the refit, loss after retraining and its 95 % interval."""
    return _prediction(law, predictor.predict(masks), masks)


def law_entries(law: theory.RecoveryLaw) -> dict[str, float | int]:
    """The entries of the law that predictions follow: its constants, and how many masks it was found by."""
    return {"factor": law.factor, "exponent": law.exponent, "calibrations": law.n_calibrations}


def make_predictor(run: Run, network: nn.Network) -> prune.Predictor:
    """The predictor of a run's masked networks."""
    splits = stored_splits(run)
    train, held_out = (data.select(run.dataset, splits, name) for name in ("train", "measure"))
    rng = generator(run.config.seed, "budget")
    return prune.Predictor(network, train, held_out, run.config.retrain.l2, rng)


def _prediction(law: theory.RecoveryLaw, refit: prune.Refit, masks: MaskArrays) -> dict[str, float]:
    """The entries of a prediction; masks that remove nothing lose nothing."""
    return refit.entries(law, removes=any(not mask.all() for mask in masks.values()))


def _calibration(run: Run, predictor: prune.Predictor, name: str, masks: MaskArrays) -> dict[str, float]:
    refit = predictor.predict(masks)
    images, labels = data.select(run.dataset, stored_splits(run), "measure")
    retrain_arm(run, prune.UNPRUNED)
    unpruned = trained_network(run)
    unpruned.load_state(run.read_arrays(paths.arm_path("retrain", prune.UNPRUNED, paths.STATE)))
    network = trained_network(run)
    checkpoint = paths.calibration_checkpoint(name)
    fit_arm(run, network, f"calibration {name}", checkpoint, masks)
    of_mask, of_unpruned = (nn.predict_labels(each, images) == labels for each in (network, unpruned))
    loss = float(of_unpruned.mean() - of_mask.mean())
    run.log(
        f"calibration, {name}: loss {100 * loss:.2f} points, {100 * refit.refit_loss:.2f} after the refit"
    )
    return {
        paths.REFIT_LOSS: refit.refit_loss,
        paths.LOSS: loss,
        paths.LOSS_ERROR: math.sqrt(judge.paired_variance(of_mask, of_unpruned)),
        paths.CAPACITY: refit.capacity,
    }


def _relative_time(run: Run) -> float | None:
    """Learning rates of the retraining over those until the network had learnt; None where it was imported."""
    history = paths.join("train", paths.HISTORY, paths.ACCURACY)
    accuracy = run.read_array(history) if run.has(history) else np.empty(0)
    recipe, again = run.config.train, run.config.retrain
    if not len(accuracy) or recipe.optimiser != again.optimiser:  # whose learning rates have other units
        return None
    steps = steps_per_epoch(len(stored_splits(run).train), recipe.batch)
    chance = 1 / len(run.read_names(paths.join("train", paths.LABEL_NAMES)))
    rates = _rates(recipe, steps)[: len(accuracy) * steps]  # it may have stopped early
    learnt = theory.learning_time(accuracy.tolist(), rates, chance)
    return sum(_rates(again, steps_per_epoch(len(stored_splits(run).train), again.batch))) / learnt


def _rates(recipe: nn.Recipe, steps: int) -> list[float]:
    return [nn.learning_rate(recipe, step, steps) for step in range(recipe.epochs * steps)]


def _scaled(kept: Kept, factor: float, context: prune.Context) -> Kept:
    """What is kept times a factor; if that is more than half of what is left besides, then half of it."""
    if not isinstance(kept, Mapping):
        return min(factor * kept, (kept + 1) / 2)
    units = {layer.weight: math.prod(layer.units(context.granularity)) for layer in context.layers}
    return {
        name: max(1, min(round(factor * number), (number + units[name]) // 2))
        for name, number in kept.items()
    }


def _between(least: Kept, most: Kept) -> Kept:
    """The geometric mean of two densities, or of numbers of units."""
    if isinstance(least, Mapping) and isinstance(most, Mapping):
        return {name: round(math.sqrt(number * most[name])) for name, number in least.items()}
    assert isinstance(least, float)
    assert isinstance(most, float)
    return math.sqrt(least * most)
