"""H22: the compact network is leaner and faster than the dense one."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.evidence import Costs
from deeptheory.judge.hypotheses.planted import per_seed
from deeptheory.judge.rules import Positive

SCATTER = 0.1  # of a logarithm


def parts(costs: Costs) -> dict[str, NDArray[np.float64]]:
    """ln of dense over compact, of both."""
    of = {"time": costs.seconds, "bytes": costs.bytes}
    return {part: np.log(sides["dense"] / sides["compact"]) for part, sides in of.items()}


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Costs:
    """Both ratios are exp(effect)."""
    dense = {part: rng.uniform(1.0, 2.0, n_seeds) for part in ("time", "bytes")}
    sides = [
        {"dense": size, "compact": size * np.exp(-per_seed(rng, effect, SCATTER, n_seeds))}
        for size in dense.values()
    ]
    return Costs(*sides)


HYPOTHESIS = Hypothesis(
    number=22,
    name="leaner-and-faster",
    label="leaner and faster",
    claim="the network that AFCC leaves, cut out, takes less time and fewer bytes than the dense one",
    source="Advanced deep architecture pruning using single filter performance, Phys. Rev. E 111, 065307 "
    "(2025); how it is measured is ours",
    evidence=Costs,
    statistic="ln of dense over compact: of the time of a batch of 100, and of the bytes of the saved network",
    unit="",
    null="the compact network takes as long, or as many bytes",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
)
