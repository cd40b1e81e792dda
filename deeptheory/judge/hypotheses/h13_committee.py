"""H13: the order parameters of a soft committee machine tell how it learns and which unit can go."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.evidence import Learning
from deeptheory.judge.hypotheses.planted import per_seed
from deeptheory.judge.rules import Positive

SCATTER = 1.0  # of the deviation, percent of the plateau
BOUND = 5.0  # percent of the plateau: the scatter of one network of some 2000 inputs is 2 to 3
FROM = 10.0  # alpha: the first fall of the error is over


def parts(learning: Learning) -> dict[str, NDArray[np.float64]]:
    """Agreement of the curves, and the removal."""
    late = learning.alpha >= FROM
    plateau = learning.theory[late].max()
    deviation = 100 * np.abs(learning.simulated[:, late] - learning.theory[late]).mean(axis=1) / plateau
    advantage = 100 * (learning.without_other - learning.without_named) / plateau
    return {"learning curve": BOUND - deviation, "removal of the named unit": advantage}


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Learning:
    """A curve from which simulations deviate by `BOUND` - effect; another unit costs `effect` more."""
    alpha = np.arange(0.0, 100.0, 2.5)
    theory = 0.02 / (1 + np.exp((alpha - 60) / 5)) + 0.001
    plateau = theory[alpha >= FROM].max()
    deviation = (BOUND - per_seed(rng, effect, SCATTER, n_seeds)) * plateau / 100
    signs = rng.choice([-1, 1], (n_seeds, len(alpha)))
    named = rng.uniform(0.5, 1.0, n_seeds) * plateau
    other = named + per_seed(rng, effect, SCATTER, n_seeds) * plateau / 100
    return Learning(alpha, theory, theory + signs * np.abs(deviation)[:, None], named, other)


HYPOTHESIS = Hypothesis(
    number=13,
    name="committee",
    label="committee machine predicted",
    claim="order parameters predict the learning curve of a soft committee machine, and the hidden unit that "
    "costs least",
    source="Saad and Solla, On-line learning in soft committee machines, Phys. Rev. E 52, 4225 (1995); "
    "removal: deeptheory",
    evidence=Learning,
    statistic=f"{BOUND:g} minus the mean of |simulated - theory| for alpha >= {FROM:g}; error without the "
    "best other unit "
    "minus error without the named one",
    unit="% of the plateau",
    null=f"a mean deviation of {BOUND:g} % of the plateau; any unit would do",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
)
