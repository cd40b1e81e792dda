"""What was found done is known again as long as the run files are the same."""

import os

import pytest

from deeptheory.runs import Run
from deeptheory.store import paths, small_entries
from deeptheory.studies.sweep.finished_members import FinishedMembers


@pytest.fixture
def run(tmp_path, tiny_config):
    run = Run.create(tmp_path / "one", tiny_config, quiet=True)
    run.finish("train", {}, started=0.0)
    return run


@pytest.fixture
def opened(monkeypatch):
    """The files that are opened."""
    opened, look_into = [], small_entries.file_has
    monkeypatch.setattr(
        small_entries, "file_has", lambda path, entry: opened.append(path) or look_into(path, entry)
    )
    return opened


def look(root, step="train"):
    finished = FinishedMembers(root, step)
    found = finished.has(root / "one")
    finished.keep()
    return found


def test_a_file_is_opened_once(tmp_path, run, opened):
    assert look(tmp_path)
    assert look(tmp_path)
    assert opened == [str(run.results)]


def test_a_file_that_changed_is_opened_again(tmp_path, run, opened):
    assert look(tmp_path)
    run.results.write_bytes(b"damaged")
    assert not look(tmp_path)
    run.results.unlink()
    assert not look(tmp_path)


def test_steps_are_known_apart(tmp_path, run):
    assert look(tmp_path)
    assert not look(tmp_path, "measure")
    run.finish("measure", {}, started=0.0)
    assert look(tmp_path, "measure")
    assert look(tmp_path)


@pytest.mark.parametrize("text", ["", "[1]", '{"train": 3}', "[" * 100_000])
def test_what_was_kept_may_be_damaged(tmp_path, run, text):
    (tmp_path / paths.SWEEP_FINISHED).write_text(text)
    assert look(tmp_path)


def test_a_pipe_is_not_opened(tmp_path, opened):
    (tmp_path / "one").mkdir()
    os.mkfifo(tmp_path / "one" / paths.RESULTS)
    assert not look(tmp_path)
    assert not opened
