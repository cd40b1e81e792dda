"""What an estimate takes from runs that were computed before."""

import pytest

from deeptheory.runs import Run, recorded_options
from deeptheory.runs.estimates.timing import LOOKED_AT, recorded
from deeptheory.store import hdf5, paths
from deeptheory.system import threadpools


@pytest.fixture
def directories(tmp_path, tiny_config):
    """Runs of which more are trained than are looked at, each slower than the one before."""
    directories = [tmp_path / f"seed-{seed:02}" for seed in range(LOOKED_AT + 2)]
    for number, directory in enumerate(directories):
        run = Run.create(directory, tiny_config, quiet=True)
        threads = {"threads": threadpools.threads()}
        stamp = {paths.PEAK_BYTES: 1000 + number, paths.WALL_SECONDS: 1.0 + number}
        with hdf5.open_for_writing(run.results) as file:
            hdf5.write_tree(file, {"train": stamp, paths.PROVENANCE: {"train": threads}})
    return directories


def test_the_first_runs_are_opened_and_their_options_are_not_parsed(directories, monkeypatch):
    parsed, opened, open_for_reading = [], [], hdf5.open_for_reading
    monkeypatch.setattr(recorded_options, "read_table", parsed.append)
    monkeypatch.setattr(hdf5, "open_for_reading", lambda path: opened.append(path) or open_for_reading(path))
    peaks, seconds = recorded(directories)
    assert (peaks, seconds) == ({"train": 1000 + LOOKED_AT - 1}, {"train": float(LOOKED_AT)})
    assert opened == [directory / paths.RESULTS for directory in directories[:LOOKED_AT]]
    assert parsed == []


def test_damaged_files_and_missing_runs_tell_nothing(directories, tmp_path):
    (directories[0] / paths.RESULTS).write_bytes(b"damaged")
    assert recorded([directories[0], tmp_path / "none", directories[1]])[1] == {"train": 2.0}
