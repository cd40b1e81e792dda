"""From a test to a verdict: supported, not supported or undecided."""

import math
from dataclasses import dataclass
from typing import Literal

from deeptheory.judge.statistics import PairedTest

Status = Literal["supported", "not supported", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """What the seeds say about one claim.

    Parameters
    ----------
    claim : str
    effect : float
        Mean over seeds of the paired difference, in percentage points.
    low, high : float
        Interval of the effect, in percentage points, NOT corrected for the other claims.
    interval_level : float
        Coverage of the interval.
    p : float
        p-value of this claim alone.
    p_holm : float
        p-value after Holm's correction over all claims judged together.
    n_seeds : int
    status : {"supported", "not supported", "undecided"}
    reason : str
        Why this status.
    command : str
        What repeats the study.
    """

    claim: str
    effect: float
    low: float
    high: float
    interval_level: float
    p: float
    p_holm: float
    n_seeds: int
    status: Status
    reason: str
    command: str


def decide(claim: str, test: PairedTest, p_holm: float, minimum_seeds: int, command: str) -> Verdict:
    """Judge one claim.

    Parameters
    ----------
    claim : str
    test : PairedTest
    p_holm : float
        The test's p-value after Holm's correction over the family of claims.
    minimum_seeds : int
        With fewer seeds the claim is undecided, whatever its p-value.
    command : str
        What repeats the study.

    Returns
    -------
    Verdict
        "supported": p_holm < 1 - level, so the chance that any claim of the family is supported falsely is at
        most 1 - level. "not supported": the (uncorrected) interval lies entirely where the claim is false.
        "undecided": anything else, and any result of too few seeds. "undecided" does NOT mean that there is
        no difference.
    """
    status, reason = _status(test, p_holm, minimum_seeds)
    return Verdict(
        claim=claim,
        effect=test.effect,
        low=test.low,
        high=test.high,
        interval_level=test.interval_level,
        p=test.p,
        p_holm=p_holm,
        n_seeds=test.n_seeds,
        status=status,
        reason=reason,
        command=command,
    )


def untested(claim: str, n_seeds: int, reason: str, command: str) -> Verdict:
    """The verdict on a claim whose numbers are missing: undecided, with the reason."""
    nan = math.nan
    return Verdict(claim, nan, nan, nan, nan, nan, nan, n_seeds, "undecided", reason, command)


def _status(test: PairedTest, p_holm: float, minimum_seeds: int) -> tuple[Status, str]:
    alpha = 1 - test.level
    if test.n_seeds < minimum_seeds:
        seeds = "1 seed" if test.n_seeds == 1 else f"{test.n_seeds} seeds"
        return "undecided", f"{seeds}, {minimum_seeds} needed"
    if p_holm < alpha:
        return "supported", f"p < {alpha:.2g} after Holm"
    if test.excluded:
        return "not supported", "the whole interval contradicts the claim"
    if test.p < alpha:
        return "undecided", f"p < {alpha:.2g} alone but not after Holm"
    return "undecided", "the interval allows both"
