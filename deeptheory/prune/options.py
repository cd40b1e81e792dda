"""Options of pruning."""

from typing import Annotated

from msgspec import Meta

from deeptheory.options import Options
from deeptheory.prune.layers import Granularity


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
    thresholds: Annotated[
        tuple[Annotated[float, Meta(gt=0, lt=1)], ...],
        Meta(description="thresholds of the masked stages, one for each, in place of the common one"),
    ] = ()
    density: Annotated[
        float,
        Meta(ge=0, le=1, description="share of the masked layers' weights kept; 0: AFCC's at its threshold"),
    ] = 0.0
    granularity: Annotated[
        Granularity,
        Meta(description="what is removed as one: weight, kernel, or filter (node, where fully connected)"),
    ] = "kernel"
    stages: Annotated[
        tuple[str, ...],
        Meta(description="stages whose weights are masked, by the labels of the stage before and their own"),
    ] = ("stage8", "stage9", "stage10")
    head: Annotated[bool, Meta(description="mask the head as well")] = True
    arms: Annotated[
        tuple[str, ...],
        Meta(description="criteria compared at equal density; the unpruned arm is always run beside them"),
    ] = ("afcc", "random", "label-permuted", "magnitude")
