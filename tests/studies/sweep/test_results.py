"""What collecting a sweep looks at: each file once, and no option of a member a second time."""

import os
from pathlib import Path

import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run, recorded_options
from deeptheory.store import hdf5, paths
from deeptheory.studies import sweep
from deeptheory.studies.sweep import expand, reading_processes
from deeptheory.studies.sweep.options import sweep_to_toml


@pytest.fixture
def runs(sweep_of, tmp_path):
    """The members of a sweep, which are done."""
    asked = sweep_of(steps="train")
    (tmp_path / paths.SWEEP).write_text(sweep_to_toml(asked), encoding="utf-8")
    runs = [Run.create(tmp_path / member.name, member.config, quiet=True) for member in expand(asked)]
    for number, run in enumerate(runs):
        run.finish("train", {paths.ACCURACY: {"test": number / 4}}, started=0.0)
    return runs


def noted(monkeypatch, module, name):
    """The first arguments that a function is called with."""
    calls, function = [], getattr(module, name)
    monkeypatch.setattr(module, name, lambda first, *others: calls.append(first) or function(first, *others))
    return calls


def test_no_configuration_is_parsed_and_a_file_is_opened_once(runs, tmp_path, monkeypatch):
    parsed = noted(monkeypatch, recorded_options, "read_table")
    opened = noted(monkeypatch, hdf5, "open_for_reading")
    collected = sweep.collect(tmp_path)
    assert [row["test_accuracy"] for row in collected.numbers["members"]] == [0.0, 0.25]
    assert parsed == []
    assert opened == [run.results for run in runs]


def test_a_configuration_that_says_the_same_otherwise_is_parsed(runs, tmp_path, monkeypatch):
    file = runs[1].directory / paths.CONFIG
    file.write_text(f"# somebody's note\n{file.read_text()}")
    parsed = noted(monkeypatch, recorded_options, "read_table")
    assert len(sweep.collect(tmp_path).numbers["members"]) == 2
    assert parsed == [file]


def test_a_member_of_which_somebody_changed_the_configuration_is_refused(runs, tmp_path):
    file = runs[1].directory / paths.CONFIG
    file.write_text(file.read_text().replace("threshold = 0.5", "threshold = 0.7"))
    with pytest.raises(InputError, match=r"prune\.threshold = 0\.7 in place of 0\.5"):
        sweep.collect(tmp_path)


@pytest.fixture
def two_processes(monkeypatch):
    monkeypatch.setattr(reading_processes, "FEWEST", 1)
    monkeypatch.setattr(reading_processes.threadpools, "threads", lambda: 2)


def test_members_read_by_processes_give_the_same_rows(runs, tmp_path, two_processes, monkeypatch):
    opened = noted(monkeypatch, hdf5, "open_for_reading")
    collected = sweep.collect(tmp_path)
    assert [row["test_accuracy"] for row in collected.numbers["members"]] == [0.0, 0.25]
    assert opened == [runs[0].results]  # the other was opened elsewhere


def test_what_a_process_cannot_read_is_refused_with_the_reason(runs, tmp_path, two_processes):
    with hdf5.open_for_writing(runs[1].results, "r+") as file:
        file[paths.join("train", paths.ACCURACY, "test")][...] = 0.5  # its checksum is that of another number
    with pytest.raises(InputError, match="expected the bytes that were written, found others"):
        sweep.collect(tmp_path)


def test_no_process_outlives_an_error(runs, tmp_path, two_processes, monkeypatch):
    with hdf5.open_for_writing(runs[0].results, "r+") as file:
        file[paths.join("train", paths.ACCURACY, "test")][...] = 0.5
    started, popen = [], reading_processes.subprocess.Popen
    monkeypatch.setattr(
        reading_processes.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1]
    )
    with pytest.raises(InputError, match="expected the bytes that were written, found others"):
        sweep.collect(tmp_path)
    assert [process.returncode is None for process in started] == [False]


def test_what_a_process_prints_is_no_part_of_its_rows(runs, tmp_path, two_processes, monkeypatch):
    (own := tmp_path / "own").mkdir()
    (own / "sitecustomize.py").write_text("print('from a plugin', flush=True)")
    path = os.pathsep.join([str(own), str(Path(reading_processes.__file__).parents[3])])
    monkeypatch.setenv("PYTHONPATH", path)
    read = noted(monkeypatch, hdf5, "open_for_reading")
    collected = sweep.collect(tmp_path)
    assert [row["test_accuracy"] for row in collected.numbers["members"]] == [0.0, 0.25]
    assert read == [runs[0].results]
