"""`--set` of the steps after training and `deeptheory branch`, as a user meets them."""

import json
import operator

import pytest

from deeptheory.runs import Run

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("command", "until", "option", "value"),
    [
        (("measure",), "train", "measure.threshold", 0.4),
        (("predict",), "measure", "prune.threshold", 0.4),
        (("predict", "--tolerance", 0.1), "train", "retrain.l2", 0.001),
        (("prune",), "predict", "checkpoint_minutes", 1),
        (("predict",), "measure", "retrain.batch", 40),
        (("retrain",), "prune", "checkpoint_minutes", 1),
        (("chain", "--until", "predict"), "train", "prune.threshold", 0.4),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_a_step_takes_options_along(deeptheory, run_until, command, until, option, value):
    run = run_until(until)
    step, *arguments = command
    result = deeptheory(step, run.directory, *arguments, "--set", f"{option}={value}")
    assert result.code == 0
    assert f"changed {option} from " in result.err
    assert operator.attrgetter(option)(Run(run.directory).config) == value


def test_an_option_of_a_done_step_is_refused_with_the_command_that_keeps_both(
    deeptheory, assert_refused, run
):
    result = deeptheory("prune", run.directory, "--set", "prune.threshold=0.4")
    assert_refused(result, "read by predict, prune, retrain", f"'deeptheory branch {run.directory} ")
    arguments = result.err.split("'")[1].split()[1:]
    assert deeptheory(*arguments, "--quiet").code == 0
    assert Run(arguments[2]).config.prune.threshold == 0.4
    assert deeptheory("predict", arguments[2], "--quiet").code == 0


def test_a_branch_says_what_it_took_over_and_inspect_where_it_is_from(deeptheory, study, tmp_path):
    new = tmp_path / "new"
    result = deeptheory("branch", study, new, "--set", "retrain.epochs=2")
    assert result.code == 0
    title, header, _, row = result.out.splitlines()
    assert title == f"branch of {study} made: retrain.epochs from 1 to 2"
    assert header.split("  ")[0] == "run"
    assert [cell.strip() for cell in row.split("  ") if cell] == [
        str(new / "seed-3"),
        "train, measure, prune",
        "predict, retrain",
        "predict, retrain",
    ]
    again = deeptheory("branch", study, new, "--set", "retrain.epochs=2", "--json", "--quiet")
    assert (again.code, again.err) == (0, "")
    assert json.loads(again.out)["runs"][0]["existed"]
    shown = deeptheory("inspect", new / "seed-3").out
    assert f"branch of {study / 'seed-3'}, 2" in shown
    assert "changed: retrain.epochs from 1 to 2; taken over: train, measure, prune" in shown


def test_a_branch_in_a_place_of_other_files_is_refused(deeptheory, assert_refused, study, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "thesis.tex").touch()
    result = deeptheory("branch", study, tmp_path / "new")
    assert_refused(result, "expected a new or empty directory, or the same branch, found other files")
