"""What the commands print, and their exit codes."""

import json

import numpy as np
import pytest

from deeptheory.cli.main import commands
from deeptheory.errors import InputError
from deeptheory.judge import Case, hypothesis, judge_hypotheses
from deeptheory.reports import drawing
from deeptheory.reports.figures import FIGURES
from deeptheory.runs import Run, packaged, read_config
from deeptheory.studies import Study

pytestmark = pytest.mark.usefixtures("one_thread")

COMMANDS = tuple(commands.commands)


def strict_json(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(deeptheory, command):
    result = deeptheory(command, "--help")
    assert result.code == 0
    assert "Example" in result.out
    assert f"deeptheory {command} " in result.out


def test_the_help_lists_every_command(deeptheory):
    result = deeptheory("--help")
    assert result.code == 0
    assert all(f"\n  {command} " in result.out for command in COMMANDS)


def test_train_makes_a_run_that_the_other_commands_go_on_with(deeptheory, config, tmp_path):
    out = tmp_path / "one"
    result = deeptheory("train", config, "--out", out, "--seed", 5, "--set", "train.epochs=1")
    assert (result.code, result.out) == (0, "")
    assert "one: trained vgg6, test accuracy 0." in result.err
    run = Run(out)
    assert (run.config.seed, run.config.train.epochs) == (5, 1)
    for command, words in (
        ("measure", "SNR measured"),
        ("predict", "head: theory"),
        ("prune", "label-permuted"),
        ("retrain", "label-permuted"),
    ):
        result = deeptheory(command, out, "--quiet")
        assert (result.code, result.err) == (0, "")
        assert words in result.out


def test_quiet_training_writes_nothing(deeptheory, config, tmp_path):
    result = deeptheory("train", config, "--out", tmp_path / "one", "--quiet")
    assert result == (0, "", "")
    assert Run(tmp_path / "one").done("train")


def test_threads_are_recorded(deeptheory, config, tmp_path):
    out = tmp_path / "one"
    assert deeptheory("train", config, "--out", out, "--threads", 1, "--set", "train.epochs=1").code == 0
    assert Run(out).read_number("provenance/train/threads") == 1


@pytest.mark.parametrize("command", ["measure", "predict", "prune", "retrain", "inspect"])
def test_json_is_json_with_the_numbers_of_the_run(deeptheory, run, command):
    result = deeptheory(command, run.directory, "--json")
    assert (result.code, result.err) == (0, "")
    numbers = strict_json(result.out)
    if command == "measure":
        assert list(numbers) == run.read_names("measure/stage_names")
        assert numbers["stage3"]["probe_accuracy"] == run.read_number("measure/stages/stage3/probe_accuracy")
    elif command == "predict":
        assert numbers["arms"]["afcc"]["loss"] == run.read_number("predict/arms/afcc/loss")
        assert numbers["layers"]["head.linear.weight"]["dilution"] > 0
    elif command == "inspect":
        assert numbers["done"] == ["train", "measure", "predict", "prune", "retrain"]
        assert numbers["provenance"]["threads"] == 1
    else:
        assert numbers["random"]["accuracy_masked"] == run.read_number("prune/arms/random/accuracy")
        assert ("accuracy_retrained" in numbers["afcc"]) == (command == "retrain")


def test_json_has_no_infinity(deeptheory, run):
    run.add("measure/stages/stage1", {"snr_measured": float("inf")})
    assert strict_json(deeptheory("measure", run.directory, "--json").out)["stage1"]["snr_measured"] is None


def test_inspect_shows_a_run_in_a_screenful(deeptheory, run, monkeypatch):
    monkeypatch.chdir(run.directory.parent)
    result = deeptheory("inspect", run.directory.name)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 120
    for words in (
        "vgg6, width 0.125, seed 3",
        "retrain  done 20",
        "stage5 ",
        "stage5.conv.weight",
        "magnitude ",
    ):
        assert words in result.out


def test_inspect_shows_a_run_that_is_not_finished(deeptheory, run_until, tmp_path, config, tiny_config):
    result = deeptheory("inspect", run_until("measure").directory)
    assert result.code == 0
    assert "measure  done" in result.out
    assert "predict  done" not in result.out
    Run.create(tmp_path / "new", tiny_config)
    assert deeptheory("inspect", tmp_path / "new").code == 0


def test_confirm_prints_the_verdicts_and_draws_the_figures(deeptheory, study, config, monkeypatch):
    monkeypatch.setattr(drawing, "draw_all", lambda runs, out: [out / "figure.pdf"])
    result = deeptheory("confirm", config, "--out", study, "--seeds", 1, "--quiet")
    assert (result.code, result.err) == (1, "")  # undecided
    for words in ("not clearly above chance", "seed-3/run.h5", "figures/figure.pdf"):
        assert words in result.out
    assert f"repeat with: deeptheory confirm {config} --out {study} --seeds 1 --quiet" in result.out
    numbers = strict_json(deeptheory("confirm", config, "--out", study, "--json").out)
    assert len(numbers["hypotheses"]) == 8
    assert numbers["figures"] == [str(study / "figures" / "figure.pdf")]
    assert strict_json((study / "verdicts.json").read_text())["hypotheses"] == numbers["hypotheses"]


@pytest.mark.parametrize(("effect", "code"), [(3.0, 0), (0.1, 1), (-3.0, 1)])
def test_confirm_ends_with_0_when_every_claim_is_supported(
    deeptheory, config, tmp_path, monkeypatch, effect, code
):
    claim = hypothesis("H7")
    judged = judge_hypotheses([Case(claim, claim.planted(np.random.default_rng(0), effect, 5))], "")
    study = Study(tmp_path, (), tuple(judged), None, "the tables")
    monkeypatch.setattr("deeptheory.studies.confirm", lambda *arguments, **named: study)
    monkeypatch.setattr(Study, "in_words", lambda study, figures: "in words")
    monkeypatch.setattr(drawing, "draw_all", lambda runs, out: [])
    result = deeptheory("confirm", config, "--out", tmp_path)
    assert result.code == code
    assert "the tables" in result.out


def test_the_figure_of_the_chosen_filter_is_drawn(deeptheory, finished_study, tmp_path):
    options = ("--stage", "stage4", "--filter", 3)
    result = deeptheory("figure", "field-matrix", finished_study, *options, "--out", tmp_path / "figures")
    path = tmp_path / "figures" / "field-matrix-stage4-filter-3.pdf"
    assert result == (0, f"{path}\n", "")
    again = drawing.draw("field-matrix", [finished_study], tmp_path, stage="stage4", filter_index=3)
    assert path.read_bytes() == again.read_bytes()
    other = drawing.draw("field-matrix", [finished_study], tmp_path, stage="stage4", filter_index=4)
    assert other.name == "field-matrix-stage4-filter-4.pdf"
    assert again.read_bytes() == path.read_bytes()


def test_the_help_of_figure_names_all_of_them(deeptheory):
    text = deeptheory("figure", "--help").out
    assert all(f"\n  {figure.name} " in text for figure in FIGURES.values())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "accuracy-against-density",
            "run 'deeptheory compare {study}/seed-3/config.toml --out {study}' first",
        ),
        ("accuracy-by-epochs", "expected the results of 'compare', found none in {study}/seed-3"),
        ("error-against-labels", "run 'deeptheory sweep label-scaling --out DIR'"),
    ],
)
def test_figures_of_other_studies_say_what_is_missing(deeptheory, finished_study, assert_refused, name, text):
    assert_refused(deeptheory("figure", name, finished_study), text.format(study=finished_study))


def test_a_figure_goes_to_a_file_or_into_a_directory(deeptheory, finished_study, tmp_path):
    for out, expected in (("a.png", "a.png"), ("b.PDF", "b.PDF"), ("new", "new/cluster-sizes.pdf")):
        result = deeptheory("figure", "cluster-sizes", finished_study, "--out", tmp_path / out)
        assert result.out == f"{tmp_path / expected}\n"
        assert (tmp_path / expected).is_file()
    result = deeptheory("figure", "cluster-sizes", finished_study, "--out", tmp_path, "--format", "svg")
    assert result.out == f"{tmp_path / 'cluster-sizes.svg'}\n"
    assert (tmp_path / "cluster-sizes.svg").read_text().startswith("<?xml")


def test_inspect_lists_a_study(deeptheory, finished_study):
    result = deeptheory("inspect", finished_study)
    assert result.code == 0
    assert "seed-3     3  train, measure, predict, prune, retrain" in result.out
    assert "Verdicts over 1 seed(s)" in result.out
    assert json.loads(deeptheory("inspect", finished_study, "--json").out)["runs"][0]["run"] == "seed-3"


def test_packaged_configurations_are_listed_and_shown(deeptheory):
    code, out, _ = deeptheory("config", "list")
    assert code == 0
    assert any(
        line.split() == ["demo", "The", "whole", "chain", "on", "rendered", "glyphs,", "six", "networks"]
        for line in out.splitlines()
    )
    code, out, _ = deeptheory("config", "show", "demo")
    assert (code, out) == (0, packaged.packaged_file("demo").read_text(encoding="utf-8"))


def test_the_demo_is_the_packaged_configuration_confirmed(deeptheory, monkeypatch, tmp_path):
    asked = []

    def note(config, directory, command, jobs, quiet):
        asked.append((config, directory, jobs))
        raise InputError("stop", "a look", "one")

    monkeypatch.setattr("deeptheory.studies.confirm", note)
    deeptheory("demo", "--out", tmp_path / "demo", "--quiet")
    assert asked == [(read_config(packaged.packaged_file("demo")), tmp_path / "demo", 2)]
