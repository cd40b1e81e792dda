"""Masks that change during retraining, on the tiny study."""

import itertools

import h5py
import numpy as np
import pytest

from deeptheory import nn, prune
from deeptheory.errors import InputError
from deeptheory.runs import Run, steps
from deeptheory.runs.configuration import config_from
from deeptheory.runs.steps.retraining import retrain_network, stored_masks
from deeptheory.runs.steps.training import trained_network
from deeptheory.store import paths
from tests.conftest import TINY

MASKED = ("stage4.conv.weight", "stage5.conv.weight", "head.linear.weight")
DENSITY = 0.2


def retrained(directory, epochs=3, **options):
    table = {**TINY, "prune": {**TINY["prune"], "arms": ["afcc", "magnitude"], "density": DENSITY, **options}}
    table["retrain"] = {**TINY["retrain"], "epochs": epochs}
    run = Run.create(directory, config_from(table), quiet=True)
    steps.chain(run)
    return run


def rounds(run, arm):
    names = run.entry_names(f"{paths.ROUNDS}/{arm}/{DENSITY:g}")
    return [run.read_tree(f"{paths.ROUNDS}/{arm}/{DENSITY:g}/{number}") for number in range(len(names))]


def full(masks, run):
    shapes = {name: array.shape for name, array in run.read_arrays("train/state").items()}
    return {
        n: np.repeat(m.ravel(), np.prod(shapes[n]) // m.size).reshape(shapes[n]) for n, m in masks.items()
    }


@pytest.mark.parametrize("arm", ["afcc", "magnitude"])
def test_gradual_masks_lie_within_each_other(tmp_path, arm):
    run = retrained(tmp_path / "run", schedule="gradual", rounds=2)
    first, last = (full(of_round["masks"], run) for of_round in rounds(run, arm))
    state = run.read_arrays(f"retrain/arms/{arm}/state")
    for name in MASKED:
        assert not (last[name] & ~first[name]).any()
        assert first[name].mean() == pytest.approx(DENSITY + 0.8 / 8, abs=0.02)
        assert last[name].mean() == pytest.approx(DENSITY, abs=0.02)
        assert ((state[name] != 0) == last[name]).all()
    masks = run.read_arrays(f"retrain/arms/{arm}/masks")
    assert all((full(masks, run)[name] == last[name]).all() for name in MASKED)


def test_an_annealed_mask_lets_connections_come_back(tmp_path):
    run = retrained(tmp_path / "run", disorder="annealed", rounds=3)
    found = [full(of_round["masks"], run) for of_round in rounds(run, "magnitude")]
    one_shot = full(run.read_arrays("prune/arms/magnitude/masks"), run)
    back = 0
    for name in MASKED:
        assert (found[0][name] == one_shot[name]).all()  # decided on the trained network, as one shot is
        assert {mask[name].sum() for mask in found} == {one_shot[name].sum()}
        back += sum((after[name] & ~before[name]).sum() for before, after in itertools.pairwise(found))
        assert ((run.read_arrays("retrain/arms/magnitude/state")[name] != 0) == found[-1][name]).all()
    assert back > 0


def test_iterative_pruning_starts_every_round_from_the_rewound_weights(tmp_path, monkeypatch):
    seen = []
    fit = nn.fit

    def watched(network, *arguments, **options):
        seen.append((options.get("masks"), network.state()))
        return fit(network, *arguments, **options)

    monkeypatch.setattr(nn, "fit", watched)
    run = retrained(tmp_path / "run", epochs=1, schedule="iterative", rounds=2, rewind_epoch=1)
    early = run.read_arrays(f"{paths.REWIND}/state")
    assert run.read_number(f"{paths.REWIND}/epoch") == 1
    starts = [state for masks, state in seen if masks][3:]  # after the masks of the calibration
    assert len(starts) == 2 * 2  # rounds of two arms
    for state in starts:
        assert all((state[name] == early[name]).all() for name in early)
    assert any((early[name] != run.read_array(f"train/state/{name}")).any() for name in MASKED)
    first, last = (full(of_round["masks"], run) for of_round in rounds(run, "afcc"))
    for name in MASKED:
        assert not (last[name] & ~first[name]).any()
        assert first[name].mean() == pytest.approx(DENSITY**0.5, abs=0.03)
    n_fits = len(seen)
    with h5py.File(run.results, "r+") as file:
        del file["retrain"], file[f"{paths.PROVENANCE}/retrain"]
    steps.retrain(run)
    assert len(seen) == n_fits + 1  # the rounds are there; only the unpruned arm is retrained again


def test_random_masks_of_the_rounds_differ_between_arms_but_not_between_calls(tmp_path):
    one = retrained(tmp_path / "one", schedule="gradual", rounds=2)
    two = retrained(tmp_path / "two", schedule="gradual", rounds=2)
    for name in MASKED:
        assert (rounds(one, "afcc")[1]["masks"][name] == rounds(two, "afcc")[1]["masks"][name]).all()


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"prune.rounds: expected at most retrain.epochs = 3, found 5; take fewer"
    ):
        retrained(tmp_path / "one", schedule="gradual", rounds=5)
    with pytest.raises(
        InputError, match=r"prune.rewind_epoch: expected below train.epochs = 2, found 2; go back"
    ):
        retrained(tmp_path / "two", schedule="iterative", rewind_epoch=2)


def test_a_schedule_that_cannot_be_kept_is_refused_before_training(tmp_path):
    with pytest.raises(InputError, match=r"prune.density: expected a density to end at"):
        retrained(tmp_path / "run", schedule="gradual", density=0.0)
    assert not Run(tmp_path / "run", quiet=True).begun


def test_too_many_rounds_are_refused_by_the_step_of_retraining_alone(tmp_path):
    table = {**TINY, "prune": {**TINY["prune"], "density": DENSITY, "schedule": "gradual", "rounds": 5}}
    run = Run.create(tmp_path / "run", config_from(table), quiet=True)
    steps.chain(run, "prune")
    with pytest.raises(InputError, match=r"prune.rounds: expected at most retrain.epochs"):
        steps.retrain(run)
    assert run.entry_names("retrain/arms") == ["unpruned"]  # which the prediction needed


def test_a_run_without_early_weights_cannot_rewind(run):
    options = prune.PruneOptions(density=DENSITY, schedule="iterative", stages=("stage4",))
    network = trained_network(run)
    masks = stored_masks(run, network, "afcc")
    with pytest.raises(InputError, match="expected weights of epoch 0, found none; train it again with this"):
        retrain_network(run, "afcc", masks, network.state(), options)
