"""A directory in a screenful: a run, a study with its runs and verdicts, or a sweep with its members."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deeptheory import judge
from deeptheory.errors import InputError
from deeptheory.runs.configuration import differences
from deeptheory.runs.contents import no_run, runs_inside
from deeptheory.runs.discovery import find_runs
from deeptheory.runs.run import Run
from deeptheory.runs.summaries import step_summaries
from deeptheory.store import paths
from deeptheory.studies import comparison, hypotheses, soundness
from deeptheory.studies.sweep.member_states import opened, states, summary
from deeptheory.tables import Summary, Table


def overview(directory: Path) -> Summary:
    """What is in a directory that a command wrote.

    Raises
    ------
    InputError
        It holds neither a run nor a study nor a sweep; what it holds is said.
    """
    directory = Path(directory)
    if (directory / paths.CONFIG).is_file():
        return step_summaries.overview(Run(directory, quiet=True))
    if (directory / paths.SWEEP).is_file():
        return _of_sweep(directory)
    if not runs_inside(directory):
        raise no_run(directory)
    return _of_study(directory)


def run_table(directory: Path, runs: Sequence[Run]) -> Table:
    """A line for every run of a study: its seed, what is done and how accurate the trained network is."""
    rows = [
        (of["run"], str(of["seed"]), of["done"], "-" if of["accuracy"] is None else f"{of['accuracy']:.4f}")
        for of in map(_run_row, runs)
    ]
    config = runs[0].config
    data = Path(config.data.path).name if config.data.path else config.data.source
    what = (
        f"{config.network.title}, {data}" if of_one_configuration(runs) else "runs of several configurations"
    )
    title = f"study {directory}: {what}; accuracy of the trained network on the test split"
    return Table(title, ("run", "seed", "done", "accuracy"), rows, left=(0, 2))


def of_one_configuration(runs: Sequence[Run]) -> bool:
    """Whether runs differ in nothing but their seeds."""
    first = runs[0].config
    return all(name == "seed" for run in runs[1:] for name, _, _ in differences(first, run.config))


def verdicts(directory: Path) -> list[Table]:
    """The verdicts that a confirm study and tests of hypotheses left in a directory."""
    stored = (hypotheses.stored_table(directory / name) for name in (paths.VERDICTS, paths.HYPOTHESES))
    return [table for table in stored if table is not None]


def comparisons(directory: Path, runs: Sequence[Run]) -> list[Table]:
    """The tables of the comparisons of criteria in a directory."""
    found = (comparison.stored_comparison(directory, alone) for alone in (False, True))
    options, notes = runs[0].config.judge, soundness.not_held_out(runs)
    return [
        table
        for compared in found
        if compared is not None
        for table in judge.comparison_tables(compared, comparison.OURS, options, notes)
    ]


def _of_study(directory: Path) -> Summary:
    runs = find_runs(directory)
    tables = [run_table(directory, runs), *verdicts(directory), *comparisons(directory, runs)]
    lines = [str(table) for table in tables]
    if len(tables) == 1 and of_one_configuration(runs):
        config = runs[0].directory / paths.CONFIG
        lines.append(f"no verdicts yet: 'deeptheory confirm {config} --out {directory}' goes on")
    lines.append(f"one run: deeptheory inspect {runs[0].directory}")
    numbers: dict[str, Any] = {"study": str(directory), "runs": [_run_row(run) for run in runs]}
    numbers["tables"] = [asdict(table) for table in tables[1:]]
    return Summary("\n\n".join(lines), numbers, tuple(tables))


def _of_sweep(directory: Path) -> Summary:
    sweep = opened(directory)
    members = states(sweep, directory)
    counts = summary(sweep, directory, members)
    rows = [(member.directory.name, member.state) for member in members]
    parts = [counts.text, str(Table("all members", ("member", "state"), rows, left=(0, 1)))]
    collected = directory / paths.SWEEP_SUMMARY
    if collected.is_file():
        parts.append(collected.read_text(encoding="utf-8").rstrip())
    return Summary("\n\n".join(parts), counts.numbers)


def _run_row(run: Run) -> dict[str, Any]:
    try:
        done = [step for step in paths.STEPS if run.done(step)]
        done += ["compare"] if run.has(paths.COMPARE) else []
        accuracy = soundness.accuracy_of(run) if "train" in done else None
    except InputError as error:
        done, accuracy = [f"damaged: {error.what}"], None
    shown = ", ".join(done) or ("begun" if run.begun else "nothing")
    return {"run": run.directory.name, "seed": run.config.seed, "done": shown, "accuracy": accuracy}
