"""The claims of a confirm study, judged as one family."""

import math

import numpy as np

from deeptheory.judge.arm_results import POINTS, ArmResults
from deeptheory.judge.options import JudgeOptions
from deeptheory.judge.statistics import PairedTest, equivalence, holm, non_inferiority, superiority
from deeptheory.judge.verdict import Verdict, decide, untested
from deeptheory.store.paths import AFCC, UNPRUNED

Claim = tuple[str, PairedTest | str]  # its text, and its test or the reason why there is none


def confirm_claims(results: ArmResults, command: str, options: JudgeOptions | None = None) -> list[Verdict]:
    """Judge the claims of a confirm study.

    Parameters
    ----------
    results : ArmResults
    command : str
        What repeats the study; kept in every verdict.
    options : JudgeOptions, optional
        Margins, level and the smallest number of seeds.

    Returns
    -------
    list of Verdict
        1. AFCC loses no accuracy against the unpruned arm retrained equally long (non-inferiority);
        2. AFCC beats each other pruned arm at equal density (superiority, one claim per arm);
        3. the dilution of AFCC exceeds the one expected without structure (superiority of the mean over the
        layers that have a null);
        4. the predicted accuracy of AFCC agrees with the measured one (equivalence).
        Effects and intervals in percentage points; p-values by Holm over all claims of the list.

    Notes
    -----
    Differences are paired by seed. A claim whose numbers are missing (no prediction, no null) is undecided
    and still counts in Holm's family, so leaving numbers out cannot make another claim easier.
    """
    options = options or JudgeOptions()
    tests: list[Claim] = [_no_loss(results, options)]
    tests += [_beats(results, arm, options) for arm in results.arms if arm not in (AFCC, UNPRUNED)]
    tests += [_structure(results, options), _prediction(results, options)]
    p_values = [math.nan if isinstance(test, str) else test.p for _, test in tests]
    return [
        untested(claim, results.n_seeds, test, command)
        if isinstance(test, str)
        else decide(claim, test, float(p_holm), options.minimum_seeds, command)
        for (claim, test), p_holm in zip(tests, holm(p_values), strict=True)
    ]


def _no_loss(results: ArmResults, options: JudgeOptions) -> Claim:
    differences = POINTS * (results.accuracy_after[AFCC] - results.accuracy_after[UNPRUNED])
    claim = f"no loss: AFCC vs unpruned, margin {options.margin:g}"
    return claim, non_inferiority(differences, options.margin, options.level)


def _beats(results: ArmResults, arm: str, options: JudgeOptions) -> Claim:
    differences = POINTS * (results.accuracy_after[AFCC] - results.accuracy_after[arm])
    return f"AFCC beats {arm}, equal density", superiority(differences, options.level)


def _structure(results: ArmResults, options: JudgeOptions) -> Claim:
    claim = "AFCC dilution above structureless null"
    if not results.null_dilution:
        return claim, "no masked layer between two stages"
    differences = [results.dilution[layer] - null for layer, null in results.null_dilution.items()]
    return claim, superiority(POINTS * np.mean(differences, axis=0), options.level)


def _prediction(results: ArmResults, options: JudgeOptions) -> Claim:
    claim = f"AFCC predicted within {options.prediction_margin:g} of measured"
    predicted = results.predicted.get(AFCC, np.full(results.n_seeds, np.nan))
    missing = int(np.isnan(predicted).sum())
    if missing:
        return claim, f"no prediction for {missing} of {results.n_seeds} seeds"
    differences = POINTS * (predicted - results.accuracy_after[AFCC])
    return claim, equivalence(differences, options.prediction_margin, options.level)
