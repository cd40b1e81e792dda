"""H6: pruning by AFCC and retraining lose nothing."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import FIXED, Hypothesis
from deeptheory.judge.evidence import Arms
from deeptheory.judge.hypotheses import planted as made
from deeptheory.judge.rules import NoLoss
from deeptheory.store.paths import AFCC, UNPRUNED

SCATTER = 0.3  # points


def parts(arms: Arms) -> dict[str, NDArray[np.float64]]:
    """Gain over the unpruned network."""
    return arms.gain(AFCC, UNPRUNED)


def sampling(arms: Arms) -> dict[str, NDArray[np.float64]]:
    """Of the test inputs."""
    return arms.gain_variance(AFCC, UNPRUNED)


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Arms:
    """One setting with this gain in points."""
    return made.arms(rng, AFCC, UNPRUNED, made.per_seed(rng, effect, SCATTER, n_seeds))


HYPOTHESIS = Hypothesis(
    number=6,
    name="afcc-no-loss",
    label="no loss",
    claim="pruning by AFCC and a short retraining lose no accuracy",
    source="Advanced deep architecture pruning using single filter performance, Phys. Rev. E 111, 065307 "
    "(2025)",
    evidence=Arms,
    statistic="test accuracy of AFCC minus that of the unpruned network, both retrained equally long",
    unit="points",
    null=f"a loss of {FIXED.margin:g} points",
    rule=NoLoss(FIXED.margin, "margin"),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
    sampling=sampling,
)
