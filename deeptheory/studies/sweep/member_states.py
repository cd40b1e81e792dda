"""How far every member of a sweep is, according to its files."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeptheory.errors import InputError
from deeptheory.runs import failure_log
from deeptheory.runs.run_locks import holder
from deeptheory.store import paths
from deeptheory.studies.sweep.expansion import Member, directories, expand, run_names
from deeptheory.studies.sweep.finished_members import FinishedMembers
from deeptheory.studies.sweep.options import Sweep, read_sweep
from deeptheory.tables import Summary, text_table

STATES = ("done", "partial", "failed", "missing")


@dataclass(frozen=True)
class MemberState:
    """A member, where it is, and how far.

    Attributes
    ----------
    member : Member
    directory : Path
    state : str
        ``done``: the last step asked for is finished; ``failed``: the last attempt ended with an error;
        ``partial``: something is stored; ``missing``: nothing yet. A member that is computing now, or was killed
        before it could say so, is partial or missing.
    error : str
        That of a failed member, in one line.
    locked : str
        Why a member that is not done cannot be computed just now: the process that holds its lock.
    """

    member: Member
    directory: Path
    state: str
    error: str
    locked: str = ""

    @property
    def text(self) -> str:
        """Its name and state; of a failed member the error and where its traceback is; who holds its lock."""
        text = f"{self.directory.name}: {self.state}"
        if self.error:
            text += f", {self.error}; see {self.directory / paths.LOG}"
        return f"{text}, {self.locked}" if self.locked else text

    @property
    def numbers(self) -> dict[str, Any]:
        """The same for programs."""
        reasons = {"error": self.error or None, "locked": self.locked or None}
        return {"member": self.directory.name, "state": self.state, **reasons}


def opened(directory: Path) -> Sweep:
    """The sweep that was asked for in a directory."""
    if not (directory / paths.SWEEP).is_file():
        do = "start one with 'deeptheory sweep FILE --out DIR'"
        raise InputError("sweep", f"a directory with {paths.SWEEP}", f"{directory}", do)
    return read_sweep(directory / paths.SWEEP)


def states(sweep: Sweep, root: Path) -> list[MemberState]:
    """The state of every member, in the order of `expand`."""
    members, finished = expand(sweep), FinishedMembers(root, sweep.options.steps)
    places = zip(members, directories(root, members), strict=True)
    found = [_state(member, directory, finished) for member, directory in places]
    finished.keep()
    return found


def state(sweep: Sweep, root: Path, index: int) -> MemberState:
    """The state of one member, by its place in the order of `expand`."""
    member = expand(sweep)[index]
    (directory,) = directories(root, (member,))
    return _state(member, directory, FinishedMembers(root, sweep.options.steps))


def _state(member: Member, directory: Path, finished: FinishedMembers) -> MemberState:
    if finished.has(directory):
        return MemberState(member, directory, "done", "")
    if not directory.is_dir():
        return MemberState(member, directory, "missing", "")
    error, who = failure_log.last(directory) or "", holder(directory, ask=False)
    begun = any((directory / name).exists() for name in (paths.RESULTS, paths.CHECKPOINT))
    how_far = "failed" if error else "partial" if begun else "missing"
    do = f"delete {directory / paths.LOCK} if that is not running any more"
    return MemberState(member, directory, how_far, error, f"locked by {who}: {do}" if who else "")


def status(root: Path) -> Summary:
    """Counts of the states, the members that are not done, and run directories of other configurations.

    Raises
    ------
    InputError
        No sweep was started in the directory.
    """
    root = Path(root)
    sweep = opened(root)
    return summary(sweep, root, states(sweep, root))


def summary(sweep: Sweep, root: Path, all_states: list[MemberState]) -> Summary:
    """The same for states that have been read already."""
    counts = Counter(member_state.state for member_state in all_states)
    names = {member_state.directory.name for member_state in all_states}
    others = sorted(set(run_names(root)) - names)
    shares = ", ".join(f"{counts[state]} {state}" for state in STATES)
    lines = [f"sweep {root}, as far as {sweep.options.steps}: {len(all_states)} members, {shares}"]
    undone = [(one.directory.name, one.state) for one in all_states if one.state != "done"]
    if undone:
        lines += text_table(("not done", "state"), undone, left=(0, 1))
    lines += [one.text for one in all_states if one.error or one.locked]
    if others:
        lines.append(
            f"{len(others)} runs of other configurations are no part of it and stay as they are: "
            + ", ".join(others)
        )
    numbers = {
        "sweep": str(root),
        "steps": sweep.options.steps,
        "counts": {state: counts[state] for state in STATES},
        "members": [member_state.numbers for member_state in all_states],
        "other_runs": others,
    }
    return Summary("\n".join(lines), numbers)
