"""Options of the judge."""

from typing import Annotated

from msgspec import Meta

from deeptheory.options import Options


class JudgeOptions(Options, frozen=True):
    """What counts as confirmed.

    The defaults are the fixed rules of the hypotheses; another level, margin or smallest number of seeds makes the
    verdicts exploratory.
    """

    seeds: Annotated[int, Meta(ge=1, le=100_000, description="number of seeds of a confirm study")] = 5
    minimum_seeds: Annotated[
        int, Meta(ge=2, description="fewer seeds than this leave every claim undecided")
    ] = 5
    level: Annotated[float, Meta(gt=0.5, lt=1, description="confidence level of the tests")] = 0.95
    margin: Annotated[
        float,
        Meta(
            gt=0,
            description="largest loss of accuracy that counts as no loss",
            extra={"unit": "percentage points"},
        ),
    ] = 0.5
    prediction_margin: Annotated[
        float,
        Meta(
            gt=0,
            description="largest mean error of a prediction that agrees",
            extra={"unit": "percentage points"},
        ),
    ] = 1.0
