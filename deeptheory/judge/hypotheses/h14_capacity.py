"""H14: what a diluted perceptron can store lies between its two lines."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.evidence import Storage
from deeptheory.judge.hypotheses.planted import per_seed
from deeptheory.judge.rules import Positive

SCATTER = 0.03  # of the share of couplings left by one instance of 100
LOADS = (0.5, 1.0, 1.5)  # patterns per original coupling


def parts(storage: Storage) -> dict[str, NDArray[np.float64]]:
    """Distances to both lines, at every load."""
    found = {}
    for place, alpha in enumerate(storage.alpha):
        left = storage.left[:, place]
        found[f"fewer than quenched, alpha = {alpha:g}"] = storage.quenched[place] - left
        found[f"more than the annealed bound, alpha = {alpha:g}"] = left - storage.annealed[place]
    return found


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Storage:
    """Points this far from both lines."""
    left = np.column_stack([per_seed(rng, 0.4, SCATTER, n_seeds) for _ in LOADS])
    return Storage(LOADS, np.full(len(LOADS), 0.4 + effect), np.full(len(LOADS), 0.4 - effect), left)


HYPOTHESIS = Hypothesis(
    number=14,
    name="capacity",
    label="capacity between the lines",
    claim="pruning and relearning stores patterns with fewer couplings than quenched dilution, and not with "
    "fewer than the "
    "annealed bound",
    source="Gardner, J. Phys. A 21, 257 (1988); Bouten, Engel, Komoda and Serneels, J. Phys. A 23, 4643 (1990)",
    evidence=Storage,
    statistic="share of couplings of the quenched line minus that left; share left minus that of the "
    "annealed bound",
    unit="share of couplings",
    null="the points lie on a line",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
)
