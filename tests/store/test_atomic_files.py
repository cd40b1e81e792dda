"""Files are written whole or not at all, and nothing else is left."""

import os

import pytest

from deeptheory.errors import InputError
from deeptheory.store.atomic_files import read_json, replacing_file, write_text


def test_a_text_replaces_the_old_one(tmp_path):
    path = tmp_path / "config.toml"
    write_text(path, "old\n")
    write_text(path, "new κ\n")
    assert path.read_text(encoding="utf-8") == "new κ\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "config.toml"
    write_text(path, "old\n")

    def interrupted():
        with replacing_file(path) as temporary:
            temporary.write_text("half")
            raise failure

    with pytest.raises(failure):
        interrupted()
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\udcff")
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_put_in_its_place_is_said_and_removed(tmp_path, monkeypatch):
    def refuse(temporary, path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError, match="Permission denied"):
        write_text(tmp_path / "config.toml", "new\n")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "missing" / "config.toml", "new\n")


def test_a_file_gets_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    write_text(tmp_path / "whole", "")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_damaged_json_file_is_refused(tmp_path):
    path = tmp_path / "numbers.json"
    path.write_text('{"a": [1, 2]}')
    assert read_json(path) == {"a": [1, 2]}
    path.write_text('{"a": ')
    with pytest.raises(
        InputError, match=r"numbers.json: expected a readable JSON file, found .*; write it anew"
    ):
        read_json(path)
