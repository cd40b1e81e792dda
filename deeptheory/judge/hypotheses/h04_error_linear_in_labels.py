"""H4: the maximal error over labels grows linearly with the number of labels."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.evidence import LabelScaling
from deeptheory.judge.hypotheses.planted import per_seed
from deeptheory.judge.rules import Positive

Floats = NDArray[np.float64]
SCATTER = 0.5
N_LABELS = (3, 10, 30, 100, 300, 1000)  # planted
EXPONENTS = np.linspace(0, 3, 301)


def parts(scaling: LabelScaling) -> dict[str, Floats]:
    """ln of the residual sum of squares of the better rival over that of the line."""
    K, errors = np.array(scaling.n_labels, float), scaling.values["max_error"]
    rival = np.minimum(_of_power(K, errors), _of_line(np.log(K), errors))
    smallest = np.finfo(float).tiny  # an exact fit is no infinite number
    return {"maximal error": np.log(rival + smallest) - np.log(_of_line(K, errors) + smallest)}


def _of_line(x: Floats, errors: Floats) -> Floats:
    """Residual sum of squares of a + b x, seed by seed."""
    design, _ = np.linalg.qr(np.column_stack([np.ones_like(x), x]))
    residuals: Floats = ((errors - errors @ design @ design.T) ** 2).sum(axis=1)
    return residuals


def _of_power(K: Floats, errors: Floats) -> Floats:
    """The same of a K^b."""
    factors, exponents = fit_power(K, errors)
    residuals: Floats = ((errors - factors[:, None] * K ** exponents[:, None]) ** 2).sum(axis=1)
    return residuals


def fit_power(K: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """a and b of a K^b by least squares, (S,) each; b is one of `EXPONENTS`."""
    powers = K ** EXPONENTS[:, None]
    squares = (powers**2).sum(axis=1)
    overlaps = errors @ powers.T
    best = (overlaps**2 / squares).argmax(axis=1)
    return overlaps[np.arange(len(errors)), best] / squares[best], EXPONENTS[best]


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> LabelScaling:
    """Noisy mixtures of a line and a logarithm, those whose statistic is nearest to the effect."""
    K = np.array(N_LABELS, float)
    line, logarithm = 0.05 + 0.8 * K / K[-1], 0.1 + 0.8 * np.log(K / K[0]) / np.log(K[-1] / K[0])
    mixed = np.linspace(0, 1, 201)[:, None]
    errors = []
    for wanted in per_seed(rng, effect, SCATTER, n_seeds):
        curves = mixed * line + (1 - mixed) * logarithm + 0.01 * rng.standard_normal(len(K))
        statistic = parts(LabelScaling(N_LABELS, {"max_error": curves}))["maximal error"]
        errors.append(curves[np.argmin(np.abs(statistic - wanted))])
    return LabelScaling(N_LABELS, {"max_error": np.array(errors)})


HYPOTHESIS = Hypothesis(
    number=4,
    name="error-linear-in-labels",
    label="maximal error linear in the labels",
    claim="the maximal error over labels grows linearly with the number of labels, rather than by a power or "
    "a logarithm",
    source="Towards a universal mechanism for successful deep learning, Sci. Rep. 14, 5881 (2024)",
    evidence=LabelScaling,
    statistic="ln of the residual sum of squares of the better of a K^b and a + b ln K over that of a + b K",
    unit="",
    null="a rival fits as well as the line",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
)
