"""H27: one relation between SNR and accuracy for the filters of convolutions and for heads.

What is fair, fixed before any network was measured for it:

- The unit is a single filter, and both numbers are its own: ln SNR of its clipped field, and the logit of its
  accuracy, the probe's with all weights but the filter's at zero. Both scales have no bounds, so a straight line
  is no restriction at the ends.
- The line is fitted to convolutions alone, every stage with the same weight, whatever its number of filters.
- Its own scatter is that of stages it was not fitted to: every stage of convolutions is predicted by the line of
  the others. Heads come from stages that no line has seen: filters of seen stages would be too strict a measure.
- Nothing corrects for the number of outputs of a filter (T d of a head, H W of a convolution's), nor for SNRs
  beyond those of convolutions: the claim is that the SNR is what matters.
- There has to be a relation: a line without slope, whose scatter is that of the accuracies, would predict
  everything. So the correlation over convolutions is a part of the claim.
"""

import math

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.evidence import Values
from deeptheory.judge.head_evidence import SingleFilters
from deeptheory.judge.hypotheses.h23_heads_snr_rises import PAPER
from deeptheory.judge.rules import Positive

SCATTER = 0.1
CORRELATION = 0.5  # of convolutions' filters: a line explains a quarter of the variance at least
APART = 1.5  # times the scatter of convolutions, root mean square
RELATION, PREDICTED = f"correlation of convolutions minus {CORRELATION:g}", "heads on the line"
Line = tuple[float, float, float]


def line_through(stages: Values) -> Line:
    """Constant, slope and correlation of the straight line through filters, every stage with equal weight."""
    weight = np.concatenate([np.full(of.shape[1], 1 / of.shape[1]) for of in stages.values()])
    weight /= weight.sum()
    x, y = np.concatenate(list(stages.values()), axis=1)
    x0, y0 = weight @ x, weight @ y
    covariance = weight @ ((x - x0) * (y - y0))
    slope = covariance / (weight @ (x - x0) ** 2)
    correlation = covariance / math.sqrt((weight @ (x - x0) ** 2) * (weight @ (y - y0) ** 2))
    return float(y0 - slope * x0), float(slope), float(correlation)


def distance(stages: Values, line: Line) -> float:
    """Root mean square distance of filters from a line, every stage with equal weight."""
    constant, slope, _ = line
    squares = [((y - constant - slope * x) ** 2).mean() for x, y in stages.values()]
    return math.sqrt(np.mean(squares))


def held_out(stages: Values) -> float:
    """The same of every stage from the line of the others."""
    of_stages = [
        distance({name: of}, line_through({other: stages[other] for other in stages if other != name}))
        for name, of in stages.items()
    ]
    return math.sqrt(np.mean(np.square(of_stages)))


def parts(filters: SingleFilters) -> dict[str, NDArray[np.float64]]:
    """Seed by seed: the correlation over convolutions, and the distance of heads against that of convolutions."""
    of_seeds = []
    for convolutions, heads in zip(filters.convolutions, filters.heads, strict=True):
        line = line_through(convolutions)
        ratio = distance(heads, line) / held_out(convolutions)
        of_seeds.append((line[2] - CORRELATION, math.log(APART / ratio)))
    relation, predicted = np.array(of_seeds).T
    return {RELATION: relation, PREDICTED: predicted}


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> SingleFilters:
    """Four stages of convolutions and two of heads with these numbers."""
    convolutions, heads = [], []
    for of_seed in effect + SCATTER * rng.standard_normal((n_seeds, 2)):
        correlation = np.clip(CORRELATION + of_seed[0], -0.99, 0.99)
        x, noise = rng.standard_normal((2, 80))
        x = (x - x.mean()) / x.std()
        noise -= noise.mean() + (noise @ x) / (x @ x) * x
        y = correlation * x + math.sqrt(1 - correlation**2) * noise / noise.std()
        rows = np.stack([x, y]).reshape(2, 4, 20)
        stages = {f"stage{m + 1}": rows[:, m] for m in range(4)}
        constant, slope, _ = line_through(stages)
        away = held_out(stages) * APART * math.exp(-of_seed[1]) * rng.choice([-1.0, 1.0], (2, 4))
        at = rng.standard_normal((2, 4))
        both = np.stack([at, constant + slope * at + away], axis=1)
        convolutions.append(stages)
        heads.append({"heads1": both[0], "heads2": both[1]})
    return SingleFilters(tuple(convolutions), tuple(heads))


HYPOTHESIS = Hypothesis(
    number=27,
    name="one-relation",
    label="one relation of SNR and accuracy",
    claim="the accuracy of a single filter follows from its SNR by the same relation for convolutions and for "
    "heads of attention",
    source=f"{PAPER}; the statistic is ours",
    evidence=SingleFilters,
    statistic="of logit accuracy against ln SNR: correlation over the filters of convolutions minus "
    f"{CORRELATION:g}; ln of {APART:g} over (distance of heads from the line of convolutions, over that of "
    "convolutions from the line of the other stages)",
    unit="",
    null=f"a correlation of {CORRELATION:g}, or heads {APART:g} times as far from the line as convolutions",
    rule=Positive(),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
)
