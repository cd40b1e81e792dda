"""A claim with its decision rule, and the verdict on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from deeptheory.errors import InputError
from deeptheory.judge.options import JudgeOptions
from deeptheory.judge.rules import Rule
from deeptheory.judge.statistical_power import MOST_SEEDS, POWER, seeds_needed
from deeptheory.judge.statistics import PairedTest, holm
from deeptheory.judge.verdict import Status

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
        """True mean of every part at which the claim, judged alone, is supported with a power of 80 %.

        At the stated scatter. NaN where no mean is found so often. Where one part is enough, the level is that of
        Holm's first step.
        """
        if self.holds_if == "all":
            return self.rule.found(self.scatter, n_seeds, OPTIONS.level, POWER ** (1 / n_parts))
        return self.rule.found(self.scatter, n_seeds, 1 - (1 - OPTIONS.level) / n_parts, POWER)


@dataclass(frozen=True)
class Part:
    """One part of a claim.

    Attributes
    ----------
    name : str
    values : (S,) float array
        The statistic of every seed.
    test : PairedTest or None
        Its mean, interval and p-value; None where there are no numbers.
    p : float
        The p-value that decides: that of the test where all parts are needed (the largest of them is the claim's);
        after Holm over the parts where one is enough.
    status : {"supported", "not supported", "undecided"}
    reason : str
    """

    name: str
    values: np.ndarray
    test: PairedTest | None
    p: float
    status: Status
    reason: str


@dataclass(frozen=True)
class Judged:
    """The verdict on a hypothesis, made of those on its parts.

    Attributes
    ----------
    hypothesis : Hypothesis
    status : {"supported", "not supported", "undecided"}
    parts : tuple of Part
    p : float
        Of the claim: the largest p of its parts where it needs all of them (intersection-union test), the
        smallest where it needs one. NaN where a part that is needed, or every part, cannot be tested.
    p_holm : float
        After Holm over all hypotheses judged together.
    detects : float
        As `Hypothesis.detects`, for these seeds and parts; NaN below two seeds.
    command : str
        What repeats it.
    """

    hypothesis: Hypothesis[Any]
    status: Status
    parts: tuple[Part, ...]
    p: float
    p_holm: float
    detects: float
    command: str


def judge_hypotheses(tested: Sequence[tuple[Hypothesis[Any], Any]], command: str) -> list[Judged]:
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
        Supported if p < 1 - level after Holm over the hypotheses and all parts (or one, as the claim says) are
        supported. Not supported if the interval of a part that is needed, or of every part where one would do,
        lies entirely where the claim is false. Undecided otherwise, and always with too few seeds.

    Notes
    -----
    Intersection-union tests: Berger, "Multiparameter hypothesis testing and acceptance sampling" (1982).
    """
    found = [_parts(hypothesis, evidence) for hypothesis, evidence in tested]
    p_values = np.array(
        [_together(hypothesis, parts) for (hypothesis, _), parts in zip(tested, found, strict=True)]
    )
    return [
        Judged(
            hypothesis,
            _status(hypothesis, parts, p_holm),
            parts,
            p,
            p_holm,
            _detects(hypothesis, parts),
            command,
        )
        for (hypothesis, _), parts, p, p_holm in zip(
            tested, found, p_values.tolist(), holm(p_values).tolist(), strict=True
        )
    ]


def _parts(hypothesis: Hypothesis[Any], evidence: Any) -> tuple[Part, ...]:
    try:
        if isinstance(evidence, InputError):
            raise evidence
        with np.errstate(divide="ignore", invalid="ignore"):  # `_part` says where a number is not finite
            values = hypothesis.parts(evidence)
    except InputError as error:
        return (Part(hypothesis.claim, np.empty(0), None, np.nan, "undecided", str(error)),)
    tests = [
        hypothesis.rule.test(of_part, OPTIONS.level) if np.isfinite(of_part).all() else None
        for of_part in values.values()
    ]
    p_values = np.array([np.nan if test is None else test.p for test in tests])
    if hypothesis.holds_if == "any":
        p_values = holm(p_values)
    return tuple(
        _part(hypothesis.rule, name, of_part, test, p)
        for (name, of_part), test, p in zip(values.items(), tests, p_values.tolist(), strict=True)
    )


def _part(rule: Rule, name: str, values: np.ndarray, test: PairedTest | None, p: float) -> Part:
    n_seeds, alpha = len(values), 1 - OPTIONS.level
    status: Status = "undecided"
    if test is None:
        reason = f"not a finite number in {np.count_nonzero(~np.isfinite(values))} of {n_seeds} seeds"
    elif n_seeds < OPTIONS.minimum_seeds:
        reason = f"{n_seeds} seed{'s' * (n_seeds > 1)}, {OPTIONS.minimum_seeds} needed"
    elif p < alpha:
        status, reason = "supported", f"p < {alpha:.2g}"
    elif test.excluded:
        status, reason = "not supported", "the whole interval contradicts the claim"
    else:
        reason = f"the interval allows both; {_needed(rule, values)}"
    return Part(name, values, test, p, status, reason)


def _needed(rule: Rule, values: np.ndarray) -> str:
    """How many seeds would find what these show."""
    distance, scatter = rule.distance(float(values.mean())), float(values.std(ddof=1))
    if distance <= 0:
        return "the mean is on the wrong side"
    needed = seeds_needed(distance, scatter, OPTIONS.level, rule.one_sided)
    return f"at this mean and scatter {needed or f'more than {MOST_SEEDS}'} seeds are needed"


def _together(hypothesis: Hypothesis[Any], parts: Sequence[Part]) -> float:
    p_values = np.array([part.p for part in parts])
    if hypothesis.holds_if == "all":
        return float(p_values.max())
    return float(np.fmin.reduce(p_values))  # a part without a number is no reason to drop the others


def _status(hypothesis: Hypothesis[Any], parts: Sequence[Part], p_holm: float) -> Status:
    need, refuse = (all, any) if hypothesis.holds_if == "all" else (any, all)
    if need(part.status == "supported" for part in parts) and p_holm < 1 - OPTIONS.level:
        return "supported"
    return "not supported" if refuse(part.status == "not supported" for part in parts) else "undecided"


def _detects(hypothesis: Hypothesis[Any], parts: Sequence[Part]) -> float:
    n_seeds = min(len(part.values) for part in parts)
    return hypothesis.detects(n_seeds, len(parts)) if n_seeds > 1 else np.nan
