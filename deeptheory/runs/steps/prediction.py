"""Predict what is prunable and how accurate the network is without it, before anything is pruned."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from deeptheory import data, measure, nn, prune, theory
from deeptheory.runs.random_streams import generator
from deeptheory.runs.run import Run, now, step
from deeptheory.runs.steps.arms import pruned_arms, trained_strengths
from deeptheory.runs.steps.calibration import law_entries, predict_losses
from deeptheory.runs.steps.layer_choice import stages_to_measure
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import paths
from deeptheory.system.progress import Progress


@step
def predict(run: Run) -> None:
    """Store the prunable parameters and the predicted accuracies, with the time, before any retraining.

    - For every stage: the accuracy of its probe from the means and covariances of its fields
      (`theory.accuracy_from_mixture`).
    - For every masked layer: AFCC's dilution, that expected without structure, and as the list of prunable
      parameters a score for each kernel (low scores go first) and whether AFCC removes it.
    - For every arm: the loss of accuracy after retraining, against the unpruned network retrained equally, with
      its 95 % interval (`theory.RecoveryLaw`), from the network refitted in closed form (`prune.Predictor`); and
      under ``head`` the accuracy of the head refitted under its mask on intact stages
      (`theory.gaussian_surrogates`).

    The law is first that of the network's training alone. Where an interval is then wider than a point, the
    unpruned network and three masks of no arm are retrained to find its constants, and stored under
    ``calibration``.

    Statistics come from the measure split, whatever `measure.split` says, those the refitted head is made from out
    of the train split. No prediction depends on the test split.
    """
    run.require("measure")
    started, begun = time.monotonic(), now()
    network, arms = trained_network(run), pruned_arms(run)
    rng = generator(run.config.seed, "prediction")
    of_arms, law = _arms(run, network, arms, rng)
    tree = {
        paths.BEGUN: begun,
        paths.STAGES: _stages(run, network, rng),
        paths.LAYERS: prune.layer_predictions(arms["afcc"], trained_strengths(run, network)),
        paths.ARMS: of_arms,
        paths.RECOVERY: law_entries(law),
        paths.DILUTION: arms["afcc"].summary.dilution,
    }
    run.finish("predict", tree, started)
    run.log(f"predicted loss of AFCC {100 * of_arms['afcc'][paths.LOSS]:.2f} points")


def _stages(run: Run, network: nn.Network, rng: np.random.Generator) -> dict[str, Any]:
    """Accuracy of each stage's probe by the theory, beside the count on the same inputs."""
    images, labels = data.select(run.dataset, stored_splits(run), "measure")
    probes = {
        stage: run.read_array(paths.stage_path("measure", stage, paths.PROBE_WEIGHT))
        for stage in stages_to_measure(run.config.measure, network)
    }
    fields = measure.complete_fields(network, images, probes, quiet=run.quiet)
    tree = {}
    with Progress(f"{run.directory.name} predict probes", len(fields), "stage", run.quiet) as progress:
        for done, (stage, of_stage) in enumerate(fields.items(), start=1):
            components = theory.mixture_components(of_stage, labels, rng)
            tree[stage] = asdict(prune.head_prediction(of_stage, labels, components, rng))
            progress.advance(done)
    return tree


def _arms(
    run: Run, network: nn.Network, arms: Mapping[str, prune.PrunedArm], rng: np.random.Generator
) -> tuple[dict[str, Any], theory.RecoveryLaw]:
    """Losses after retraining, accuracies of the refitted head from class statistics, and the law."""
    stage, splits = network.stages[-1].name, stored_splits(run)
    given = {}
    for name in ("train", "measure"):
        images, labels = data.select(run.dataset, splits, name)
        given[name] = measure.stage_features(network, images, stage, quiet=run.quiet), labels
    probe = run.read_array(paths.stage_path("measure", stage, paths.PROBE_WEIGHT))
    heads = prune.HeadPredictor(given["train"], given["measure"], probe, run.config.retrain.l2, rng)
    options = run.config.prune
    arm = arms[options.density_from]
    kept = options.density or arm.n_kept
    masks = {prune.UNPRUNED: {}, **{name: each.masks for name, each in arms.items()}}
    where = paths.join("predict", paths.CALIBRATION)
    found, law = predict_losses(run, network, masks, (kept, kept), arm.masks.layers, where)
    tree = {}
    with Progress(f"{run.directory.name} predict heads", len(masks), "arm", run.quiet) as progress:
        for done, (name, mask) in enumerate(masks.items(), start=1):
            tree[name] = {**found[name], paths.HEAD: asdict(heads.predict(mask.get(prune.HEAD_WEIGHT)))}
            progress.advance(done)
    return tree, law
