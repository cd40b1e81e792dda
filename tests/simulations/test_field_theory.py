"""The study of predicted head accuracies: every criterion and density, resumed, and what it counts is right."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from deeptheory import data, measure, theory
from deeptheory.errors import InputError
from deeptheory.runs.steps.training import stored_splits, trained_network

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def tabulate(script, run, tmp_path, monkeypatch, capsys):
    """Run the script on the last stage at two densities."""
    out = tmp_path / "table.json"
    given = ["x", str(run.directory), "--stages", "stage5", "--densities", "0.5", "threshold"]
    given += ["--out", str(out)]
    monkeypatch.setattr(sys, "argv", given)

    def call():
        script.main()
        return json.loads(out.read_text()), capsys.readouterr().out

    return call


def predicted_from_measure_split(run, stage, place):
    images, labels = data.select(run.dataset, stored_splits(run), "measure")
    probe = run.read_array(f"measure/stages/{stage}/probe_weight")
    fields = measure.complete_fields(trained_network(run), images, {stage: probe}, quiet=True)[stage]
    rng = np.random.default_rng([run.config.seed, place])
    return theory.accuracy_from_mixture(fields, labels, theory.mixture_components(fields, labels, rng), rng)


def test_every_criterion_at_every_density_is_refitted_and_not_computed_again(
    script, run, tabulate, monkeypatch
):
    results, printed = tabulate()
    heads = results["runs"]["3"]["stage5"]
    assert [(of["criterion"], of["density"]) for of in heads] == [
        ("full", 1.0),
        *((criterion, density) for criterion in script.CRITERIA for density in (0.5, "threshold")),
    ]
    assert {of["kept"] for of in heads[1::2]} == {0.5}
    strengths = run.read_array("measure/stages/stage5/strengths")
    natural = float(np.mean(strengths > run.config.prune.threshold))
    assert [of["kept"] for of in heads[2::2]] == pytest.approx([natural] * 4)
    full = heads[0]["standing"]
    assert full["measured"] == pytest.approx(run.read_number("measure/stages/stage5/probe_accuracy"))
    assert full["counted"] == pytest.approx(run.read_number("predict/stages/stage5/counted"))
    predicted = predicted_from_measure_split(run, "stage5", 4)
    error = full["integration_error"] + predicted.standard_error
    assert full["predicted"] == pytest.approx(predicted.accuracy, abs=4 * error)
    monkeypatch.setattr(script.Stage, "head", None)
    again, last = tabulate()
    assert again == results
    assert printed.endswith(last)


def test_a_head_does_not_depend_on_what_was_done_before_the_interruption(script, tabulate, monkeypatch):
    computed = script.Stage.head
    left = iter(range(3))

    def interrupted(*given):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return computed(*given)

    monkeypatch.setattr(script.Stage, "head", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tabulate()
    monkeypatch.setattr(script.Stage, "head", computed)
    resumed, _ = tabulate()
    (Path(sys.argv[-1])).unlink()
    assert tabulate()[0]["runs"] == resumed["runs"]


def test_results_of_another_setting_are_refused(tabulate, monkeypatch):
    tabulate()
    given = list(sys.argv)
    given[given.index("0.5")] = "0.4"
    monkeypatch.setattr(sys, "argv", given)
    with pytest.raises(
        InputError, match=r"expected the same densities, found densities = .*; name another file"
    ):
        tabulate()


def test_errors_are_those_of_theory_and_of_counting_in_points(script):
    accuracies = np.array([[0.52, 0.51, 0.50], [0.795, 0.81, 0.80]])
    assert script.errors(accuracies, 1000, 1000)[:8] == [
        *("2", "1.25", "+0.75", "1.46", "50%", "+2.00"),
        *("1.00", "+1.00"),
    ]
    sampling = 100 * np.sqrt((0.25 + 0.16) / 2 * 2 / 1000)
    assert script.errors(accuracies, 1000, 1000)[-1] == f"{sampling:.2f}"


def test_a_stage_is_reported_from_the_runs_that_have_all_of_it(script):
    def heads(measured, n_heads):
        accuracies = {"predicted": 0.62, "counted": 0.61, "measured": measured}
        three = dict.fromkeys(("standing", "refitted", "surrogate"), accuracies)
        return [{"criterion": name, "kept": 0.5, **three} for name in ("full", "random")[:n_heads]]

    runs = {"0": {"a": heads(0.6, 2), "b": heads(0.6, 1)}, "1": {"a": heads(0.64, 2), "b": heads(0.6, 2)}}
    setting = {"stages": ["a", "b", "c"], "heads": 2, "inputs": {"measure": 100, "test": 100}}
    lines = [line.split() for line in script.report({"setting": setting, "runs": runs}).splitlines()]
    assert lines[2] == [
        "a",
        "full",
        "2",
        "0.500",
        "62.0",
        "61.0",
        "62.0",
        "62.0",
        "61.0",
        "62.0",
        "62.0",
        "61.0",
    ]
    assert lines[5][:4] == ["b", "random", "1", "0.500"]
    assert ["a", "masked,", "refitted", "2", "2.00", "+0.00", "2.00", "0%", "+2.00"] in [
        of[:9] for of in lines
    ]
