"""H2: the SNR rises with depth."""

import numpy as np

from deeptheory.judge.evidence import Stages
from deeptheory.judge.hypotheses.planted import per_seed, trend
from deeptheory.judge.hypotheses.slopes import slopes
from deeptheory.judge.hypothesis import Hypothesis
from deeptheory.judge.rules import Positive

SCATTER = 0.05  # of the SNR per stage; 0.004 to 0.04 in pilot runs
KINDS = {"mean field": "snr_mean_field", "measured": "snr_measured"}


def parts(stages: Stages) -> dict[str, np.ndarray]:
    """Slope over all stages, of both definitions."""
    depth = np.arange(len(stages.names))
    return {part: slopes(depth, stages.values[name]) for part, name in KINDS.items()}


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Stages:
    """Ten stages with this trend in both."""
    values = {
        name: trend(per_seed(rng, effect, SCATTER, n_seeds), np.arange(10), 3.0, 0.5, rng)
        for name in KINDS.values()
    }
    return Stages(tuple(f"stage{m}" for m in range(1, 11)), values)


HYPOTHESIS = Hypothesis(
    number=2,
    name="snr-rises",
    claim="the signal-to-noise ratio of a stage rises with its depth",
    source="Towards a universal mechanism for successful deep learning, Sci. Rep. 14, 5881 (2024)",
    evidence=Stages,
    statistic="slope of the SNR against the number of the stage, least squares over all stages",
    unit="per stage",
    null="no trend: stages in any order",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
)
