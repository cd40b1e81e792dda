"""Verdicts: parts and families decided together, what leaves a claim undecided, and what the table says of it."""

import math

import numpy as np
import pytest

from deeptheory.errors import InputError, Unsuited
from deeptheory.judge.decision import Case, judge_hypotheses
from deeptheory.judge.evidence import (
    Arms,
    SingleLayers,
    Stages,
)
from deeptheory.judge.hypotheses import hypothesis
from deeptheory.judge.options import JudgeOptions
from deeptheory.judge.verdict_tables import exploratory_texts, verdict_table

N_SEEDS = 5


def test_too_few_seeds_are_undecided():
    of = hypothesis("H1")
    judged = judge_hypotheses(
        [Case(of, of.planted(np.random.default_rng(0), 10.0, 3))], "deeptheory hypothesis test H1"
    )[0]
    assert judged.status == "undecided"
    part = judged.parts[0]
    assert part.reason == "3 seeds, 5 needed"
    assert (part.test, len(part.values)) == (None, 3)
    assert math.isnan(part.p)
    assert judged.command == "deeptheory hypothesis test H1"


def test_undecided_says_how_many_seeds_are_needed():
    unpruned, scatter = np.full(5, 0.9), 0.004 * np.array([-1, -0.5, 0, 0.5, 1])

    def reason(points):
        arms = Arms({"density 0.2": {"afcc": unpruned + points / 100 + scatter, "unpruned": unpruned}})
        return judge_hypotheses([Case(hypothesis("H6"), arms)], "")[0].parts[0].reason

    assert reason(-0.3) == "the interval allows both; at this mean and scatter 17 seeds are needed"
    assert (
        reason(-0.49999)
        == "the interval allows both; at this mean and scatter more than 1000 seeds are needed"
    )
    assert reason(-0.6) == "the interval allows both; the mean is on the wrong side"


def test_missing_evidence_counts_in_the_family():
    of = hypothesis("H1")
    evidence = of.planted(np.random.default_rng(0), 3.0, 5)
    alone = judge_hypotheses([Case(of, evidence)], "")[0]
    missing = InputError("run a", "the results of 'retrain'", "none", "run it first")
    first, second = judge_hypotheses([Case(of, evidence), Case(hypothesis("H6"), missing)], "")
    assert alone.p_holm == alone.p == first.p
    assert first.p_holm == pytest.approx(2 * alone.p)
    assert second.status == "undecided"
    assert second.parts[0].reason == "run a: expected the results of 'retrain', found none; run it first"


def test_all_parts_need_no_correction_and_one_part_does():
    scatter = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])
    depth = np.arange(10.0)
    values = {
        "snr_mean_field": (scatter + 0.02)[:, None] * depth,
        "snr_measured": (scatter + 0.05)[:, None] * depth,
    }
    judged = judge_hypotheses([Case(hypothesis("H2"), Stages(tuple("abcdefghij"), values))], "")[0]
    assert [part.p for part in judged.parts] == [part.test.p for part in judged.parts]
    assert judged.p == max(part.p for part in judged.parts) < 0.05
    assert judged.status == "supported"
    unpruned = np.full(5, 0.9)
    layers = {"stage2": unpruned - 0.004 + scatter / 50, "stage9": unpruned - 0.1 + scatter / 50}
    judged = judge_hypotheses([Case(hypothesis("H10"), SingleLayers(0.1, unpruned, layers))], "")[0]
    assert judged.parts[0].p == pytest.approx(2 * judged.parts[0].test.p)
    assert judged.p == judged.parts[0].p


def test_holm_over_the_family_can_take_the_support_away():
    of = hypothesis("H1")
    rng = np.random.default_rng(0)
    evidence = next(
        e
        for e in (of.planted(rng, 1.0, 5) for _ in range(100))
        if 0.03 < judge_hypotheses([Case(of, e)], "")[0].p < 0.05
    )
    assert judge_hypotheses([Case(of, evidence)], "")[0].status == "supported"
    assert judge_hypotheses([Case(of, evidence)] * 2, "")[0].status == "undecided"


def test_numbers_that_are_not_finite_are_undecided():
    noise = np.ones((5, 10))
    noise[2, 9] = 0
    stages = Stages(tuple(f"stage{m}" for m in range(1, 11)), {"noise": noise})
    judged = judge_hypotheses([Case(hypothesis("H3"), stages)], "")[0]
    assert judged.status == "undecided"
    assert judged.parts[0].reason == "not a finite number in 1 of 5 seeds"


def test_one_part_is_enough_whatever_the_others_lack():
    unpruned = np.full(5, 0.9)
    layers = {"stage2": np.full(5, np.nan), "stage9": unpruned + 0.001 * np.array([1, -1, 0.5, -0.5, 0])}
    judged = judge_hypotheses([Case(hypothesis("H10"), SingleLayers(0.1, unpruned, layers))], "")[0]
    assert judged.status == "supported"
    assert [part.status for part in judged.parts] == ["undecided", "supported"]


def test_an_unfinished_study_that_was_passed_over_is_named_and_one_of_another_kind_is_not():
    claim = hypothesis("H7")
    lacking = InputError("run out/one/seed-3", "the results of 'retrain'", "none", "run it")
    passed_over = {"out/one": lacking, "out/two": Unsuited("masks", "quenched ones", "others")}
    evidence = claim.planted(np.random.default_rng(0), 3.0, N_SEEDS)
    judged = judge_hypotheses([Case(claim, evidence, place="out/three", passed_over=passed_over)], "")
    (note,) = (note for note in verdict_table(judged).notes if "out/" in note)
    assert note == f"H7 NOT on out/one: {lacking}"


def test_runs_that_confirm_nothing_make_their_verdicts_exploratory():
    rng, claim = np.random.default_rng(0), hypothesis("H7")
    cases = [
        Case(claim, claim.planted(rng, 3.0, N_SEEDS), exploratory=("not held out",)),
        Case(claim, claim.planted(rng, 3.0, N_SEEDS)),
    ]
    marked, other = judge_hypotheses(cases, "")
    assert (marked.verdict, marked.confirmed) == ("exploratory: supported", False)
    assert (other.verdict, other.confirmed) == ("supported", True)
    assert exploratory_texts([marked]) == ["not held out"]
    assert exploratory_texts([marked, other]) == ["not held out (H7)"]
    assert "exploratory, no confirmation: not held out (H7)" in verdict_table([marked, other]).notes
    assert verdict_table([marked, other]).notes[-1] == "repeat with: "  # nothing undecided that needs more
    changed = judge_hypotheses(cases, "", JudgeOptions(margin=2.0))
    assert exploratory_texts(changed) == ["judge.margin = 2 instead of 0.5", "not held out (H7)"]
