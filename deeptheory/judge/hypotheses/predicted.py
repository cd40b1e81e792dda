"""Predicted against measured accuracy: two hypotheses of one form."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.evidence import Predictions
from deeptheory.judge.hypotheses.planted import per_seed
from deeptheory.judge.rules import NoLoss

SCATTER = 0.2  # of the mean error of a seed, points


def predicts(
    number: int, name: str, label: str, claim: str, source: str, groups: tuple[str, ...], bound: float
) -> Hypothesis[Predictions]:
    """The hypothesis that predictions are right within a bound.

    Parameters
    ----------
    number : int
    name, label, claim, source : str
    groups : tuple of str
        Of `Predictions`, each a part of the claim.
    bound : float
        Percentage points.
    """

    def parts(predictions: Predictions) -> dict[str, NDArray[np.float64]]:
        return {group: -predictions.errors(group) for group in groups}

    def sampling(predictions: Predictions) -> dict[str, NDArray[np.float64]]:
        return {group: predictions.error_variance(group) for group in groups}

    def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Predictions:
        found = {}
        for group in groups:
            measured = rng.uniform(0.6, 0.9, (n_seeds, 12))
            shares = rng.dirichlet(np.ones(12), n_seeds) * 12 * rng.choice([-1, 1], (n_seeds, 12))
            mean_error = np.abs(per_seed(rng, -effect, SCATTER, n_seeds)) / 100
            found[group] = (measured + shares * mean_error[:, None], measured)
        return Predictions(found)

    return Hypothesis(
        number=number,
        name=name,
        label=label,
        claim=claim,
        source=source,
        evidence=Predictions,
        statistic="minus the mean of |predicted - measured test accuracy|",
        unit="points",
        null=f"a mean error of {bound:g} points",
        rule=NoLoss(bound, "prediction_margin"),
        scatter=SCATTER,
        parts=parts,
        planted=planted,
        sampling=sampling,
    )
