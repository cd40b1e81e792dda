"""A run by another recipe: what is recorded, that it survives interruptions, that masks hold, what is refused."""

import h5py
import numpy as np
import pytest

from deeptheory import data
from deeptheory.errors import InputError
from deeptheory.runs import Run, steps
from deeptheory.runs.configuration import config_from
from deeptheory.runs.option_changes import change_options
from deeptheory.runs.steps.training import stored_splits
from deeptheory.store import paths
from deeptheory.system import interruption
from tests.conftest import TINY

RECIPE = {
    "optimiser": "adamw",
    "l2": 0.01,
    "schedule": "constant",
    "warm_up": 1,
    "clip_norm": 1.0,
    "label_smoothing": 0.1,
}
TABLES = {
    **TINY,
    "train": {**TINY["train"], **RECIPE, "epochs": 4, "label_noise": 0.2, "patience": 2},
    "prune": {"stages": ["stage4", "stage5"], "arms": ["afcc", "random-afcc"]},
    "retrain": {**TINY["retrain"], "epochs": 2, "schedule": "cosine"},
}


@pytest.fixture(scope="module")
def chained(tmp_path_factory):
    """A finished run; not to be written to."""
    run = Run.create(tmp_path_factory.mktemp("recipe") / "run", config_from(TABLES), quiet=True)
    steps.chain(run)
    return run


def test_replaced_labels_are_recorded_and_those_of_the_train_split_alone(chained):
    splits = stored_splits(chained)
    noise = splits.noise
    assert len(noise.inputs) == round(0.2 * len(splits.train))
    assert np.isin(noise.inputs, splits.train).all()
    true = chained.dataset.train_labels
    assert (noise.labels != true[noise.inputs]).all()
    _, labels = data.select(chained.dataset, splits, "train")
    assert (labels != true[splits.train]).sum() == len(noise.inputs)
    assert (data.select(chained.dataset, splits, "measure")[1] == true[splits.measure]).all()
    with h5py.File(chained.results) as file:
        np.testing.assert_array_equal(file["train/splits/noise/inputs"], noise.inputs)


def test_a_plain_run_has_no_entries_of_other_recipes(finished_study):
    run = Run(finished_study / "seed-3", quiet=True)
    assert set(run.entry_names("train/splits")) == {"train", "measure", "test", "test_from_pool"}
    assert set(run.entry_names("train/history")) == {"loss", "accuracy", "learning_rate", "seconds"}


def test_the_log_says_which_epoch_is_kept_and_what_that_does(chained):
    held_out = chained.read_array("train/history/held_out")
    best = int(held_out.argmax())
    assert chained.read_number("train/accuracy/measure") == held_out[best]
    log = (chained.directory / paths.LOG).read_text(encoding="utf-8")
    assert f"weights of epoch {best + 1}, the best of {len(held_out)} on the measure split" in log
    assert "these inputs chose them" in log
    assert chained.has(
        "retrain/arms/random-afcc/history/held_out"
    )  # trained from scratch, by the same recipe
    assert not chained.has("retrain/arms/afcc/history/held_out")


@pytest.mark.parametrize("arm", TABLES["prune"]["arms"])
def test_masks_hold_under_adam_and_weight_decay(chained, arm):
    for name, mask in chained.read_arrays(f"retrain/arms/{arm}/masks").items():
        weight = chained.read_array(f"retrain/arms/{arm}/state/{name}")
        kept = np.broadcast_to(mask.reshape(*mask.shape, *[1] * (weight.ndim - mask.ndim)), weight.shape)
        assert not weight[~kept].any()
        assert weight[kept].all()


@pytest.mark.parametrize("n_steps", [3, 11])
def test_a_stopped_run_ends_with_the_same_bits(chained, tmp_path, monkeypatch, assert_same, n_steps):
    """Stopped again and again, in the training and in every arm."""
    run = Run.create(tmp_path / "run", config_from(TABLES), quiet=True)
    calls, stops = 0, 0

    def asked():
        nonlocal calls
        calls += 1
        return calls % n_steps == 0

    monkeypatch.setattr("deeptheory.nn.Session.__new__.__defaults__", (None, "train", False, asked))
    while run.needs("retrain"):
        try:
            steps.chain(run)
        except interruption.Interrupted:
            stops += 1
    assert stops > 2
    for group in ("train", "retrain"):
        found, expected = (dict(of.read_tree(group)) for of in (run, chained))
        assert_same(found, expected)


def test_a_retraining_by_another_optimiser_takes_a_learning_rate_of_its_own(run_until):
    run = run_until("prune")
    with pytest.raises(
        InputError,
        match=r"retrain.learning_rate: expected one for adam, found 0.05, .*; give both; .* starts at 0.0005",
    ):
        change_options(run, ["retrain.optimiser=adam"], "retrain", chained=True)
    with h5py.File(run.results, "r+") as file:
        del file["predict"]
    options = ["retrain.optimiser=adam", "retrain.learning_rate=0.0005"]
    change_options(run, options, "retrain", chained=True)
    assert (run.config.retrain.optimiser, run.config.retrain.learning_rate) == ("adam", 0.0005)


def test_an_early_stop_before_the_epoch_to_go_back_to_is_refused():
    tables = {**TABLES, "prune": {"schedule": "iterative", "density": 0.5, "rounds": 2, "rewind_epoch": 3}}
    with pytest.raises(InputError, match=r"prune.rewind_epoch: expected at most train.patience = 2, found 3"):
        steps.check_options(config_from(tables), ("train",))
