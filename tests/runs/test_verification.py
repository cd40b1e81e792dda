import shutil

import h5py
import pytest

from deeptheory.runs.run_locks import lock
from deeptheory.store import paths


def flip(path, name):
    """One bit of a data set, as a failing disk would."""
    with h5py.File(path) as file:
        place = file[name].id.get_offset()
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_whole_runs_are_whole(deeptheory, study):
    result = deeptheory("runs", "verify", study)
    assert result.code == 0
    assert "seed-3/run.h5 " in result.out
    assert "1 runs, " in result.out
    assert ", 0 damaged" in result.out


@pytest.mark.parametrize("name", ["train/state/stage2.conv.weight", "measure/stages/stage3/probe_weight"])
def test_a_flipped_bit_is_found_and_the_data_set_named(deeptheory, run, name):
    flip(run.results, name)
    before = run.results.read_bytes()
    result = deeptheory("runs", "verify", run.directory)
    assert result.code == 1
    assert f"damaged: {name}" in result.out
    assert run.results.read_bytes() == before
    expected = rf"'/{name}' in {run.results}: expected the bytes that were written, found others; "
    with pytest.raises(
        ValueError, match=expected + "the next step that is computed goes back to run.previous"
    ):
        run.entry(name)


def test_a_truncated_file_is_found(deeptheory, run):
    run.results.write_bytes(run.results.read_bytes()[:-1000])
    result = deeptheory("runs", "verify", run.directory, "--json")
    assert result.code == 1
    assert '"damaged": 1' in result.out


def test_a_configuration_that_cannot_be_read_is_found(deeptheory, run):
    (run.directory / "config.toml").write_text("seed = -1\n")
    result = deeptheory("runs", "verify", run.directory)
    assert result.code == 1
    assert "seed: expected int >= 0, found -1" in result.out


def test_a_file_of_a_later_version_is_found(deeptheory, run):
    with h5py.File(run.results, "r+") as file:
        del file[paths.SCHEMA_VERSION]
        file[paths.SCHEMA_VERSION] = 99
    result = deeptheory("runs", "verify", run.directory)
    assert (result.code, "99" in result.out) == (1, True)


def test_a_version_that_is_no_number_is_named_and_the_others_are_read_on(deeptheory, study):
    broken = study / "another" / "seed-9"
    shutil.copytree(study / "seed-3", broken)
    with h5py.File(broken / paths.RESULTS, "r+") as file:
        del file[paths.SCHEMA_VERSION]
        file[paths.SCHEMA_VERSION] = float("nan")
    result = deeptheory("runs", "verify", study)
    assert (result.code, "2 runs, " in result.out, ", 1 damaged" in result.out) == (1, True, True)


def test_a_run_that_is_written_is_said(deeptheory, run):
    with lock(run.directory):
        assert (
            f"{run.directory} is being written by process" in deeptheory("runs", "verify", run.directory).out
        )


def test_no_run_is_refused(deeptheory, assert_refused, tmp_path):
    result = deeptheory("runs", "verify", tmp_path)
    assert_refused(
        result, f"{tmp_path}: expected config.toml in it or below, found none; name a run directory"
    )
