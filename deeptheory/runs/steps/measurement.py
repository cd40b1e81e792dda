"""Measure every stage of a trained network: probe, fields, clusters, SNR and specialisation."""

import time

import numpy as np

from deeptheory import data, nn
from deeptheory import measure as measuring
from deeptheory.runs.random_streams import generator
from deeptheory.runs.run import Run, step
from deeptheory.runs.steps.layer_choice import stages_to_measure
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import paths


@step
def measure(run: Run) -> None:
    """Fit a probe on every stage to measure, then measure them all in one streamed pass over the measure split.

    All stages, or those of `measure.stages`. Probes are fitted on the train split. The test split is read once,
    for the accuracy of each probe, and again for the fields where `measure.split` asks for it: they are then not
    held out from what accuracies are counted on, which the log and all verdicts say.
    """
    started = time.monotonic()
    if run.config.measure.split == "test":
        run.log("warning: fields and masks come from the test split, so every verdict is exploratory")
    network = trained_network(run)
    names = stages_to_measure(run.config.measure, network)
    probes = _probes(run, network, names)
    splits = stored_splits(run)
    images, labels = data.select(run.dataset, splits, run.config.measure.split)
    title = f"{run.directory.name} measure"
    statistics = measuring.filter_statistics(network, images, labels, probes, title, run.quiet)
    test_images, test_labels = data.select(run.dataset, splits, "test")
    test_fields = measuring.complete_fields(network, test_images, probes, title, run.quiet)
    rng = generator(run.config.seed, "bootstrap")
    for name in names:
        tested = (test_fields[name], test_labels)
        tree = measuring.stage_record(statistics[name], probes[name], labels, tested, run.config.measure, rng)
        run.add(paths.stage_path("measure", name), tree)
    run.finish("measure", {paths.STAGE_NAMES: names}, started)
    for name in names:
        run.checkpoint(paths.probe_checkpoint(name)).remove()
    run.log(f"measured {len(names)} stages, last probe {tree['probe_accuracy']:.4f}")


def _probes(run: Run, network: nn.Network, stages: list[str]) -> dict[str, np.ndarray]:
    """The probe of every stage, (K, C*P), each stored as soon as it is fitted."""
    paths_of = {stage: paths.stage_path("measure", stage, paths.PROBE_WEIGHT) for stage in stages}
    if network.classifier_is_probe and not run.has(paths_of[stages[-1]]):
        weight = network.parameters()["head.linear.weight"]
        run.store(paths.stage_path("measure", stages[-1]), {paths.PROBE_WEIGHT: weight})
    if missing := [stage for stage in stages if not run.has(paths_of[stage])]:
        _fit_probes(run, network, missing)
    return {stage: run.read_array(path) for stage, path in paths_of.items()}


def _fit_probes(run: Run, network: nn.Network, stages: list[str]) -> None:
    """Fit and store the probes of some stages, all on the same inputs and from the same random stream."""
    options, rng = run.config.probe, generator(run.config.seed, "probe")
    images, labels = probe_inputs(run, options.inputs, rng)
    fits = measuring.iterate_probes(
        network,
        images,
        labels,
        network.n_labels,
        stages,
        options,
        rng,
        f"{run.directory.name} probes",
        run.quiet,
        lambda stage: run.checkpoint(paths.probe_checkpoint(stage)),
    )
    for stage, fit in fits:
        if not fit.converged:
            run.log(
                f"warning: the probe of {stage} stopped at a relative gradient of {fit.gradient_norm:.1e}"
            )
        solved = {"loss": fit.loss, "iterations": fit.iterations, "gradient_norm": fit.gradient_norm}
        run.store(paths.stage_path("measure", stage), {paths.PROBE_WEIGHT: fit.weight, "probe": solved})


def probe_inputs(run: Run, n_inputs: int, rng: np.random.Generator) -> tuple[data.Images, np.ndarray]:
    """Images and labels of the train split to fit probes to: `n_inputs`, or all if it is 0.

    With a fresh stream "probe" and the configured number they are those of the run's own probes, and fewer are a
    part of them.
    """
    images, labels = data.select(run.dataset, stored_splits(run), "train")
    if not n_inputs:
        return images, labels
    chosen = measuring.balanced_subset(labels, n_inputs, rng)
    return images[chosen], labels[chosen]
