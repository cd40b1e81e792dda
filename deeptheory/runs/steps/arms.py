"""The arms of a run: the masks of every criterion at equal density, the same at every call."""

import functools
from collections.abc import Mapping

import numpy as np

from deeptheory import data, measure, nn, prune, theory
from deeptheory.errors import InputError
from deeptheory.runs.random_streams import generator
from deeptheory.runs.run import Run
from deeptheory.runs.steps.layer_choice import masked_layers, stages_to_measure
from deeptheory.runs.steps.removal_order import removal_paths, sensitivities
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import paths


def pruned_arms(run: Run) -> dict[str, prune.PrunedArm]:
    """Masks, scores and report of every pruned arm, by name.

    At `prune.density`, or without one at that of the arm `prune.density_from` at its threshold: criteria that rank
    within a layer take its densities layer by layer, the others its density over all masked layers. Everything
    random comes from the run's seed, one generator per arm, so the masks are the same in every step.
    """
    run.require("measure")
    network, options = trained_network(run), run.config.prune
    layers = masked_layers(run, network)
    streams = dict(
        zip(options.arms, generator(run.config.seed, "controls").spawn(len(options.arms)), strict=True)
    )
    strengths = trained_strengths(run, network)
    context = arm_context(run, network, layers, streams[options.arms[0]], strengths)
    return prune.prune_arms(context, streams, options.density, options.density_from)


def arm_context(
    run: Run,
    network: nn.Network,
    layers: tuple[prune.MaskedLayer, ...],
    rng: np.random.Generator,
    strengths: Mapping[str, np.ndarray],
) -> prune.Context:
    """The context of the criteria for a network; slow parts are computed only if a criterion uses them.

    The order of the SNR budget and shares and clusters of filters are those of the trained network, whatever the
    network.
    """
    options = run.config.prune
    images, labels = data.select(run.dataset, stored_splits(run), "train")
    order = generator(run.config.seed, "budget").permutation(len(images))

    def shares() -> dict[str, tuple[np.ndarray, np.ndarray]]:
        stages = stages_to_measure(run.config.measure, network)
        groups = {stage: run.read_tree(paths.stage_path("measure", stage)) for stage in stages}
        return {
            stage: (group.read_array(paths.SIGNAL_SHARE), group.read_array(paths.VARIANCE_SHARE))
            for stage, group in groups.items()
        }

    def clusters(stage: str) -> np.ndarray:
        group = run.read_tree(paths.stage_path("measure", stage))
        means = group.read_array(paths.CLASS_MEANS)
        weight = group.read_array(paths.PROBE_WEIGHT).reshape(means.shape)
        threshold = thresholds_of_stages(options).get(stage, options.threshold)
        return measure.stage_clusters(means, weight, threshold)

    return prune.Context(
        layers,
        network.parameters(),
        scaled_strengths(run, strengths),
        options.threshold,
        rng,
        granularity=options.granularity,
        network=network,
        inputs=(images[order], labels[order]),
        order=lambda: _budget_order(run, layers),
        shares=shares,
        clusters=clusters,
    )


@functools.lru_cache(maxsize=1)
def _budget_order(run: Run, layers: tuple[prune.MaskedLayer, ...]) -> theory.BudgetOrder:
    """Cached: it is the same for all densities of a comparison."""
    trained = trained_network(run)
    removals = removal_paths(run, trained, layers)
    squares, margins = sensitivities(run, trained, layers)
    return theory.budget_order([removals[layer.weight] for layer in layers], squares, *margins)


def trained_strengths(run: Run, network: nn.Network) -> dict[str, np.ndarray]:
    """Label strengths of the measured stages."""
    stages = stages_to_measure(run.config.measure, network)
    return {stage: run.read_array(paths.stage_path("measure", stage, paths.STRENGTHS)) for stage in stages}


def scaled_strengths(run: Run, strengths: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Strengths rescaled so that the common threshold acts as the individual one of each stage."""
    options, thresholds = run.config.prune, thresholds_of_stages(run.config.prune)
    return {
        stage: of_stage * (options.threshold / thresholds.get(stage, options.threshold))
        for stage, of_stage in strengths.items()
    }


def thresholds_of_stages(options: prune.PruneOptions) -> dict[str, float]:
    """The individual thresholds by stage; none where all stages have the common one."""
    if options.thresholds and len(options.thresholds) != len(options.stages):
        raise InputError(
            "prune.thresholds",
            f"one for each of {', '.join(options.stages)}",
            f"{len(options.thresholds)}",
            "leave it empty for the common one",
        )
    return dict(zip(options.stages, options.thresholds, strict=False))
