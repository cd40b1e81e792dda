"""Compute the unfinished members of a sweep; one that fails does not stop the others."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deeptheory.errors import InputError
from deeptheory.runs import failure_log, steps
from deeptheory.runs.estimates import require_memory, steps_until
from deeptheory.runs.run import Run, make_directory
from deeptheory.runs.run_locks import Locked, holder
from deeptheory.store import paths
from deeptheory.store.atomic_files import write_text
from deeptheory.studies.local_processes import run_side_by_side
from deeptheory.studies.sweep import member_states, queue
from deeptheory.studies.sweep.expansion import directories, expand
from deeptheory.studies.sweep.member_states import MemberState
from deeptheory.studies.sweep.options import Sweep, sweep_to_toml
from deeptheory.studies.sweep.results import write_results
from deeptheory.tables import Summary


@dataclass(frozen=True)
class Swept:
    """The result of `run_sweep`.

    Attributes
    ----------
    directory : Path
    members : tuple of MemberState
    status, results : Summary
        How far the members are, and their results (`member_states.summary`, `results.collect`).
    """

    directory: Path
    members: tuple[MemberState, ...]
    status: Summary
    results: Summary

    @property
    def complete(self) -> bool:
        """Whether all members are done."""
        return all(member_state.state == "done" for member_state in self.members)

    @property
    def text(self) -> str:
        """The summary over seeds, then what is done and what failed."""
        return f"{self.results.text}\n\n{self.status.text}"

    @property
    def numbers(self) -> dict[str, Any]:
        """The numbers of both summaries."""
        return {"status": self.status.numbers, "results": self.results.numbers}


def run_sweep(sweep: Sweep, directory: Path, jobs: int = 1, quiet: bool = False) -> Swept:
    """Compute all members that are not done, and collect the results.

    Parameters
    ----------
    sweep : Sweep
        From `read_sweep`. Members are known by their whole configuration: a second call with more values, variants
        or seeds adds members, and one with another option makes others beside what is there.
    directory : Path
        Gets `sweep.toml`, one run directory per member, and the tables of `results.collect`.
    jobs : int
        Members computed at a time. Above 1 each is a process of its own with its share of the threads, and the
        bits are those of that number of threads.
    quiet : bool
        No progress on standard error.

    Returns
    -------
    Swept
        A member that failed, or that another process holds, is one of its states; the traceback is in its
        `log.txt`, and the next call tries it again.

    Raises
    ------
    InputError
        Members that cannot be told apart or configured, or for which the memory is not there, before anything
        starts; a directory with other files.
    """
    directory = Path(directory)
    members = expand(sweep)
    places = zip(directories(directory, members), (member.config for member in members), strict=True)
    require_memory(places, steps_until(sweep.options.steps), jobs, quiet, keep_going=True)
    runs = _prepare(sweep, directory, None, quiet)
    all_states = member_states.states(sweep, directory)
    unfinished = [
        run for run, member_state in zip(runs, all_states, strict=True) if member_state.state != "done"
    ]
    jobs, until, refused = min(jobs, len(unfinished)), sweep.options.steps, dict[Path, str]()
    if jobs > 1:
        command = "chain", "--until", until
        for run, code in run_side_by_side(unfinished, jobs, quiet, command, keep_going=True).items():
            if failure_log.last(run.directory) is None and holder(run.directory) is None:
                failure_log.keep_exit(run, code)
    else:
        refused = {run.directory: text for run in unfinished if (text := _compute(run, until))}
    all_states = [
        _with_refusal(member_state, refused.get(member_state.directory, ""))
        for member_state in member_states.states(sweep, directory)
    ]
    status, results = (
        member_states.summary(sweep, directory, all_states),
        write_results(sweep, directory, all_states),
    )
    return Swept(directory, tuple(all_states), status, results)


def run_member(sweep: Sweep, directory: Path, index: int, quiet: bool = False) -> MemberState:
    """Compute one member in this process, by its place in the order of `expand`; parameters as in `run_sweep`.

    Raises
    ------
    InputError
        As `run_sweep` raises it, or an index outside the sweep. Too little memory is a failure of the member.
    """
    directory = Path(directory)
    (run,) = _prepare(sweep, directory, index, quiet)
    until, refused = sweep.options.steps, ""
    try:
        require_memory([(run.directory, run.config)], steps_until(until), 1, quiet, keep_going=True)
    except InputError as error:  # kept like that of any other member that cannot be computed
        failure_log.keep(run, error)
    else:
        refused = _compute(run, until)
    return _with_refusal(member_states.state(sweep, directory, index), refused)


def claim(sweep: Sweep, directory: Path) -> None:
    """Make the directory of a sweep; its `sweep.toml` says what was asked.

    Raises
    ------
    InputError
        A directory with other files, or that cannot be written; another sweep than that whose jobs Slurm holds.
    """
    refuse_other_files(directory)
    make_directory(directory)
    asked, text = directory / paths.SWEEP, sweep_to_toml(sweep)
    there = asked.read_text(encoding="utf-8") if asked.is_file() else None
    if there != text:
        if there is not None:
            queue.refuse_queued(directory)  # its elements find their members by the order of the old one
        write_text(asked, text)


def refuse_other_files(directory: Path) -> None:
    """Raise an `InputError` where something other than a sweep is in a directory."""
    # Members may start side by side: what is there is read first, because sweep.toml comes before all else.
    others = directory.is_dir() and [path for path in directory.iterdir() if not path.name.startswith(".")]
    if others and not (directory / paths.SWEEP).is_file():
        do = "name a new directory with --out"
        raise InputError(f"directory {directory}", "an empty directory or a sweep", "other files", do)


def _prepare(sweep: Sweep, directory: Path, index: int | None, quiet: bool) -> list[Run]:
    """The runs of all members or of one, made where they are not there; `sweep.toml` says what was asked."""
    members = expand(sweep)
    if index is not None and not 0 <= index < len(members):
        raise InputError("--index", f"0 to {len(members) - 1}, one for every member", f"{index}")
    claim(sweep, directory)
    places = list(zip(directories(directory, members), members, strict=True))
    chosen = places if index is None else [places[index]]
    return [Run.create(place, member.config, quiet) for place, member in chosen]


def _compute(run: Run, until: str) -> str:
    """Compute a run; why that was refused, if another process holds it. Other errors are in its log."""
    try:
        steps.chain(run, until)
    except Locked as error:
        return str(error)
    except Exception:
        return ""
    return ""


def _with_refusal(member_state: MemberState, refused: str) -> MemberState:
    """The state with the reason why nothing was done, where the other process is gone by now."""
    if not refused or member_state.locked or member_state.state == "done":
        return member_state
    return replace(member_state, locked=refused)
