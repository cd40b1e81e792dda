"""Runs for which the memory is not there do not start, and nothing is written."""

import pytest

from deeptheory.errors import InputError
from deeptheory.runs.configuration import config_from
from deeptheory.runs.estimates import require_memory, sizes_of
from deeptheory.store import paths
from deeptheory.studies import compare, confirm, run_member, run_sweep
from deeptheory.system import memory
from tests.conftest import TINY


@pytest.fixture
def little(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000_000)


REFUSED = (
    r"^memory for step '\w+' of .*: expected at most 80 % of the free memory, 0.0008 GB, found .* GB; take"
)


def test_a_study_is_refused(little, tiny_config, tmp_path):
    with pytest.raises(InputError, match=REFUSED):
        confirm(tiny_config, tmp_path / "study", command="", quiet=True)
    with pytest.raises(InputError, match=REFUSED):
        compare(tiny_config, tmp_path / "comparison", quiet=True)
    assert not list(tmp_path.iterdir())


def test_a_sweep_is_refused(little, sweep_of, tmp_path):
    with pytest.raises(InputError, match=REFUSED):
        run_sweep(sweep_of({"data.n_labels": [3, 5]}), tmp_path / "sweep", quiet=True)
    assert not list(tmp_path.iterdir())


def test_a_member_is_failed_with_the_reason(little, sweep_of, tmp_path):
    state = run_member(sweep_of({"data.n_labels": [3, 5]}), tmp_path / "sweep", 0, quiet=True)
    assert state.state == "failed"
    assert "expected at most 80 % of the free memory" in state.error
    assert {path.name for path in state.directory.iterdir()} <= {paths.CONFIG, paths.LOG}


def test_a_finished_study_needs_nothing(little, study, tiny_config):
    assert confirm(tiny_config, study, command="", quiet=True).runs


def test_runs_at_a_time_are_added_up(monkeypatch, tmp_path):
    config = config_from(TINY)
    one = sizes_of(config).peak("train")
    runs = [(tmp_path / str(number), config) for number in range(4)]
    monkeypatch.setattr(memory, "free_memory", lambda: round(2.5 * one / 0.8))
    require_memory(runs, ["train"], jobs=2)
    with pytest.raises(InputError, match=r"memory for step 'train' of .* and 2 runs beside it: expected"):
        require_memory(runs, ["train"], jobs=3)


def test_bad_runs_are_left_to_fail(tmp_path):
    bad = config_from({**TINY, "data": {"source": "files", "path": str(tmp_path / "missing.npz")}})
    with pytest.raises(InputError, match=r"missing.npz"):
        require_memory([(tmp_path, bad)], ["train"])
    require_memory([(tmp_path, bad)], ["train"], keep_going=True)
