"""SIGKILL at any moment: every file can be read, and the run ends as one that was not killed."""

import json
import shutil

import numpy as np
import pytest

from deeptheory.runs import Run
from deeptheory.runs.configuration import to_toml
from deeptheory.runs.verification import verify
from deeptheory.store import paths
from tests.faults.killing import finished, kill_after, kill_in_a_write, start

OFTEN = "checkpoint_minutes=0.001"
LONGEST = 8.0  # seconds until a kill; a whole run of one thread takes about as long


@pytest.fixture
def config_file(tmp_path, tiny_config):
    path = tmp_path / "tiny.toml"
    path.write_text(to_toml(tiny_config))
    return path


def train(file, directory):
    return start("train", file, "--out", directory, "--set", OFTEN, "--threads", 1, "--quiet")


def go_on(file, directory):
    """The command that a user repeats: train first, then the rest."""
    if not (directory / paths.CONFIG).is_file() or not Run(directory, quiet=True).done("train"):
        return train(file, directory)
    return start("chain", directory, "--threads", 1, "--quiet")


def survive(file, directory, kills, seed, reference, assert_same):
    """Kill runs until so many kills are counted; every run ends with the reference's bits.

    Returns how often it was killed, how often in the middle of a write, and how many runs were finished.
    """
    rng, counts = np.random.default_rng(seed), {"killed": 0, "while writing": 0, "runs": 0}
    while counts["killed"] < kills or directory.exists():
        process = go_on(file, directory)
        if counts["killed"] >= kills:
            code, out = finished(process)
            assert code == 0, out
        elif rng.random() < 0.5:
            written = kill_in_a_write(process, directory, rng.integers(1, 30))
            counts["while writing"] += written
            counts["killed"] += written
        else:
            counts["killed"] += kill_after(process, rng.uniform(0.5, LONGEST))
        if (directory / paths.CONFIG).is_file():
            assert verify(directory).numbers["damaged"] == 0
            run = Run(directory, quiet=True)
            if run.done("retrain"):
                for step in paths.STEPS:
                    assert_same(run.read_tree(step), reference.read_tree(step))
                shutil.rmtree(directory)
                counts["runs"] += 1
    return counts


def test_a_run_killed_while_it_writes_ends_with_the_same_bits(
    config_file, finished_study, tmp_path, assert_same
):
    counts = survive(config_file, tmp_path / "run", 3, 0, Run(finished_study / "seed-3"), assert_same)
    assert counts["killed"] == 3


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing(config_file, finished_study, tmp_path, assert_same, capsys):
    counts = survive(config_file, tmp_path / "run", 200, 1, Run(finished_study / "seed-3"), assert_same)
    assert counts["killed"] >= 200
    assert counts["while writing"] > 20
    with capsys.disabled():
        print("\n" + json.dumps(counts))  # noqa: T201
