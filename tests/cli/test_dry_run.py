"""`--dry-run`: what would be needed is printed, and nothing is written; the same is refused as without it."""

import json

import pytest

from deeptheory.system import memory

pytestmark = pytest.mark.usefixtures("one_thread")

COMMANDS = ("train", "confirm", "compare")
GRID = '\n[sweep]\nsteps = "train"\n[sweep.grid]\n"data.n_labels" = [3, 5]\n'


@pytest.fixture
def sweep_file(tmp_path, config):
    path = tmp_path / "labels.toml"
    path.write_text(config.read_text(encoding="utf-8") + GRID, encoding="utf-8")
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_written(deeptheory, config, tmp_path, command):
    before = sorted(tmp_path.rglob("*"))
    shown = deeptheory(command, config, "--out", tmp_path / "out", "--dry-run")
    assert shown.code == 0
    assert "memory of a run: " in shown.out
    numbers = json.loads(deeptheory(command, config, "--out", tmp_path / "out", "--dry-run", "--json").out)
    assert numbers["seconds"]["train"] > 0
    assert numbers["memory_bytes"] == sum(numbers["parts_bytes"][numbers["largest_step"]].values())
    assert sorted(tmp_path.rglob("*")) == before


def test_a_sweep_is_estimated_point_by_point(deeptheory, sweep_file, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    result = deeptheory("sweep", sweep_file, "--out", tmp_path / "out", "--dry-run", "--json")
    assert result.code == 0
    assert [point["data.n_labels"] for point in json.loads(result.out)["points"]] == [3, 5]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "bad",
    [
        ("--set", "network.width=-1"),
        ("--set", "data.train_per_label=1"),
        ("--set", 'prune.stages=["stage44"]'),
        ("--data", "missing.npz"),
        ("--set", "data.resize=32"),
    ],
)
def test_the_same_is_refused_in_the_same_words(deeptheory, assert_refused, config, tmp_path, command, bad):
    arguments = command, config, "--out", tmp_path / "out", *bad
    dry = deeptheory(*arguments, "--dry-run")
    assert_refused(dry)
    assert dry.err == deeptheory(*arguments, "--quiet").err


@pytest.mark.parametrize("command", COMMANDS)
def test_directories_are_refused_in_the_same_words(deeptheory, assert_refused, config, tmp_path, command):
    arguments = command, config, "--out", tmp_path / "tiny.toml"
    dry = deeptheory(*arguments, "--dry-run")
    assert_refused(dry, "output directory: expected a directory, found the file")
    assert dry.err == deeptheory(*arguments, "--quiet").err


def test_another_configuration_is_refused_in_the_same_words(deeptheory, assert_refused, config, study):
    for command, out in (("train", study / "seed-3"), ("confirm", study)):
        arguments = command, config, "--out", out, "--set", "train.epochs=9"
        dry = deeptheory(*arguments, "--dry-run")
        assert_refused(dry, "train.epochs = 2 there, 9 asked")
        assert dry.err == deeptheory(*arguments, "--quiet").err


def test_criteria_are_refused_in_the_same_words(deeptheory, assert_refused, config, tmp_path):
    arguments = "compare", config, "--out", tmp_path / "out", "--set", 'compare.criteria=["lam"]'
    dry = deeptheory(*arguments, "--dry-run")
    assert_refused(dry, "did you mean 'lamp'?")
    assert dry.err == deeptheory(*arguments, "--quiet").err


@pytest.mark.parametrize("command", COMMANDS)
def test_too_little_memory_is_refused_with_the_numbers(
    deeptheory, assert_refused, config, tmp_path, monkeypatch, command
):
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000_000)
    arguments = command, config, "--out", tmp_path / "out", "--quiet"
    words = (
        "error: memory for step '",
        "expected at most 80 % of the free memory, 0.0008 GB, found ",
        " GB; take",
    )
    assert_refused(deeptheory(*arguments), *words)
    assert not (tmp_path / "out").exists()
    assert "the command would refuse to start" in deeptheory(*arguments, "--dry-run").out


def test_options_that_do_not_go_together(deeptheory, assert_refused, config, sweep_file, tmp_path):
    result = deeptheory("train", config, "--out", tmp_path / "out", "--json")
    assert_refused(result, "--json: expected --dry-run beside it")
    result = deeptheory("sweep", sweep_file, "--out", tmp_path / "out", "--dry-run", "--index", 1)
    assert_refused(result, "--dry-run: expected a whole sweep, found --index 1")
