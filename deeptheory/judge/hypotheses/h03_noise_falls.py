"""H3: the noise per filter falls with depth."""

import numpy as np

from deeptheory.judge.evidence import Stages
from deeptheory.judge.hypotheses.planted import per_seed, trend
from deeptheory.judge.hypotheses.slopes import slopes
from deeptheory.judge.hypothesis import Hypothesis
from deeptheory.judge.rules import Positive

SCATTER = 0.02  # per stage; 0.01 in pilot runs


def parts(stages: Stages) -> dict[str, np.ndarray]:
    """Fall of the logarithm, so that numbers of labels can be compared."""
    noise = np.log(stages.values["noise"])
    return {"noise": -slopes(np.arange(len(stages.names)), noise)}


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Stages:
    """Ten stages with this trend."""
    noise = np.exp(trend(-per_seed(rng, effect, SCATTER, n_seeds), np.arange(10), 6.0, 0.3, rng))
    return Stages(tuple(f"stage{m}" for m in range(1, 11)), {"noise": noise})


HYPOTHESIS = Hypothesis(
    number=3,
    name="noise-falls",
    claim="the noise per filter falls with the depth of the stage",
    source="Towards a universal mechanism for successful deep learning, Sci. Rep. 14, 5881 (2024)",
    evidence=Stages,
    statistic="minus the slope of ln(noise per filter) against the number of the stage, least squares over "
    "all stages",
    unit="per stage",
    null="no trend: stages in any order",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
)
