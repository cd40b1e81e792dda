"""What a configuration needs, put together: memory, disk and time of one run, and of all."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deeptheory import prune
from deeptheory.runs.configuration import Config
from deeptheory.runs.estimates.memory_law import COMPARE, Sizes, sizes_of
from deeptheory.runs.estimates.timing import epoch_seconds, recorded
from deeptheory.runs.steps import check_options
from deeptheory.runs.steps.calibration import N_CALIBRATIONS
from deeptheory.system import memory, threadpools
from deeptheory.tables import Table


@dataclass(frozen=True)
class Estimate:
    """What one run needs, and several of them together.

    Attributes
    ----------
    title : str
    memory_bytes, largest_step : int, str
        Of a run, and the step that takes them, with the memory that is free now.
    parts_bytes : dict of dict of str to int
        By step: the terms of the law, or what a finished run recorded.
    least_memory_bytes : int
        With which a run gets through where less is free: features of one stage at a time.
    free_memory_bytes : int or None
    file_bytes, disk_bytes : int
        Of the run file; of what is on disk at most: file and checkpoint, the ones before, and the ones to come.
    seconds_per_epoch, seconds : dict of float
        By step, of one run: recorded, or the epochs by a few steps on noise, no better than the machine is quiet.
    not_estimated : list of str
        The steps without a time: nobody knows beforehand how many iterations a probe takes.
    runs, jobs, threads : int
        Runs, of them at a time, and threads of each.
    core_hours : float
        Of all runs, for what is in `seconds`.
    """

    title: str
    memory_bytes: int
    largest_step: str
    parts_bytes: dict[str, dict[str, int]]
    least_memory_bytes: int
    free_memory_bytes: int | None
    file_bytes: int
    disk_bytes: int
    seconds_per_epoch: dict[str, float]
    seconds: dict[str, float]
    not_estimated: list[str]
    runs: int
    jobs: int
    threads: int
    core_hours: float

    @property
    def numbers(self) -> dict[str, Any]:
        """For programs; bytes and seconds are of one run."""
        return asdict(self)

    @property
    def comment(self) -> str:
        """Memory, time and core-hours in a line each, as for the header of a batch script."""
        least, peak, file, disk = map(
            memory.gigabytes, (self.least_memory_bytes, self.memory_bytes, self.file_bytes, self.disk_bytes)
        )
        hint = f", {least} at least" if self.least_memory_bytes < self.memory_bytes else ""
        run = f"memory of a run: {peak} (step {self.largest_step}){hint}"
        line = f"{run}; run file: {file}, on disk at most {disk}"
        if not self.seconds:
            return line
        epochs = ", ".join(
            f"{step} {duration(time)} an epoch" for step, time in self.seconds_per_epoch.items()
        )
        missing = f", without {', '.join(self.not_estimated)}" if self.not_estimated else ""
        time = f"{duration(sum(self.seconds.values()))} ({epochs}){missing}"
        return (
            f"{line}\ntime of a run with {self.threads} thread{'s' * (self.threads != 1)}: {time}\n"
            f"all runs ({self.runs}): {self.core_hours:.2g} core-hours, {self.jobs} at a time"
        )

    @property
    def text(self) -> str:
        """A table of memory and time, the comment, and whether the memory suffices."""
        names = list(dict.fromkeys(name for parts in self.parts_bytes.values() for name in parts))
        rows = []
        for step, parts in self.parts_bytes.items():
            sizes = [parts.get(name, 0) for name in names]
            times = (table.get(step) for table in (self.seconds_per_epoch, self.seconds))
            sizes_in_mb = [f"{size / 1e6:.0f}" for size in (*sizes, sum(sizes))]
            rows.append((step, *sizes_in_mb, *("-" if time is None else duration(time) for time in times)))
        free = "how much memory is free is not known here"
        if self.free_memory_bytes is not None:
            free = f"free memory: {memory.gigabytes(self.free_memory_bytes)}"
            if not _fits(self.jobs * self.least_memory_bytes, self.free_memory_bytes):
                free += ": too little, the command would refuse to start"
        title = f"{self.title}: memory in MB at the peak of every step, and time, of one run"
        header = "step", *names, "together", "per epoch", "time"
        return str(Table(title, header, rows, notes=[*self.comment.splitlines(), free]))


def estimate(
    config: Config, steps: Sequence[str], directories: Sequence[Path], jobs: int = 1, quiet: bool = False
) -> Estimate:
    """Estimate what a run needs, and several that differ in their seed; nothing is written but caches.

    Parameters
    ----------
    config : Config
    steps : sequence of str
        What is to be computed: of `paths.STEPS`, or `COMPARE` in place of predicting, pruning and retraining.
    directories : sequence of Path
        Of the runs, which need not exist; what they recorded of finished steps goes before the estimate.
    jobs : int
        How many runs at a time, these or others, each with its share of the threads.
    quiet : bool
        No progress on standard error.

    Raises
    ------
    InputError
        What the steps would refuse of the configuration and the data.
    """
    check_options(config, steps)
    sizes, free = sizes_of(config, quiet), memory.free_memory()
    least, file = max(map(sizes.peak, steps)), sizes.file(steps)
    share = max(1, threadpools.threads() // jobs)
    retraining = config.retrain, config.retrain.stages
    trainings = {
        "train": (config.train, ()),
        **dict.fromkeys(("predict", "retrain", COMPARE), retraining),
    }
    with threadpools.threads_chosen(share):
        peaks, times = recorded(directories)
        tried = [step for step in steps if step in trainings and _fits(jobs * least, free)]
        per_epoch = {step: epoch_seconds(sizes, *trainings[step]) for step in tried}
    parts = {step: sizes.terms(step, (free or 0) / jobs) for step in steps}
    parts |= {step: {"recorded": peak} for step, peak in peaks.items() if step in steps}
    totals = {step: sum(terms.values()) for step, terms in parts.items()}
    seconds = {step: _epochs(sizes, step, per_epoch) for step in tried}
    seconds |= {step: time for step, time in times.items() if step in steps}
    length, *others = sizes.source.input_shape
    inputs = (
        f"images of {' x '.join(map(str, (length, *others)))}"
        if others != [1, 1]
        else f"texts of {length} words"
    )
    return Estimate(
        title=f"{config.network.title}, {sizes.source.n_labels} labels, {sizes.inputs['train']} "
        f"training {inputs}",
        memory_bytes=max(totals.values()),
        largest_step=max(totals, key=totals.__getitem__),
        parts_bytes=parts,
        least_memory_bytes=least,
        free_memory_bytes=free,
        file_bytes=file,
        disk_bytes=3 * file + 6 * sizes.state,
        seconds_per_epoch=per_epoch,
        seconds=seconds,
        not_estimated=[step for step in steps if step not in seconds],
        runs=len(directories),
        jobs=jobs,
        threads=share,
        core_hours=sum(seconds.values()) * share * len(directories) / 3600,
    )


def duration(seconds: float) -> str:
    """A time as people say it, with two digits at least."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _fits(size: int, free: int | None) -> bool:
    return free is None or size <= memory.MEMORY_SHARE * free


def _epochs(sizes: Sizes, step: str, per_epoch: dict[str, float]) -> float:
    """Seconds of all epochs of a step: the training, the calibration with the unpruned arm, or the arms."""
    config = sizes.config
    training, retraining = config.train.epochs * per_epoch["train"], config.retrain.epochs * per_epoch[step]
    if step == "train":
        return training
    calibration = (1 + N_CALIBRATIONS) * retraining
    if step == "predict":
        return calibration
    masks = len(config.compare.densities) * (sizes.masked if config.compare.alone else 1)
    arms = masks * config.compare.criteria if step == COMPARE else config.prune.arms
    again = config.prune.rounds if config.prune.schedule == "iterative" else 1
    pruned = [training if prune.CRITERIA[arm].from_scratch else again * retraining for arm in arms]
    calibrated = calibration if step == COMPARE and config.compare.predict else 0.0
    return calibrated + retraining * (step == COMPARE) + sum(pruned)
