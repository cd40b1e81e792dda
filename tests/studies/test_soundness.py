"""Runs that allow no verdict: networks at chance, a damaged reference, copies, too few labels."""

import shutil

import msgspec
import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.judge.evidence import Arms, Stages
from deeptheory.runs import Run
from deeptheory.runs.configuration import to_toml
from deeptheory.store import paths
from deeptheory.studies import hypotheses, soundness

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
    config = msgspec.structs.replace(run.config, seed=4)
    (copy / paths.CONFIG).write_text(to_toml(config), encoding="utf-8")
    command = ("hypothesis", "test", "H1", "H6", "--runs", run.directory, "--runs", copy)
    assert_refused(deeptheory(*command), "seeds: expected networks trained independently", "the same weights")


def test_mixed_recipes_are_refused(run, tmp_path, deeptheory, assert_refused):
    copy = shutil.copytree(run.directory, tmp_path / "other")
    retrain = msgspec.structs.replace(run.config.retrain, learning_rate=0.01)
    (copy / paths.CONFIG).write_text(
        to_toml(msgspec.structs.replace(run.config, seed=4, retrain=retrain)), encoding="utf-8"
    )
    other = Run(copy, quiet=True)
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
