"""H19: AFCC beats the other techniques, all of them."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.evidence import Arms
from deeptheory.judge.hypotheses.planted import per_seed
from deeptheory.judge.rules import Positive
from deeptheory.store.paths import AFCC

SCATTER = 0.5  # points
RIVALS = ("random", "label-permuted", "magnitude", "lamp")


def parts(arms: Arms) -> dict[str, NDArray[np.float64]]:
    """Gain over every rival, in every setting."""
    return {
        f"minus {rival}, {setting}": gain
        for rival in RIVALS
        for setting, gain in arms.gain(AFCC, rival).items()
    }


def sampling(arms: Arms) -> dict[str, NDArray[np.float64]]:
    """Of the test inputs."""
    return {
        f"minus {rival}, {setting}": variance
        for rival in RIVALS
        for setting, variance in arms.gain_variance(AFCC, rival).items()
    }


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Arms:
    """One setting with this gain in points over each rival."""
    accuracy = 0.85 + 0.01 * rng.standard_normal(n_seeds)
    behind = {rival: per_seed(rng, effect, SCATTER, n_seeds) / 100 for rival in RIVALS}
    return Arms({"planted": {AFCC: accuracy, **{rival: accuracy - gap for rival, gap in behind.items()}}})


HYPOTHESIS = Hypothesis(
    number=19,
    name="afcc-beats-others",
    label="AFCC beats all others",
    claim="AFCC keeps more accuracy than every other technique, at equal density: random connections, clusters "
    "with other labels, the largest weights, LAMP",
    source="Advanced deep architecture pruning using single filter performance, Phys. Rev. E 111, 065307 "
    "(2025); which techniques is ours",
    evidence=Arms,
    statistic="test accuracy of AFCC minus that of each rival, all retrained equally long",
    unit="points",
    null="another technique does as well",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
    sampling=sampling,
)
