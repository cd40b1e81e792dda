"""Prune by every criterion at every density and retrain, from one trained network."""

import contextlib

import msgspec

from deeptheory import data, nn, prune
from deeptheory.runs.random_streams import generator
from deeptheory.runs.run import Run, step
from deeptheory.runs.steps.arms import arm_context, trained_strengths
from deeptheory.runs.steps.calibration import law_entries, predict_losses
from deeptheory.runs.steps.layer_choice import check_retrained, masked_layers
from deeptheory.runs.steps.measurement import measure
from deeptheory.runs.steps.option_checks import check_criteria
from deeptheory.runs.steps.pruning import cost_of
from deeptheory.runs.steps.retraining import remove_checkpoints, retrain_network, warn_of_damage
from deeptheory.runs.steps.training import arm_accuracy, stored_splits, train, trained_network
from deeptheory.store import paths
from deeptheory.system.progress import Progress


@step
def compare(run: Run) -> None:
    """Train, and measure where a criterion needs it, then prune and retrain for every criterion and density.

    With `compare.alone` one layer is masked at a time, and the density is that of this layer. All networks,
    the unpruned one too, are retrained with the same batches. Stored results are not computed again, so more
    criteria and densities can be added later. For a density that a criterion cannot reach, the reason is stored
    instead of an accuracy.

    With `compare.predict` the loss of every mask is predicted first (`theory.RecoveryLaw`, calibrated by masks of
    no criterion) and stored under ``predictions``.

    Raises
    ------
    InputError
        A criterion is unknown or cannot act at the granularity of the run, or is trained from scratch where only
        some stages are to be retrained.
    """
    check_criteria(run.config)
    run.require_writable()
    train(run)
    if any(prune.CRITERIA[criterion].measured for criterion in run.config.compare.criteria):
        measure(run)
    network = trained_network(run)
    options, layers = run.config.compare, masked_layers(run, network)
    check_retrained(run.config, network, options.criteria)
    masked = {layer.weight: (layer,) for layer in layers} if options.alone else {"": layers}
    wanted = [
        (criterion, density, name)
        for density in options.densities
        for criterion in options.criteria
        for name in masked
    ]
    if options.predict:
        _predict(run, network)
    missing = [mask for mask in wanted if not run.has(paths.compare_path(*mask))]
    with Progress(f"{run.directory.name} compare", len(missing) + 1, "mask", run.quiet) as progress:
        if not run.has(paths.join(paths.COMPARE, prune.UNPRUNED)):
            _store_unpruned(run)
        for done, (criterion, density, name) in enumerate(missing, start=1):
            progress.advance(done)
            _store_pruned(run, criterion, density, name, masked[name])


def _store_unpruned(run: Run) -> None:
    network = trained_network(run)
    retrained = retrain_network(run, prune.UNPRUNED, None, network.state(), run.config.prune)
    tree = arm_accuracy(run, retrained.network)
    run.store(paths.join(paths.COMPARE, prune.UNPRUNED), tree)
    warn_of_damage(run, tree)
    remove_checkpoints(run, prune.UNPRUNED, run.config.prune)


def _store_pruned(
    run: Run, criterion: str, density: float, alone: str, layers: tuple[prune.MaskedLayer, ...]
) -> None:
    network = trained_network(run)
    where = paths.compare_path(criterion, density, alone)
    try:
        arm = _pruned(run, network, criterion, density, layers)
    except prune.DensityNotReached as error:
        run.store(where, {paths.NOT_REACHED: str(error)})
        return
    start = network.state() | arm.update
    network.load_state(start)
    prune.apply_masks(network, arm.masks)
    masked = _test_accuracy(run, network)
    options = msgspec.structs.replace(run.config.prune, density=density)
    retrained = retrain_network(run, criterion, arm.masks, start, options)
    masks = retrained.masks
    assert masks is not None
    tree = {
        **arm_accuracy(run, retrained.network),
        paths.ACCURACY_MASKED: masked,
        paths.DENSITY: masks.total_density,
        "densities": masks.densities(),
        paths.ARM_COST: cost_of(network, masks),
        paths.MASKS: {name: masks.stored(name) for name in masks},
    }
    run.store(where, tree)
    remove_checkpoints(run, criterion, options)
    of_layer = f"{alone}, " if alone else ""
    run.log(f"{of_layer}{criterion} at density {density:g}: test accuracy {tree[paths.ACCURACY]:.4f}")


def _pruned(
    run: Run, network: nn.Network, criterion: str, density: float, layers: tuple[prune.MaskedLayer, ...]
) -> prune.PrunedArm:
    rng = generator(run.config.seed, "controls", criterion)
    strengths = trained_strengths(run, network) if prune.CRITERIA[criterion].measured else {}
    return prune.prune_arm(criterion, arm_context(run, network, layers, rng, strengths), density)


def _predict(run: Run, network: nn.Network) -> None:
    """Store the predicted losses of masks that are neither predicted nor retrained: a first prediction stands."""
    options = run.config.compare
    wanted = [(criterion, density) for density in options.densities for criterion in options.criteria]
    layers, masks = masked_layers(run, network), dict[str, prune.Masks]()
    places = {}
    for mask in wanted:
        place = paths.prediction_path(*mask)
        if run.has(place) or run.has(paths.compare_path(*mask)):
            continue
        with contextlib.suppress(prune.DensityNotReached):  # which is stored in place of the accuracy
            name = f"{mask[0]}-{mask[1]:g}"
            masks[name], places[name] = _pruned(run, network, *mask, layers).masks, place
    if not masks:
        return
    kept = min(options.densities), max(options.densities)
    where = paths.join(paths.CALIBRATION, f"densities-{kept[0]:g}-{kept[1]:g}")
    found, law = predict_losses(run, network, masks, kept, layers, where)
    for name, prediction in found.items():
        run.store(places[name], {**prediction, paths.RECOVERY: law_entries(law)})


def _test_accuracy(run: Run, network: nn.Network) -> float:
    return nn.accuracy(network, *data.select(run.dataset, stored_splits(run), "test"))
