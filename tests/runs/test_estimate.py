"""What a configuration needs, put together; times are checked for what they are made of, not for their size."""

import json

import pytest

from deeptheory.errors import InputError
from deeptheory.runs import estimate
from deeptheory.runs.configuration import config_from
from deeptheory.runs.estimates import COMPARE, duration, timing
from deeptheory.runs.estimates.memory import PARTS
from deeptheory.store import paths
from deeptheory.studies import comparison_steps
from deeptheory.system import memory, process_setup, threadpools
from deeptheory.tables import as_json
from tests.conftest import TINY


@pytest.fixture(autouse=True)
def known_times(monkeypatch):
    """One second a training step, a tenth for an input to pass, two to be measured."""
    monkeypatch.setattr(timing, "_step_seconds", lambda *key: 1.0)
    monkeypatch.setattr(timing, "_image_seconds", lambda *key: 0.1)
    monkeypatch.setattr(timing, "_filter_seconds", lambda *key: 2.0)


def of(steps=paths.STEPS, n_runs=3, jobs=1, **tables):
    return estimate(config_from({**TINY, **tables}), steps, n_runs, jobs, quiet=True)


def test_times_of_all_steps():
    # 150 training, 50 measure and 50 test inputs, batches of 20: 8 steps an epoch.
    found = of()
    assert found.per_epoch == {"train": 8, "retrain": 8}
    assert found.seconds == pytest.approx({"train": 2 * 8 + 10, "measure": 100 + 5, "retrain": 5 * (8 + 5)})
    assert found.unknown == ["fitting probes and finding clusters", "the step predict", "the step prune"]
    assert found.core_hours == pytest.approx(3 * sum(found.seconds.values()) / 3600)


def test_retraining_by_rounds_and_from_scratch():
    prune = {**TINY["prune"], "density": 0.2, "schedule": "iterative", "rounds": 3}
    assert of(prune=prune).seconds["retrain"] == pytest.approx(4 * 3 * 8 + 8 + 5 * 5)
    scratch = {**TINY["prune"], "arms": ["afcc", "random-afcc"]}
    assert of(prune=scratch).seconds["retrain"] == pytest.approx(8 + 8 + 2 * 8 + 3 * 5)


def test_a_comparison_retrains_every_criterion_at_every_density():
    compare = {"criteria": ["lamp", "magnitude"], "densities": [0.5, 0.2, 0.1]}
    steps = comparison_steps(config_from({**TINY, "compare": compare}))
    assert steps == ("train", COMPARE)
    assert of(steps, compare=compare).seconds[COMPARE] == pytest.approx(7 * (8 + 5))
    alone = of(steps, compare={**compare, "alone": True})
    assert alone.seconds[COMPARE] == pytest.approx((3 * 6 + 1) * (8 + 5))  # two stages and the head
    measured = config_from({**TINY, "compare": {**compare, "criteria": ["afcc"]}})
    assert comparison_steps(measured) == ("train", "measure", COMPARE)


def test_the_numbers_are_those_of_the_text():
    found = of()
    numbers = json.loads(as_json(found.numbers))
    assert numbers["memory_bytes"] == sum(numbers["parts_bytes"][numbers["largest_step"]].values())
    assert set(numbers["parts_bytes"]) == set(paths.STEPS)
    assert tuple(numbers["parts_bytes"]["train"]) == PARTS
    assert numbers["least_memory_bytes"] <= numbers["memory_bytes"]
    assert (numbers["runs"], numbers["jobs"], numbers["threads"]) == (3, 1, 1)
    title, header, _, *rows = found.text.splitlines()
    assert title.startswith("vgg6, width 0.125, 5 labels, 150 training images of 16 x 16 x 1: memory in MB")
    assert header.split()[:3] == ["step", "program", "data"]
    train = rows[0].split()
    assert train[0] == "train"
    assert float(train[8]) == round(found.parts["train"].total / 1e6)
    assert found.text.splitlines()[-4:-1] == found.comment.splitlines()


def test_the_comment_is_short():
    memory, time, together = of(("train",)).comment.splitlines()
    assert memory.startswith("memory of a run: ")
    assert "(step train); run file: " in memory
    assert time == "time of a run with 1 thread: 26 s (train 8 s an epoch)"
    assert together == "all 3 runs: 0.022 core-hours, 1 at a time"


def test_without_memory_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(timing, "_step_seconds", lambda *key: pytest.fail("a step was computed"))
    monkeypatch.setattr(memory, "free_memory", lambda: 10**6)
    found = of()
    assert (found.seconds, found.per_epoch) == ({}, {})
    assert found.text.endswith("free memory: 0.001 GB: too little, the command would refuse to start")
    assert len(found.comment.splitlines()) == 1


def test_a_system_that_does_not_say(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    assert of().text.endswith("how much memory is free is not known here")


def test_every_run_gets_its_share_of_the_threads(monkeypatch):
    threads = []
    monkeypatch.setattr(threadpools, "threads", lambda: 4)
    monkeypatch.setattr(process_setup, "configure", threads.append)
    assert of(("train",), jobs=2).threads == 2
    assert threads == [2, 4]


def test_bad_input_is_refused_as_by_the_run():
    stages = {**TINY["prune"], "stages": ["stage44"]}
    with pytest.raises(InputError, match="did you mean 'stage4'"):
        of(prune=stages)
    with pytest.raises(InputError, match=r"prune.rewind_epoch: expected below train.epochs = 2"):
        of(prune={**TINY["prune"], "schedule": "iterative", "density": 0.1, "rewind_epoch": 2})
    with pytest.raises(InputError, match="at least one input of every label"):
        of(data={**TINY["data"], "train_per_label": 1})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "0.012 s"), (42.4, "42 s"), (119, "119 s"), (150, "2.5 min"), (9000, "2.5 h")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
