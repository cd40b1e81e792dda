"""The sentences of the first screen, against the run files."""

import json
import re
from html import unescape

import pytest

from deeptheory.reports import html
from deeptheory.reports.html.telling_runs import listed
from deeptheory.runs.configuration import config_from
from deeptheory.store import paths
from deeptheory.studies import run_sweep
from deeptheory.studies.sweep import Sweep, SweepOptions
from tests.conftest import TINY

pytestmark = pytest.mark.usefixtures("one_thread")


def told(directory, tmp_path):
    """What is said under each heading, and what is lacking, without markup."""
    html.write_report(directory, tmp_path / "report.html", ["stage5"])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    parts = re.findall(r"<dt>(\w+)</dt><dd>(.*?)</dd>", text)
    lacks = re.findall(r"<li>([^\n]*?): <code>(.*?)</code>", text)
    plain = {name: unescape(re.sub("<.*?>", "", part)) for name, part in parts}
    return plain, [(re.sub("<.*?>", "", what), unescape(command)) for what, command in lacks], text


def numbers(text):
    return [float(number) for number in re.findall(r"[+-]?\d+\.\d+", text)]


def test_a_study_says_what_was_asked_predicted_and_found(study, run, tmp_path):
    told_of, lacks, text = told(study, tmp_path)
    accuracy = 100 * run.read_number("train/accuracy/test")
    dilution = 100 * run.read_number("prune/arms/afcc/dilution")
    assert told_of["Asked"].startswith("In vgg6, width 0.125, what does each filter do")
    assert "trained on glyphs with 5 labels" in told_of["Asked"]
    for value in (accuracy, dilution):
        assert round(value, 1) in numbers(told_of["Asked"])
    arms = run.config.prune.arms
    after = {arm: run.read_number(f"retrain/arms/{arm}/accuracy") for arm in ("unpruned", *arms)}
    for arm in arms:
        predicted = run.read_tree(f"predict/arms/{arm}")
        loss, low, high = (100 * predicted[name] for name in ("loss", "loss_low", "loss_high"))
        assert f"{arm} {loss:.1f} (95 % interval {low:.1f} to {high:.1f})" in told_of["Predicted"]
        lost = 100 * (after["unpruned"] - after[arm])
        assert f"{arm} {lost:.1f}" in told_of["Found"]
        assert f"{arm} {loss - lost:+.1f}" in told_of["Found"]
    layer = run.read_tree("predict/layers/stage5.conv.weight")
    dilutions = 100 * layer["dilution"], 100 * layer["expected_dilution"]
    assert "{:.1f} % in stage5.conv ({:.1f} % without structure)".format(*dilutions) in told_of["Predicted"]
    stage = run.read_tree("measure/stages/stage5")
    for name in ("clusters_per_filter", "cluster_size", "noise"):
        assert round(stage[name], 1) in numbers(told_of["Found"])
    verdicts = json.loads((study / paths.VERDICTS).read_text())["table"]["rows"]
    assert len(re.findall('<li class="verdict ', text)) == len(verdicts)
    assert (
        "4 seeds (a verdict needs 5)",
        "deeptheory confirm study/seed-3/config.toml --out study --seeds 5",
    ) in lacks
    assert "deeptheory sensitivity study" in [command for _, command in lacks]


def test_a_run_that_is_only_measured_says_what_is_next(run_until, tmp_path):
    run = run_until("measure")
    told_of, lacks, _ = told(run.directory, tmp_path)
    assert told_of["Predicted"] == "Nothing yet: the step predict is not done."
    assert "What the arms lose is not known yet" in told_of["Found"]
    assert lacks[0] == ("the steps predict, prune, retrain", "deeptheory chain seed-3")
    confirm = "deeptheory confirm seed-3/config.toml --out seed-3-study --seeds 5"
    assert lacks[1] == ("verdicts, which need several seeds", confirm)


def test_a_run_of_a_study_that_is_not_measured_is_named(study, run, tmp_path):
    other = study / "seed-4"
    other.mkdir()
    text = (study / "seed-3" / paths.CONFIG).read_text(encoding="utf-8").replace("seed = 3", "seed = 4", 1)
    (other / paths.CONFIG).write_text(text, encoding="utf-8")
    _, lacks, page = told(study, tmp_path)
    what = "the steps train, measure, predict, prune, retrain of seed 4; 3 seeds (a verdict needs 5)"
    assert lacks[0] == (what, "deeptheory confirm study/seed-3/config.toml --out study --seeds 5")
    assert "seed 3" in page


def test_a_comparison_names_the_best_and_the_worst(study, tmp_path):
    accuracy = {"lamp": {"0.5": [0.8], "0.2": [None]}, "afcc": {"0.5": [0.7], "0.2": [0.6]}}
    found = {"seeds": [3], "unpruned": [0.9], "accuracy": accuracy}
    (study / paths.comparison_file(False, "json")).write_text(json.dumps(found))
    run = study / "seed-3" / paths.RESULTS
    import h5py

    with h5py.File(run, "r+") as file:
        del file["retrain"], file["provenance/retrain"]
    told_of, _, _ = told(study, tmp_path)
    assert "lamp and afcc, at density 0.5 and density 0.2" in told_of["Asked"]
    assert told_of["Predicted"] == "Nothing was predicted."
    assert "At density 0.5 lamp loses least, 10.0 points, and afcc most, 20.0." in told_of["Found"]
    assert "At density 0.2 afcc loses least, 30.0 points." in told_of["Found"]


def test_a_sweep_says_what_was_varied_and_what_is_missing(tmp_path):
    config = config_from({**TINY, "train": {"epochs": 0}, "judge": {"seeds": 1}})
    sweep = Sweep(config, SweepOptions(steps="measure", grid={"data.n_labels": [3, 5]}))
    run_sweep(sweep, tmp_path / "sweep", quiet=True)
    told_of, lacks, _ = told(tmp_path / "sweep", tmp_path)
    assert "data.n_labels (3, 5)" in told_of["Asked"]
    assert told_of["Predicted"] == "Nothing: the members go as far as measure."
    assert re.search(
        r"Test accuracy, mean over seeds: 0\.\d+ at n_labels = 3 and 0\.\d+ at n_labels = 5", told_of["Found"]
    )
    assert lacks == []
    (member,) = (tmp_path / "sweep").glob("n_labels=5*")
    (member / paths.RESULTS).unlink()
    _, lacks, _ = told(tmp_path / "sweep", tmp_path)
    assert lacks == [("members of the sweep: 1 missing", "deeptheory sweep sweep/sweep.toml --out sweep")]


def test_names_are_listed_as_in_a_sentence():
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
