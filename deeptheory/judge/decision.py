"""A claim with its decision rule, and the verdict on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.judge.options import JudgeOptions
from deeptheory.judge.rules import Rule
from deeptheory.judge.statistical_power import MOST_SEEDS, POWER, seeds_needed
from deeptheory.judge.statistics import PairedTest, holm

E = TypeVar("E")
Floats = NDArray[np.float64]
Status = Literal["supported", "not supported", "undecided"]
FIXED = (
    JudgeOptions()
)  # level, margins and the smallest number of seeds of all hypotheses: not to be chosen later
RULE_OPTIONS = ("level", "minimum_seeds", "margin", "prediction_margin")


def no_sampling_error(_: Any) -> dict[str, Floats]:
    """Of a statistic that is no mean over test inputs."""
    return {}


@dataclass(frozen=True)
class Hypothesis(Generic[E]):
    """A claim, what is computed of the evidence, and the rule that decides: all fixed before the data are seen.

    Parameters
    ----------
    number : int
        H1, H2, ...
    name : str
        On the command line.
    label : str
        The claim in a few words, for tables.
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
    sampling : callable
        Evidence to part to the variance of its number of every seed that the finite test set gives, (S,), in the
        unit squared; parts that are left out have none.
    minimum_labels : int
        Fewest labels that the statistic needs.
    part_rules : mapping of str to Rule
        Of the parts that are not decided by `rule`.
    """

    number: int
    name: str
    label: str
    claim: str
    source: str
    evidence: type[E]
    statistic: str
    unit: str
    null: str
    rule: Rule
    scatter: float
    parts: Callable[[E], Mapping[str, Floats]]
    planted: Callable[[np.random.Generator, float, int], E]
    holds_if: Literal["all", "any"] = "all"
    sampling: Callable[[E], Mapping[str, Floats]] = no_sampling_error
    minimum_labels: int = 3  # "from 3 to 1000 labels", say the papers
    part_rules: Mapping[str, Rule] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Such as "H1 probe-accuracy-rises"."""
        return f"H{self.number} {self.name}"

    def detects(self, n_seeds: int, n_parts: int, options: JudgeOptions = FIXED) -> float:
        """True mean of every part at which the claim, judged alone, is supported with a power of 80 %.

        At the stated scatter. NaN where no mean is found so often. Where one part is enough, the level is that of
        Holm's first step. A part with a rule of its own has to be as far from its own null.
        """
        level, power = options.level, POWER
        if self.holds_if == "all":
            power = POWER ** (1 / n_parts)
        else:
            level = 1 - (1 - level) / n_parts
        rule = self.rule.under(options)
        others = [of_part.under(options) for of_part in self.part_rules.values()]
        further = [of.found(self.scatter, n_seeds, level, power) - of.null + rule.null for of in others]
        return float(np.max([rule.found(self.scatter, n_seeds, level, power), *further]))

    def rule_of(self, part: str, options: JudgeOptions = FIXED) -> Rule:
        """The rule that decides a part."""
        return self.part_rules.get(part, self.rule).under(options)

    def rule_text(self, options: JudgeOptions = FIXED) -> str:
        """The rules in words."""
        others = [f"{part}: {rule.under(options).text}" for part, rule in self.part_rules.items()]
        return "; ".join([self.rule.under(options).text, *others])


@dataclass(frozen=True)
class Case(Generic[E]):
    """A hypothesis and what it is tested on.

    Parameters
    ----------
    hypothesis : Hypothesis
    evidence : evidence or InputError
        An InputError says why there is none: undecided, and still one of the family.
    seeds : tuple of str
        Names of the seeds, in the order of the numbers; counted from 0 where they are left out.
    doubts : tuple of str
        Why these runs allow no verdict, with what to do: undecided.
    place : str
        Where the runs are; empty where there are none.
    exploratory : tuple of str
        Why a verdict on these runs confirms nothing, whatever it says.
    passed_over : mapping of str to InputError
        Other places that were looked at before, and what they lack.
    """

    hypothesis: Hypothesis[E]
    evidence: E | InputError
    seeds: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    place: str = ""
    exploratory: tuple[str, ...] = ()
    passed_over: Mapping[str, InputError] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One part of a claim.

    Attributes
    ----------
    name : str
    rule : Rule
        That decides it, with the margin of the options.
    values : (S,) float array
        The statistic of every seed.
    worst : int
        Position of the seed that speaks most against the claim; -1 where there are no numbers.
    test : PairedTest or None
        Its mean, interval and p-value; None where there are no numbers, or fewer seeds than a verdict needs.
    p : float
        The p-value that decides: that of the test where all parts are needed (the largest of them is the claim's);
        after Holm over the parts where one is enough. NaN where there is no test, or no verdict.
    status : {"supported", "not supported", "undecided"}
    reason : str
    """

    name: str
    rule: Rule
    values: Floats
    worst: int
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
    rule : str
        Its rules in words, with the margins of the options.
    status : {"supported", "not supported", "undecided"}
    parts : tuple of Part
    p : float
        Of the claim: the largest p of its parts where it needs all of them (intersection-union test), the
        smallest where it needs one. NaN where a part that is needed, or every part, cannot be tested.
    p_holm : float
        After Holm over all hypotheses judged together.
    detects : float
        As `Hypothesis.detects`, for these seeds and parts; NaN below two seeds.
    seeds : tuple of str
    exploratory : tuple of str
        Options that change the rule, and what the `Case` says of its runs; the verdict is then no confirmation,
        whatever it says.
    command : str
        What repeats it.
    place : str
        Where the runs are; empty where there are none.
    passed_over : mapping of str to InputError
        As in `Case`.
    """

    hypothesis: Hypothesis[Any]
    rule: str
    status: Status
    parts: tuple[Part, ...]
    p: float
    p_holm: float
    detects: float
    seeds: tuple[str, ...]
    exploratory: tuple[str, ...]
    command: str
    place: str
    passed_over: Mapping[str, InputError]

    @property
    def verdict(self) -> str:
        """The status, and that it is exploratory where it is."""
        return f"exploratory: {self.status}" if self.exploratory else self.status

    @property
    def confirmed(self) -> bool:
        """Supported, and not exploratory."""
        return self.status == "supported" and not self.exploratory


def changed_rules(options: JudgeOptions) -> tuple[str, ...]:
    """The options of the judge that are not the fixed ones, with both values: they make a verdict exploratory."""
    return tuple(
        f"judge.{name} = {getattr(options, name):g} instead of {getattr(FIXED, name):g}"
        for name in RULE_OPTIONS
        if getattr(options, name) != getattr(FIXED, name)
    )


def judge_hypotheses(
    tested: Sequence[Case[Any]], command: str, options: JudgeOptions = FIXED
) -> list[Judged]:
    """Judge hypotheses as one family.

    Parameters
    ----------
    tested : sequence of Case
    command : str
        What repeats it.
    options : JudgeOptions
        Other levels, margins or numbers of seeds than the fixed ones make the verdicts exploratory.

    Returns
    -------
    list of Judged
        Supported if p < 1 - level after Holm over the hypotheses and all parts (or one, as the claim says) are
        supported. Not supported if the interval of a part that is needed, or of every part where one would do,
        lies entirely where the claim is false. Undecided otherwise, and always with too few seeds or with doubts.

    Notes
    -----
    Intersection-union tests: Berger, "Multiparameter hypothesis testing and acceptance sampling" (1982).
    """
    parts = [_parts(case, options) for case in tested]
    p_values = np.array(
        [_together(case.hypothesis, found) for case, found in zip(tested, parts, strict=True)]
    )
    return [
        Judged(
            case.hypothesis,
            case.hypothesis.rule_text(options),
            _status(case.hypothesis, found, p_holm, options),
            found,
            p,
            p_holm,
            _detects(case.hypothesis, found, options),
            _seeds(case, found),
            (*changed_rules(options), *case.exploratory),
            command,
            case.place,
            case.passed_over,
        )
        for case, found, p, p_holm in zip(
            tested, parts, p_values.tolist(), holm(p_values).tolist(), strict=True
        )
    ]


def _parts(case: Case[Any], options: JudgeOptions) -> tuple[Part, ...]:
    hypothesis, evidence = case.hypothesis, case.evidence
    try:
        if isinstance(evidence, InputError):
            raise evidence
        with np.errstate(divide="ignore", invalid="ignore"):  # `_part` says where a number is not finite
            values, variances = hypothesis.parts(evidence), hypothesis.sampling(evidence)
    except InputError as error:
        rule = hypothesis.rule.under(options)
        return (Part(hypothesis.label, rule, np.empty(0), -1, None, np.nan, "undecided", str(error)),)
    rules = {name: hypothesis.rule_of(name, options) for name in values}
    tests = {
        name: rules[name].test(of_seeds, options.level, _sampling_error(variances.get(name), len(of_seeds)))
        for name, of_seeds in values.items()
        if np.isfinite(of_seeds).all() and len(of_seeds) >= options.minimum_seeds
    }
    p_values = np.array([tests[name].p if name in tests and not case.doubts else np.nan for name in values])
    if hypothesis.holds_if == "any":
        p_values = holm(p_values)
    return tuple(
        _part(rules[name], case.doubts, options, name, of_seeds, tests.get(name), p)
        for (name, of_seeds), p in zip(values.items(), p_values.tolist(), strict=True)
    )


def _sampling_error(variances: Floats | None, n_seeds: int) -> float:
    """Standard error of the mean over seeds from the variances that the test set gives."""
    return 0.0 if variances is None else float(np.sqrt(variances.sum())) / n_seeds


def _part(
    rule: Rule,
    doubts: tuple[str, ...],
    options: JudgeOptions,
    name: str,
    values: Floats,
    test: PairedTest | None,
    p: float,
) -> Part:
    n_seeds, alpha = len(values), 1 - options.level
    finite = np.isfinite(values)
    worst = int(np.argmin([rule.distance(value) for value in values])) if finite.all() and n_seeds else -1
    status: Status = "undecided"
    if not finite.all():
        reason = f"not a finite number in {np.count_nonzero(~finite)} of {n_seeds} seeds"
    elif doubts:
        reason = "; ".join(doubts)
    elif test is None:
        reason = f"{n_seeds} seed{'s' * (n_seeds != 1)}, {options.minimum_seeds} needed"
    elif p < alpha:
        status, reason = "supported", f"p < {alpha:.2g}"
    elif test.excluded:
        status, reason = "not supported", "the whole interval contradicts the claim"
    else:
        reason = f"the interval allows both; {_needed(rule, values, options)}"
    return Part(name, rule, values, worst, test, p, status, reason)


def _needed(rule: Rule, values: Floats, options: JudgeOptions) -> str:
    """How many seeds would find what these show."""
    distance, scatter = rule.distance(float(values.mean())), float(values.std(ddof=1))
    if distance <= 0:
        return "the mean is on the wrong side"
    if scatter == 0:
        return "the seeds do not scatter, the test inputs do"
    needed = seeds_needed(distance, scatter, options.level, rule.one_sided)
    return f"at this mean and scatter {needed or f'more than {MOST_SEEDS}'} seeds are needed"


def _together(hypothesis: Hypothesis[Any], parts: Sequence[Part]) -> float:
    p_values = np.array([part.p for part in parts])
    if hypothesis.holds_if == "all":
        return float(p_values.max())
    return float(np.fmin.reduce(p_values))  # a part without a number is no reason to drop the others


def _status(
    hypothesis: Hypothesis[Any], parts: Sequence[Part], p_holm: float, options: JudgeOptions
) -> Status:
    need, refuse = (all, any) if hypothesis.holds_if == "all" else (any, all)
    if need(part.status == "supported" for part in parts) and p_holm < 1 - options.level:
        return "supported"
    return "not supported" if refuse(part.status == "not supported" for part in parts) else "undecided"


def _detects(hypothesis: Hypothesis[Any], parts: Sequence[Part], options: JudgeOptions) -> float:
    n_seeds = min(len(part.values) for part in parts)
    return hypothesis.detects(n_seeds, len(parts), options) if n_seeds > 1 else np.nan


def _seeds(case: Case[Any], parts: Sequence[Part]) -> tuple[str, ...]:
    return case.seeds or tuple(map(str, range(max(len(part.values) for part in parts))))
