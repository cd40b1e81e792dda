"""Runs that allow no verdict: networks at chance, a damaged reference, copies, too few labels."""

import shutil

import msgspec
import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.judge.evidence import Arms, Controls, Stages
from deeptheory.runs import Run
from deeptheory.store import paths
from deeptheory.studies import evidence, hypotheses, soundness

UNPRUNED = paths.arm_path("retrain", paths.UNPRUNED)


def test_a_sound_run_raises_no_doubt(run):
    run.add("train", {paths.ACCURACY: {"measure": 0.9, "test": 0.9}})
    run.add(UNPRUNED, {paths.ACCURACY: 0.9, paths.CORRECT: run.read_array("train/correct")})
    assert soundness.doubts(Arms, [run]) == ()


def test_a_network_at_chance_is_named(run):
    run.add("train", {paths.ACCURACY: {"measure": 0.2, "test": 0.2}})
    (doubt, *_) = soundness.doubts(Stages, [run])
    assert "not clearly above chance (0.200): seed-3 0.200" in doubt
    judged = hypotheses.judge_on_runs(hypotheses.named(["H1"]), [run.directory], "", ())[0]
    assert judged.status == "undecided"
    assert "not clearly above chance" in judged.parts[0].reason


def test_a_damaged_reference_is_named(run):
    correct = np.ones(soundness.n_test(run), bool)
    run.add("train", {paths.ACCURACY: {"measure": 1.0, "test": 1.0}, paths.CORRECT: correct})
    run.add(UNPRUNED, {paths.ACCURACY: 0.15, paths.CORRECT: np.arange(len(correct)) < 0.15 * len(correct)})
    (doubt,) = soundness.doubts(Arms, [run])
    assert doubt.startswith(
        "retraining damaged the reference: seed-3 1.000 to 0.150; lower retrain.learning_rate"
    )
    judged = hypotheses.judge_on_runs(hypotheses.named(["H6", "H7"]), [run.directory], "", ())
    assert [one.status for one in judged] == ["undecided"] * 2
    assert "retraining damaged the reference" in judged[0].parts[0].reason


def test_files_that_do_not_say_which_inputs_are_right_take_the_larger_error(run, monkeypatch):
    monkeypatch.setattr(soundness, "correct", lambda run, group: None)
    run.add("train", {paths.ACCURACY: {"measure": 1.0, "test": 1.0}})
    run.add(UNPRUNED, {paths.ACCURACY: 0.15})
    assert "damaged" in soundness.damaged_reference([run])


def test_copies_of_one_network_are_refused(run, tmp_path, deeptheory, assert_refused):
    copy = shutil.copytree(run.directory, tmp_path / "seed-4")
    Run(copy, quiet=True).reconfigure(msgspec.structs.replace(run.config, seed=4))
    command = ("hypothesis", "test", "H1", "H6", "--runs", run.directory, "--runs", copy)
    assert_refused(deeptheory(*command), "seeds: expected networks trained independently", "the same weights")


def test_mixed_recipes_are_refused(run, tmp_path, deeptheory, assert_refused):
    copy = shutil.copytree(run.directory, tmp_path / "other")
    retrain = msgspec.structs.replace(run.config.retrain, learning_rate=0.01)
    other = Run(copy, quiet=True)
    other.reconfigure(msgspec.structs.replace(run.config, seed=4, retrain=retrain))
    state = {name: array + 1 for name, array in other.read_arrays("train/state").items()}
    other.add("train", {paths.STATE: state})
    command = ("hypothesis", "test", "H6", "H7", "--runs", run.directory, "--runs", copy)
    assert_refused(deeptheory(*command), "retrain.learning_rate = 0.05", "0.01")


def test_too_few_labels_are_refused(run, monkeypatch):
    monkeypatch.setattr(soundness, "n_labels", lambda run: 2)
    with pytest.raises(
        InputError, match=r"H2 snr-rises: expected networks of at least 3 labels, found 2 in "
    ):
        hypotheses.judge_on_runs(hypotheses.named(["H2"]), [run.directory], "", ())


def test_one_seed_trained_twice_is_refused(run, tmp_path, deeptheory, assert_refused):
    copy = Run(shutil.copytree(run.directory, tmp_path / "again"), quiet=True)
    state = {name: array + 1 for name, array in copy.read_arrays("train/state").items()}
    copy.add("train", {paths.STATE: state})
    command = ("hypothesis", "test", "H1", "--runs", run.directory, "--runs", copy.directory)
    assert_refused(deeptheory(*command), "networks trained independently", "the same seed")


@pytest.mark.parametrize("value", [np.nan, 1.5])
def test_stored_numbers_that_are_no_shares_are_refused(run, value):
    run.add("train", {paths.ACCURACY: {"measure": 0.9, "test": value}})
    with pytest.raises(InputError, match=r"train/accuracy/test.*expected a share within 0 and 1, found"):
        soundness.doubts(Stages, [run])


def test_only_controls_may_be_at_chance(run):
    data = msgspec.structs.replace(run.config.data, labels="shuffled")
    run.config = msgspec.structs.replace(run.config, data=data)
    run.add("train", {paths.ACCURACY: {"measure": 0.2, "test": 0.2}})
    assert "not clearly above chance" in soundness.doubts(Stages, [run])[0]
    assert soundness.doubts(Controls, [run]) == ()


def test_a_comparison_in_the_directory_changes_nothing_of_a_confirm_study(run):
    before = evidence.arms([run]).settings
    run.store(paths.compare_path("afcc", 0.95), {paths.ACCURACY: 1.0})
    run.store("compare/unpruned", {paths.ACCURACY: 0.1})
    assert evidence.arms([run]).settings.keys() == before.keys() == {"threshold 0.5"}
