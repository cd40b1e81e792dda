import os

import pytest

from deeptheory.data.files import read_bytes
from deeptheory.errors import InputError


def test_a_file_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert read_bytes(tmp_path / "a", "file") == b"abc"


def test_what_is_no_regular_file_is_refused_unopened(tmp_path):
    os.mkfifo(tmp_path / "a")
    for path in (tmp_path, tmp_path / "a", tmp_path / "none"):
        with pytest.raises(InputError, match=rf"^file {path}: expected a file, found none, or none that is"):
            read_bytes(path, "file")


def test_a_file_larger_than_the_memory_is_refused_unread(tmp_path):
    with (tmp_path / "a").open("wb") as file:
        file.truncate(2**42)
    with pytest.raises(
        InputError, match=r"expected at most 80 % of the free memory, .* found 4398.0 GB; use a"
    ):
        read_bytes(tmp_path / "a", "file")
