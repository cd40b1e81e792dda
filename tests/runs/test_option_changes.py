"""Options of later steps that are changed in a trained run."""

import json
import os
import shutil
from pathlib import Path

import h5py
import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run
from deeptheory.runs.configuration import to_toml
from deeptheory.runs.option_changes import change_options
from deeptheory.runs.verification import verify
from deeptheory.store import paths


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def refused(run, reader, *overrides, chained=False):
    """The message; nothing in the directory has changed."""
    before, config = contents(run.directory), run.config
    with pytest.raises(InputError) as error:
        change_options(run, overrides, reader, chained)
    assert contents(run.directory) == before
    assert run.config == config
    return str(error.value)


def test_an_option_that_nothing_depends_on_is_changed_everywhere_at_once(run_until):
    run = run_until("measure")
    change_options(run, ["prune.threshold=0.4"], "predict")
    assert run.config.prune.threshold == Run(run.directory).config.prune.threshold == 0.4
    assert run.read_text(paths.CONFIG_TEXT) == to_toml(run.config)
    line = (run.directory / paths.LOG).read_text().splitlines()[-1]
    assert line.endswith(" changed prune.threshold from 0.5 to 0.4")


def test_a_run_with_a_link_elsewhere_is_refused(run_until):
    run = run_until("measure")
    with h5py.File(run.results, "r+") as file:
        file[paths.BUDGET] = h5py.ExternalLink("other.h5", "/")
    assert "expected an entry of its own, found an external link to '/'" in refused(
        run, "predict", "prune.threshold=0.4"
    )


def test_values_that_are_there_change_nothing(run):
    before = contents(run.directory)
    change_options(run, ["prune.threshold=0.5", "measure.stages=[]"], "retrain")
    assert contents(run.directory) == before


def test_a_chain_takes_the_options_of_all_its_steps(run_until):
    run = run_until("measure")
    change_options(run, ["prune.threshold=0.4", "retrain.epochs=2"], "retrain", chained=True)
    assert (run.config.prune.threshold, run.config.retrain.epochs) == (0.4, 2)


def test_a_done_step_that_reads_the_option_is_named_with_both_values_and_the_way_to_keep_both(run):
    text = refused(run, "retrain", "prune.threshold=0.4", "retrain.epochs=2")
    assert text.startswith(f"run {run.directory}: expected options that nothing stored depends on, found ")
    assert "prune.threshold = 0.5 there, 0.4 asked; retrain.epochs = 1 there, 2 asked" in text
    assert "read by predict, prune, retrain" in text
    new = run.directory.parent.with_name("study-branch") / "seed-3"
    command = f"deeptheory branch {run.directory} {new} --set prune.threshold=0.4 --set retrain.epochs=2"
    assert text.endswith(f"keep both: '{command}'")


def test_the_way_to_keep_both_leads_to_a_directory_that_is_free(run):
    alone = shutil.copytree(run.directory, run.directory.parent.with_name("my run"))
    alone.with_name("my run-branch").mkdir()
    text = refused(Run(alone, quiet=True), "retrain", 'measure.stages=["stage3", "stage4", "stage5"]')
    assert (
        f"branch '{alone}' '{alone}-branch-2' --set 'measure.stages=[\"stage3\", \"stage4\", \"stage5\"]'"
        in text
    )


def test_a_member_of_a_sweep_stays_that_member(run_until, monkeypatch):
    run = run_until("train")
    run.directory.with_name(paths.SWEEP).touch()
    text = refused(run, "measure", "measure.threshold=0.4")
    assert (
        "expected options that leave it the member of its sweep that it is, found measure.threshold" in text
    )
    place = run.directory.parent.with_name("study-branch") / run.directory.name
    assert f"keep both: 'deeptheory branch {run.directory} {place} --set measure.threshold=0.4'" in text
    monkeypatch.chdir(run.directory)
    named = Run(Path("."), quiet=True)
    assert f"keep both: 'deeptheory branch . {place} --set" in refused(
        named, "measure", "measure.threshold=0.4"
    )
    change_options(run, ["checkpoint_minutes=1"], "measure")


@pytest.mark.parametrize(
    "override", ["train.epochs=9", "seed=4", "data.n_labels=6", "network.width=1.0", "prune.rewind_epoch=1"]
)
def test_another_training_is_refused(run_until, override):
    run = run_until("train")
    text = refused(run, "measure", override)
    assert "expected options of the steps after training, found " in text
    assert ", read by the training; train another one: 'deeptheory train " in text
    assert text.endswith(f"--set {override}'")


def test_an_iterative_schedule_needs_weights_that_the_training_keeps(run_until):
    run, iterative = run_until("prune"), "prune.schedule=iterative"
    assert 'prune.schedule = "one-shot" there, "iterative" asked, read by the training' in refused(
        run, "retrain", iterative
    )
    run.store(paths.REWIND, {"epoch": 0})
    change_options(run, [iterative], "retrain")
    assert run.config.prune.schedule == "iterative"


@pytest.mark.parametrize(
    ("override", "reader"), [("prune.schedule=gradual", "retrain"), ("prune.density=0.5", "predict")]
)
def test_an_option_that_the_step_does_not_read_belongs_to_the_step_that_does(run_until, override, reader):
    option = override.split("=")[0]
    assert refused(run_until("train"), "measure", override) == (
        f"--set: expected options that 'measure' reads, found {option}, first read by '{reader}'; "
        f"give it to 'deeptheory {reader}'"
    )


def test_an_option_of_the_judge_is_read_by_no_step(run_until):
    text = refused(run_until("train"), "retrain", "judge.margin=1.0", chained=True)
    assert text.endswith(
        "found judge.margin, read by no step; give it to 'deeptheory branch' or to the study"
    )


def test_the_time_between_checkpoints_may_change_at_any_time(run_until):
    run = run_until("train")
    change_options(run, ["checkpoint_minutes=1"], "measure")
    assert Run(run.directory).config.checkpoint_minutes == 1


def test_the_steps_before_come_first(run_until):
    text = refused(run_until("train"), "predict", "prune.threshold=0.4")
    assert "expected the results of 'measure', found none" in text


def test_a_run_that_is_not_trained_has_its_options_from_its_configuration(tmp_path, tiny_config):
    run = Run.create(tmp_path / "run", tiny_config, quiet=True)
    assert "expected the results of 'train'" in refused(run, "retrain", "retrain.epochs=2", chained=True)


def test_options_that_do_not_fit_the_network_are_refused_before_anything_is_written(run_until):
    run = run_until("train")
    assert "add 'stage5'" in refused(run, "measure", 'measure.stages=["stage4"]')
    assert "prune.arms" in refused(run, "retrain", 'prune.arms=["random"]', chained=True)


def test_a_run_that_another_process_writes_is_refused(run_until):
    run = run_until("train")
    identity = {"host": "node7", "process": 1, "started": None, "namespace": None, "slurm": {}, "token": "0"}
    (run.directory / paths.LOCK).write_text(json.dumps({**identity, "since": "2030-01-02"}))
    assert "one at work: process 1 on node7" in refused(run, "measure", "measure.threshold=0.4")


@pytest.mark.parametrize(
    ("file", "override", "reader", "named"),
    [
        ("checkpoint-probe-stage3.h5", "probe.l2=0.1", "measure", "probes (checkpoint-probe-stage3.h5)"),
        ("checkpoint-afcc-0.2.h5", "retrain.epochs=2", "retrain", "retrain (checkpoint-afcc-0.2.h5)"),
        ("checkpoint-unpruned.h5", "retrain.epochs=2", "retrain", "retrain (checkpoint-unpruned.h5)"),
    ],
)
def test_what_is_half_done_counts(run_until, file, override, reader, named):
    run = run_until("train" if reader == "measure" else "prune")
    (run.directory / file).touch()
    text = refused(run, reader, override)
    assert named in text[text.index(", read by ") : text.index(";", text.index(", read by "))]


def test_results_beside_the_steps_count(run_until):
    run = run_until("train")
    for entry in (
        "compare/unpruned",
        "compare/random/0.5",
        "compare-alone/head/lamp/0.5",
        "budget/tolerance-0.1",
    ):
        run.store(entry, {"accuracy": 0.5})
    run.store("budget/paths/head", {"inputs": 1})
    text = refused(run, "retrain", "retrain.l2=0.1", chained=True)
    assert ", read by budget (tolerance-0.1), compare (unpruned, random, lamp);" in text
    change_options(run, ["measure.threshold=0.4"], "measure")


def test_probes_of_an_interrupted_measure_stay_and_its_measures_go(run_until):
    run = run_until("train")
    probe = {paths.PROBE_WEIGHT: 1.0, "probe": {"loss": 1.0}}
    run.store("measure/stages/stage3", {**probe, "noise": 1.0})
    change_options(run, ["measure.threshold=0.4"], "measure")
    assert set(run.entry_names("measure/stages/stage3")) == set(probe)
    assert "read by probes (stage3);" in refused(run, "measure", "probe.l2=0.1")


def test_masks_of_an_interrupted_prune_go(run_until):
    run = run_until("measure")
    run.store("prune/arms/afcc", {"accuracy": 0.5})
    change_options(run, ["prune.threshold=0.4"], "predict")
    assert not run.has("prune")


@pytest.mark.parametrize(("cut_off", "threshold"), [(paths.RESULTS, 0.3), (paths.CONFIG, 0.4)])
def test_a_kill_between_the_files_leaves_the_options_as_they_were_or_as_they_shall_be(
    run_until, monkeypatch, cut_off, threshold
):
    run, replace = run_until("train"), os.replace

    def killed(one, other):
        if other == run.directory / cut_off:
            raise TypeError
        replace(one, other)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(TypeError):
            change_options(run, ["measure.threshold=0.4"], "measure")
    again = Run(run.directory, quiet=True)
    assert again.config.measure.threshold == threshold
    assert verify(run.directory).numbers["damaged"] == 0
    with again.locked():
        assert Run(run.directory).config.measure.threshold == threshold
    text = (run.directory / paths.CONFIG).read_text()
    assert text == to_toml(again.config) == again.read_text(paths.CONFIG_TEXT)
    assert not (run.directory / paths.CONFIG_NEXT).exists()


def test_the_state_of_the_file_is_that_of_its_steps(run_until):
    run = run_until("measure")
    change_options(run, ["prune.threshold=0.4"], "predict")
    with h5py.File(run.results) as file:
        assert file[paths.STATUS].asstr()[()] == "done: train, measure"
