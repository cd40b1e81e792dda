"""What a sweep needs, point by point: members that differ in their seed are estimated once."""

from dataclasses import dataclass
from typing import Any

from deeptheory.errors import InputError
from deeptheory.runs.estimates import Estimate, duration, estimate, steps_until
from deeptheory.store.toml import toml_value
from deeptheory.studies.sweep.expansion import expand
from deeptheory.studies.sweep.options import Sweep
from deeptheory.system import memory
from deeptheory.tables import Table


@dataclass(frozen=True)
class SweepEstimate:
    """What the members at every point need.

    Attributes
    ----------
    columns : tuple of str
        Of a point: the variant, and the options in which members differ.
    points : dict of tuple to Estimate
        Each for the seeds at that point.
    refused : dict of tuple to str
        Points whose configuration or data is refused, with the reason: their members will fail, the others not.
    """

    columns: tuple[str, ...]
    points: dict[tuple[Any, ...], Estimate]
    refused: dict[tuple[Any, ...], str]

    @property
    def core_hours(self) -> float:
        """Of all members, for what `Estimate.seconds` holds."""
        return sum(of.core_hours for of in self.points.values())

    @property
    def numbers(self) -> dict[str, Any]:
        """One entry per point, and the total."""
        named = [{**self._names(point), **of.numbers} for point, of in self.points.items()]
        refused = [{**self._names(point), "error": error} for point, error in self.refused.items()]
        return {"points": [*named, *refused], "core_hours": self.core_hours}

    @property
    def comment(self) -> str:
        """Two or three lines on the member that takes most memory, the longest, and all together."""
        if not self.points:
            return "no member can be computed"
        largest = max(self.points.values(), key=lambda of: of.peak)
        longest = max(self.points.values(), key=lambda of: sum(of.seconds.values()))
        members = sum(of.n_runs for of in self.points.values())
        return "\n".join(
            [
                "largest member, " + largest.comment.splitlines()[0],
                *("longest member, " + line for line in longest.comment.splitlines()[1:2]),
                f"all {members} members: {self.core_hours:.2g} core-hours",
            ]
        )

    @property
    def text(self) -> str:
        """A table with a row per point, and the comment."""
        header = (*self.columns, "runs", "memory", "step", "run file", "epoch", "run", "core-hours")
        rows = [(*map(_text, point), *_row(of)) for point, of in self.points.items()]
        notes = [*self.comment.splitlines()]
        notes += [f"{' '.join(map(_text, point))}: {error}" for point, error in self.refused.items()]
        left = range(len(self.columns))
        title = "what the runs at every point need; memory in MB at the peak of one, in which step; its times"
        return str(Table(title, header, rows, tuple(left), notes))

    def _names(self, point: tuple[Any, ...]) -> dict[str, Any]:
        return dict(zip(self.columns, point, strict=True))


def estimate_sweep(sweep: Sweep, jobs: int = 1, quiet: bool = False) -> SweepEstimate:
    """Estimate every point of a sweep; nothing is written but caches.

    Parameters
    ----------
    sweep : Sweep
    jobs : int
        Members computed at a time, each with its share of the threads.
    quiet : bool
        No progress on standard error.

    Raises
    ------
    InputError
        As `expand` raises it. What is wrong with single members is among the result.
    """
    members = expand(sweep)
    variants = any(member.point[0] for member in members)
    columns = (*(["variant"] if variants else []), *sweep.varied)
    steps = steps_until(sweep.options.steps)
    points: dict[tuple[Any, ...], Estimate] = {}
    refused: dict[tuple[Any, ...], str] = {}
    jobs = min(jobs, len(members))
    for member in members:
        point = member.point[not variants :]
        if point in points or point in refused:
            continue
        seeds = sum(other.point == member.point for other in members)
        try:
            points[point] = estimate(member.config, steps, seeds, jobs, quiet)
        except InputError as error:
            refused[point] = str(error)
    return SweepEstimate(columns, points, refused)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else toml_value(value)


def _row(of: Estimate) -> tuple[str, ...]:
    return (
        f"{of.n_runs}",
        f"{of.peak / 1e6:.0f}",
        of.largest,
        memory.gigabytes(of.file),
        duration(of.per_epoch["train"]) if of.per_epoch else "-",
        duration(sum(of.seconds.values())) if of.seconds else "-",
        f"{of.core_hours:.2g}" if of.seconds else "-",
    )
