import json

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
    assert [of["number"] for of in every] == list(range(1, 17))


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
        "h12-snr-budget-prediction.pdf",
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
        (("H17",), "hypothesis: expected one of afcc-beats-label-permuted,"),
        (("snr-rise",), "did you mean 'snr-rises'?"),
        (("H1", "h1"), "hypotheses: expected each once, found H1, h1"),
        (
            ("H1",),
            "H1 probe-accuracy-rises: expected runs to test it on, found none; name them with",
        ),
        (
            ("H1", "--simulate", "x.toml"),
            "--simulate: expected one directory, by --runs, to make the study in",
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
    assert (
        "expected layers masked alone, found none; run 'deeptheory compare simulations/single-layers"
        in result.err
    )
    result = deeptheory("hypothesis", "test", "H1", "H10", "--runs", study)
    assert result.code == 1
    assert "expected layers masked alone, found none" in result.out
