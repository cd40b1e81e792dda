"""Branches of a run, or of all runs of a study: one training, many analyses."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from deeptheory.errors import InputError
from deeptheory.runs.branching import Branch, make_branch, plan_branch
from deeptheory.runs.discovery import find_runs
from deeptheory.runs.run import Run
from deeptheory.runs.run_locks import lock
from deeptheory.runs.stored_parts import described
from deeptheory.store import paths
from deeptheory.tables import Summary, Table


def branch(source: Path, target: Path, overrides: Sequence[str] = (), quiet: bool = False) -> Summary:
    """Make a run, or a study, that shares the training of another one and all that changed options leave the same.

    Parameters
    ----------
    source : Path
        Directory of a trained run, or of a study of such runs. It is only read, and locked meanwhile.
    target : Path
        Directory of the branch: new or empty, or that of the same branch, which is left as it is.
    overrides : sequence of str
        Such as ``prune.threshold=0.4``; without any the branch is a copy of the training and of all steps.
    quiet : bool
        No messages on standard error.

    Raises
    ------
    InputError
        A run is not trained, damaged, or written by another process; an option is read by the training, or by no
        run at all; the directory holds something else. Nothing is made then.
    """
    source, target = Path(source), Path(target)
    runs = find_runs(source)
    _refuse_sweep(source)
    whole = runs[0].directory == source
    places = [target if whole else target / run.directory.name for run in runs]
    _check_study(source, target, places)
    with contextlib.ExitStack() as locks:
        for run in runs:
            locks.enter_context(lock(run.directory))
        planned = [plan_branch(run, place, overrides) for run, place in zip(runs, places, strict=True)]
        existed = [one.exists for one in planned]
        made = [make_branch(one, quiet) for one in planned]
    return _summary(source, planned, made, existed)


def _refuse_sweep(source: Path) -> None:
    if (source / paths.SWEEP).is_file():
        do = "branch its members one by one, or sweep the options"
        raise InputError(f"branch of {source}", "a run or the study of one configuration", "a sweep", do)


def _check_study(source: Path, target: Path, places: Sequence[Path]) -> None:
    """Refuse a directory inside of the study, and one with other files and none of the runs of a branch."""
    if target.resolve().is_relative_to(source.resolve()):
        found, do = f"{target}, inside", "name a directory elsewhere"
        raise InputError("branch", f"a directory outside of {source}", found, do)
    if target.is_dir() and any(target.iterdir()) and not any(place.exists() for place in places):
        expected = "a new or empty directory, or the same branch"
        raise InputError(f"branch {target}", expected, "other files", "name a new directory")


def _summary(
    source: Path, planned: Sequence[Branch], made: Sequence[Run], existed: Sequence[bool]
) -> Summary:
    """What every branch took over, what is to be done in it, and what of the source it has no equal of."""
    changes = {change.option: {"old": change.old, "new": change.new} for change in planned[0].changes}
    rows, numbers = [], []
    for plan, run, existing in zip(planned, made, existed, strict=True):
        todo = [step for step in paths.STEPS if not run.done(step)]
        taken, left = described(plan.taken), described(plan.left)
        there = run.read_text(paths.join(paths.BRANCH, paths.BRANCH_TAKEN)) if existing else taken
        rows.append((str(run.directory), there, ", ".join(todo) or "nothing", left or "nothing"))
        numbers.append(
            {"run": str(run.directory), "existed": existing, "taken_over": there, "to_do": todo, "left": left}
        )
    changed = "; ".join(change.text for change in planned[0].changes) or "no option changed"
    what = "there already" if all(existed) else "made"
    title = f"branch of {source} {what}: {changed}"
    header = ("run", "taken over", "to be done", f"only in {source}")
    table = Table(title, header, rows, left=(0, 1, 2, 3))
    return Summary(str(table), {"source": str(source), "changed": changes, "runs": numbers}, (table,))
