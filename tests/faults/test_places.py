"""Disks that are full, directories that cannot be written, clocks that go back, a cache that all fill at once."""

import os
import subprocess
import time

import pytest

from deeptheory.runs import Run, steps
from deeptheory.runs import run as run_module
from deeptheory.runs.configuration import to_toml
from deeptheory.runs.verification import verify
from deeptheory.store import paths
from tests.faults.killing import finished, start

COMPILATION = 120  # seconds on a busy machine; each of the processes compiles what no other has stored


@pytest.fixture
def config_file(tmp_path, tiny_config):
    path = tmp_path / "tiny.toml"
    path.write_text(to_toml(tiny_config))
    return path


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, of so many KiB."""
    places = []

    def mount(size):
        place = tmp_path / f"disk-{size}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(place)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("file systems can be mounted by root only")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("size", [64, 400, 1200, 2600])
def test_a_full_disk_ends_a_run_and_loses_nothing(config_file, small_disk, finished_study, assert_same, size):
    """The disk fills up while the configuration, the network, the measures or the arms are written."""
    run = small_disk(size) / "run"
    commands = ["train", config_file, "--out", run], ["chain", run]
    for command in commands:
        code, out = finished(start(*command, "--threads", 1, "--quiet"))
        if code:
            break
    assert code == 2, out
    assert out.count("\n") == 1
    assert out.startswith("error: ")
    assert "o space left on device" in out
    assert not list(run.glob(".*.part"))
    if (run / paths.CONFIG).is_file():
        assert verify(run).numbers["damaged"] == 0
    subprocess.run(["mount", "-o", "remount,size=64m", str(run.parent)], check=True)
    for command in commands:
        code, out = finished(start(*command, "--threads", 1, "--quiet"))
        assert code == 0, out
    for step in paths.STEPS:
        assert_same(Run(run).read_tree(step), Run(finished_study / "seed-3").read_tree(step))


def test_a_clock_that_is_set_back_changes_nothing(
    assert_same, one_thread, tiny_config, tmp_path, finished_study, monkeypatch
):
    run, hours = Run.create(tmp_path / "run", tiny_config, quiet=True), iter(range(100, 0, -1))
    monkeypatch.setattr(run_module, "now", lambda: f"2030-01-01T{next(hours) % 24:02d}:00:00+00:00")
    monkeypatch.setattr(time, "time", lambda: 0.0)
    steps.chain(run)
    for step in paths.STEPS:
        assert_same(run.read_tree(step), Run(finished_study / "seed-3").read_tree(step))
        assert run.read_number(f"{step}/wall_seconds") >= 0


def at_once(number, config_file, directory, cache):
    environment = {**os.environ, "DEEPTHEORY_CACHE": str(cache)}
    environment.pop("NUMBA_CACHE_DIR", None)
    outs = [directory / f"run-{n}" for n in range(number)]
    options = "--set", "train.epochs=1", "--threads", 1, "--quiet"
    started = [start("train", config_file, "--out", out, *options, env=environment) for out in outs]
    for process in started:
        code, text = finished(process, COMPILATION * number)
        assert code == 0, text
    return [Run(out).read_tree("train") for out in outs]


@pytest.mark.slow
def test_sixteen_processes_fill_an_empty_cache_at_once(config_file, tmp_path, assert_same):
    first, *others = at_once(16, config_file, tmp_path, tmp_path / "cache")
    for other in others:
        assert_same(other, first)
