"""Steps called from Python are those of the command line, with the same bits; nothing is left behind unasked."""

import gc
import tempfile

import msgspec
import numpy as np
import pytest

import deeptheory as dt
from deeptheory import data
from deeptheory.errors import InputError
from deeptheory.front.options import overrides, table_from
from deeptheory.runs import Run
from deeptheory.runs.configuration import complete, config_from, to_toml
from deeptheory.store import paths

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def glyphs(tiny_config):
    options = tiny_config.data
    names = ("n_labels", "size", "train_per_label", "test_per_label")
    return dt.load_data("glyphs", **{name: getattr(options, name) for name in names})


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where temporary directories are made, to see what is left there."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_all_steps_have_the_bits_of_the_command_line_and_leave_nothing(
    finished_study, tiny_config, glyphs, temporary, assert_same, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    run = dt.train(tiny_config, glyphs, quiet=True)
    for step in (dt.measure, dt.predict, dt.prune, dt.retrain):
        assert str(step(run)) != ""
    found, expected = run.stored, Run(finished_study / "seed-3", quiet=True)
    assert found.config == expected.config
    for step in paths.STEPS:
        assert_same(found.read_tree(step), expected.read_tree(step), step)
    assert run.directory.is_relative_to(temporary)
    assert repr(run).startswith("Run in a temporary directory, deleted with this object\n")
    del run, found
    gc.collect()
    assert list(temporary.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]


def test_a_refused_training_leaves_nothing(tiny_config, glyphs, temporary):
    with pytest.raises(InputError, match=r"train\.epoch'.*did you mean 'epochs'"):
        dt.train({"train.epoch": 3}, glyphs, quiet=True)
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_commands_go_on_with_a_run_on_arrays_and_other_arrays_are_refused(
    deeptheory, tiny_config, glyphs, tmp_path
):
    untrained = {**complete(tiny_config), "train": {"epochs": 0}, "measure": {"bootstrap": 100}}
    arrays = glyphs.train_images.copy(), glyphs.train_labels
    run = dt.train(untrained, dt.load_data(*arrays), str(tmp_path / "run"), quiet=True)
    assert repr(run).startswith(
        f"Run {tmp_path / 'run'}\nvgg6, width 0.125; seed 3; data.h5, 5 labels\ndone: train;"
    )
    assert run.splits.test_from_pool
    arrays[0][:] = 0  # the run has its own
    assert deeptheory("measure", run.directory, "--quiet").code == 0
    assert run.done == ("train", "measure")
    with pytest.raises(InputError, match=r"images and labels in .*data\.h5, found other arrays"):
        dt.train(untrained, dt.load_data(*arrays), tmp_path / "run", quiet=True)


def test_arrays_that_are_refused_write_nothing(tiny_config, tmp_path):
    few = dt.load_data(np.zeros((4, 16, 16), np.uint8), np.array([0, 0, 1, 2]))
    with pytest.raises(InputError, match="at least 2 inputs of every label"):
        dt.train({**complete(tiny_config)}, few, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run" / paths.RESULTS).exists()


def test_data_override_the_table_of_a_file_but_for_what_the_run_makes_of_them(glyphs, tmp_path, tiny_config):
    other = msgspec.structs.replace(
        tiny_config, data=data.DataOptions(n_labels=7, size=32, measure_share=0.5), seed=5
    )
    path = tmp_path / "other.toml"
    path.write_text(to_toml(other), encoding="utf-8")
    run = dt.train(str(path), glyphs, tmp_path / "run", quiet=True)
    asked = run.config
    assert (asked.seed, asked.data.n_labels, asked.data.size, asked.data.measure_share) == (5, 5, 16, 0.5)


def test_options_may_be_nested_or_dotted():
    nested = {"seed": 2, "train": {"epochs": 3}, "prune": {"stages": ["stage1"]}}
    dotted = {"seed": 2, "train.epochs": 3, "prune.stages": ["stage1"]}
    assert table_from(dotted) == table_from(nested) == nested
    assert table_from(None) == {}
    assert config_from(table_from(config_from(nested))) == config_from(nested)
    assert overrides({"prune": {"threshold": 0.4}, "prune.stages": ("stage1",)}) == (
        "prune.threshold=0.4",
        'prune.stages=["stage1"]',
    )
    with pytest.raises(InputError, match="both as 'train'"):
        table_from({"train": 3, "train.epochs": 2})


def test_a_step_before_its_time_names_the_call(run_until):
    run = dt.open_run(run_until("train").directory, quiet=True)
    with pytest.raises(
        InputError, match=r"the results of 'measure', found none; call dt\.measure\(run\) first"
    ):
        dt.predict(run)
    with pytest.raises(InputError, match="tolerance"):
        dt.predict(run, tolerance=1.5)


def test_options_of_a_step_change_before_it_and_no_other_do(run_until):
    run = dt.open_run(run_until("train").directory, quiet=True)
    found = dt.measure(run, {"measure.threshold": 0.5, "measure.bootstrap": 100})
    assert run.config.measure.threshold == 0.5
    assert "threshold 0.5" in found._repr_html_()
    with pytest.raises(InputError, match="options that nothing stored depends on"):
        dt.predict(run, {"measure.threshold": 0.4})


def test_a_study_gives_verdicts_and_is_deleted_with_its_last_run(tiny_config, glyphs, temporary):
    few = {**complete(tiny_config), "train": {"epochs": 0}, "retrain": {"epochs": 1, "batch": 100}}
    study = dt.confirm(few, glyphs, quiet=True)
    assert "undecided" in str(study.verdicts)
    assert "temporary" in repr(study)
    (run,) = study.runs
    del study
    gc.collect()
    assert (
        'repeat with: the same dt.confirm, with out="DIR"'
        in (run.directory.parent / paths.TABLES).read_text()
    )
    del run
    gc.collect()
    assert list(temporary.iterdir()) == []
