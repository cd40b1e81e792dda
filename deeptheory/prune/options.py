"""Options of pruning."""

from typing import Annotated, Literal

from msgspec import Meta

from deeptheory.options import ONCE, Options
from deeptheory.prune.masked_layers import Granularity
from deeptheory.store.paths import AFCC

ARMS = (AFCC, "random", "label-permuted", "magnitude")


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
        Meta(ge=0, le=1, description="share of the masked layers' weights kept; 0: that of density_from"),
    ] = 0.0
    density_from: Annotated[
        str,
        Meta(description="arm whose density at its threshold the others take, layer by layer"),
    ] = AFCC
    granularity: Annotated[
        Granularity,
        Meta(description="what is removed as one: weight, kernel, or filter (node, where fully connected)"),
    ] = "kernel"
    stages: Annotated[
        tuple[str, ...],
        Meta(
            description="stages whose weights are masked, by the labels of the stage before and their own; by "
            "default the last three of the network, but not its first",
            extra={"each": ONCE},
        ),
    ] = ("stage8", "stage9", "stage10")  # of vgg11-10conv
    head: Annotated[bool, Meta(description="mask the head as well")] = True
    schedule: Annotated[
        Literal["one-shot", "gradual", "iterative"],
        Meta(
            description="one-shot: prune, then retrain; gradual: more before each epoch of retraining; "
            "iterative: prune, retrain, go back, several times"
        ),
    ] = "one-shot"
    rounds: Annotated[int, Meta(ge=1, description="prunings of a gradual, iterative or annealed mask")] = 1
    disorder: Annotated[
        Literal["quenched", "annealed"],
        Meta(description="quenched: what is removed stays removed; annealed: it may come back, as trained"),
    ] = "quenched"
    rewind_epoch: Annotated[
        int,
        Meta(
            ge=0,
            description="epoch of training whose weights iterative pruning goes back to",
            extra={"unit": "epochs"},
        ),
    ] = 0
    arms: Annotated[
        tuple[str, ...],
        Meta(
            description="criteria compared at equal density; the unpruned arm is always run beside them",
            extra={"each": ONCE},
        ),
    ] = ARMS

    @property
    def afcc_at_threshold(self) -> bool:
        """Whether AFCC keeps the density that it has at its threshold."""
        return not self.density and self.density_from == AFCC


class CompareOptions(Options, frozen=True):
    """Which criteria are compared, and where; the rest is as in pruning."""

    criteria: Annotated[
        tuple[str, ...], Meta(description="criteria compared over densities", extra={"each": ONCE})
    ] = (
        *ARMS,
        "magnitude-global",
        "lamp",
        "snr-budget",
    )
    densities: Annotated[
        tuple[Annotated[float, Meta(gt=0, le=1)], ...],
        Meta(description="shares of the masked layers' weights kept", extra={"each": ONCE}),
    ] = (0.5, 0.2, 0.1, 0.05, 0.02)
    alone: Annotated[bool, Meta(description="mask one layer at a time and leave the others whole")] = False
    predict: Annotated[
        bool,
        Meta(description="predict the loss of every mask, of all layers together, before any is retrained"),
    ] = False
