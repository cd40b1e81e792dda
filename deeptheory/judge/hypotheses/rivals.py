"""AFCC against another way to choose the connections, at equal density: three hypotheses of one form."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.evidence import Arms
from deeptheory.judge.hypotheses import planted as made
from deeptheory.judge.rules import Positive
from deeptheory.store.paths import AFCC


def beats(number: int, rival: str, claim: str, null: str, scatter: float) -> Hypothesis[Arms]:
    """The hypothesis that AFCC keeps more accuracy than a rival.

    Parameters
    ----------
    number : int
    rival : str
        Arm.
    claim, null : str
    scatter : float
        Of the paired difference, points.
    """

    def parts(arms: Arms) -> dict[str, NDArray[np.float64]]:
        return arms.gain(AFCC, rival)

    def sampling(arms: Arms) -> dict[str, NDArray[np.float64]]:
        return arms.gain_variance(AFCC, rival)

    def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Arms:
        return made.arms(rng, AFCC, rival, made.per_seed(rng, effect, scatter, n_seeds))

    return Hypothesis(
        number=number,
        name=f"afcc-beats-{rival}",
        label=f"AFCC beats {rival}",
        claim=claim,
        source="Advanced deep architecture pruning using single filter performance, Phys. Rev. E 111, 065307 "
        "(2025); "
        "the control is ours",
        evidence=Arms,
        statistic=f"test accuracy of AFCC minus that of {rival}, both retrained equally long",
        unit="points",
        null=null,
        rule=Positive(),
        scatter=scatter,
        parts=parts,
        planted=planted,
        sampling=sampling,
    )
