"""Which part of a run reads which option first: what depends on an option, and what is the same without it."""

from collections.abc import Iterable
from dataclasses import dataclass

from deeptheory.runs.configuration import FREE
from deeptheory.store import paths


@dataclass(frozen=True)
class Part:
    """Results of a run that are computed together.

    Attributes
    ----------
    name : str
        A step, or what is computed within or beside the steps.
    after : tuple of str
        Parts that have to be there before it. It depends on all that they depend on.
    reads : tuple of str
        Options, or whole tables of them, that it reads and the parts before it do not.
    """

    name: str
    after: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


MASKS = ("prune.threshold", "prune.thresholds", "prune.granularity", "prune.stages", "prune.head")
DENSITY = ("prune.density", "prune.density_from")
SCHEDULE = ("prune.schedule", "prune.rounds", "prune.disorder")

PARTS = {
    part.name: part
    for part in (
        Part("train", (), ("seed", "data", "network", "train", "prune.rewind_epoch")),
        Part("probes", ("train",), ("probe",)),
        Part("measure", ("probes",), ("measure",)),
        Part("predict", ("measure",), (*MASKS, *DENSITY, "prune.arms", "retrain")),
        Part("prune", ("measure",), (*MASKS, *DENSITY, "prune.arms", "retrain.l2")),
        Part("retrain", ("prune",), ("retrain", *SCHEDULE)),
        Part("retrain-unpruned", ("train",), ("retrain",)),
        Part("removal-paths", ("train",)),
        Part("calibration", ("measure",), (*MASKS, "retrain")),  # of a budget, and what a comparison predicts
        Part("budget", ("removal-paths",), ("retrain",)),
        Part("sensitivity", ("measure",)),
        Part("compare-unpruned", ("train",), ("retrain",)),
        Part("compare", ("train",), (*MASKS, *SCHEDULE, "retrain")),  # by criteria that need no measures
        Part("compare-measured", ("compare", "measure")),
        Part("rounds", ("retrain",)),
        Part("compact", ("retrain",)),
        Part("cost", ("compact", "retrain-unpruned")),
    )
}
TRAINING = "train"
# Options of studies, checkpoints and plugins: no result of a run depends on them, but on what they are named in.
UNREAD = ("checkpoint_minutes", "judge", "compare", "plugins")


def is_of(option: str, entries: Iterable[str]) -> bool:
    """Whether an option such as ``prune.density`` is among entries, by its name or that of its table."""
    return any(option == entry or option.startswith(f"{entry}.") for entry in entries)


def reads(part: str, option: str) -> bool:
    """Whether a part depends on an option: it reads it for more than a check, or a part before it does."""
    if option in FREE:
        return False
    return is_of(option, PARTS[part].reads) or any(reads(before, option) for before in PARTS[part].after)


def stale_parts(options: Iterable[str]) -> frozenset[str]:
    """The parts that depend on one of these options, and so are other ones after a change of it."""
    names = tuple(options)
    return frozenset(part for part in PARTS if any(reads(part, option) for option in names))


def first_step(option: str) -> str | None:
    """The first step of the chain that depends on an option; None if no step does."""
    return next((step for step in paths.STEPS if reads(step, option)), None)
