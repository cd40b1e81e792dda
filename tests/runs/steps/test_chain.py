import os
import sys

import msgspec
import numpy as np
import pytest

import deeptheory.nn.training
from deeptheory import data, nn
from deeptheory.errors import InputError
from deeptheory.runs import Run, steps
from deeptheory.runs.configuration import config_from
from deeptheory.runs.datasets import outlined
from deeptheory.runs.steps.training import build_network
from deeptheory.store import paths
from deeptheory.store.checkpoints import CheckpointStore
from deeptheory.system import process_setup
from deeptheory.system.interruption import Interrupted

ARMS = ("afcc", "random", "label-permuted", "magnitude")


def with_tables(config, **tables):
    """The configuration with some options changed: `train={"epochs": 3}`."""
    table = msgspec.to_builtins(config)
    return config_from(
        {name: {**own, **tables.get(name, {})} for name, own in table.items() if isinstance(own, dict)}
    )


@pytest.mark.parametrize("step", paths.STEPS[1:])
def test_a_step_works_alone_and_gives_what_it_gave_in_the_study(
    assert_same,
    finished_study,
    run_until,
    step,
):
    run = run_until(paths.STEPS[paths.STEPS.index(step) - 1])
    assert not run.done(step)
    getattr(steps, step)(run)
    assert run.done(step)
    assert_same(run.read_tree(step), Run(finished_study / "seed-3").read_tree(step))


def test_stages_measured_alone_have_the_numbers_that_they_have_among_all(
    finished_study,
    tiny_config,
    tmp_path,
):
    config = with_tables(tiny_config, measure={"stages": ["stage5", "stage4"]}, prune={"stages": ["stage5"]})
    alone = Run.create(tmp_path / "alone", msgspec.structs.replace(config, seed=tiny_config.seed), quiet=True)
    for step in paths.STEPS:
        getattr(steps, step)(alone)
    whole = Run(finished_study / "seed-3")
    assert alone.read_names("measure/stage_names") == ["stage4", "stage5"]
    assert alone.entry_names("measure/stages") == alone.entry_names("predict/stages") == ["stage4", "stage5"]
    for stage in ("stage4", "stage5"):
        path = f"{paths.stage_path('measure', stage)}/strengths"
        np.testing.assert_array_equal(alone.read_array(path), whole.read_array(path))
    assert alone.read_number("retrain/arms/afcc/accuracy") > 0


@pytest.mark.parametrize(
    ("stages", "masked", "message"),
    [
        (
            ["stage4"],
            [],
            r"measure.stages: expected the last stage, 'stage5', among them, found stage4; add 'stage5'",
        ),
        (["stage5", "stag4"], [], r"measure.stages: expected one of stage1, .*did you mean 'stage4'"),
        (
            ["stage3", "stage5"],
            ["stage5"],
            r"measure.stages: expected all stages that masks are made from, found stage3, stage5; add stage4",
        ),
    ],
)
def test_stages_that_cannot_be_measured_alone_are_refused_before_training(
    tmp_path, tiny_config, stages, masked, message
):
    config = with_tables(tiny_config, measure={"stages": stages}, prune={"stages": masked})
    run = Run.create(tmp_path / "run", config, quiet=True)
    with pytest.raises(InputError, match=message):
        steps.train(run)
    assert not run.done("train")


@pytest.mark.parametrize("step", paths.STEPS)
def test_a_step_that_is_done_returns_at_once(run, step, monkeypatch):
    monkeypatch.setattr("deeptheory.runs.run.load_whole", None)  # it does not even read the data
    before = run.results.stat().st_mtime_ns, run.results.read_bytes()
    getattr(steps, step)(run)
    assert (run.results.stat().st_mtime_ns, run.results.read_bytes()) == before


@pytest.mark.parametrize(
    ("step", "needed"),
    [("measure", "train"), ("predict", "measure"), ("prune", "predict"), ("retrain", "prune")],
)
def test_a_step_too_early_says_which_command_comes_first(tmp_path, tiny_config, run_until, step, needed):
    if needed == "train":
        run = Run.create(tmp_path / "run", tiny_config, quiet=True)
        command = f"deeptheory train {run.directory}/config.toml --out {run.directory}"
    else:
        run = run_until(paths.STEPS[paths.STEPS.index(needed) - 1])
        command = f"deeptheory {needed} {run.directory}"
    with pytest.raises(InputError) as error:
        getattr(steps, step)(run)
    expected = f"run {run.directory}: expected the results of '{needed}', found none; run '{command}' first"
    assert str(error.value) == expected


@pytest.mark.parametrize("threads", [1, 2])
def test_two_runs_of_one_seed_have_the_same_weights_to_the_bit(
    assert_same,
    tmp_path,
    tiny_config,
    threads,
):
    if threads > len(os.sched_getaffinity(0)):
        pytest.skip("one processor")
    process_setup.configure(threads)
    runs = [Run.create(tmp_path / name, tiny_config, quiet=True) for name in ("one", "two")]
    for run in runs:
        steps.train(run)
    process_setup.configure(1)
    assert_same(runs[1].read_tree("train"), runs[0].read_tree("train"))


def test_another_seed_gives_other_splits_and_weights(finished_study, tmp_path, tiny_config):
    other = Run.create(tmp_path / "run", msgspec.structs.replace(tiny_config, seed=4), quiet=True)
    steps.train(other)
    first = Run(finished_study / "seed-3")
    assert not np.array_equal(
        first.read_array("train/splits/measure"), other.read_array("train/splits/measure")
    )
    weight = "train/state/stage2.conv.weight"
    assert not np.array_equal(first.read_array(weight), other.read_array(weight))


def test_interrupted_training_goes_on_to_the_same_weights(
    assert_same, finished_study, tmp_path, tiny_config, monkeypatch
):
    run = Run.create(tmp_path / "run", tiny_config, quiet=True)
    stop_in(monkeypatch, call=1)
    with pytest.raises(Interrupted):
        steps.train(run)
    assert (run.directory / paths.CHECKPOINT).exists()
    monkeypatch.undo()
    steps.train(run)
    assert_same(run.read_tree("train"), Run(finished_study / "seed-3").read_tree("train"))
    assert not (run.directory / paths.CHECKPOINT).exists()


def test_interrupted_retraining_goes_on_to_the_same_arms(
    assert_same,
    finished_study,
    run_until,
    monkeypatch,
):
    run = run_until("prune")
    stop_in(monkeypatch, call=3)
    with pytest.raises(Interrupted):
        steps.retrain(run)
    monkeypatch.undo()
    assert [arm for arm in ("unpruned", *ARMS) if run.has(f"retrain/arms/{arm}")] == ["unpruned", "afcc"]
    assert not run.done("retrain")
    calls = count_fits(monkeypatch)
    steps.retrain(run)
    assert calls == ["seed-3 retrain random", "seed-3 retrain label-permuted", "seed-3 retrain magnitude"]
    assert_same(run.read_tree("retrain"), Run(finished_study / "seed-3").read_tree("retrain"))


def stop_in(monkeypatch, call):
    """The so manieth training stops after its first step."""
    fit, calls = nn.fit, []

    def stopping(*arguments, **named):
        calls.append(1)
        session = named.pop("session")._replace(should_stop=lambda: len(calls) == call)
        return fit(*arguments, **named, session=session)

    monkeypatch.setattr(nn, "fit", stopping)


def count_fits(monkeypatch):
    fit, titles = nn.fit, []

    def counting(*arguments, **named):
        titles.append(named["session"].title)
        return fit(*arguments, **named)

    monkeypatch.setattr(nn, "fit", counting)
    return titles


def test_the_prediction_is_older_than_masks_and_retraining(run):
    stamps = [
        run.read_text(path)
        for path in ("predict/begun", "predict/finished", "prune/finished", "retrain/finished")
    ]
    assert stamps == sorted(stamps)


def test_a_prediction_is_never_made_after_the_fact(run_until, monkeypatch):
    run = run_until("measure")
    clock = iter(f"2026-01-01T00:00:{second:02d}+00:00" for second in range(60))
    for module in ("deeptheory.runs.run", "deeptheory.runs.steps.prediction"):
        monkeypatch.setattr(sys.modules[module], "now", lambda: next(clock))
    for step in ("predict", "prune", "retrain"):
        getattr(steps, step)(run)
    predicted = run.read_text("predict/begun"), run.read_text("predict/finished")
    assert max(predicted) < run.read_text("prune/finished") < run.read_text("retrain/finished")


def test_an_infinite_loss_stops_the_training_and_keeps_the_last_checkpoint(
    assert_same, finished_study, tmp_path, tiny_config, monkeypatch
):
    run = Run.create(tmp_path / "run", tiny_config, quiet=True)
    step, calls = deeptheory.nn.training._step, []

    def diverging(*arguments):
        calls.append(1)
        return (float("nan"), 0) if len(calls) == 10 else step(*arguments)

    monkeypatch.setattr(deeptheory.nn.training, "_step", diverging)
    monkeypatch.setattr(CheckpointStore, "due", True)
    with pytest.raises(InputError) as error:
        steps.train(run)
    assert str(error.value) == (
        "loss at epoch 2, step 2: expected a finite number, found nan; "
        f"use a smaller learning_rate ({run.directory}/checkpoint.h5 keeps the last good one)"
    )
    monkeypatch.undo()
    steps.train(run)
    assert_same(run.read_tree("train"), Run(finished_study / "seed-3").read_tree("train"))


def test_a_huge_learning_rate_is_refused_at_the_step_where_it_shows(tmp_path, tiny_config):
    run = Run.create(tmp_path / "run", with_tables(tiny_config, train={"learning_rate": 1e30}), quiet=True)
    expected = r"^loss at epoch 1, step \d: expected a finite number, found nan; .*\(none was written yet\)$"
    with pytest.raises(InputError, match=expected), np.errstate(all="ignore"):
        steps.train(run)
    assert not run.done("train")


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"prune": {"stages": ["stage99"]}},
            r"^prune.stages: expected one of stage1, .*; did you mean 'stage5'\?$",
        ),
        (
            {"prune": {"stages": ["stage1"]}},
            "^prune.stages: .* found 'stage1', which reads the image; leave it out",
        ),
        (
            {"prune": {"stages": [], "head": False}},
            "^prune: expected a stage or the head to mask, found neither",
        ),
        ({"prune": {"arms": ["random"]}}, "^prune.arms: expected 'afcc' among them, found random; add it"),
        (
            {"probe": {"inputs": 3}},
            "^probe.inputs: expected 0 for all, or at least 5, one for each label, fo",
        ),
        ({"prune": {"arms": ["afcc", "randon"]}}, r"^prune.arms: .*found 'randon'; did you mean 'random'\?$"),
        (
            {"network": {"name": "vgg16"}},
            r"^input of stage13.pool: expected shape .*, found shape \(1, 1, 64\); use larger images or ",
        ),
        (
            {"network": {"name": "lenet", "classifier": "hidden"}},
            "^classifier of lenet: expected 'linear', found 'hidden'",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_the_training(tmp_path, tiny_config, monkeypatch, tables, message):
    monkeypatch.setattr(nn, "fit", None)
    run = Run.create(tmp_path / "run", with_tables(tiny_config, **tables), quiet=True)
    with pytest.raises(InputError, match=message):
        steps.train(run)
    assert not run.begun


def test_a_label_without_an_input_in_a_split_is_named(tmp_path, tiny_config):
    labels = np.repeat([0, 1, 2], [6, 1, 6])
    images = np.zeros((13, 16, 16, 1), np.uint8)
    data.pack(data.Dataset("few", images, labels, images, labels, ("a", "b", "c")), tmp_path / "few.npz")
    tables = {"data": {"source": "files", "path": str(tmp_path / "few.npz")}}
    run = Run.create(tmp_path / "run", with_tables(tiny_config, **tables), quiet=True)
    expected = r"^split 'train' of 'few.npz': expected .* of every label, found 0 of label 1 .*;"
    with pytest.raises(InputError, match=expected):
        steps.train(run)


def test_controls_without_training_and_without_labels(finished_study, tmp_path, tiny_config):
    data = msgspec.structs.replace(tiny_config.data, labels="shuffled")
    config = with_tables(tiny_config, train={"epochs": 0})
    run = Run.create(tmp_path / "run", msgspec.structs.replace(config, data=data), quiet=True)
    steps.train(run)
    steps.measure(run)
    initial = build_network(run).parameters()
    assert all((run.read_array(f"train/state/{name}") == values).all() for name, values in initial.items())
    true = Run(finished_study / "seed-3", quiet=True).dataset
    assert (run.dataset.train_images == true.train_images).all()
    assert not (run.dataset.train_labels == true.train_labels).all()


def test_some_of_the_labels_of_a_file(tmp_path, tiny_config):
    labels = np.tile(np.arange(6), 20)
    images = np.broadcast_to(labels[:, None, None, None], (120, 16, 16, 1)).astype(np.uint8)
    names = tuple("abcdef")
    data.pack(data.Dataset("six", images, labels, images, labels, names), tmp_path / "six.npz")
    found = []
    for seed in (0, 1):
        of_files = {"source": "files", "path": str(tmp_path / "six.npz"), "labels_used": 3}
        config = with_tables(tiny_config, data=of_files, train={"epochs": 0})
        config = msgspec.structs.replace(config, seed=seed)
        run = Run.create(tmp_path / f"seed-{seed}", config, quiet=True)
        steps.train(run)
        found.append(run.read_names("train/label_names"))
        assert run.read_array("train/state/head.linear.weight").shape[0] == 3
        assert list(outlined(config).label_names) == found[-1]
        drawn = run.dataset.train_images[:, 0, 0, 0]
        assert [names[label] for label in np.unique(drawn)] == found[-1]
    assert found[0] != found[1]  # of the run's own seed
    assert (
        "warning: the test inputs are those of training, one for one"
        in (run.directory / "log.txt").read_text()
    )
    glyphs = with_tables(tiny_config, data={"labels_used": 3})
    with pytest.raises(InputError, match=r"data.labels_used: expected 0 for glyphs, found 3; set data.n_l"):
        outlined(glyphs)


def test_accuracy_of_every_label(run):
    for stage in ("stage1", "stage5"):
        of_labels = run.read_array(f"measure/stages/{stage}/label_accuracy")
        assert of_labels.shape == (5,)
        # as many test inputs of every label
        assert of_labels.mean() == pytest.approx(run.read_number(f"measure/stages/{stage}/probe_accuracy"))
