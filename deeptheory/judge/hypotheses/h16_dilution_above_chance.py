"""H16: the masks of AFCC are more dilute than label sets without structure would make them."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.evidence import Dilutions
from deeptheory.judge.hypotheses.planted import per_seed
from deeptheory.judge.rules import Positive

SCATTER = 0.5  # points


def parts(dilutions: Dilutions) -> dict[str, NDArray[np.float64]]:
    """Mean excess over the masked layers."""
    return {"mean of layers": dilutions.excess}


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Dilutions:
    """Two layers with this excess in points."""
    structureless = {"stage2": np.full(n_seeds, 0.6), "stage3": np.full(n_seeds, 0.7)}
    excess = per_seed(rng, effect, SCATTER, n_seeds) / 100
    return Dilutions({layer: null + excess for layer, null in structureless.items()}, structureless)


HYPOTHESIS = Hypothesis(
    number=16,
    name="dilution-above-chance",
    label="dilution above chance",
    claim="AFCC removes more connections than label sets of the same sizes without structure would",
    source="deeptheory (theory.random_dilution)",
    evidence=Dilutions,
    statistic="mean over the masked layers of the dilution of AFCC minus that expected without structure",
    unit="points",
    null="label sets without structure",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
)
