import os

import pytest

from deeptheory.data.files import read_bytes, version
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


def test_a_version_changes_with_every_file_of_the_data(tmp_path):
    file, inner = tmp_path / "a.npz", tmp_path / "images" / "train" / "cat" / "1.png"
    inner.parent.mkdir(parents=True)
    found = [version(file), version(tmp_path)]
    file.write_bytes(b"abc")
    inner.write_bytes(b"abc")
    found += [version(file), version(tmp_path / "images")]
    assert [version(file), version(tmp_path / "images")] == found[2:]
    for path, seen in ((file, file), (inner, tmp_path / "images")):
        path.write_bytes(b"abcd")
        found.append(version(seen))
        os.utime(path, ns=(0, 5))
        found.append(version(seen))
        other = path.with_name("other")
        other.write_bytes(b"abcd")
        os.utime(other, ns=(0, 5))
        other.replace(path)
        found.append(version(seen))
    assert len(set(found)) == len(found)
