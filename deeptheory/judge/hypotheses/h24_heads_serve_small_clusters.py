"""H24: heads serve small clusters of labels."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.head_evidence import Heads
from deeptheory.judge.hypotheses.h23_heads_snr_rises import PAPER
from deeptheory.judge.hypotheses.planted import per_seed
from deeptheory.judge.rules import Positive

SCATTER = 0.1
SMALL = 0.1
"""Share of the labels that a small cluster holds at most. The paper has no number for "small"; this one was fixed
before any transformer was measured for it."""


def parts(heads: Heads) -> dict[str, NDArray[np.float64]]:
    """Clusters against those of scattered ones, and against `SMALL`; in logarithms, mean over blocks."""
    size = np.log(heads.values["cluster_size"])
    scattered = np.log(heads.values["scattered_cluster_size"])
    return {
        "larger than of scattered ones": (size - scattered).mean(axis=1),
        "smaller than a tenth of the labels": (np.log(SMALL * heads.n_labels) - size).mean(axis=1),
    }


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Heads:
    """Two blocks of 100 labels with these distances."""
    apart, below = (per_seed(rng, effect, SCATTER, n_seeds) for _ in range(2))
    size = np.exp(np.log(10.0) - below)
    values = {"cluster_size": size, "scattered_cluster_size": size * np.exp(-apart)}
    both = {name: np.stack([of_seeds, of_seeds], axis=1) for name, of_seeds in values.items()}
    return Heads(("heads1", "heads2"), both, 100, np.full(n_seeds, 0.01))


HYPOTHESIS = Hypothesis(
    number=24,
    name="heads-serve-small-clusters",
    label="heads serve small clusters",
    claim="a head of attention serves labels in clusters, which are small",
    source=f'{PAPER}; {SMALL:.0%} of the labels for "small" is ours',
    evidence=Heads,
    statistic="ln of the mean labels in a cluster over those in clusters of ones scattered beside the same "
    f"diagonal; ln of {SMALL:.0%} of the labels over it; means over blocks",
    unit="",
    null=f"ones at random places beside the diagonal, or clusters of {SMALL:.0%} of the labels",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
    minimum_labels=20,  # a tenth of which is two: a cluster of one label is none
)
