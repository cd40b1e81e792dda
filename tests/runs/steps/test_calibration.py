"""The masks that are retrained to find the recovery law, and what predictions are made of it."""

import shutil

import numpy as np
import pytest

from deeptheory import data, nn, prune, theory
from deeptheory.runs import Run, steps
from deeptheory.runs.configuration import config_from
from deeptheory.runs.steps import calibration
from deeptheory.runs.steps.arms import pruned_arms
from deeptheory.runs.steps.training import stored_splits, trained_network
from deeptheory.store import hdf5, paths
from deeptheory.studies import predicted_losses
from tests.conftest import TINY

pytestmark = pytest.mark.usefixtures("one_thread")
WHERE = paths.join("predict", paths.CALIBRATION)


@pytest.fixture(scope="module")
def finished(finished_study):
    return Run(finished_study / "seed-3", quiet=True)


def test_the_masks_enclose_the_density_of_the_arms(finished):
    network, arms = trained_network(finished), pruned_arms(finished)
    afcc = arms["afcc"]
    masks = calibration.calibration_masks(finished, network, afcc.masks.layers, afcc.n_kept, afcc.n_kept)
    assert list(masks) == ["random", "random-between", "magnitude"]
    for layer in afcc.masks.layers:
        sparser, between, denser = (int(mask.kernels(layer.weight).sum()) for mask in masks.values())
        assert sparser <= afcc.n_kept[layer.weight] <= denser < layer.n_kernels
        assert sparser <= between <= denser
    assert masks["random"].total_density < afcc.masks.total_density < masks["magnitude"].total_density
    assert not np.array_equal(
        masks["random"]["head.linear.weight"], arms["random"].masks["head.linear.weight"]
    )


def test_densities_near_one_stay_below_it(finished):
    network, layers = trained_network(finished), pruned_arms(finished)["afcc"].masks.layers
    masks = calibration.calibration_masks(finished, network, layers, 0.5, 0.9)
    assert masks["random"].total_density == pytest.approx(0.4, abs=0.05)
    assert masks["magnitude"].total_density == pytest.approx(0.95, abs=0.02)
    assert masks["random-between"].total_density == pytest.approx((0.4 * 0.95) ** 0.5, abs=0.05)


def test_predicted_losses_follow_the_law_that_is_stored(finished):
    stored = finished.read_tree("predict")
    law = stored.read_tree(paths.RECOVERY)
    assert law.read_number("calibrations") == 3
    known = [
        theory.Calibration(
            *(
                finished.read_number(paths.join(WHERE, name, entry))
                for entry in ("refit_loss", "loss", "loss_error", "capacity")
            )
        )
        for name in finished.entry_names(WHERE)
        if name != paths.REFITS
    ]
    accuracy = finished.read_number("predict/arms/unpruned/refitted")
    again = theory.RecoveryLaw(accuracy, calibration._relative_time(finished), known)
    assert again.factor == law.read_number("factor")
    for arm in finished.config.prune.arms:
        found = finished.read_tree(paths.arm_path("predict", arm))
        expected = again.predict(*(found[entry] for entry in ("refit_loss", "capacity", "refit_error")))
        assert (found["loss"], found["loss_low"], found["loss_high"]) == (
            expected.loss,
            expected.low,
            expected.high,
        )


def test_a_calibration_is_a_retraining_judged_on_the_measure_split(finished):
    network, afcc = trained_network(finished), pruned_arms(finished)["afcc"]
    masks = calibration.calibration_masks(finished, network, afcc.masks.layers, afcc.n_kept, afcc.n_kept)
    images, labels = data.select(finished.dataset, stored_splits(finished), "measure")
    unpruned = trained_network(finished)
    unpruned.load_state(finished.read_arrays("retrain/arms/unpruned/state"))
    retrained = steps.retraining.retrain_network(
        finished, "random", masks["random"], network.state(), prune.PruneOptions()
    )
    lost = nn.accuracy(unpruned, images, labels) - nn.accuracy(retrained.network, images, labels)
    assert finished.read_number(f"{WHERE}/random/loss") == pytest.approx(lost, abs=1e-12)
    finished.checkpoint(paths.arm_checkpoint("random", 0.0)).remove()


def test_stored_calibrations_are_not_computed_again(finished_study, tmp_path, monkeypatch):
    run = Run(shutil.copytree(finished_study, tmp_path / "study") / "seed-3", quiet=True)
    before = run.read_tree("predict/arms/afcc")
    names = [name for name in run.entry_names(WHERE) if name != paths.REFITS]
    with_calibration = {name: run.read_numbers(paths.join(WHERE, name)) for name in names}
    with hdf5.replacing(run.results) as file:
        del file["predict"], file[paths.provenance_path("predict")]
    for name, tree in with_calibration.items():
        run.store(paths.join(WHERE, name), tree)

    def never(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr(calibration, "_calibration", never)
    steps.predict(run)
    after = run.read_tree("predict/arms/afcc")
    assert {name: after[name] for name in ("loss", "loss_low", "loss_high")} == {
        name: before[name] for name in ("loss", "loss_low", "loss_high")
    }


def test_a_comparison_predicts_every_mask_before_it_retrains_one(tmp_path):
    compared = {"criteria": ["magnitude", "random"], "densities": [0.5, 0.2], "predict": True}
    run = Run.create(tmp_path / "run", config_from({**TINY, "compare": compared}), quiet=True)
    steps.compare(run)
    losses = predicted_losses.of_comparison([run])
    assert [(loss.criterion, loss.density) for loss in losses] == [
        ("magnitude", 0.5),
        ("magnitude", 0.2),
        ("random", 0.5),
        ("random", 0.2),
    ]
    unpruned = run.read_number("compare/unpruned/accuracy")
    for loss in losses:
        accuracy = run.read_number(paths.compare_path(loss.criterion, loss.density, entry=paths.ACCURACY))
        assert loss.measured == pytest.approx(unpruned - accuracy)
        assert loss.low <= loss.predicted <= loss.high
        assert loss.error > 0 or loss.measured == 0
    log = (run.directory / paths.LOG).read_text()
    assert log.index("calibration, magnitude: loss") < log.index("magnitude at density 0.5")
    before = run.results.read_bytes()
    steps.compare(run)
    assert run.results.read_bytes() == before


def test_a_first_prediction_stands_and_masks_that_are_retrained_are_not_predicted(tmp_path):
    compared = {"criteria": ["magnitude"], "densities": [0.5], "predict": True}
    run = Run.create(tmp_path / "run", config_from({**TINY, "compare": compared}), quiet=True)
    steps.compare(run)
    first = run.read_tree(paths.prediction_path("magnitude", 0.5))
    more = {"criteria": ["magnitude", "random"], "densities": [0.5, 0.2, 1.0], "predict": False}
    run = Run.create(tmp_path / "run", config_from({**TINY, "compare": more}), quiet=True)
    run.store(paths.compare_path("random", 0.2), {"accuracy": 0.5})
    run = Run.create(
        tmp_path / "run", config_from({**TINY, "compare": {**more, "predict": True}}), quiet=True
    )
    steps.compare(run)
    assert str(run.read_tree(paths.prediction_path("magnitude", 0.5))) == str(first)
    assert not run.has(paths.prediction_path("random", 0.2))
    whole = run.read_numbers(paths.prediction_path("magnitude", 1.0) + "/" + paths.RECOVERY)
    assert whole["calibrations"] == 3
    found = run.read_tree(paths.prediction_path("magnitude", 1.0))
    assert (found["loss"], found["loss_low"], found["loss_high"]) == (0, 0, 0)


def test_an_interrupted_prediction_goes_on_behind_the_masks_that_are_refitted(
    finished_study, tmp_path, monkeypatch
):
    run = Run(shutil.copytree(finished_study, tmp_path / "study") / "seed-3", quiet=True)
    before = run.read_tree("predict/arms/magnitude")
    with hdf5.replacing(run.results) as file:
        del file["predict"], file[paths.provenance_path("predict")]
    predict, calls = prune.Predictor.predict, []

    def stopping(predictor, masks):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(masks)
        return predict(predictor, masks)

    monkeypatch.setattr(prune.Predictor, "predict", stopping)
    with pytest.raises(KeyboardInterrupt):
        steps.predict(run)
    assert len(run.entry_names(paths.join(WHERE, paths.REFITS))) == 3
    calls.clear()
    monkeypatch.setattr(prune.Predictor, "predict", lambda *given: calls.append(1) or predict(*given))
    steps.predict(run)
    assert len(calls) == 2 + 3  # arms left, and calibrations
    assert run.read_tree("predict/arms/magnitude")["loss"] == before["loss"]
