import json
import os

import msgspec
import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run, schema, steps
from deeptheory.runs.configuration import to_toml
from deeptheory.store import paths
from deeptheory.system import provenance


def contents(directory):
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in directory.iterdir()}


def with_options(config, **tables):
    """The configuration with some options changed: `train={"epochs": 3}`."""
    replace = msgspec.structs.replace
    return replace(
        config, **{name: replace(getattr(config, name), **given) for name, given in tables.items()}
    )


def test_a_new_run_holds_its_configuration(tmp_path, tiny_config):
    run = Run.create(tmp_path / "deep" / "run", tiny_config)
    assert [path.name for path in run.directory.iterdir()] == [paths.CONFIG]
    assert Run(run.directory).config == tiny_config
    assert not run.done("train")


def test_the_same_configuration_opens_the_run_again(run, tiny_config):
    before = contents(run.directory)
    again = Run.create(run.directory, tiny_config)
    assert again.done("retrain")
    assert contents(run.directory) == before


def test_another_configuration_is_refused_and_changes_nothing(run, tiny_config):
    other = with_options(tiny_config, train={"epochs": 9}, prune={"threshold": 0.7})
    before = contents(run.directory)
    with pytest.raises(InputError) as error:
        Run.create(run.directory, other)
    assert str(error.value) == (
        f"run {run.directory}: expected the same configuration, found train.epochs = 2 there, 9 asked; "
        "prune.threshold = 0.5 there, 0.7 asked; name another directory with --out, or delete the old run"
    )
    assert contents(run.directory) == before


def test_another_configuration_is_refused_when_there_is_a_checkpoint_alone(tmp_path, tiny_config):
    run = Run.create(tmp_path / "run", tiny_config)
    (run.directory / paths.CHECKPOINT).touch()
    with pytest.raises(InputError, match=r"train.epochs = 2 there, 9 asked"):
        Run.create(run.directory, with_options(tiny_config, train={"epochs": 9}))


def test_a_run_of_which_nothing_is_computed_takes_another_configuration(tmp_path, tiny_config):
    run = Run.create(tmp_path / "run", tiny_config)
    other = with_options(tiny_config, train={"epochs": 9})
    assert Run.create(run.directory, other).config == other
    assert Run(run.directory).config == other


def test_another_process_at_work_keeps_the_configuration_that_it_began_with(tmp_path, tiny_config):
    run = Run.create(tmp_path / "run", tiny_config)
    lock = {"host": "node7", "process": 1, "started": None, "namespace": None, "since": "2030", "slurm": {}}
    (run.directory / paths.LOCK).write_text(json.dumps({**lock, "token": "0"}))
    with pytest.raises(InputError, match="no other process that writes it"):
        Run.create(run.directory, with_options(tiny_config, train={"epochs": 9}))
    assert Run(run.directory).config == tiny_config
    assert Run.create(run.directory, tiny_config).config == tiny_config  # nothing to write


def test_options_changed_since_they_were_read_are_refused_before_anything_is_computed(tmp_path, tiny_config):
    run = Run.create(tmp_path / "run", tiny_config)
    Run.create(run.directory, with_options(tiny_config, train={"epochs": 9}))
    with pytest.raises(InputError, match=r"train.epochs = 9 in place of 2; give the command again"):
        steps.train(run)
    assert not run.results.exists()


def test_a_run_may_be_part_of_a_study_of_more_seeds(run, tiny_config):
    assert Run.create(run.directory, with_options(tiny_config, judge={"seeds": 4})).done("retrain")
    with pytest.raises(InputError, match=r"found judge.margin = 0.5 there, 2.0 asked;") as error:
        Run.create(run.directory, with_options(tiny_config, judge={"margin": 2.0}))
    assert str(error.value).endswith("; 'deeptheory branch' shares its training with one of other options")


def test_a_directory_of_other_files_is_refused(tmp_path, tiny_config):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(
        InputError, match="expected an empty directory or a run, found other files; name a new"
    ):
        Run.create(tmp_path, tiny_config)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("inside", ["", "run"])
def test_a_file_in_place_of_the_directory_is_refused(tmp_path, tiny_config, inside):
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(InputError, match=r"^output directory: expected a directory, found the file .*--out$"):
        Run.create(file / inside, tiny_config)
    assert file.read_text() == "mine"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a file system that nobody can write to")
def test_a_place_where_no_directory_can_be_made_is_refused(tiny_config):
    with pytest.raises(
        InputError, match=r"^output directory: expected a place that can be written, found .*proc"
    ):
        Run.create("/proc/deeptheory", tiny_config)


def test_a_read_only_directory_is_refused(tmp_path, tiny_config, monkeypatch):
    monkeypatch.setattr("deeptheory.runs.run.os.access", lambda path, mode: mode != os.W_OK)  # root may write
    with pytest.raises(InputError, match=r"found .*/run is read-only; name another one with --out$"):
        Run.create(tmp_path / "run", tiny_config)
    assert list((tmp_path / "run").iterdir()) == []


def test_a_directory_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"^run: expected a directory with config.toml, found .*; make a run"
    ):
        Run(tmp_path)


def test_the_run_file_says_where_its_numbers_come_from(run, tiny_config):
    assert run.read_number("schema_version") == schema.VERSION
    assert run.read_text("config") == to_toml(tiny_config)
    assert run.read_text("status") == "complete"
    facts = provenance.provenance()
    for step in paths.STEPS:
        stored = run.read_tree(f"{paths.PROVENANCE}/{step}")
        assert stored.keys() == facts.keys()
        assert stored["threads"] == 1
        for name in ("host", "processor", "python", "packages", "git_revision"):
            assert stored[name] == facts[name]
        assert isinstance(stored["git_dirty"], bool)
        assert run.read_number(f"{step}/wall_seconds") > 0
        assert 30e6 < run.read_number(f"{step}/peak_bytes") < 4e9


def test_the_status_says_how_far_the_run_is(run_until):
    run = run_until("predict")
    run.finish("prune", {}, started=0.0)
    assert run.read_text("status") == "done: train, measure, predict, prune"


def test_an_entry_that_is_not_there_is_named(run):
    with pytest.raises(InputError, match=r"expected 'measure/stages/stage9' in run.h5, found no such entry$"):
        run.read_tree("measure/stages/stage9")


def test_the_log_has_a_line_for_every_step(run, capsys):
    lines = (run.directory / paths.LOG).read_text().splitlines()
    for text in (
        " trained vgg6, test accuracy 0.",
        " measured 5 stages",
        " retrained magnitude, test accuracy",
    ):
        assert sum(text in line for line in lines) == 1
    run.log("quiet")
    assert capsys.readouterr().err == ""
    Run(run.directory).log("loud")
    assert capsys.readouterr().err == "seed-3: loud\n"
    assert [line.split(" ", 1)[1] for line in (run.directory / paths.LOG).read_text().splitlines()[-2:]] == [
        "quiet",
        "loud",
    ]
