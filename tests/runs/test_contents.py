"""A directory that is no run: the message says what it holds."""

import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run
from deeptheory.runs.configuration import config_from, to_toml
from deeptheory.runs.contents import no_run
from deeptheory.store import paths


def make_run(directory):
    directory.mkdir(parents=True)
    (directory / paths.CONFIG).write_text(to_toml(config_from({})), encoding="utf-8")


def test_a_study_is_listed_and_one_of_its_runs_named(tmp_path):
    for seed in range(8):
        make_run(tmp_path / f"seed-{seed}")
    text = str(no_run(tmp_path))
    assert f"{tmp_path}, a study of 8 runs: seed-0, seed-1, seed-2, seed-3, seed-4, seed-5 and 2 more" in text
    assert text.endswith(f"name one of them: {tmp_path / 'seed-0'}")
    (tmp_path / paths.SWEEP).touch()
    assert "a sweep of 8 runs" in str(no_run(tmp_path))


def test_a_directory_that_is_not_there_says_what_is(tmp_path):
    make_run(tmp_path / "demo" / "seed-0")
    with pytest.raises(InputError) as refused:
        Run(tmp_path / "demo" / "seed-7" / "deep")
    missing = tmp_path / "demo" / "seed-7" / "deep"
    assert f"no directory {missing}; in {tmp_path / 'demo'}: seed-0; make a run" in str(refused.value)


def test_other_files_and_a_file_itself(tmp_path):
    (tmp_path / paths.RESULTS).touch()
    (tmp_path / ".hidden").touch()
    assert f"{tmp_path}, which holds run.h5; make a run with 'deeptheory train" in str(no_run(tmp_path))
    named = str(no_run(tmp_path / paths.RESULTS))
    assert named.endswith(f"the file {tmp_path / paths.RESULTS}; name its directory: {tmp_path}")
