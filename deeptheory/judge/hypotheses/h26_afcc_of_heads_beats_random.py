"""H26: AFCC of heads and nodes beats random connections at equal density."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.head_evidence import HeadArms
from deeptheory.judge.hypotheses.h23_heads_snr_rises import PAPER
from deeptheory.judge.hypotheses.planted import arms, per_seed
from deeptheory.judge.rules import Positive
from deeptheory.store.paths import AFCC

SCATTER = 0.5  # points
RANDOM = "random"


def parts(of: HeadArms) -> dict[str, NDArray[np.float64]]:
    """Gain over random, in every setting."""
    return of.gain(AFCC, RANDOM)


def sampling(of: HeadArms) -> dict[str, NDArray[np.float64]]:
    """Of the test inputs."""
    return of.gain_variance(AFCC, RANDOM)


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> HeadArms:
    """One setting with this gain in points."""
    return HeadArms(arms(rng, AFCC, RANDOM, per_seed(rng, effect, SCATTER, n_seeds)).settings)


HYPOTHESIS = Hypothesis(
    number=26,
    name="afcc-of-heads-beats-random",
    label="AFCC of heads beats random",
    claim="AFCC of the heads and nodes of a transformer keeps more accuracy than what is chosen at random, at "
    "equal density",
    source=f"{PAPER}; the control is ours",
    evidence=HeadArms,
    statistic="test accuracy of AFCC minus that of random, both retrained equally long",
    unit="points",
    null="any heads, nodes or connections of that density would do",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
    sampling=sampling,
)
