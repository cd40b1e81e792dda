"""Options of the probes and of the measures."""

from typing import Annotated, Literal

from msgspec import Meta

from deeptheory.options import ONCE, Options


class ProbeOptions(Options, frozen=True):
    """How the probe of a stage is fitted."""

    solver: Annotated[
        Literal["exact", "sgd"],
        Meta(description="exact: convex minimum by L-BFGS; sgd: the schedule of the reference papers"),
    ] = "exact"
    l2: Annotated[
        float, Meta(gt=0, description="L2 coefficient: the loss has l2/2 times the squared norm")
    ] = 1e-3
    tolerance: Annotated[
        float, Meta(gt=0, lt=1, description="exact: gradient norm at the end, relative to zero weights")
    ] = 1e-3
    learning_rate: Annotated[float, Meta(gt=0, description="sgd: first learning rate")] = 0.01
    momentum: Annotated[float, Meta(ge=0, lt=1, description="sgd: Nesterov momentum")] = 0.975
    decay: Annotated[float, Meta(gt=0, le=1, description="sgd: factor on the learning rate per epoch")] = (
        0.975
    )
    epochs: Annotated[
        int, Meta(ge=1, description="sgd: passes over the training inputs", extra={"unit": "epochs"})
    ] = 200
    batch: Annotated[int, Meta(ge=1, description="sgd: inputs per step", extra={"unit": "inputs"})] = 100
    inputs: Annotated[
        int,
        Meta(
            ge=0,
            description="training inputs used, the same number per label; 0 uses all",
            extra={"unit": "inputs"},
        ),
    ] = 0


class MeasureOptions(Options, frozen=True):
    """What is measured, and how fields become clusters and intervals."""

    stages: Annotated[
        tuple[str, ...],
        Meta(description="stages measured, the last one among them; all if empty", extra={"each": ONCE}),
    ] = ()
    split: Annotated[
        Literal["measure", "test"],
        Meta(
            description="split that fields, and so masks, are taken from; test: as the published code, and every "
            "verdict is exploratory"
        ),
    ] = "measure"
    threshold: Annotated[
        float, Meta(gt=0, lt=1, description="clip fields above this share of the filter's largest")
    ] = 0.3
    bootstrap: Annotated[int, Meta(ge=100, description="resamplings of the filters per interval")] = 1000
    relabellings: Annotated[
        int, Meta(ge=2, description="random label orders for the spread of the clusters")
    ] = 20
