"""H23: the SNR of heads rises with depth."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.head_evidence import Heads
from deeptheory.judge.hypotheses import planted as made
from deeptheory.judge.hypotheses.straight_lines import slopes
from deeptheory.judge.rules import Positive

SCATTER = 0.1
KINDS = {"mean field": "snr_mean_field", "measured": "snr_measured"}
PAPER = "Unified CNNs and transformers underlying learning mechanism, arXiv:2501.12900"


def parts(heads: Heads) -> dict[str, NDArray[np.float64]]:
    """Slope of ln SNR against the number of the block, of both SNRs."""
    block = np.arange(float(len(heads.stages)))
    return {part: slopes(block, np.log(heads.values[kind])) for part, kind in KINDS.items()}


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Heads:
    """Six blocks with these slopes."""
    block = np.arange(6.0)
    lines = {
        kind: made.trend(made.per_seed(rng, effect, SCATTER, n_seeds), block, 1.0, 0.2, rng)
        for kind in KINDS.values()
    }
    values = {kind: np.exp(line) for kind, line in lines.items()}
    return Heads(tuple(f"heads{m + 1:.0f}" for m in block), values, 100, np.full(n_seeds, 0.01))


HYPOTHESIS = Hypothesis(
    number=23,
    name="heads-snr-rises",
    label="SNR of heads rises with depth",
    claim="the signal-to-noise ratio of the heads of a transformer rises from block to block",
    source=f"{PAPER}; the statistic is ours",
    evidence=Heads,
    statistic="slope of ln SNR of the heads against the number of the block, least squares over all blocks",
    unit="per block",
    null="no trend: blocks in any order",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
)
