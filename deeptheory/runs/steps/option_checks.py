"""Options that do not go together are refused before anything is computed, for all steps to come at once."""

from collections.abc import Sequence

import msgspec

from deeptheory import nn, prune
from deeptheory.errors import InputError, unknown_name
from deeptheory.runs.configuration import Config
from deeptheory.runs.steps.arms import thresholds_of_stages
from deeptheory.runs.steps.layer_choice import check_schedule, refuse_fresh_beside_stages
from deeptheory.store import paths


def check_options(config: Config, steps: Sequence[str]) -> None:
    """Refuse options that the steps could not keep; those that depend on the network are `check_later_steps`'.

    Parameters
    ----------
    config : Config
    steps : sequence of str
        Those to be computed, `paths.COMPARE` among them for a comparison.

    Raises
    ------
    InputError
        A learning-rate schedule that cannot be followed; an early stop that may come before the epoch to go back
        to; a schedule of pruning without an end, or of more rounds than epochs; thresholds that are not one for
        each stage; an arm or criterion that cannot act at the granularity of the run, or would have to hold stages
        while it is trained from scratch.
    """
    if "train" in steps:
        nn.check_schedule(config.train, "train")
        check_rewinding(config)
    if any(step in steps for step in ("predict", "retrain", paths.COMPARE)):
        nn.check_schedule(config.retrain, "retrain")
    if any(step in steps for step in ("predict", "prune", "retrain")):
        thresholds_of_stages(config.prune)
        check_granularity("prune.arms", config.prune.arms, config.prune.granularity)
    if "retrain" in steps:
        check_schedule(config.prune, config.retrain.epochs)
    if paths.COMPARE in steps:
        check_criteria(config)


def check_rewinding(config: Config) -> None:
    """Refuse an epoch to go back to that an early stop may leave out."""
    patience, epoch = config.train.patience, config.prune.rewind_epoch
    if config.prune.schedule == "iterative" and patience and epoch > patience:
        expected, do = f"at most train.patience = {patience}", "the training may stop before; wait longer"
        raise InputError("prune.rewind_epoch", expected, f"{epoch}", do)


def check_criteria(config: Config) -> None:
    """Refuse no criteria or densities, and criteria that do not exist or cannot act at what is asked for."""
    for name in ("criteria", "densities"):
        if not getattr(config.compare, name):
            raise InputError(f"compare.{name}", "at least one", "none", "leave it out for those by default")
    for density in config.compare.densities:
        check_schedule(msgspec.structs.replace(config.prune, density=density), config.retrain.epochs)
    for criterion in config.compare.criteria:
        if criterion not in prune.CRITERIA:
            raise unknown_name("compare.criteria", criterion, prune.CRITERIA)
    check_granularity("compare.criteria", config.compare.criteria, config.prune.granularity)
    for criterion in config.compare.criteria:
        if prune.CRITERIA[criterion].one_density:
            expected, do = "criteria that reach any density", "make it an arm, with prune.density_from"
            raise InputError("compare.criteria", expected, f"'{criterion}', which has one", do)
    refuse_fresh_beside_stages(config, config.compare.criteria)


def check_granularity(option: str, criteria: Sequence[str], granularity: str) -> None:
    """Refuse criteria that cannot score weights, kernels or filters, whichever are to be removed."""
    known = {name: prune.CRITERIA[name].granularities for name in criteria if name in prune.CRITERIA}
    left = ",".join(name for name in criteria if granularity in known.get(name, (granularity,)))
    for criterion, able in known.items():
        if granularity not in able:
            expected = f"prune.granularity {' or '.join(able)}"
            do = f"leave it out, --set {option}={left}" if left else "choose another"
            raise InputError(f"{option} '{criterion}'", expected, granularity, do)
