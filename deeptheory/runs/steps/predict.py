"""Predict what is prunable and how accurate the network is without it, before anything is pruned."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from deeptheory import data, measure, nn, prune, theory
from deeptheory.progress import Progress
from deeptheory.runs.run import Run, now, step
from deeptheory.runs.seeds import generator
from deeptheory.runs.steps.arms import pruned_arms
from deeptheory.runs.steps.budget import make_predictor
from deeptheory.runs.steps.train import stored_splits, trained_network


@step
def predict(run: Run) -> None:
    """Store the prunable parameters and the predicted accuracies, with the time, before any retraining.

    - For every stage: the accuracy of its probe from the means and covariances of its fields (physics 7.1).
    - For every masked layer: AFCC's dilution, that expected without structure, and as the list of prunable
      parameters a score for each kernel (low scores go first) and whether AFCC removes it.
    - For every arm: the accuracy after retraining, from the network refitted in closed form (`prune.Predictor`),
      and under ``head`` that of the head refitted under its mask on intact stages (physics 7.2).

    Statistics come from the measure split, those the refitted head is made from out of the train split; the
    test split is not read.
    """
    run.require("measure")
    started, begun = time.monotonic(), now()
    network, arms = trained_network(run), pruned_arms(run)
    rng = generator(run.config.seed, "prediction")
    of_arms = _arms(run, network, arms, rng)
    tree = {
        "begun": begun,
        "stages": _stages(run, network, rng),
        "layers": _layers(run, arms["afcc"]),
        "arms": of_arms,
        "dilution": arms["afcc"].report.dilution,
    }
    run.finish("predict", tree, started)
    run.log(f"predicted AFCC accuracy {of_arms['afcc']['retrained']:.4f}")


def _stages(run: Run, network: nn.Network, rng: np.random.Generator) -> dict[str, Any]:
    """Accuracy of each stage's probe by the theory, beside the count on the same inputs."""
    images, labels = data.select(run.dataset, stored_splits(run), "measure")
    probes = {stage.name: run.read(f"measure/stages/{stage.name}/probe_weight") for stage in network.stages}
    fields = measure.complete_fields(network, images, probes, quiet=run.quiet)
    tree = {}
    with Progress(f"{run.directory.name} predict probes", len(fields), "stage", run.quiet) as progress:
        for done, (stage, of_stage) in enumerate(fields.items(), start=1):
            components = theory.mixture_components(of_stage, labels, rng)
            tree[stage] = _accuracy(of_stage, labels, components, rng)
            progress.advance(done)
    return tree


def _layers(run: Run, afcc: prune.PrunedArm) -> dict[str, Any]:
    """Scores, the prunable kernels and the null of every masked layer; whole filters leave the head no scores."""
    threshold, tree = run.config.prune.threshold, {}
    for layer, report in zip(afcc.masks.layers, afcc.report.layers, strict=True):
        tree[layer.weight] = {
            "prunable": ~afcc.masks.kernels(layer.weight),
            "dilution": report.dilution,
        }
        if layer.weight in afcc.scores:
            tree[layer.weight]["scores"] = afcc.scores[layer.weight]
        if layer.weight != prune.HEAD_WEIGHT:
            served = {}
            for end in (layer.stage_in, layer.stage_out):
                strengths = run.read(f"measure/stages/{end}/strengths")
                served[end] = np.count_nonzero(strengths > threshold, axis=1)
            tree[layer.weight]["expected_dilution"] = theory.expected_dilution(
                strengths.shape[1], served[layer.stage_in], served[layer.stage_out]
            )
    return tree


def _arms(
    run: Run, network: nn.Network, arms: Mapping[str, prune.PrunedArm], rng: np.random.Generator
) -> dict[str, Any]:
    """Accuracy after retraining, and that of the refitted head from class statistics of the last stage."""
    predictor = make_predictor(run, network)
    stage, splits = network.stages[-1].name, stored_splits(run)
    features, labels = {}, {}
    for name in ("train", "measure"):
        images, labels[name] = data.select(run.dataset, splits, name)
        features[name] = measure.stage_features(network, images, stage, quiet=run.quiet)
    probe = run.read(f"measure/stages/{stage}/probe_weight")
    components = {
        name: theory.mixture_components(of_split @ probe.T, labels[name], rng)
        for name, of_split in features.items()
    }
    surrogates = theory.gaussian_surrogates(features["train"], labels["train"], components["train"], rng)
    tree = {}
    every: dict[str, prune.PrunedArm | None] = {prune.UNPRUNED: None, **arms}
    with Progress(f"{run.directory.name} predict arms", len(every), "arm", run.quiet) as progress:
        for done, (name, arm) in enumerate(every.items(), start=1):
            mask = None if arm is None else arm.masks.get(prune.HEAD_WEIGHT)
            head = measure.fit_probe_exact(
                *surrogates, network.n_labels, run.config.retrain.l2, rng, mask=mask, quiet=True
            )
            fields = features["measure"] @ head.weight.T
            prediction = predictor.predict({} if arm is None else arm.masks)
            tree[name] = {
                **asdict(prediction),
                "head": _accuracy(fields, labels["measure"], components["measure"], rng),
            }
            progress.advance(done)
    return tree


def _accuracy(
    fields: np.ndarray, labels: np.ndarray, components: np.ndarray, rng: np.random.Generator
) -> dict[str, float]:
    predicted = theory.accuracy_from_mixture(fields, labels, components, rng)
    return {
        "accuracy": predicted.accuracy,
        "integration_error": predicted.standard_error,
        "counted": float(np.mean(fields.argmax(axis=1) == labels)),
    }
