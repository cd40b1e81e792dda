"""Runs of networks that were trained elsewhere: the import takes the place of the step `train`."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from deeptheory import nn, prune
from deeptheory.data.splits import FROM_TRAIN
from deeptheory.errors import InputError
from deeptheory.runs.configuration import Config
from deeptheory.runs.datasets import outlined
from deeptheory.runs.network_sources import blueprint
from deeptheory.runs.run import Run
from deeptheory.runs.steps.training import (
    accuracy_entries,
    prepare,
    split_entries,
    vocabulary_entry,
    warn_of_chance,
    warn_of_seen,
)
from deeptheory.store import paths
from deeptheory.system import interruption

OF_SOURCE = ("sha256", "architecture", "notes")  # by which two imports are compared


def imported_config(config: Config) -> Config:
    """The configuration of a run whose network is imported: no option describes it."""
    return msgspec.structs.replace(config, network=nn.NetworkOptions(name="imported"))


def masking_last_stages(config: Config, network: nn.Network) -> Config:
    """The configuration with the stages that are masked by default, where the options name none."""
    stages = prune.last_maskable_stages(network)
    return msgspec.structs.replace(config, prune=msgspec.structs.replace(config.prune, stages=stages))


def import_run(
    directory: Path, config: Config, network: nn.Network, source: Mapping[str, Any], quiet: bool = False
) -> Run:
    """Make a run of a trained network: splits, weights and accuracies are stored as training would store them.

    Parameters
    ----------
    directory : Path
        New or empty, or that of the same import, which is not repeated.
    config : Config
        Data, seed of the splits, options of the later steps. Its network options are ignored. Its recipe `train`
        is used for arms that train from scratch, and is NOT how the network was trained.
    network : Network
    source : mapping
        Where the network is from: ``file``, ``sha256``, ``architecture``, ``naming``, ``notes``, and the names of
        its ``tensors`` with those of our ``parameters``, in the same order.
    quiet : bool
        No progress on standard error.

    Raises
    ------
    InputError
        The network does not fit the data, the configuration cannot be carried out on it, or the directory holds
        something else. Nothing is written then.
    """
    started, config = time.monotonic(), imported_config(config)
    Run.check(directory, config)
    _check(config, network)
    run = Run.create(directory, config, quiet)
    with interruption.deferred(), run.locked():
        if run.done("train"):
            _refuse_other(run, source)
            return run
        splits, _ = prepare(config, run.dataset, blueprint(network))
        nothing = nn.History(*(np.empty(0) for _ in range(4)))
        accuracies = accuracy_entries(network, run.dataset, splits)
        tree = {
            paths.SPLITS: split_entries(splits),
            paths.STATE: network.state(),
            paths.BLUEPRINT: blueprint(network),
            paths.IMPORT: dict(source),
            paths.HISTORY: nothing.entries,
            **accuracies,
            paths.LABEL_NAMES: run.dataset.label_names,
            **vocabulary_entry(run.dataset),
        }
        run.finish("train", tree, started)
    accuracy = accuracies[paths.ACCURACY]["test"]
    run.log(f"imported {source['file']} as {source['architecture']}, test accuracy {accuracy:.4f}")
    warn_of_chance(run)
    warn_of_seen(run)
    return run


def _check(config: Config, network: nn.Network) -> None:
    """Refuse everything that would fail only after the run is made."""
    dataset = outlined(config)
    if network.n_labels != dataset.n_labels:
        raise InputError(
            "outputs of the network",
            f"{dataset.n_labels}, one for each label of the data",
            f"{network.n_labels}",
            "take the data that it was trained on, with --data or data.n_labels",
        )
    if config.data.measure_from != FROM_TRAIN and not len(dataset.test_images):
        do = "a share of the training images would be tested on, which it was trained on"
        raise InputError("test images of the data", "some, that the network was not trained on", "none", do)
    if config.prune.schedule == "iterative":
        raise InputError(
            "prune.schedule",
            "one that needs no early weights",
            "'iterative'",
            "an imported network has none to go back to",
        )
    prepare(config, dataset, blueprint(network))


def _refuse_other(run: Run, source: Mapping[str, Any]) -> None:
    stored = run.read_tree(paths.join("train", paths.IMPORT))
    differing = [name for name in OF_SOURCE if stored[name] != source[name]]
    if differing:
        found = ", ".join(f"{name} {stored[name]} there, {source[name]} asked" for name in differing)
        do = "name another directory with --out, or delete the old run"
        raise InputError(f"run {run.directory}", "an import of the same file in the same way", found, do)
