import json
import shutil

import pytest


def test_list_shows_what_fixes_a_hypothesis(deeptheory):
    result = deeptheory("hypothesis", "list", "H7")
    assert result.code == 0
    for text in (
        "H7 afcc-beats-random",
        "claim",
        "source",
        "statistic",
        "null",
        "rule",
        "power",
        "5 seeds find +0.84",
    ):
        assert text in result.out
    every = json.loads(deeptheory("hypothesis", "list", "--json").out)["hypotheses"]
    assert [of["number"] for of in every] == list(range(1, 28))


def test_a_study_of_one_seed_is_undecided(deeptheory, study, tmp_path):
    out = tmp_path / "out"
    result = deeptheory("hypothesis", "test", "H1", "H6", "H12", "--runs", study, "--out", out)
    assert result.code == 1
    assert result.out.count("undecided") >= 3
    assert "not clearly above chance" in result.out  # the tiny network
    assert "(seed 3)" in result.out
    assert "repeat with: deeptheory" in result.out
    names = {path.name for path in out.iterdir()}
    assert names == {
        "hypotheses.json",
        "hypotheses.txt",
        "h01-probe-accuracy-rises.pdf",
        "h06-afcc-no-loss.pdf",
        "h12-loss-prediction.pdf",
    }
    stored = json.loads((out / "hypotheses.json").read_text())["hypotheses"]
    assert [of["status"] for of in stored] == ["undecided"] * 3
    assert (out / "hypotheses.txt").read_text() == result.out


def test_what_needs_no_runs_is_simulated(deeptheory):
    result = deeptheory("hypothesis", "test", "capacity", "--json", "--quiet")
    found = json.loads(result.out)["hypotheses"][0]
    assert found["status"] == "supported"
    assert result.code == 0
    assert len(found["parts"]) == 6
    assert all(len(part["values"]) == 5 for part in found["parts"])


def test_a_study_is_made_first(deeptheory, tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(
        """
        [data]
        n_labels = 5
        size = 16
        train_per_label = 40
        test_per_label = 10
        measure_share = 0.25
        [network]
        name = "vgg6"
        width = 0.125
        [train]
        epochs = 1
        batch = 20
        [prune]
        stages = ["stage4", "stage5"]
        [judge]
        seeds = 1
        [sweep]
        steps = "measure"
        """
    )
    runs = tmp_path / "runs"
    command = ("hypothesis", "test", "H2", "--simulate", file, "--runs", runs, "--threads", "1", "--quiet")
    result = deeptheory(*command)
    assert result.code == 1
    assert "mean field" in result.out
    before = {path: path.stat().st_mtime_ns for path in runs.glob("*/run.h5")}
    assert len(before) == 1
    assert deeptheory(*command).out == result.out
    assert {path: path.stat().st_mtime_ns for path in runs.glob("*/run.h5")} == before


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("H99",), "hypothesis: expected one of afcc-beats-label-permuted,"),
        (("snr-rise",), "did you mean 'snr-rises'?"),
        ((), "hypotheses: expected names or --family, found neither"),
        (("H1", "--family", "paper"), "expected names or --family, found H1 and --family paper"),
        (("--family", "papr"), "family: expected one of heads, paper, found 'papr'"),
        (("H1", "h1"), "hypotheses: expected each once, found H1, h1"),
        (
            ("H1",),
            "H1 probe-accuracy-rises: expected runs to test it on, found none; name them with",
        ),
        (
            ("H1", "--simulate", "x.toml"),
            "--simulate: expected one directory, by --runs, to make the study in",
        ),
        (
            ("H1", "--set", "judge.margin=1"),
            "--set: expected --simulate beside it, found none; finished runs",
        ),
        (("H1", "--data", "x"), "--data: expected --simulate beside it, found none"),
        (("H1", "--jobs", "2"), "--jobs: expected --simulate beside it, found none"),
        (
            ("H1", "H2", "--seeds", "3"),
            "--seeds: expected H13 or H14 among the hypotheses, found H1, H2; runs",
        ),
    ],
)
def test_bad_input(deeptheory, arguments, text):
    result = deeptheory("hypothesis", "test", *arguments)
    assert result.code == 2
    assert text in result.err


def test_what_a_run_lacks_is_named_with_its_command(deeptheory, study):
    result = deeptheory("hypothesis", "test", "H10", "--runs", study)
    assert result.code == 2
    assert "expected layers masked alone, found none; run 'deeptheory compare single-layers" in result.err
    result = deeptheory("hypothesis", "test", "H1", "H10", "--runs", study)
    assert result.code == 1
    assert "expected layers masked alone, found none" in result.out


def test_an_unfinished_study_is_not_passed_over_without_a_word(deeptheory, study, run_until, tmp_path):
    again = shutil.copytree(study, tmp_path / "again")
    run_until("prune")
    command = ("hypothesis", "test", "H6", "--runs", study, "--runs", again)
    result = deeptheory(*command)
    lacks = f"run {study}/seed-3: expected the results of 'retrain', found none; run 'deeptheory retrain"
    assert f"H6 NOT on {study}/seed-3: {lacks}" in result.out
    (found,) = json.loads(deeptheory(*command, "--json").out)["hypotheses"]
    assert found["place"] == str(again / "seed-3")
    (passed,) = found["passed_over"]
    assert passed["place"] == str(study / "seed-3")
    assert passed["reason"].startswith(lacks)


def test_a_run_that_lost_its_configuration_is_not_passed_over(deeptheory, study):
    shutil.copytree(study / "seed-3", study / "seed-4")
    (study / "seed-4" / "config.toml").unlink()
    result = deeptheory("hypothesis", "test", "H6", "--runs", study)
    assert result.code == 2
    assert f"run {study}/seed-4: expected config.toml beside run.h5, found none; restore it" in result.err


@pytest.mark.parametrize("again", [".", "../study", "seed-3"])
def test_one_run_twice_is_refused(deeptheory, study, again):
    result = deeptheory("hypothesis", "test", "H6", "--runs", study, "--runs", study / again)
    assert result.code == 2
    assert "--runs: expected every run once, found " in result.err


def test_a_family_is_tested_where_each_finds_what_it_needs(deeptheory, study, tmp_path):
    shown = json.loads(deeptheory("hypothesis", "list", "--family", "paper", "--json").out)["hypotheses"]
    assert [of["number"] for of in shown] == [1, 2, 3, 4, 5, 10, 17, 18, 19, 20, 21, 22]
    again = shutil.copytree(study, tmp_path / "again")
    command = ("hypothesis", "test", "--family", "paper", "--runs", study, "--runs", again)
    result = deeptheory(*command)
    assert result.code == 1
    assert "expected a study that has what it needs" in result.out  # H21
    assert f"run 'deeptheory cost {study}/seed-3 --arm afcc' when nothing else runs" in result.out
    found = json.loads(deeptheory(*command, "--json").out)["hypotheses"]
    places = {f"H{of['number']}": of["place"] for of in found}
    assert places["H1"] == places["H17"] == str(study / "seed-3")
    assert places["H4"] == ""
    assert deeptheory("hypothesis", "test", "H1", *command[4:]).code == 2  # which one is not said
