import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.store import checkpoints as module
from deeptheory.store.checkpoints import CheckpointStore

STATE = {"text": "κ", "step": 3, "arrays": {"x": np.arange(4, dtype=np.float32)}}


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(tmp_path / "checkpoint.h5")


def damage(path):
    path.write_bytes(path.read_bytes()[:100])


def test_a_state_comes_back(store):
    assert store.load() is None
    store.save(STATE)
    found = store.load()
    assert (found["text"], found["step"]) == ("κ", 3)
    np.testing.assert_array_equal(found["arrays"]["x"], STATE["arrays"]["x"], strict=True)


def test_nothing_of_an_old_state_is_left(store):
    store.save({"old": 1})
    store.save({"new": 2})
    assert store.load() == {"new": 2}


def test_it_is_due_when_the_interval_is_over(store, monkeypatch):
    now = [store.written]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    assert not store.due
    now[0] += 300
    assert store.due
    store.save(STATE)
    assert not store.due


def test_a_clock_that_is_set_back_changes_nothing(store, monkeypatch):
    monkeypatch.setattr(module.time, "time", lambda: 0.0)
    store.save(STATE)
    assert not store.due
    assert store.load()["step"] == 3


def test_a_damaged_one_is_put_aside_for_the_one_before(store):
    store.save({"step": 1})
    store.save({"step": 2})
    damage(store.path)
    assert store.load() == {"step": 1}
    assert (store.path.parent / "checkpoint.damaged.h5").stat().st_size == 100


def test_two_damaged_ones_are_refused_and_kept(store):
    for step in (1, 2):
        store.save({"step": step})
    before = {path: damage(path) or path.read_bytes() for path in store.path.parent.iterdir()}
    expected = r"checkpoint.h5: expected a whole file, found .*; delete it to start anew, or restore a copy; "
    with pytest.raises(InputError, match=expected + "'checkpoint.previous.h5' is no better$"):
        store.load()
    assert {path: path.read_bytes() for path in store.path.parent.iterdir()} == before


def test_a_missing_one_is_taken_from_the_one_before(store):
    """A process killed on a file system without hard links, between two names."""
    store.save({"step": 1})
    store.path.rename(store.path.with_name("checkpoint.previous.h5"))
    assert store.load() == {"step": 1}


def test_it_is_removed_whole(store):
    store.save({"step": 1})
    store.save({"step": 2})
    store.remove()
    assert list(store.path.parent.iterdir()) == []
    store.remove()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match=r"checkpoint .*: expected a place that can be written, found"):
        CheckpointStore(tmp_path / "missing" / "checkpoint.h5").save(STATE)
