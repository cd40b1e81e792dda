"""Trends over the stages of a network: three hypotheses of one form."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis, no_sampling_error
from deeptheory.judge.evidence import Stages
from deeptheory.judge.hypotheses.planted import per_seed, trend
from deeptheory.judge.hypotheses.straight_lines import slopes
from deeptheory.judge.rules import Positive

Transform = Callable[[NDArray[np.float64]], NDArray[np.float64]]
N_STAGES = 10  # planted


def rises(
    number: int,
    name: str,
    label: str,
    claim: str,
    source: str,
    what: str,
    unit: str,
    kinds: Mapping[str, str],
    scatter: float,
    typical: tuple[float, float],
    transform: Transform = lambda values: values,
    inverse: Transform = lambda values: values,
    sampling: Callable[[Stages], Mapping[str, NDArray[np.float64]]] = no_sampling_error,
) -> Hypothesis[Stages]:
    """The hypothesis that numbers of the stages rise with depth.

    Parameters
    ----------
    number : int
    name, label, claim, source : str
    what, unit : str
        What rises, and the unit of its slope.
    kinds : mapping of str to str
        Part of the claim to the name of its numbers in `Stages`.
    scatter : float
        Of the slope over seeds.
    typical : tuple of float
        Mean over stages and scatter about the line, transformed, of planted numbers.
    transform, inverse : callable
        From the numbers to what rises, and back.
    sampling : callable
        As in `Hypothesis`.
    """
    depth = np.arange(float(N_STAGES))

    def parts(stages: Stages) -> dict[str, NDArray[np.float64]]:
        stage = np.arange(float(len(stages.names)))
        return {part: slopes(stage, transform(stages.values[kind])) for part, kind in kinds.items()}

    def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> Stages:
        lines = {
            kind: trend(per_seed(rng, effect, scatter, n_seeds), depth, *typical, rng)
            for kind in kinds.values()
        }
        values = {kind: inverse(line) for kind, line in lines.items()}
        return Stages(tuple(f"stage{m + 1}" for m in depth), values)

    return Hypothesis(
        number=number,
        name=name,
        label=label,
        claim=claim,
        source=source,
        evidence=Stages,
        statistic=f"slope of {what} against the number of the stage, least squares over all stages",
        unit=unit,
        null="no trend: stages in any order",
        rule=Positive(),
        scatter=scatter,
        parts=parts,
        planted=planted,
        sampling=sampling,
    )
