"""H25: single heads know more with depth."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.arm_results import POINTS
from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.head_evidence import Heads
from deeptheory.judge.hypotheses.h23_heads_snr_rises import PAPER
from deeptheory.judge.hypotheses.planted import per_seed, trend
from deeptheory.judge.hypotheses.straight_lines import slope_weights, slopes
from deeptheory.judge.rules import Positive
from deeptheory.judge.sampling import accuracy_variance

SCATTER = 0.5  # points
ACCURACY = "single_filter_accuracy"
RISES, ABOVE = "rises with depth", "last block above chance"


def parts(heads: Heads) -> dict[str, NDArray[np.float64]]:
    """Slope over the blocks, and the last block against chance, in points."""
    accuracy = POINTS * heads.values[ACCURACY]
    block = np.arange(float(len(heads.stages)))
    return {RISES: slopes(block, accuracy), ABOVE: accuracy[:, -1] - POINTS * heads.chance}


def sampling(heads: Heads) -> dict[str, NDArray[np.float64]]:
    """Of the inputs, as if every block had its own and all heads of one failed on the same."""
    if not heads.n_inputs:
        return {}
    variances = POINTS**2 * accuracy_variance(heads.values[ACCURACY], heads.n_inputs)
    weights = slope_weights(np.arange(float(len(heads.stages))))
    return {RISES: variances @ weights**2, ABOVE: variances[:, -1]}


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Heads:
    """Six blocks with these slopes, the last of them this much above chance."""
    block = np.arange(6.0)
    points = trend(per_seed(rng, effect, SCATTER, n_seeds), block, 20.0, 0.1, rng)
    chance = points[:, -1] - per_seed(rng, effect, SCATTER, n_seeds)
    stages = tuple(f"heads{m + 1:.0f}" for m in block)
    return Heads(stages, {ACCURACY: points / POINTS}, 100, chance / POINTS)


HYPOTHESIS = Hypothesis(
    number=25,
    name="single-heads-know-more",
    label="single heads know more",
    claim="a single head tells labels apart, and better from block to block",
    source=f"{PAPER}; the statistic is ours",
    evidence=Heads,
    statistic="accuracy of the probe of the heads' outputs with all weights but one head's at zero, mean over the "
    "heads of a block: slope over the blocks, and of the last block minus chance",
    unit="points",
    null="no trend; or chance, which shuffled labels give on inputs that no probe was fitted to",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
    sampling=sampling,
)
