"""A claim with its decision rule, and the verdict on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from deeptheory.errors import InputError
from deeptheory.judge.options import JudgeOptions
from deeptheory.judge.power import POWER
from deeptheory.judge.rules import Rule
from deeptheory.judge.statistics import PairedTest, holm
from deeptheory.judge.verdict import Status, Verdict, decide, untested

E = TypeVar("E")
OPTIONS = (
    JudgeOptions()
)  # level, margins and the smallest number of seeds of all hypotheses: not to be chosen later


@dataclass(frozen=True)
class Hypothesis(Generic[E]):
    """A claim, what is computed of the evidence, and the rule that decides: all fixed before the data are seen.

    Parameters
    ----------
    number : int
        H1, H2, ...
    name : str
        On the command line.
    claim : str
        In one sentence.
    source : str
        Where the claim comes from.
    evidence : type
        Kind of `judge.evidence` that it is tested on.
    statistic : str
        What the one number per seed is.
    unit : str
        Of the statistic.
    null : str
        What would be seen if the claim were false.
    rule : Rule
    scatter : float
        Standard deviation of the statistic over seeds that the power is stated for, in its unit; from pilot runs.
    parts : callable
        Evidence to part of the claim to one number per seed, (S,). Raises InputError where the evidence lacks one.
    planted : callable
        ``planted(rng, effect, n_seeds)``: evidence in which the statistic of every part has the mean `effect` and
        scatters by `scatter`, to judge the judge.
    holds_if : {"all", "any"}
        Whether the claim needs all of its parts, or one.
    """

    number: int
    name: str
    claim: str
    source: str
    evidence: type[E]
    statistic: str
    unit: str
    null: str
    rule: Rule
    scatter: float
    parts: Callable[[E], Mapping[str, np.ndarray]]
    planted: Callable[[np.random.Generator, float, int], E]
    holds_if: Literal["all", "any"] = "all"

    @property
    def title(self) -> str:
        """Such as "H1 probe-accuracy-rises"."""
        return f"H{self.number} {self.name}"

    def detects(self, n_seeds: int, n_parts: int) -> float:
        """True mean of every part at which the claim is supported with a power of 80 %, at `scatter`.

        The level is that of Holm's first step, the worst case. NaN where no mean is found so often.
        """
        level = 1 - (1 - OPTIONS.level) / n_parts
        power = POWER ** (1 / n_parts) if self.holds_if == "all" else POWER
        return self.rule.found(self.scatter, n_seeds, level, power)


@dataclass(frozen=True)
class Judged:
    """The verdict on a hypothesis, made of those on its parts.

    Attributes
    ----------
    hypothesis : Hypothesis
    status : {"supported", "not supported", "undecided"}
    parts : tuple of Verdict
        Effects in the unit of the hypothesis.
    values : mapping of str to (S,) float array
        The statistic of every seed, by part.
    detects : float
        As `Hypothesis.detects`, for these seeds and parts; NaN below two seeds.
    """

    hypothesis: Hypothesis[Any]
    status: Status
    parts: tuple[Verdict, ...]
    values: Mapping[str, np.ndarray]
    detects: float


def judge(tested: Sequence[tuple[Hypothesis[Any], Any]], command: str) -> list[Judged]:
    """Judge hypotheses as one family.

    Parameters
    ----------
    tested : sequence of (Hypothesis, evidence)
        An InputError in place of the evidence says why there is none: undecided, and still one of the family.
    command : str
        What repeats it.

    Returns
    -------
    list of Judged
        p-values by Holm over all parts of all hypotheses. "all": supported if every part is, not supported if one
        part is not. "any": supported if one part is, not supported if no part is. Otherwise undecided.
    """
    parts = [_parts(hypothesis, evidence) for hypothesis, evidence in tested]
    p_values = iter(
        holm([test.p if isinstance(test, PairedTest) else np.nan for _, of in parts for test in of.values()])
    )
    judged = []
    for (hypothesis, _), (values, tests) in zip(tested, parts, strict=True):
        verdicts = tuple(_verdict(part, test, float(next(p_values)), command) for part, test in tests.items())
        judged.append(
            Judged(hypothesis, _status(hypothesis, verdicts), verdicts, values, _detects(hypothesis, values))
        )
    return judged


def _parts(
    hypothesis: Hypothesis[Any], evidence: Any
) -> tuple[Mapping[str, np.ndarray], dict[str, PairedTest | str]]:
    """The statistic and the test of every part; the reason where there is no test."""
    try:
        if isinstance(evidence, InputError):
            raise evidence
        with np.errstate(divide="ignore", invalid="ignore"):  # `_test` says where a number is not finite
            values = hypothesis.parts(evidence)
    except InputError as error:
        return {}, {hypothesis.claim: str(error)}
    return values, {part: _test(hypothesis, of_part) for part, of_part in values.items()}


def _test(hypothesis: Hypothesis[Any], values: np.ndarray) -> PairedTest | str:
    if not np.isfinite(values).all():
        return f"not a finite number in {np.count_nonzero(~np.isfinite(values))} of {len(values)} seeds"
    return hypothesis.rule.test(values, OPTIONS.level)


def _verdict(part: str, test: PairedTest | str, p_holm: float, command: str) -> Verdict:
    if isinstance(test, str):
        return untested(part, 0, test, command)
    return decide(part, test, p_holm, OPTIONS.minimum_seeds, command)


def _status(hypothesis: Hypothesis[Any], verdicts: Sequence[Verdict]) -> Status:
    found = [verdict.status for verdict in verdicts]
    need, refuse = (all, any) if hypothesis.holds_if == "all" else (any, all)
    if need(status == "supported" for status in found):
        return "supported"
    return "not supported" if refuse(status == "not supported" for status in found) else "undecided"


def _detects(hypothesis: Hypothesis[Any], values: Mapping[str, np.ndarray]) -> float:
    n_seeds = min((len(of_part) for of_part in values.values()), default=0)
    return hypothesis.detects(n_seeds, len(values)) if n_seeds > 1 else np.nan
