"""`deeptheory bench`: what it prints, writes and refuses."""

import importlib.util
import json

import pytest

from deeptheory.bench import Setting
from deeptheory.cli.bench import bench

pytestmark = pytest.mark.usefixtures("one_thread")

COMMANDS = sorted(bench.commands)
RESULT = {
    "case": "train-step",
    "what": "training step",
    "setting": {"network": "vgg6", "width": 0.25, "size": 16, "batch": 4, "images": 10, "threads": 1},
    "gflops": 12.3,
    "ratio": 2.5,
    "ratio_interval": (2.4, 2.6),
    "best_rival": "torch",
    "quiet": False,
    "sides": {
        "ours": {
            "median_s": 0.1,
            "spread_s": [0.09, 0.11],
            "steps": 5,
            "peak_bytes": 2**21,
            "peak_above_imports_bytes": None,
        }
    },
}


@pytest.fixture
def asked(monkeypatch):
    """The arguments that a command compares with; nothing is timed."""
    found = []

    def compare(*arguments):
        found.append(arguments)
        return RESULT

    monkeypatch.setattr("deeptheory.bench.compare", compare)
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_benchmark_has_help_with_an_example(deeptheory, command):
    result = deeptheory("bench", command, "--help")
    assert result.code == 0
    assert f"Example:  deeptheory bench {command} " in result.out


def test_options_become_a_setting(deeptheory, asked):
    options = "--network vgg16 --width 0.5 --size 64 --batch 7 --threads 1 --against torch --rounds 3 --quiet"
    assert deeptheory("bench", "inference", *options.split()).code == 0
    [(case, setting, *rest)] = asked
    assert (case, setting) == ("inference", Setting(network="vgg16", width=0.5, size=64, batch=7, threads=1))
    assert rest == ["torch", 3, f"deeptheory bench inference {options}", True]
    deeptheory("bench", "compact", "--density", 0.1, "--granularity", "kernel")
    assert (asked[-1][1].density, asked[-1][1].granularity) == (0.1, "kernel")
    deeptheory("bench", "measure", "--images", 300)
    assert asked[-1][1].images == 300


def test_the_table_has_the_ratio_and_says_that_the_machine_was_busy(deeptheory, asked):
    out = deeptheory("bench", "train-step").out
    assert "torch / ours: 2.50 (2.40 to 2.60)" in out
    assert "12.3 GFLOP/s" in out
    assert "The machine was not known to be quiet" in out
    assert "ours     100.00  90.00 to 110.00      5         2" in out


def test_json_goes_to_standard_output_and_to_a_file(deeptheory, asked, tmp_path):
    result = deeptheory("bench", "train-step", "--json", "--out", tmp_path / "results")
    path = tmp_path / "results" / "train-step-vgg6-width0.25-size16-batch4-threads1.json"
    assert json.loads(result.out)["ratio"] == 2.5
    assert result.err == f"written: {path}\n"
    assert json.loads(path.read_text()) == json.loads(result.out)


def test_against_a_torch_that_is_not_there(deeptheory, assert_refused, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = deeptheory("bench", "train-step", "--against", "torch")
    assert_refused(result, "--against torch: expected PyTorch", "pip install 'deeptheory[torch]'")


def test_bad_input_is_refused(deeptheory, assert_refused):
    for command in ("memory", "layers"):
        result = deeptheory("bench", command, "--threads", 100000)
        assert_refused(result, "threads: expected 1 to ", "found 100000; this process may not use more")
        result = deeptheory("bench", command, "--network", "efficientnet-b1", "--quiet")
        assert result.code == 2
        assert "did you mean 'efficientnet-b0'?" in result.err
    for wrong in (("--width", 0), ("--batch", 0), ("--rounds", 0), ("--against", "jax")):
        assert deeptheory("bench", "memory", *wrong).code == 2


def test_a_batch_of_one_cannot_be_normalised(deeptheory):
    options = "--network vgg6 --width 0.0625 --size 16 --batch 1 --quiet"
    result = deeptheory("bench", "train-step", *options.split())
    assert result.code == 2
    assert "batch in training mode: expected at least 2 inputs, found 1" in result.err
