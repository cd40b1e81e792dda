"""The stages of a run that are measured, and the layers that are masked."""

from collections.abc import Iterable, Sequence

from deeptheory import nn, prune
from deeptheory.errors import InputError, unknown_name
from deeptheory.measure import MeasureOptions, check_inputs
from deeptheory.runs.configuration import Config
from deeptheory.runs.run import Run


def masked_layers(run: Run, network: nn.Network) -> tuple[prune.MaskedLayer, ...]:
    """The layers to be masked; `InputError` where `prune.stages` does not fit the network."""
    return layers_to_mask(run.config.prune, network)


def layers_to_mask(options: prune.PruneOptions, network: nn.Network) -> tuple[prune.MaskedLayer, ...]:
    """The layers that options name; raises what `masked_layers` raises."""
    return prune.masked_layers(network, options.stages, options.head)


def stages_to_measure(options: MeasureOptions, network: nn.Network) -> list[str]:
    """The stages that are measured, from the input upwards.

    Raises
    ------
    InputError
        `measure.stages` names a stage that does not exist, or leaves out the last one.
    """
    names = [stage.name for stage in network.stages]
    if not options.stages:
        return names
    for stage in options.stages:
        if stage not in names:
            raise unknown_name("measure.stages", stage, names)
    if names[-1] not in options.stages:
        found, do = ", ".join(options.stages), f"add '{names[-1]}'"
        raise InputError("measure.stages", f"the last stage, '{names[-1]}', among them", found, do)
    return [stage for stage in names if stage in options.stages]


def check_later_steps(config: Config, network: nn.Network) -> None:
    """Refuse stages and arms of the steps after training that do not exist or do not fit the network, and probes
    of fewer inputs than labels.

    Their options are only checked here: training is the same with all that fit.
    """
    check_inputs(config.probe.inputs, network.n_labels)
    prune.check_arms(config.prune.arms, config.prune.density, config.prune.density_from)
    check_measured(layers_to_mask(config.prune, network), stages_to_measure(config.measure, network))
    check_retrained(config, network, config.prune.arms)


def check_measured(layers: Iterable[prune.MaskedLayer], measured: list[str]) -> None:
    """Refuse masks between stages that are not measured.

    Raises
    ------
    InputError
        A layer to be masked reads or makes the filters of a stage that is not in `measure.stages`.
    """
    read = {stage for layer in layers for stage in (layer.stage_in, layer.stage_out)} - {prune.HEAD}
    if missing := sorted(read - set(measured)):
        expected, do = "all stages that masks are made from", f"add {', '.join(missing)}, or leave it empty"
        raise InputError("measure.stages", expected, ", ".join(measured), do)


def check_schedule(options: prune.PruneOptions, epochs: int) -> None:
    """Refuse a schedule that cannot be kept: before anything is computed for it.

    Raises
    ------
    InputError
        Rounds without a density to end at, of a mask that does not change, or more than there are epochs.
    """
    rounds = len(prune.densities(options))
    if options.schedule != "iterative" and rounds > epochs:
        do = "take fewer rounds or retrain longer"
        raise InputError("prune.rounds", f"at most retrain.epochs = {epochs}", str(rounds), do)


def check_retrained(config: Config, network: nn.Network, arms: Sequence[str]) -> None:
    """Refuse stages to be retrained that do not exist, or that arms trained from scratch could not keep to.

    Raises
    ------
    InputError
        `retrain.stages` names a stage that does not exist, or is given beside such an arm or an iterative
        schedule, whose rewinding would hold the other stages at weights of an early epoch.
    """
    known = [*(stage.name for stage in network.stages), prune.HEAD]
    for stage in config.retrain.stages:
        if stage not in known:
            raise unknown_name("retrain.stages", stage, known)
    refuse_fresh_beside_stages(config, arms)


def refuse_fresh_beside_stages(config: Config, arms: Sequence[str]) -> None:
    """Refuse stages to be retrained beside arms or a schedule that go back to other weights."""
    fresh = [arm for arm in arms if arm in prune.CRITERIA and prune.CRITERIA[arm].from_scratch]
    beside = f"'{fresh[0]}', which is trained from fresh weights" if fresh else ""
    if config.prune.schedule == "iterative":
        beside = "an iterative schedule"
    if config.retrain.stages and beside:
        expected, found = f"all stages (an empty list) beside {beside}", ", ".join(config.retrain.stages)
        raise InputError("retrain.stages", expected, found, "leave out one of the two")
