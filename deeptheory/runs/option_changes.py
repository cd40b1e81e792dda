"""Options of later steps, changed in a run that is trained, where nothing that is done depends on them."""

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deeptheory.errors import InputError
from deeptheory.runs.configuration import FREE, RATES, Config, complete, config_from, override
from deeptheory.runs.datasets import outlined
from deeptheory.runs.network_sources import NetworkSource, stored_blueprint
from deeptheory.runs.option_readers import TRAINING, first_step, is_of, reads, stale_parts
from deeptheory.runs.option_tables import flatten
from deeptheory.runs.run import Run
from deeptheory.runs.steps.layer_choice import check_later_steps
from deeptheory.runs.stored_parts import Piece, checkpoints, described, pieces_begun, stored_pieces
from deeptheory.store import hdf5, paths
from deeptheory.store.toml import toml_value


@dataclass(frozen=True)
class Change:
    """One option that gets another value."""

    option: str
    old: Any
    new: Any

    @property
    def text(self) -> str:
        """As logs and summaries say it."""
        return f"{self.option} from {toml_value(self.old)} to {toml_value(self.new)}"

    @property
    def asked(self) -> str:
        """As refusals say it."""
        return f"{self.option} = {toml_value(self.old)} there, {toml_value(self.new)} asked"


Changes = Sequence[Change]


def changed_config(run: Run, overrides: Sequence[str]) -> tuple[Config, list[Change]]:
    """The configuration of a run with ``table.option=value`` overrides, and what is another value in it.

    Raises
    ------
    InputError
        An unknown option, a value of the wrong type or range, or one that does not fit the network; an option
        that the training reads.
    """
    table = complete(run.config)
    override(table, overrides)
    config = config_from(table)
    old, new = (dict(flatten(complete(one))) for one in (run.config, config))
    changes = [
        Change(name, old[name], new[name])
        for name in new
        if old[name] != new[name] and not is_of(name, ("plugins",))  # they follow from the others
    ]
    _refuse_training(run, changes)
    _refuse_old_rate(config, changes)
    if changes:
        outline = outlined(config, run.quiet)
        source = NetworkSource(config.network, outline.n_labels, outline.input_shape, stored_blueprint(run))
        check_later_steps(config, source.fresh(np.random.default_rng(0)))
    return config, changes


def change_options(run: Run, overrides: Sequence[str], reader: str, chained: bool = False) -> None:
    """Change options of a trained run before a step that reads them.

    Parameters
    ----------
    run : Run
        Its `config.toml`, and the configuration in `run.h5`, get the new values; the log a line. What unfinished
        steps stored and would compute anew is dropped.
    overrides : sequence of str
        Such as ``prune.threshold=0.4``. Values that are there already change nothing.
    reader : str
        The step, or the part beside the steps (`option_readers.PARTS`), that is computed next.
    chained : bool
        Whether the steps before it that are not done are computed as well.

    Raises
    ------
    InputError
        What `changed_config` refuses; an option that tells a member of a sweep from others; a result that is
        stored, or half done, depends on a changed option; the steps to be computed do not; the run is not trained,
        or another process writes it. Nothing is changed then.
    """
    if not overrides:
        return
    before = paths.STEPS[: paths.STEPS.index(reader)] if reader in paths.STEPS else (TRAINING,)
    run.require(TRAINING if chained else before[-1])
    with run.locked():
        config, changes = changed_config(run, overrides)
        if not changes:
            return
        _refuse_member(run, changes)
        stale = stale_parts(change.option for change in changes)
        with hdf5.open_for_reading(run.results) as file:
            stored, begun = (
                stored_pieces(file),
                [path for path in pieces_begun(file) if path.split("/")[0] in stale],
            )
        _refuse_stored(run, changes, stored + checkpoints(run.directory), stale)
        _refuse_unread(changes, reader)
        run.reconfigure(config, begun)
        run.log("changed " + "; ".join(change.text for change in changes))


def _refuse_training(run: Run, changes: Changes) -> None:
    """Refuse another training; an iterative schedule needs weights of an early epoch, which it may have kept."""
    of_training = [
        change
        for change in changes
        if reads(TRAINING, change.option)
        or (change.option == "prune.schedule" and change.new == "iterative" and not run.has(paths.REWIND))
    ]
    if of_training:
        command = _command("train", run.directory / paths.CONFIG, "--out", free_name(run.directory))
        raise InputError(
            f"run {run.directory}",
            "options of the steps after training",
            f"{_values(of_training)}, read by the training",
            f"train another one: '{with_options(command, changes)}'",
        )


def _refuse_member(run: Run, changes: Changes) -> None:
    """Refuse to make another member of a sweep of one that is there: the sweep would not know it again."""
    if of_member := [change for change in changes if change.option not in FREE and _is_member(run.directory)]:
        command = _command("branch", run.directory, free_name(run.directory))
        raise InputError(
            f"run {run.directory}",
            "options that leave it the member of its sweep that it is",
            _values(of_member),
            f"keep both: '{with_options(command, changes)}'",
        )


def _refuse_old_rate(config: Config, changes: Changes) -> None:
    """Refuse the learning rate of another optimiser, which nobody asked for."""
    changed = {change.option for change in changes}
    if "retrain.optimiser" in changed and "retrain.learning_rate" not in changed:
        kind = config.retrain.optimiser
        found = f"{config.retrain.learning_rate:g}, that of another optimiser"
        do = f"give both; by default {kind} starts at {RATES[kind] / 2:g}"
        raise InputError("retrain.learning_rate", f"one for {kind}", found, do)


def _refuse_stored(run: Run, changes: Changes, pieces: Sequence[Piece], stale: Collection[str]) -> None:
    depending = [piece for piece in pieces if piece.part in stale]
    if depending:
        parts = {piece.part for piece in depending}
        read = [c for c in changes if any(reads(part, c.option) for part in parts)]
        command = _command("branch", run.directory, free_name(run.directory))
        raise InputError(
            f"run {run.directory}",
            "options that nothing stored depends on",
            f"{_values(read)}, read by {described(depending)}",
            f"keep both: '{with_options(command, changes)}'",
        )


def _refuse_unread(changes: Changes, reader: str) -> None:
    for change in changes:
        if change.option != "checkpoint_minutes" and not reads(reader, change.option):
            step = first_step(change.option)
            found = (
                f"{change.option}, first read by '{step}'" if step else f"{change.option}, read by no step"
            )
            do = (
                f"give it to 'deeptheory {step}'"
                if step
                else "give it to 'deeptheory branch' or to the study"
            )
            raise InputError("--set", f"options that '{reader}' reads", found, do)


def free_name(directory: Path) -> Path:
    """A directory for a branch that is not there yet: beside a run, or beside the study or sweep of a run."""
    directory = directory if directory.name not in ("", "..") else directory.resolve()
    of_seed = directory.name.startswith(paths.seed_directory(Path(), 0).name.removesuffix("0"))
    of_study = of_seed or _is_member(directory)
    whole = directory.parent if of_study else directory
    number, name = 1, f"{whole.name}-branch"
    while (whole.with_name(name) / (directory.name if of_study else "")).exists():
        number, name = number + 1, f"{whole.name}-branch-{number + 1}"
    return whole.with_name(name) / directory.name if of_study else whole.with_name(name)


def _is_member(directory: Path) -> bool:
    """Whether a run is in the directory of a sweep."""
    return (directory.resolve().parent / paths.SWEEP).is_file()


def with_options(command: str, changes: Changes) -> str:
    """A command with `--set` for every change."""
    given = (f"--set {shlex.quote(f'{change.option}={toml_value(change.new)}')}" for change in changes)
    return " ".join([command, *given])


def _command(name: str, *arguments: Path | str) -> str:
    return shlex.join(["deeptheory", name, *map(str, arguments)])


def _values(changes: Changes) -> str:
    return "; ".join(change.asked for change in changes)
