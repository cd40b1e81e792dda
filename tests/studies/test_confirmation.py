import json

import msgspec
import numpy as np
import pytest

from deeptheory.judge import Case, hypothesis, judge_hypotheses
from deeptheory.reports.html import write_report
from deeptheory.runs import Run
from deeptheory.store import paths
from deeptheory.studies import Study, confirm, confirmation, hypotheses
from deeptheory.tables import as_json

COMMAND = "deeptheory confirm tiny.toml"


def test_a_study_writes_its_verdicts(finished_study):
    numbers = json.loads((finished_study / paths.VERDICTS).read_text())
    assert numbers["runs"] == [str(finished_study / "seed-3" / "run.h5")]
    assert [one["number"] for one in numbers["hypotheses"]] == [1, 2, 6, 7, 8, 9, 12, 16]
    for one in numbers["hypotheses"]:
        assert (one["status"], one["p"], one["seeds"]) == ("undecided", None, ["seed 3"])
        assert one["command"] == COMMAND
        assert all(len(part["values"]) == 1 for part in one["parts"])
    text = (finished_study / paths.TABLES).read_text()
    for words in (
        "unpruned ",
        "stage5.conv.weight",
        "not clearly above chance",
        "(seed 3)",
        f"repeat with: {COMMAND}\nwhich gives the same again; what the undecided claims need stands above",
    ):
        assert words in text


def test_stored_verdicts_are_read_back_as_a_table(finished_study, tmp_path):
    table = hypotheses.stored_table(finished_study / paths.VERDICTS)
    assert str(table) in (finished_study / paths.TABLES).read_text()
    assert hypotheses.stored_table(tmp_path / paths.VERDICTS) is None
    (tmp_path / paths.VERDICTS).write_text('{"verdicts": []}')  # of an earlier version
    assert hypotheses.stored_table(tmp_path / paths.VERDICTS) is None


@pytest.mark.parametrize("margin", [0.5, 2.0])
def test_confirm_and_hypothesis_test_judge_alike(study, tiny_config, margin):
    """With the margin of the configuration, and the same hypotheses."""
    judge = msgspec.structs.replace(tiny_config.judge, margin=margin, minimum_seeds=2, seeds=2)
    config = msgspec.structs.replace(tiny_config, judge=judge)
    Run(study / "seed-3", quiet=True).reconfigure(config)
    confirmed = confirm(config, study, command=COMMAND, quiet=True)
    tested = hypotheses.judge_on_runs(hypotheses.confirmed_hypotheses(config), [study], COMMAND, ())
    found, expected = hypotheses.numbers(tested), hypotheses.numbers(confirmed.judged)
    assert as_json({"judged": found}) == as_json({"judged": expected})
    no_loss = next(one for one in tested if one.hypothesis.number == 6)
    assert no_loss.parts[0].rule.null == -margin
    changed = [
        "judge.minimum_seeds = 2 instead of 5",
        *(["judge.margin = 2 instead of 0.5"] if margin == 2 else []),
    ]
    assert list(no_loss.exploratory) == changed
    assert not any(one.confirmed for one in tested)


def test_verdicts_on_fields_of_the_test_split_are_exploratory(study, tiny_config):
    config = msgspec.structs.replace(
        tiny_config, measure=msgspec.structs.replace(tiny_config.measure, split="test")
    )
    Run(study / "seed-3", quiet=True).reconfigure(config)
    again = confirm(config, study, command=COMMAND, quiet=True)
    reason = "not held out: fields come from the test split"
    assert [one.exploratory for one in again.judged] == [(reason,)] * 8
    assert again.text.count(f"exploratory, no confirmation: {reason}") == 1
    assert f"(exploratory: {reason})" in again.in_words([])
    write_report(study, study / "report.html")
    report = (study / "report.html").read_text()
    assert f"; {reason}" in report
    assert f"exploratory, no confirmation: {reason}" in report
    assert '"split":"test"' in report
    # A hypothesis that finds no evidence in them is no more confirming.
    scaling, chance = hypotheses.judge_on_runs(hypotheses.named(["H4", "H6"]), [study], COMMAND, ())
    assert scaling.exploratory == chance.exploratory == (reason,)


def test_a_finished_study_is_read_and_not_repeated(study, tiny_config, monkeypatch):
    monkeypatch.setattr("deeptheory.runs.run.load_whole", None)  # the data are not even read
    text, run_file = (study / paths.TABLES).read_text(), study / "seed-3" / paths.RESULTS
    before = run_file.stat().st_mtime_ns, run_file.read_bytes()
    again = confirm(tiny_config, study, command=COMMAND, quiet=True)
    assert again.text + "\n" == (study / paths.TABLES).read_text() == text
    assert (run_file.stat().st_mtime_ns, run_file.read_bytes()) == before


def test_a_study_may_be_given_more_seeds(study, tiny_config):
    judge = msgspec.structs.replace(tiny_config.judge, seeds=2)
    more = confirm(msgspec.structs.replace(tiny_config, judge=judge), study, command=COMMAND, quiet=True)
    assert [run.directory.name for run in more.runs] == ["seed-3", "seed-4"]
    assert all(one.seeds == ("seed 3", "seed 4") for one in more.judged)


def test_the_judge_gets_the_stored_numbers(finished_study):
    run = Run(finished_study / "seed-3")
    results = confirmation.arm_results([run, run])
    assert results.arms == ("unpruned", "afcc", "random", "label-permuted", "magnitude")
    for arm in results.arms:
        np.testing.assert_array_equal(
            results.accuracy_before[arm], [run.read_number(f"prune/arms/{arm}/accuracy")] * 2
        )
        np.testing.assert_array_equal(
            results.accuracy_after[arm], [run.read_number(f"retrain/arms/{arm}/accuracy")] * 2
        )
        np.testing.assert_array_equal(
            results.predicted[arm], [run.read_number(f"predict/arms/{arm}/loss")] * 2
        )
    assert set(results.dilution) - set(results.null_dilution) == {"head.linear.weight"}
    for layer, dilution in results.dilution.items():
        np.testing.assert_array_equal(dilution, [run.read_number(f"predict/layers/{layer}/dilution")] * 2)


@pytest.mark.parametrize("effects", [(3.0, 3.0), (3.0, -3.0)], ids=["all supported", "one is not"])
def test_a_study_is_confirmed_when_every_claim_is_supported(tmp_path, effects):
    rng, claim = np.random.default_rng(0), hypothesis("H7")
    judged = judge_hypotheses([Case(claim, claim.planted(rng, effect, 5)) for effect in effects], COMMAND)
    assert Study(tmp_path, (), tuple(judged), None, "").confirmed is (min(effects) > 0)


def test_json_has_null_for_what_is_not_finite():
    numbers = {"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": -float("inf"), "e": 2, "f": "nan"}}
    assert json.loads(as_json(numbers)) == {"a": None, "b": [1.5, None], "c": {"d": None, "e": 2, "f": "nan"}}
