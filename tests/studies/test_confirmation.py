import json
from dataclasses import asdict

import msgspec
import numpy as np
import pytest

from deeptheory.judge import Verdict
from deeptheory.runs import Run
from deeptheory.store import paths
from deeptheory.studies import Study, confirm, confirmation
from deeptheory.tables import as_json

COMMAND = "deeptheory confirm tiny.toml"


def test_a_study_writes_its_verdicts(finished_study):
    numbers = json.loads((finished_study / paths.VERDICTS).read_text())
    assert numbers["runs"] == [str(finished_study / "seed-3" / "run.h5")]
    assert len(numbers["verdicts"]) == 6
    for verdict in numbers["verdicts"]:
        assert (verdict["n_seeds"], verdict["status"], verdict["p"]) == (1, "undecided", None)
        assert verdict["command"] == COMMAND
    text = (finished_study / paths.TABLES).read_text()
    for words in (
        "unpruned ",
        "magnitude ",
        "stage5.conv.weight",
        "1 seed, 5 needed",
        f"repeat with: {COMMAND}",
    ):
        assert words in text


def test_stored_verdicts_are_read_back(finished_study, tmp_path):
    verdicts = confirmation.stored_verdicts(finished_study)
    stored = json.loads((finished_study / paths.VERDICTS).read_text())["verdicts"]
    assert json.loads(as_json({"verdicts": [asdict(verdict) for verdict in verdicts]}))["verdicts"] == stored
    assert np.isnan(verdicts[0].p)
    assert confirmation.stored_verdicts(tmp_path) == ()


def test_a_finished_study_is_read_and_not_repeated(study, tiny_config, monkeypatch):
    monkeypatch.setattr("deeptheory.runs.run._load", None)  # the data are not even read
    text, run_file = (study / paths.TABLES).read_text(), study / "seed-3" / paths.RESULTS
    before = run_file.stat().st_mtime_ns, run_file.read_bytes()
    again = confirm(tiny_config, study, command=COMMAND, quiet=True)
    assert again.text + "\n" == (study / paths.TABLES).read_text() == text
    assert (run_file.stat().st_mtime_ns, run_file.read_bytes()) == before


def test_a_study_may_be_given_more_seeds(study, tiny_config):
    judge = msgspec.structs.replace(tiny_config.judge, seeds=2)
    more = confirm(msgspec.structs.replace(tiny_config, judge=judge), study, command=COMMAND, quiet=True)
    assert [run.directory.name for run in more.runs] == ["seed-3", "seed-4"]
    assert all(verdict.n_seeds == 2 for verdict in more.verdicts)


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
            results.predicted[arm], [run.read_number(f"predict/arms/{arm}/retrained")] * 2
        )
    assert set(results.dilution) - set(results.null_dilution) == {"head.linear.weight"}
    for layer, dilution in results.dilution.items():
        np.testing.assert_array_equal(dilution, [run.read_number(f"predict/layers/{layer}/dilution")] * 2)


def verdict(status):
    return Verdict("claim", -1.0, -2.0, 0.0, 0.95, 0.01, 0.02, 5, status, "reason", COMMAND)


@pytest.mark.parametrize(
    ("statuses", "negative"),
    [
        (["supported", "undecided"], False),
        (["supported", "not supported", "undecided"], True),
        (["not supported"], True),
    ],
)
def test_a_study_is_negative_when_a_claim_is_not_supported(tmp_path, statuses, negative):
    verdicts = tuple(verdict(status) for status in statuses)
    assert Study(tmp_path, (), verdicts, "").negative is negative


def test_json_has_null_for_what_is_not_finite():
    numbers = {"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": -float("inf"), "e": 2, "f": "nan"}}
    assert json.loads(as_json(numbers)) == {"a": None, "b": [1.5, None], "c": {"d": None, "e": 2, "f": "nan"}}
