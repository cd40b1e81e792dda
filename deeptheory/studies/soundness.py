"""Whether runs allow a verdict: networks above chance, a whole reference, independent seeds, fields held out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory import judge
from deeptheory.errors import InputError
from deeptheory.judge.evidence import Arms, Controls, Costs, Diluted, Predictions, SingleLayers
from deeptheory.judge.head_evidence import HeadArms
from deeptheory.runs.branching import weights_digest
from deeptheory.runs.run import Run
from deeptheory.store import paths

Runs = Sequence[Run]
RETRAINED = (
    Arms,
    Diluted,
    HeadArms,
    SingleLayers,
    Predictions,
)  # evidence that rests on the unpruned arm after retraining


def doubts(evidence: type[Any], runs: Runs) -> tuple[str, ...]:
    """Why runs allow no verdict on this kind of evidence, with what to do; empty when they do."""
    exempt = evidence is Controls
    trained = [run for run in runs if not exempt or is_trained(run)]
    found = [not_above_chance(trained)]
    if evidence in RETRAINED:
        found.append(damaged_reference(runs))
    if evidence is Costs:
        found.append(disturbed(runs))
    return tuple(filter(None, found))


def not_above_chance(runs: Runs) -> str:
    """The runs whose trained network is not clearly above chance, if any (`judge.at_chance`)."""
    low = [
        run
        for run in runs
        if judge.at_chance([accuracy_of(run)], n_test(run), chance(run), 1 - 0.05 / len(runs))
    ]
    if not low:
        return ""
    which = ", ".join(f"{run.directory.name} {accuracy_of(run):.3f}" for run in low)
    return (
        f"trained networks are not clearly above chance ({chance(low[0]):.3f}): {which}; "
        "train longer, or with another learning rate"
    )


def damaged_reference(runs: Runs) -> str:
    """The runs whose unpruned arm lost clearly more than the margin of no loss by retraining, if any."""
    compared = is_comparison(runs)
    group = (
        paths.join(paths.COMPARE, paths.UNPRUNED) if compared else paths.arm_path("retrain", paths.UNPRUNED)
    )
    before = np.array([accuracy_of(run) for run in runs])
    after = np.array([_share(run, paths.join(group, paths.ACCURACY)) for run in runs])
    sizes = np.array([n_test(run) for run in runs])
    variances = judge.difference_variance(after, before, 1) / sizes
    for position, run in enumerate(runs):
        pair = [correct(run, where) for where in ("train", group)]
        if pair[0] is not None and pair[1] is not None:
            variances[position] = judge.paired_variance(pair[0], pair[1])
    low = judge.clearly_below(before - after, variances, judge.FIXED.margin / 100)
    if not low:
        return ""
    which = ", ".join(f"{runs[i].directory.name} {before[i]:.3f} to {after[i]:.3f}" for i in low)
    return (
        f"retraining damaged the reference: {which}; lower retrain.learning_rate, or retrain for more epochs"
    )


def disturbed(runs: Runs) -> str:
    """The runs whose times were measured while other programs were busy, if any."""
    busy = [run for run in runs if run.read_text(paths.cost_path(paths.AFCC, paths.QUIET)) == "no"]
    if not busy:
        return ""
    which = ", ".join(run.directory.name for run in busy)
    return f"other programs ran while times were measured: {which}; run 'deeptheory cost' again without them"


def not_held_out(runs: Runs) -> tuple[str, ...]:
    """Why verdicts on these runs confirm nothing, if so: their fields are not held out from the test."""
    from_test = any(run.config.measure.split == "test" for run in runs)
    return ("not held out: fields come from the test split",) if from_test else ()


def accuracy_of(run: Run) -> float:
    """Test accuracy of the trained network."""
    return _share(run, paths.join("train", paths.ACCURACY, "test"))


def _share(run: Run, path: str) -> float:
    value = run.read_number(path)
    if not 0 <= value <= 1:
        raise InputError(run.location(path), "a share within 0 and 1", f"{value}", "run that step again")
    return value


def is_trained(run: Run) -> bool:
    """Whether a run holds a network that was to learn its labels: no control without training or true labels."""
    imported = run.has(paths.join("train", paths.IMPORT))
    return imported or (run.config.train.epochs > 0 and run.config.data.labels == "true")


def is_comparison(runs: Runs) -> bool:
    """Whether arms are those of a comparison of criteria: a confirm study is judged on arms of its own."""
    return runs[0].has(paths.COMPARE) and not all(run.done("retrain") for run in runs)


def n_test(run: Run) -> int:
    """Number of test inputs."""
    return len(run.read_array(paths.join("train", paths.SPLITS, "test")))


def chance(run: Run) -> float:
    """Accuracy of always giving the most frequent label; files from before it was stored: of equal shares."""
    where = paths.join("train", paths.CHANCE)
    return _share(run, where) if run.has(where) else 1 / n_labels(run)


def n_labels(run: Run) -> int:
    """Number of labels."""
    return len(run.read_names(paths.join("train", paths.LABEL_NAMES)))


def correct(run: Run, group: str) -> NDArray[np.bool_] | None:
    """Which test inputs a stored network labels correctly; None in files from before it was stored."""
    where = paths.join(group, paths.CORRECT)
    if not run.has(where):
        return None
    stored = run.read_array(where)
    if stored.shape != (n_test(run),):
        expected = f"one truth value for each of {n_test(run)} test inputs"
        raise InputError(run.location(where), expected, f"shape {stored.shape}", "run that step again")
    return stored


def check_independent(runs: Runs) -> None:
    """Refuse copies of one network as several seeds.

    Raises
    ------
    InputError
        Two runs hold the same imported file, or the same trained weights, or were trained from the same seed; both
        are named.
    """
    seen: dict[str, Run] = {}
    for run in runs:
        for mark in _marks(run):
            if mark in seen:
                found = f"the same {mark.split()[0]} in {seen[mark].directory} and {run.directory}"
                do = "take each network once, and train or import others for more seeds"
                raise InputError("seeds", "networks trained independently", found, do)
            seen[mark] = run


def _marks(run: Run) -> list[str]:
    marks = [f"weights {weights_digest(run)}"]
    source = paths.join("train", paths.IMPORT)
    if run.has(source):
        return [*marks, f"file {run.read_text(paths.join(source, 'sha256'))}"]
    # A sweep has the same seed at every point of its grid.
    config, labels = run.config, n_labels(run)
    return [
        *marks,
        f"seed {config.seed} of {config.network.name} {labels} {config.train} {config.data.labels}",
    ]
