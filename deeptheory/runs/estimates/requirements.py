"""What a configuration needs, put together: memory, disk and time of one run, and of all."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from deeptheory import prune
from deeptheory.runs.configuration import Config
from deeptheory.runs.estimates import timing
from deeptheory.runs.estimates.memory import COMPARE, PARTS, Parts, disk_bytes, file_bytes, peaks
from deeptheory.runs.estimates.sizes import Sizes, sizes_of
from deeptheory.system import memory, process_setup, threadpools
from deeptheory.tables import Table

# What no short trial tells: how many iterations a probe takes, and what depends on the trained network.
UNKNOWN = {
    "measure": "fitting probes and finding clusters",
    "predict": "the step predict",
    "prune": "the step prune",
    COMPARE: "the scores of criteria",
}


@dataclass(frozen=True)
class Estimate:
    """What one run needs, and several of them together.

    Attributes
    ----------
    title : str
    parts : dict of Parts
        Memory by step in bytes, with the memory that was free.
    least : int
        Bytes with which a run gets through where less is free: features of one stage at a time.
    free : int or None
    file, disk : int
        Bytes of the run file, and on disk at most.
    seconds, per_epoch : dict of float
        By step, of one run: what can be told beforehand. Measured on a few steps on noise, so no better than the
        machine is quiet, and NOT the whole of a step in `unknown`.
    n_runs, jobs, threads : int
        Runs, of them at a time, and threads of each.
    """

    title: str
    parts: dict[str, Parts]
    least: int
    free: int | None
    file: int
    disk: int
    seconds: dict[str, float]
    per_epoch: dict[str, float]
    n_runs: int
    jobs: int
    threads: int

    @property
    def largest(self) -> str:
        """The step that takes most memory."""
        return max(self.parts, key=lambda step: self.parts[step].total)

    @property
    def peak(self) -> int:
        """Bytes of memory that a run takes."""
        return self.parts[self.largest].total

    @property
    def unknown(self) -> list[str]:
        """What of the steps is not in `seconds`."""
        return [text for step, text in UNKNOWN.items() if step in self.parts]

    @property
    def core_hours(self) -> float:
        """Of all runs, for what is in `seconds`."""
        return sum(self.seconds.values()) * self.threads * self.n_runs / 3600

    @property
    def numbers(self) -> dict[str, Any]:
        """For programs; bytes and seconds are of one run."""
        return {
            "memory_bytes": self.peak,
            "largest_step": self.largest,
            "least_memory_bytes": self.least,
            "free_memory_bytes": self.free,
            "parts_bytes": {
                step: {name: getattr(parts, name) for name in PARTS} for step, parts in self.parts.items()
            },
            "file_bytes": self.file,
            "disk_bytes": self.disk,
            "seconds_per_epoch": self.per_epoch,
            "seconds": self.seconds,
            "not_estimated": self.unknown,
            "runs": self.n_runs,
            "jobs": self.jobs,
            "threads": self.threads,
            "core_hours": self.core_hours,
        }

    @property
    def comment(self) -> str:
        """Two or three lines, as for the header of a batch script."""
        hint = f", {memory.gigabytes(self.least)} at least" if self.least < self.peak else ""
        lines = [
            f"memory of a run: {memory.gigabytes(self.peak)} (step {self.largest}){hint}; "
            f"run file: {memory.gigabytes(self.file)}, on disk at most {memory.gigabytes(self.disk)}"
        ]
        if self.seconds:
            epochs = ", ".join(f"{step} {duration(of)} an epoch" for step, of in self.per_epoch.items())
            missing = f", without {', '.join(self.unknown)}" if self.unknown else ""
            lines += [
                f"time of a run with {_count(self.threads, 'thread')}: {duration(sum(self.seconds.values()))} "
                f"({epochs}){missing}",
                f"all {_count(self.n_runs, 'run')}: {self.core_hours:.2g} core-hours, {self.jobs} at a time",
            ]
        return "\n".join(lines)

    @property
    def text(self) -> str:
        """Tables of memory and time, and the comment."""
        header = ("step", *PARTS, "together", "per epoch", "time")
        rows = [
            (
                step,
                *(f"{getattr(parts, name) / 1e6:.0f}" for name in PARTS),
                f"{parts.total / 1e6:.0f}",
                duration(self.per_epoch[step]) if step in self.per_epoch else "-",
                duration(self.seconds[step]) if step in self.seconds else "-",
            )
            for step, parts in self.parts.items()
        ]
        title = f"{self.title}: memory in MB at the peak of every step, and time, of one run"
        return str(Table(title, header, rows, notes=[*self.comment.splitlines(), *self._warning()]))

    def _warning(self) -> list[str]:
        if self.free is None:
            return ["how much memory is free is not known here"]
        enough = self.jobs * self.least <= memory.MEMORY_SHARE * self.free
        short = "" if enough else ": too little, the command would refuse to start"
        return [f"free memory: {memory.gigabytes(self.free)}{short}"]


def estimate(
    config: Config, steps: Sequence[str], n_runs: int, jobs: int = 1, quiet: bool = False
) -> Estimate:
    """Estimate what a run needs, and several that differ in their seed.

    Parameters
    ----------
    config : Config
    steps : sequence of str
        What is to be computed: of `paths.STEPS`, or `COMPARE` in place of predicting, pruning and retraining.
    n_runs : int
    jobs : int
        How many runs at a time, these or others, each with its share of the threads.
    quiet : bool
        No progress on standard error.

    Returns
    -------
    Estimate
        Nothing is written but caches. Times are tried only where the memory suffices.

    Raises
    ------
    InputError
        What the steps would refuse of the configuration and the data.
    """
    sizes = sizes_of(config, quiet)
    free = memory.free_memory()
    with _share_of_threads(jobs) as threads:
        least = max(parts.total for parts in peaks(sizes, steps).values())
        fits = free is None or jobs * least <= memory.MEMORY_SHARE * free
        per_epoch = _per_epoch(sizes, steps) if fits else {}
        network = config.network
        return Estimate(
            title=f"{network.title}, {sizes.n_labels} labels, {sizes.inputs['train']} "
            f"training images of {' x '.join(map(str, sizes.input_shape))}",
            parts=peaks(sizes, steps, (free or 0) / jobs),
            least=least,
            free=free,
            file=file_bytes(sizes, steps),
            disk=disk_bytes(sizes, steps),
            seconds=_seconds(sizes, steps, per_epoch) if fits else {},
            per_epoch=per_epoch,
            n_runs=n_runs,
            jobs=jobs,
            threads=threads,
        )


def duration(seconds: float) -> str:
    """A time as people say it, with two digits at least."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _per_epoch(sizes: Sizes, steps: Sequence[str]) -> dict[str, float]:
    recipes = {"train": sizes.config.train, "retrain": sizes.config.retrain, COMPARE: sizes.config.retrain}
    return {step: timing.epoch_seconds(sizes, recipe) for step, recipe in recipes.items() if step in steps}


def _seconds(sizes: Sizes, steps: Sequence[str], per_epoch: dict[str, float]) -> dict[str, float]:
    config, inputs = sizes.config, sizes.inputs
    per_image = timing.pass_seconds(sizes)
    found = {"train": config.train.epochs * per_epoch["train"]}
    found["train"] += per_image * (inputs["measure"] + inputs["test"])
    if "measure" in steps:
        found["measure"] = timing.measure_seconds(sizes) * inputs["measure"] + per_image * inputs["test"]
    for step, pruned in (
        ("retrain", config.prune.arms),
        (COMPARE, config.compare.criteria * len(config.compare.densities) * _alone(sizes)),
    ):
        if step in steps:
            trainings = [_retraining(sizes, per_epoch, step, arm) for arm in (prune.UNPRUNED, *pruned)]
            found[step] = sum(trainings) + per_image * inputs["test"] * len(trainings)
    return found


def _alone(sizes: Sizes) -> int:
    return sizes.masked if sizes.config.compare.alone else 1


def _retraining(sizes: Sizes, per_epoch: dict[str, float], step: str, arm: str) -> float:
    config = sizes.config
    if arm != prune.UNPRUNED and prune.CRITERIA[arm].from_scratch:
        return config.train.epochs * per_epoch["train"]
    again = config.prune.rounds if arm != prune.UNPRUNED and config.prune.schedule == "iterative" else 1
    return again * config.retrain.epochs * per_epoch[step]


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}" + "s" * (n != 1)


@contextlib.contextmanager
def _share_of_threads(jobs: int) -> Iterator[int]:
    """Compute with the threads that each of several runs at a time gets."""
    all_threads = threadpools.threads()
    share = max(1, all_threads // jobs)
    process_setup.configure(share)
    try:
        yield share
    finally:
        process_setup.configure(all_threads)
