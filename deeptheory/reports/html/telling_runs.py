"""What a run or a study asked, predicted and found, in sentences."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from deeptheory.reports.html.source import Source
from deeptheory.runs import Run
from deeptheory.runs.stored_arrays import over_seeds, stage_names
from deeptheory.runs.summaries.step_summaries import stage_numbers
from deeptheory.store import paths
from deeptheory.store.paths import AFCC, UNPRUNED
from deeptheory.studies import soundness

Sentences = list[str]
LAYERS = paths.join("predict", paths.LAYERS)


def asked(source: Source) -> Sentences:
    """The question, the networks, and what was pruned."""
    runs, config = source.runs, source.runs[0].config
    accuracy, chance = percent([soundness.accuracy_of(run) for run in runs]), soundness.chance(runs[0])
    networks = f"{len(runs)} networks were" if len(runs) > 1 else "One network was"
    sentences = [
        f"In {config.network.title}, what does each filter do, and which connections can therefore go? "
        f"{networks} trained on {source.data} with {soundness.n_labels(runs[0])} labels: "
        f"{accuracy} % of the test inputs right, {100 * chance:.1f} % by chance."
    ]
    if all_done(runs, "prune") and AFCC in config.prune.arms:
        arms = [arm for arm in config.prune.arms if arm != AFCC]
        removed = percent(over_seeds(runs, paths.arm_path("prune", AFCC, paths.DILUTION)))
        layers = [name.removesuffix(".weight") for name in runs[0].entry_names(LAYERS)]
        sentences.append(
            f"AFCC removed {removed} % of the weights of {listed(layers)}"
            + (f"; {listed(arms)} removed as much of every layer, for comparison." if arms else ".")
        )
    return [*sentences, *(f"Not a confirmation, {text}." for text in soundness.not_held_out(runs))]


def predicted(runs: Sequence[Run]) -> Sentences:
    """Losses and dilutions that were stored before any arm was pruned."""
    if not all_done(runs, "predict"):
        return ["Nothing yet: the step predict is not done."]
    arms = [arm for arm in runs[0].entry_names(paths.join("predict", paths.ARMS)) if arm != UNPRUNED]
    losses = [f"{arm} {_loss(runs, arm)}" for arm in arms]
    sentences = [
        "Before any arm was pruned, its loss after retraining was predicted, in points against the unpruned arm"
        f"{over(runs)}: {listed(losses)}."
    ]
    where = {name: paths.join("predict", paths.LAYERS, name) for name in runs[0].entry_names(LAYERS)}
    found = [
        f"{percent(over_seeds(runs, paths.join(layer, paths.DILUTION)))} % in {name.removesuffix('.weight')} "
        f"({percent(over_seeds(runs, paths.join(layer, paths.EXPECTED_DILUTION)))} % without structure)"
        for name, layer in where.items()
        if runs[0].has(paths.join(layer, paths.EXPECTED_DILUTION))
    ]
    if found and runs[0].config.prune.afcc_at_threshold:
        sentences.append(f"Dilution alone proves nothing, as chance gives much of it: {listed(found)}.")
    return sentences


def _loss(runs: Sequence[Run], arm: str) -> str:
    mean, low, high = (
        100 * float(over_seeds(runs, paths.arm_path("predict", arm, entry)).mean())
        for entry in (paths.LOSS, paths.LOSS_LOW, paths.LOSS_HIGH)
    )
    return f"{mean:.1f} (95 % interval {low:.1f} to {high:.1f})"


def found(runs: Sequence[Run]) -> Sentences:
    """What the stages and filters do, and what pruning lost."""
    first, last = (_stage(runs, position) for position in (0, -1))
    names = stage_names(runs[0])
    filters = (
        f"a filter of {names[-1]} serves {last('labels_served'):.1f} of {soundness.n_labels(runs[0])} labels, "
        f"in {last('clusters_per_filter'):.1f} clusters of {last('cluster_size'):.1f} labels, "
        f"with noise {last('noise'):.1f}."
    )
    depth = (
        f"From {names[0]} to {names[-1]} the accuracy of a probe goes from {100 * first('probe_accuracy'):.1f} to "
        f"{100 * last('probe_accuracy'):.1f} % and the SNR (mean field) from {first('snr_mean_field'):.2f} to "
        f"{last('snr_mean_field'):.2f}; "
    )
    sentences = [(depth if len(names) > 1 else "") + (filters if len(names) > 1 else filters.capitalize())]
    if not all_done(runs, "retrain"):
        return [*sentences, "What the arms lose is not known yet: they are not retrained."]

    def expected(arm: str) -> NDArray[np.float64]:
        return over_seeds(runs, paths.arm_path("predict", arm, paths.LOSS))

    after = {
        arm: over_seeds(runs, paths.arm_path("retrain", arm, paths.ACCURACY))
        for arm in (UNPRUNED, *runs[0].config.prune.arms)
    }
    off = [
        f"{arm} {100 * float(np.mean(expected(arm) - (after[UNPRUNED] - after[arm]))):+.1f}"
        for arm in after
        if arm != UNPRUNED
    ]
    lost = [f"{arm} {percent(after[UNPRUNED] - after[arm])}" for arm in after if arm != UNPRUNED]
    return [
        *sentences,
        f"After retraining the unpruned arm has {percent(after[UNPRUNED])} % right; lost against it, in points"
        f"{over(runs)}: {listed(lost)}.",
        f"Predicted less found: {listed(off)}.",
    ]


def _stage(runs: Sequence[Run], position: int) -> Callable[[str], float]:
    numbers = [stage_numbers(run, stage_names(run)[position]) for run in runs]
    return lambda name: float(np.mean([of_run[name] for of_run in numbers]))


def all_done(runs: Sequence[Run], step: str) -> bool:
    """Whether all runs have done a step."""
    return all(run.done(step) for run in runs)


def over(runs: Sequence[Run]) -> str:
    """That numbers are means, where they are."""
    return ", means over seeds" if len(runs) > 1 else ""


def percent(shares: Sequence[float] | NDArray[np.float64]) -> str:
    """The mean in percent."""
    return f"{100 * float(np.mean(shares)):.1f}"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1] if names else ""]))
