"""Pipes, devices and links in the place of files of a run."""

import os

import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run, read_config
from deeptheory.store import hdf5, paths


@pytest.fixture(params=["pipe", "device"])
def odd(request, tmp_path):
    path = tmp_path / "odd"
    if request.param == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    return path


def test_hdf5_and_toml_are_read_from_regular_files_alone(odd):
    with pytest.raises(InputError, match="a pipe or a device, no regular file"):
        hdf5.open_for_reading(odd)
    with pytest.raises(InputError, match="a pipe or a device, no regular file"):
        read_config(odd)


@pytest.mark.parametrize("kind", ["pipe", "device", "link", "directory"])
def test_a_log_is_added_to_nothing_else(run, tmp_path, kind):
    log, elsewhere = run.directory / paths.LOG, tmp_path / "elsewhere"
    log.unlink()
    elsewhere.write_text("precious")
    if kind == "pipe":
        os.mkfifo(log)
    elif kind == "directory":
        log.mkdir()
    else:
        log.symlink_to("/dev/null" if kind == "device" else elsewhere)
    with pytest.raises(InputError, match=r"log\.txt: expected a file that can be added to"):
        Run(run.directory, quiet=True).require_writable()
    with pytest.raises(OSError):  # noqa: PT011
        run.record("a line")
    assert elsewhere.read_text() == "precious"
