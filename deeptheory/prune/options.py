"""Options of pruning."""

from typing import Annotated

from msgspec import Meta

from deeptheory.options import Options


class PruneOptions(Options, frozen=True):
    """What is masked, at which threshold, and against which controls."""

    threshold: Annotated[
        float,
        Meta(
            gt=0,
            lt=1,
            description="a filter serves a label when its normalised field exceeds this share of its maximum",
        ),
    ] = 0.5
    stages: Annotated[
        tuple[str, ...],
        Meta(description="stages whose weights are masked, by the labels of the stage before and their own"),
    ] = ("stage8", "stage9", "stage10")
    head: Annotated[bool, Meta(description="mask the head as well")] = True
    arms: Annotated[
        tuple[str, ...],
        Meta(description="criteria compared at equal density; the unpruned arm is always run beside them"),
    ] = ("afcc", "random", "label-permuted", "magnitude")
