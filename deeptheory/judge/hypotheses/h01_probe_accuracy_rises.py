"""H1: probe accuracy rises with depth."""

import numpy as np

from deeptheory.judge.evidence import Stages
from deeptheory.judge.hypotheses.planted import per_seed, trend
from deeptheory.judge.hypotheses.slopes import slopes
from deeptheory.judge.hypothesis import Hypothesis
from deeptheory.judge.rules import Positive

SCATTER = 0.5  # points per stage; 0.06 to 0.6 in pilot runs


def parts(stages: Stages) -> dict[str, np.ndarray]:
    """Slope over all stages."""
    depth = np.arange(len(stages.names))
    return {"probe accuracy": 100 * slopes(depth, stages.values["probe_accuracy"])}


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Stages:
    """Ten stages with a trend of this many points per stage."""
    slope = per_seed(rng, effect, SCATTER, n_seeds) / 100
    accuracy = trend(slope, np.arange(10), 0.6, 0.05, rng)
    return Stages(tuple(f"stage{m}" for m in range(1, 11)), {"probe_accuracy": accuracy})


HYPOTHESIS = Hypothesis(
    number=1,
    name="probe-accuracy-rises",
    claim="the accuracy of a probe rises with the depth of its stage",
    source="The mechanism underlying successful deep learning, arXiv:2305.18078",
    evidence=Stages,
    statistic="slope of the test accuracy of the probe against the number of the stage, least squares over "
    "all stages",
    unit="points per stage",
    null="no trend: stages in any order",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
)
