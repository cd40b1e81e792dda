"""Old directories of compiled kernels are removed, and nothing else."""

import os
import time

import pytest

from deeptheory.system import kernel_cache, old_kernels

OLD = time.time() - old_kernels.UNUSED - 3600


@pytest.fixture
def kernels(tmp_path):
    """Makes a directory of kernels of a given age."""

    def make(name, age=OLD, files=("sub/kernel.nbi", "sub/kernel.1.nbc", old_kernels.MARK)):
        directory = tmp_path / "kernels" / name
        for file in files:
            path = directory / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (age, age))
        os.utime(directory, (age, age))
        return directory

    return make


def test_only_old_directories_that_are_ours_go(kernels, monkeypatch, tmp_path):
    monkeypatch.setenv("DEEPTHEORY_CACHE", str(tmp_path))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    old, unmarked = kernels("0" * 16), kernels("1" * 16, files=["sub/kernel.nbi"])
    stay = [
        kernels("2" * 16, age=time.time()),
        kernels("kernels of mine"),
        kernels("3" * 16, files=["sub/kernel.nbi", "notes.txt"]),
    ]
    read = kernels("4" * 16, files=["sub/kernel.nbi"])
    os.utime(read / "sub/kernel.nbi", (time.time(), OLD))
    linked = kernels("5" * 16)
    (linked / "sub" / "results").symlink_to(tmp_path)
    os.utime(linked / "sub" / "results", (OLD, OLD), follow_symlinks=False)
    own = kernel_cache.kernel_directory()
    assert not old.exists()
    assert not unmarked.exists()
    assert all(directory.exists() for directory in [*stay, read, linked, own])


def test_a_directory_that_a_process_uses_stays(kernels, tmp_path):
    used, own = kernels("0" * 16), kernels("1" * 16)
    old_kernels.hold(used)
    os.utime(used / old_kernels.MARK, (OLD, OLD))  # a process that has run for longer
    old_kernels.remove(tmp_path / "kernels", own)
    assert used.exists()
    os.close(old_kernels._held.pop())
    old_kernels.remove(tmp_path / "kernels", own)
    assert not used.exists()
    assert own.exists()


def test_a_directory_that_others_share_is_left_alone(kernels, monkeypatch, tmp_path):
    old = kernels("0" * 16)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    kernel_cache.kernel_directory()
    assert old.exists()
