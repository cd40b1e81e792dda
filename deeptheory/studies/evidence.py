"""Evidence for hypotheses, read from run files; errors say what is missing and which command makes it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import judge
from deeptheory.errors import InputError, Unsuited
from deeptheory.judge.evidence import (
    Arms,
    Controls,
    Correct,
    Costs,
    Diluted,
    Dilutions,
    LabelScaling,
    Predictions,
    SingleLayers,
    Stages,
)
from deeptheory.judge.head_evidence import HeadArms, Heads, SingleFilters
from deeptheory.judge.hypotheses.h10_layer_prunable import DENSITY
from deeptheory.prune import AFCC, HEAD_WEIGHT, UNPRUNED
from deeptheory.runs.discovery import check_one_configuration
from deeptheory.runs.run import Run
from deeptheory.runs.stored_arrays import over_seeds, over_stages, stage_names
from deeptheory.store import paths
from deeptheory.studies import comparison, head_evidence, soundness

Runs = Sequence[Run]
Floats = NDArray[np.float64]
NUMBER_OF_LABELS = ("data.n_labels", "data.labels_used")  # the options that set it: of glyphs, of files
CONVOLUTIONS = ("last convolutions", "other convolutions")  # kinds of `Diluted`
TIMED_BATCH = 100
OF_STAGES = (
    "probe_accuracy",
    "snr_mean_field",
    "snr_measured",
    "noise",
    "cluster_size",
    "clusters_per_filter",
)


def stages(runs: Runs) -> Stages:
    """Every stage of measured runs of one configuration."""
    _check(runs, "measure")
    if only := runs[0].config.measure.stages:
        do = "measure runs whose measure.stages is empty"
        raise Unsuited(f"run {runs[0].directory}", "all stages measured", f"only {', '.join(only)}", do)
    values = {name: over_stages(runs, "measure", name) for name in OF_STAGES}
    return Stages(tuple(stage_names(runs[0])), values, soundness.n_test(runs[0]))


def arms(runs: Runs) -> Arms:
    """The arms of a comparison at every density that all its criteria reached, or those of a confirm study."""
    check_one_configuration(runs, "hypothesis")
    n_test = soundness.n_test(runs[0])
    if soundness.is_comparison(runs):
        settings, correct = _compared(runs)
        return Arms(settings, n_test, correct)
    _check(runs, "retrain")
    of_runs = runs[0].config.prune
    setting = f"density {of_runs.density:g}" if of_runs.density else f"threshold {of_runs.threshold:g}"
    if of_runs.density_from != AFCC:
        setting += f", density of {of_runs.density_from}"
    names = (UNPRUNED, *of_runs.arms)
    groups = {arm: paths.arm_path("retrain", arm) for arm in names}
    accuracies = {arm: over_seeds(runs, paths.join(group, paths.ACCURACY)) for arm, group in groups.items()}
    return Arms({setting: accuracies}, n_test, {setting: _correct(runs, groups)})


def head_arms(runs: Runs) -> HeadArms:
    """The arms where stages of a transformer's blocks are masked."""
    masked = runs[0].config.prune.stages
    if not any(stage.startswith(head_evidence.OF_BLOCKS) for stage in masked):
        found = f"prune.stages = {', '.join(masked) or 'none'} in {runs[0].directory}"
        raise Unsuited("masked stages", "heads, nodes or what reads them among them", found)
    of = arms(runs)
    return HeadArms(of.settings, of.n_test, of.correct)


def _compared(runs: Runs) -> tuple[dict[str, dict[str, Floats]], dict[str, Correct]]:
    """By density, the accuracies of the criteria that every run has reached it with, and without a mask."""
    compared = comparison.compared_so_far(runs)
    settings, correct = dict[str, dict[str, Floats]](), dict[str, Correct]()
    for density in next(iter(compared.accuracy.values()), ()):
        for run in runs:
            for name in compared.accuracy:
                if not run.has(paths.compare_path(name, density)):
                    found = f"none in {run.directory}"
                    do = "finish it with the same 'deeptheory compare' command"
                    raise InputError(f"comparison, {name} at density {density:g}", "every seed", found, do)
        reached = [name for name, at in compared.accuracy.items() if not np.isnan(at[density]).any()]
        if not reached:
            continue
        setting = f"density {density:g}"
        settings[setting] = {UNPRUNED: compared.unpruned} | {
            name: compared.accuracy[name][density] for name in reached
        }
        groups = {name: paths.compare_path(name, density) for name in reached}
        correct[setting] = _correct(runs, {UNPRUNED: paths.join(paths.COMPARE, UNPRUNED), **groups})
    return settings, correct


def _correct(runs: Runs, groups: Mapping[str, str]) -> Correct:
    """Which test inputs every network labels correctly, of the arms for which all files say so."""
    known = {}
    for arm, group in groups.items():
        of_runs = [soundness.correct(run, group) for run in runs]
        found = [correct for correct in of_runs if correct is not None]
        if len(found) == len(runs):
            known[arm] = found
    return known


def single_layers(runs: Runs) -> SingleLayers:
    """The layers that were masked alone, by AFCC at the density of the hypothesis."""
    check_one_configuration(runs, "hypothesis")
    accuracies = {
        layer: paths.compare_path(AFCC, DENSITY, layer, paths.ACCURACY)
        for layer in runs[0].entry_names(paths.join("train", paths.STATE))
    }
    found = {layer: path for layer, path in accuracies.items() if all(run.has(path) for run in runs)}
    if not found:
        do = "run 'deeptheory compare single-layers --out DIR', or a comparison of yours with compare.alone = true"
        begun = any(run.config.compare.alone or run.has(paths.COMPARE_ALONE) for run in runs)
        raise (InputError if begun else Unsuited)(
            f"run {runs[0].directory}", "layers masked alone", "none", do
        )
    return SingleLayers(
        DENSITY,
        over_seeds(runs, paths.join(paths.COMPARE, UNPRUNED, paths.ACCURACY)),
        {layer.removesuffix(".weight"): over_seeds(runs, path) for layer, path in found.items()},
        soundness.n_test(runs[0]),
    )


def predictions(runs: Runs) -> Predictions:
    """Accuracies of the heads of the later half of the stages and of masked heads, losses of retrained arms."""
    _check(runs, "retrain")
    names = stage_names(runs[0])
    late = names[(len(names) - 1) // 2 :]
    masked = runs[0].config.prune.arms
    groups = {
        "full heads": (
            [paths.stage_path("predict", stage, paths.ACCURACY) for stage in late],
            [paths.stage_path("measure", stage, paths.PROBE_ACCURACY) for stage in late],
        ),
        "masked heads": (
            [paths.arm_path("predict", arm, paths.HEAD, paths.ACCURACY) for arm in masked],
            [paths.arm_path("prune", arm, paths.REFIT_ACCURACY) for arm in masked],
        ),
    }

    def read(of_paths: list[str]) -> Floats:
        return np.array([[run.read_number(path) for path in of_paths] for run in runs])

    found = {group: (read(predicted), read(measured)) for group, (predicted, measured) in groups.items()}
    n_test = soundness.n_test(runs[0])
    variances = {group: judge.accuracy_variance(measured, n_test) for group, (_, measured) in found.items()}
    losses = read([paths.arm_path("predict", arm, paths.LOSS) for arm in masked])
    unpruned = read([paths.arm_path("retrain", UNPRUNED, paths.ACCURACY)])
    retrained = read([paths.arm_path("retrain", arm, paths.ACCURACY) for arm in masked])
    found["retrained arms"] = (losses, unpruned - retrained)
    variances["retrained arms"] = judge.difference_variance(retrained, unpruned, n_test)
    return Predictions(found, variances)


def dilutions(runs: Runs) -> Dilutions:
    """Dilution of AFCC in the masked layers between two stages, and what is expected without structure."""
    _check(runs, "predict")
    _require_own_density(runs[0])
    layers = [
        layer
        for layer in runs[0].entry_names(paths.join("predict", paths.LAYERS))
        if runs[0].has(paths.join("predict", paths.LAYERS, layer, paths.EXPECTED_DILUTION))
    ]
    measured, expected = (
        {layer: over_seeds(runs, paths.join("predict", paths.LAYERS, layer, entry)) for layer in layers}
        for entry in (paths.DILUTION, paths.EXPECTED_DILUTION)
    )
    return Dilutions(measured, expected)


def diluted(runs: Runs) -> Diluted:
    """The AFCC arm of a confirm study, its masked layers by their kind."""
    _check(runs, "retrain")
    first = runs[0]
    if first.config.prune.disorder != "quenched":
        found = f"prune.disorder = '{first.config.prune.disorder}' in {first.directory}"
        raise Unsuited("masks", "quenched ones", found, "name a study of them")
    _require_own_density(first)
    kinds: dict[str, list[Floats]] = {}
    for layer in first.entry_names(paths.arm_path("prune", AFCC, paths.LAYERS)):
        dilution = over_seeds(runs, paths.arm_path("prune", AFCC, paths.LAYERS, layer, paths.DILUTION))
        kinds.setdefault(_layer_kind(first, layer), []).append(dilution)
    if CONVOLUTIONS[0] in kinds:
        kinds[CONVOLUTIONS[0]] += kinds.pop(CONVOLUTIONS[1], [])
    source = paths.join("train", paths.IMPORT, "architecture")
    network = first.read_text(source) if first.has(source) else first.config.network.name
    return Diluted(network, {kind: np.mean(of, axis=0) for kind, of in kinds.items()}, arms(runs))


def _require_own_density(run: Run) -> None:
    """Refuse a run whose AFCC masks were given their density: how much they remove says nothing about filters."""
    if not (options := run.config.prune).afcc_at_threshold:
        wanted = "AFCC at its own density (prune.density = 0, prune.density_from = 'afcc')"
        found = f"prune.density = {options.density:g}, prune.density_from = '{options.density_from}'"
        raise Unsuited(f"run {run.directory}", wanted, found, "judge a study where it is")


def _layer_kind(run: Run, weight: str) -> str:
    """Kind of a masked layer, as `Diluted` names it; of the convolutions only the last one is among the last."""
    convolutions = [
        name for name in run.entry_names(paths.join("train", paths.STATE)) if name.endswith(".conv.weight")
    ]
    if weight in convolutions:
        return CONVOLUTIONS[weight != convolutions[-1]]
    return "head" if weight == HEAD_WEIGHT else "hidden layers"


def costs(runs: Runs) -> Costs:
    """What the AFCC arm costs as a compact network, and what the dense network does."""
    check_one_configuration(runs, "hypothesis")
    for run in runs:
        if not run.has(paths.cost_path(AFCC)):
            do = f"run 'deeptheory cost {run.directory} --arm {AFCC}' when nothing else runs"
            raise InputError(f"run {run.directory}", "what the compact network of AFCC costs", "none", do)

    def of_sides(*entry: str) -> dict[str, Floats]:
        return {
            side: over_seeds(runs, paths.cost_path(AFCC, paths.SIDES, side, *entry))
            for side in (paths.DENSE, paths.COMPACT_SIDE)
        }

    return Costs(of_sides(paths.batch_name(TIMED_BATCH), paths.LATENCY), of_sides(paths.SAVED_BYTES))


def label_scaling(runs: Runs) -> LabelScaling:
    """Runs that differ in their number of labels, as many seeds of each."""
    _check(runs, "measure", but=NUMBER_OF_LABELS)
    by_number: dict[int, dict[int, Run]] = {}
    for run in runs:
        by_number.setdefault(soundness.n_labels(run), {})[run.config.seed] = run
    numbers = sorted(by_number)
    seeds = sorted(by_number[numbers[0]])
    if len(numbers) < 3 or any(sorted(of_number) != seeds for of_number in by_number.values()):
        found = "; ".join(f"{number}: {sorted(by_number[number])}" for number in numbers)
        do = "run 'deeptheory sweep label-scaling --out DIR', or label-scaling-cifar100.toml"
        lacks = Unsuited if len(numbers) == 1 else InputError
        raise lacks("numbers of labels", "at least 3, with the same seeds each", found, do)

    def over_numbers(value: Callable[[Run], float]) -> Floats:
        return np.array([[value(by_number[number][seed]) for number in numbers] for seed in seeds])

    def of_last(name: str) -> Callable[[Run], float]:
        return lambda run: run.read_number(_of_last_stage(run, name))

    return LabelScaling(
        tuple(numbers),
        {
            "max_error": over_numbers(
                lambda run: 1 - float(run.read_array(_of_last_stage(run, paths.LABEL_ACCURACY)).min())
            ),
            "error": over_numbers(lambda run: 1 - run.read_number(_of_last_stage(run, paths.PROBE_ACCURACY))),
            **{
                name: over_numbers(of_last(name))
                for name in ("cluster_size", "clusters_per_filter", "snr_mean_field")
            },
        },
    )


def controls(runs: Runs) -> Controls:
    """Runs that differ in whether they were trained, and on which labels."""
    _check(runs, "measure", but=("train.epochs", "data.labels"))
    kinds: dict[str, dict[int, Run]] = {"trained": {}, "untrained": {}, "shuffled-labels": {}}
    for run in runs:
        kinds[_kind(run)][run.config.seed] = run
    seeds = sorted(kinds["trained"])
    if not seeds or any(sorted(of_kind) != seeds for of_kind in kinds.values()):
        found = "; ".join(f"{kind}: {sorted(of_kind)}" for kind, of_kind in kinds.items())
        do = "run 'deeptheory sweep controls --out DIR'"
        lacks = Unsuited if sum(map(bool, kinds.values())) == 1 else InputError
        raise lacks("controls", "the same seeds trained, untrained and with shuffled labels", found, do)
    return Controls(
        {
            kind: np.array(
                [
                    run.read_number(_of_last_stage(run, paths.SNR_MEAN_FIELD))
                    for _, run in sorted(of_kind.items())
                ]
            )
            for kind, of_kind in kinds.items()
        }
    )


def _kind(run: Run) -> str:
    if run.config.data.labels == "shuffled":
        return "shuffled-labels"
    return "trained" if run.config.train.epochs else "untrained"


def _of_last_stage(run: Run, entry: str) -> str:
    return paths.stage_path("measure", stage_names(run)[-1], entry)


def _check(runs: Runs, step: str, but: Sequence[str] = ()) -> None:
    check_one_configuration(runs, "hypothesis", but)
    for run in runs:
        run.require(step)


BUILDERS: dict[type[Any], Callable[[Runs], Any]] = {
    Stages: stages,
    Arms: arms,
    SingleLayers: single_layers,
    Predictions: predictions,
    LabelScaling: label_scaling,
    Controls: controls,
    Dilutions: dilutions,
    Diluted: diluted,
    Costs: costs,
    Heads: head_evidence.heads,
    HeadArms: head_arms,
    SingleFilters: head_evidence.single_filters,
}
JOINT = (SingleFilters,)  # evidence that is read from all studies together
