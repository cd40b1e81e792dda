"""What a configuration needs: the law against what steps take, and how times and numbers are put together."""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run, estimate, steps
from deeptheory.runs.configuration import config_from, read_config
from deeptheory.runs.estimates import COMPARE, duration, requirements, sizes_of
from deeptheory.runs.estimates.timing import epoch_seconds
from deeptheory.store import paths
from deeptheory.studies import comparison_steps
from deeptheory.system import memory, threadpools
from deeptheory.tables import as_json
from tests.conftest import TINY

PLENTY = 1e12
SMALL_GLYPHS = Path(__file__).parents[2] / "simulations" / "small-glyphs.toml"
THIRTY = "data.n_labels=30", "train.epochs=2", "retrain.epochs=1"
WIDE = *THIRTY, "data.size=32", "network.width=0.5", "data.train_per_label=100", "probe.inputs=2000"
TERMS = "program", "data", "weights", "batch", "arrays"


def tiny(**tables):
    return config_from({**TINY, **tables})


@pytest.fixture
def needs(monkeypatch, tmp_path):
    """The estimate of a tiny configuration on which an epoch takes a second."""
    monkeypatch.setattr(requirements, "epoch_seconds", lambda *key: 1.0)

    def of(steps=paths.STEPS, n_runs=3, jobs=1, **tables):
        return estimate(
            tiny(**tables), steps, [tmp_path / str(number) for number in range(n_runs)], jobs, True
        )

    return of


@pytest.mark.parametrize("step", ["measure", "prune", "retrain"])
def test_steps_allocate_what_the_law_says(run_until, step):
    run = run_until(paths.STEPS[paths.STEPS.index(step) - 1])
    assert run.dataset.n_labels  # what a run holds before is the same for all steps
    tracemalloc.start()
    try:
        getattr(steps, step)(run)
        allocated = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    terms = sizes_of(run.config).terms(step, PLENTY)
    assert 0.8 < (sum(terms.values()) - terms["program"]) / allocated < 1.3


@pytest.mark.parametrize("name", ["resnet20", "efficientnet-b0"])
def test_networks_with_layers_that_mix_no_channels_have_their_law(name):
    network = {"name": name, "width": 0.25} | ({"depth": 0.3} if name != "resnet20" else {})
    sizes = sizes_of(tiny(network=network, prune={"stages": ["stage5"]}))
    assert sizes.peak("predict", PLENTY) > 0


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), THIRTY, WIDE], ids=["small glyphs", "30 labels", "32x32"])
def test_real_runs_take_what_the_law_says(tmp_path, options):
    """Every command in a process of its own; the first one compiles kernels where that is still to be done."""

    def call(*arguments):
        command = [sys.executable, "-m", "deeptheory", *map(str, arguments), "--threads", "1", "--quiet"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    asked = [SMALL_GLYPHS, *(word for option in options for word in ("--set", option))]
    call("train", *asked, "--out", tmp_path / "first", "--set", "train.epochs=1")
    for step in paths.STEPS:
        call(*(["train", *asked, "--out", tmp_path / "run"] if step == "train" else [step, tmp_path / "run"]))
    numbers = json.loads(call("confirm", *asked, "--out", tmp_path / "other", "--dry-run", "--json"))
    for step in paths.STEPS:
        measured = Run(tmp_path / "run").read_number(f"{step}/peak_bytes")
        assert 0.9 < sum(numbers["parts_bytes"][step].values()) / measured < 1.15, step


def test_a_replaced_file_has_sizes_of_its_own(tmp_path):
    labels = np.arange(90) % 3
    config = tiny(data={"source": "files", "path": str(tmp_path / "images.npz")})
    for side in (16, 32):
        images = np.zeros((90, side, side, 1), np.uint8)
        np.savez(tmp_path / "images.npz", train_images=images, train_labels=labels)
        assert sizes_of(config, quiet=True).source.input_shape == (side, side, 1)


@pytest.mark.parametrize("batch", [20, 50, 128])
def test_the_batch_is_foretold_from_smaller_ones(batch):
    sizes = sizes_of(tiny(train={**TINY["train"], "batch": batch}))
    network = sizes.source.fresh(np.random.default_rng(0))
    logits, _ = network.forward(np.zeros((batch, 16, 16, 1), np.float32), training=True)
    network.backward(logits)
    tested = max(sizes.inputs["measure"], sizes.inputs["test"])
    network.infer(np.zeros((tested, 16, 16, 1), np.float32))
    assert 0.9 < sizes.batch["train"] / network.scratch_bytes() < 1.25


def test_a_batch_is_at_most_the_inputs_that_there_are():
    n = sizes_of(tiny()).inputs["train"]
    whole, larger = (
        sizes_of(tiny(**{name: {**TINY[name], "batch": batch} for name in ("train", "retrain")}))
        for batch in (n, 10**9)
    )
    assert larger.batch == whole.batch
    assert epoch_seconds(larger, larger.config.train) > 0


def test_features_take_what_is_free():
    data = {**TINY["data"], "train_per_label": 1000}
    sizes = sizes_of(tiny(data=data))
    assert len(sizes.probed) == 4  # the head is the probe of the last stage
    features = [4 * sizes.inputs["train"] * size for size in sizes.probed]
    one, two, all_stages = (sizes.peak("measure", free) for free in (0.0, 2.0 * sum(features[:2]), PLENTY))
    assert (two - one, all_stages - two) == (features[1], sum(features[2:]))
    assert sizes_of(tiny(data=data, probe={"inputs": 500})).peak("measure") < one
    last = tiny(data=data, measure={"stages": ["stage5"]}, prune={"stages": []})
    assert sizes_of(last).peak("measure") < one  # no probe to fit


def test_the_file_is_as_large_as_foretold(run):
    sizes = sizes_of(run.config)
    assert sizes is sizes_of(tiny(seed=9))
    assert 0.7 < sizes.file(paths.STEPS) / run.results.stat().st_size < 1.1
    iterative = {**TINY["prune"], "schedule": "iterative", "rounds": 3, "density": 0.1}
    more = sizes_of(tiny(prune=iterative)).file(paths.STEPS) - sizes.file(paths.STEPS)
    assert more == 3 * len(run.config.prune.arms) * sizes.state


def test_finished_runs_say_what_steps_take(needs, run, monkeypatch):
    directories = [run.directory.parent / "missing", run.directory]
    known = estimate(run.config, paths.STEPS, directories, quiet=True)
    assert known.parts_bytes == {
        step: {"recorded": run.read_number(f"{step}/peak_bytes")} for step in paths.STEPS
    }
    assert known.seconds == {step: run.read_number(f"{step}/wall_seconds") for step in paths.STEPS}
    assert known.not_estimated == []
    monkeypatch.setattr(threadpools, "threads", lambda: 7)  # with others, times do not count
    monkeypatch.setattr(threadpools, "allowed_threads", lambda: 7)
    assert estimate(run.config, ("train",), directories, quiet=True).seconds == {"train": 2.0}


def test_times_of_all_steps(needs):
    found = needs()
    assert found.seconds_per_epoch == {"train": 1, "predict": 1, "retrain": 1}
    assert found.seconds == {"train": 2, "predict": 4, "retrain": 4}  # the unpruned arm and three masks first
    assert found.not_estimated == ["measure", "prune"]
    assert found.core_hours == pytest.approx(3 * 10 / 3600)
    iterative = {**TINY["prune"], "density": 0.2, "schedule": "iterative", "rounds": 3}
    assert needs(prune=iterative).seconds["retrain"] == 4 * 3
    assert needs(prune={**TINY["prune"], "arms": ["afcc", "random-afcc"]}).seconds["retrain"] == 1 + 2


def test_a_comparison_retrains_every_criterion_at_every_density(needs):
    compare = {"criteria": ["lamp", "magnitude"], "densities": [0.5, 0.2, 0.1]}
    steps = comparison_steps(tiny(compare=compare))
    assert steps == ("train", COMPARE)
    assert needs(steps, compare=compare).seconds[COMPARE] == 7
    assert needs(steps, compare={**compare, "predict": True}).seconds[COMPARE] == 7 + 4
    assert (
        needs(steps, compare={**compare, "alone": True}).seconds[COMPARE] == 3 * 6 + 1
    )  # two stages and the head
    assert comparison_steps(tiny(compare={**compare, "criteria": ["afcc"]})) == ("train", "measure", COMPARE)


def test_the_numbers_are_those_of_the_text(needs):
    found = needs()
    numbers = json.loads(as_json(found.numbers))
    assert numbers["memory_bytes"] == sum(numbers["parts_bytes"][numbers["largest_step"]].values())
    assert list(numbers["parts_bytes"]) == list(paths.STEPS)
    assert tuple(numbers["parts_bytes"]["train"]) == TERMS
    assert numbers["least_memory_bytes"] <= numbers["memory_bytes"]
    assert (numbers["runs"], numbers["jobs"], numbers["threads"]) == (3, 1, 1)
    title, header, _, train, *_ = found.text.splitlines()
    assert title.startswith("vgg6, width 0.125, 5 labels, 150 training images of 16 x 16 x 1: memory in MB")
    assert header.split()[:7] == ["step", *TERMS, "together"]
    assert float(train.split()[6]) == round(sum(found.parts_bytes["train"].values()) / 1e6)
    first, second, third = needs(("train",)).comment.splitlines()
    assert first.startswith("memory of a run: ")
    assert "(step train); run file: " in first
    assert second == "time of a run with 1 thread: 2 s (train 1 s an epoch)"
    assert third == "all runs (3): 0.0017 core-hours, 1 at a time"


def test_where_memory_is_short_or_unknown_it_is_said(needs, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    assert needs().text.endswith("how much memory is free is not known here")
    monkeypatch.setattr(memory, "free_memory", lambda: 10**6)
    monkeypatch.setattr(requirements, "epoch_seconds", lambda *key: pytest.fail("a step was computed"))
    found = needs()
    assert (found.seconds, found.seconds_per_epoch) == ({}, {})
    assert found.text.endswith("free memory: 0.001 GB: too little, the command would refuse to start")


def test_every_run_gets_its_share_of_the_threads(needs, monkeypatch):
    threads = []
    monkeypatch.setattr(threadpools, "threads", lambda: 4)
    monkeypatch.setattr(threadpools, "choose_threads", threads.append)
    before = threadpools._chosen
    assert needs(("train",), jobs=2).threads == 2
    assert (threads, threadpools._chosen) == ([2], before)


def test_an_epoch_is_tried_once_for_every_shape():
    sizes = sizes_of(read_config(SMALL_GLYPHS, ["network.width=0.125", "data.train_per_label=20"]))
    recipe = sizes.config.train
    first = requirements.epoch_seconds(sizes, recipe)
    assert 0 < first == requirements.epoch_seconds(sizes, recipe)


@pytest.mark.parametrize(
    ("tables", "text"),
    [
        ({"prune": {**TINY["prune"], "stages": ["stage44"]}}, "did you mean 'stage4'"),
        ({"data": {**TINY["data"], "train_per_label": 1}}, "at least 2 inputs of every label"),
    ],
)
def test_bad_input_is_refused_as_by_the_run(needs, tables, text):
    with pytest.raises(InputError, match=text):
        needs(**tables)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "0.012 s"), (42.4, "42 s"), (119, "119 s"), (150, "2.5 min"), (9000, "2.5 h")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_passes_of_large_images_are_foretold(monkeypatch):
    monkeypatch.setattr("deeptheory.nn.pass_sizes.BYTES", 600_000)
    width = 0.19  # whose scratch no other test has taken
    sizes = sizes_of(tiny(network={**TINY["network"], "width": width}))
    network = sizes.source.fresh(np.random.default_rng(0))
    assert 4 < sizes.per_pass == network.inputs_per_pass < 50
    network.infer(np.zeros((sizes.per_pass, 16, 16, 1), np.float32))
    assert 0.9 < sizes.batch["measure"] / network.scratch_bytes() < 1.25
