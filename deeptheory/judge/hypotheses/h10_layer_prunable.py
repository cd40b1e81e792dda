"""H10: nine tenths of some layer can go with no loss."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.judge.decision import FIXED, Hypothesis
from deeptheory.judge.evidence import SingleLayers
from deeptheory.judge.hypotheses.planted import per_seed
from deeptheory.judge.rules import NoLoss

SCATTER = 0.3  # points
DENSITY = 0.1


def parts(layers: SingleLayers) -> dict[str, NDArray[np.float64]]:
    """Every layer alone, the others whole."""
    if layers.density != DENSITY:
        raise InputError("density of the masked layer", f"{DENSITY:g}", f"{layers.density:g}")
    return layers.gain


def sampling(layers: SingleLayers) -> dict[str, NDArray[np.float64]]:
    """Of the test inputs."""
    return layers.gain_variance


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> SingleLayers:
    """One layer with this gain, four that lose five points."""
    unpruned = 0.85 + 0.01 * rng.standard_normal(n_seeds)
    gain = {f"stage{m}": per_seed(rng, -5.0, SCATTER, n_seeds) for m in range(1, 5)}
    gain["stage5"] = per_seed(rng, effect, SCATTER, n_seeds)
    return SingleLayers(DENSITY, unpruned, {layer: unpruned + points / 100 for layer, points in gain.items()})


HYPOTHESIS = Hypothesis(
    number=10,
    name="layer-prunable",
    label="90 % of a layer prunable",
    claim="there are layers that can lose 90 % of their connections, chosen by AFCC, with no loss of accuracy",
    source="Advanced deep architecture pruning using single filter performance, Phys. Rev. E 111, 065307 "
    "(2025)",
    evidence=SingleLayers,
    statistic="test accuracy with one layer at density 0.1 minus that of the unpruned network, both "
    "retrained equally long",
    unit="points",
    null=f"every layer loses {FIXED.margin:g} points",
    rule=NoLoss(FIXED.margin, "margin"),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
    sampling=sampling,
    holds_if="any",
)
