"""What a sweep needs, point by point: members that differ in their seed are estimated once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeptheory.errors import InputError
from deeptheory.runs.estimates import Estimate, duration, estimate, steps_until
from deeptheory.store.toml import toml_value
from deeptheory.studies.sweep.expansion import Member, directories, expand
from deeptheory.studies.sweep.options import Sweep
from deeptheory.system import memory
from deeptheory.tables import Table

TITLE = "what the runs at every point need; memory in MB at the peak of one, in which step; its times"
HEADER = "runs", "memory", "step", "run file", "epoch", "run", "core-hours"


@dataclass(frozen=True)
class SweepEstimate:
    """What the members at every point need.

    Attributes
    ----------
    text : str
        A table and the lines below it.
    comment : str
        Those lines, for the header of a script.
    refused : dict of str to str
        By the identity of every member that cannot be computed: why.
    numbers : dict
        An entry per point, for programs.
    """

    text: str
    comment: str
    refused: dict[str, str]
    numbers: dict[str, Any]


def estimate_sweep(sweep: Sweep, directory: Path, jobs: int = 1, quiet: bool = False) -> SweepEstimate:
    """Estimate every point of a sweep; nothing is written but caches.

    Parameters
    ----------
    sweep : Sweep
    directory : Path
        Of the sweep, which need not exist; what its members recorded goes before the estimate.
    jobs : int
        Members computed at a time, each with its share of the threads.
    quiet : bool
        No progress on standard error.

    Returns
    -------
    SweepEstimate
        Points whose configuration or data is refused stand with the reason: their members will fail, others not.

    Raises
    ------
    InputError
        As `expand` raises it.
    """
    members, steps = expand(sweep), steps_until(sweep.options.steps)
    variants = any(member.point[0] for member in members)
    columns = (*(["variant"] if variants else []), *sweep.varied)
    points: dict[tuple[Any, ...], list[tuple[Member, Path]]] = {}
    for member, path in zip(members, directories(directory, members), strict=True):
        points.setdefault(member.point[not variants :], []).append((member, path))
    estimates, rows, entries = list[Estimate](), list[list[str]](), list[dict[str, Any]]()
    reasons, refused = list[str](), dict[str, str]()
    for point, seeds in points.items():
        words = [value if isinstance(value, str) else toml_value(value) for value in point]
        config, places = seeds[0][0].config, [path for _, path in seeds]
        try:
            needs = estimate(config, steps, places, min(jobs, len(members)), quiet)
        except InputError as error:
            reasons.append(f"{' '.join(words)}: {error}")
            refused |= {member.identity: str(error) for member, _ in seeds}
            entry = {"error": str(error)}
        else:
            estimates.append(needs)
            rows.append([*words, *_row(needs)])
            entry = needs.numbers
        entries.append({**dict(zip(columns, point, strict=True)), **entry})
    core_hours = sum(needs.core_hours for needs in estimates)
    comment = _comment(estimates, core_hours)
    table = Table(TITLE, (*columns, *HEADER), rows, range(len(columns)), [*comment.splitlines(), *reasons])
    return SweepEstimate(str(table), comment, refused, {"points": entries, "core_hours": core_hours})


def _comment(estimates: list[Estimate], core_hours: float) -> str:
    """Two or three lines on the member that takes most memory, the longest, and all together."""
    if not estimates:
        return "no member can be computed"
    largest = max(estimates, key=lambda needs: needs.memory_bytes).comment.splitlines()
    longest = max(estimates, key=lambda needs: sum(needs.seconds.values())).comment.splitlines()
    lines = [f"largest member, {largest[0]}", *(f"longest member, {line}" for line in longest[1:2])]
    members = sum(needs.runs for needs in estimates)
    return "\n".join([*lines, f"all {members} members: {core_hours:.2g} core-hours"])


def _row(needs: Estimate) -> list[str]:
    times = ["-", "-", "-"]
    if needs.seconds:
        seconds = needs.seconds_per_epoch.get("train"), sum(needs.seconds.values())
        times = [*("-" if time is None else duration(time) for time in seconds), f"{needs.core_hours:.2g}"]
    size, file = f"{needs.memory_bytes / 1e6:.0f}", memory.gigabytes(needs.file_bytes)
    return [f"{needs.runs}", size, needs.largest_step, file, *times]
