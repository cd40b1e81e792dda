"""The prunable set at a tolerance: what is stored, printed, refused, and that it is found again."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from deeptheory import nn, tables
from deeptheory.runs import Run, steps
from deeptheory.runs.steps import calibration, removal_order, tolerance
from deeptheory.runs.summaries import prediction_summaries, step_summaries
from deeptheory.store import paths

TOLERANCE = 0.3


@pytest.fixture(scope="module")
def searched(finished_study, tmp_path_factory):
    """A copy of the finished run with the set at one tolerance."""
    copy = shutil.copytree(finished_study, tmp_path_factory.mktemp("budget") / "study")
    run = Run(copy / "seed-3", quiet=True)
    steps.budget(run, TOLERANCE)
    return run


def found_at(run, name=paths.NETWORK):
    return run.read_tree(f"{paths.budget_path(TOLERANCE)}/{name}")


def test_every_layer_alone_and_all_together_are_within_the_tolerance(searched):
    names = list(found_at(searched)["prunable"])
    assert names == [*(f"stage{n}.conv.weight" for n in (2, 3, 4, 5)), "head.linear.weight"]
    for name in (*names, paths.NETWORK):
        found = found_at(searched, name)
        assert found["prediction"]["loss"] <= TOLERANCE
        kept = {weight: ~mask for weight, mask in found["prunable"].items()}
        assert set(kept) == ({name} if name != paths.NETWORK else set(names))
        assert all(mask.any(axis=1).all() for mask in kept.values())  # every output keeps an input
        tried = found["curve"]["dilution"]
        assert len(tried) == tolerance.STEPS["network" if name == paths.NETWORK else "layer"]
        assert found["dilution"] <= tried[found["curve"]["loss"] >= 0].max()
    assert found_at(searched)["dilution"] > 0


def test_the_stored_prediction_is_that_of_the_stored_mask(searched):
    network = tolerance.trained_network(searched)
    layers = removal_order.maskable_layers(network)
    found = found_at(searched)
    masks = tolerance.prune.Masks(layers, {name: ~mask for name, mask in found["prunable"].items()})
    again = tolerance.make_predictor(searched, network).predict(masks)
    assert again.refit_loss == pytest.approx(found["prediction"]["refit_loss"], abs=1e-12)
    assert again.refitted_theory == pytest.approx(found["prediction"]["refitted_theory"], abs=1e-12)


def test_prunability_orders_the_connections_of_the_whole_network(searched):
    where = paths.budget_path(TOLERANCE)
    scores, found = searched.read_arrays(f"{where}/prunability"), found_at(searched)
    gone = np.concatenate([scores[name][mask] for name, mask in found["prunable"].items()])
    left = np.concatenate([scores[name][~mask] for name, mask in found["prunable"].items()])
    assert gone.max() <= left.min()
    assert gone.max() == pytest.approx(found["dilution"], abs=1e-9)


def test_a_second_tolerance_uses_the_stored_paths_and_the_first_is_not_computed_again(searched, monkeypatch):
    def never(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr(removal_order, "_removal_paths", never)
    monkeypatch.setattr(calibration, "_calibration", never)
    steps.budget(searched, 0.9)
    assert found_at(searched)["dilution"] <= searched.read_number(
        f"{paths.budget_path(0.9)}/{paths.NETWORK}/dilution"
    )
    monkeypatch.setattr(tolerance, "make_predictor", never)
    steps.budget(searched, TOLERANCE)


def test_an_interrupted_search_goes_on_to_the_same_set(finished_study, tmp_path, searched, monkeypatch):
    run = Run(shutil.copytree(finished_study, tmp_path / "study") / "seed-3", quiet=True)
    search, calls = tolerance._search, []

    def stopping(*arguments):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(arguments)
        return search(*arguments)

    monkeypatch.setattr(tolerance, "_search", stopping)
    with pytest.raises(KeyboardInterrupt):
        steps.budget(run, TOLERANCE)
    monkeypatch.setattr(tolerance, "_search", search)
    steps.budget(run, TOLERANCE)
    for name, mask in found_at(searched)["prunable"].items():
        np.testing.assert_array_equal(found_at(run)["prunable"][name], mask)


def test_the_report_has_a_line_for_every_layer_and_the_network(searched):
    found = prediction_summaries.budgeted(searched, TOLERANCE)
    lines = found.text.splitlines()
    assert "tolerance 30 points" in lines[0]
    assert "found from 2 calibration masks that were retrained" in lines[2]
    assert [line.split()[0] for line in lines[5:11]] == [
        *(f"stage{n}.conv.weight" for n in (2, 3, 4, 5)),
        "head.linear.weight",
        "network",
    ]
    assert lines[11].startswith("dilution when all go together: stage2.conv ")
    assert lines[-1].startswith(
        "loss after refit: counted on 50 inputs of the measure split, 2.0 points each"
    )
    assert json.loads(tables.as_json(found.numbers))["layers"]["network"]["loss"] <= TOLERANCE


def test_a_tolerance_that_the_inputs_cannot_resolve_is_said():
    splits = {"train/splits/measure": np.arange(50)}
    run = SimpleNamespace(read_array=splits.__getitem__)
    assert len(prediction_summaries._resolution(run, 0.02)) == 1
    assert prediction_summaries._resolution(run, 0.01)[-1].startswith("more than the tolerance")


def test_the_overview_of_a_run_shows_its_prunable_sets(searched):
    found = step_summaries.overview(searched)
    assert "tolerance 30 points" in found.text
    assert (
        found.numbers["budget"]["tolerance-0.3"] == prediction_summaries.budgeted(searched, TOLERANCE).numbers
    )


def test_wide_filters_take_costs_added_up_with_exact_residuals(searched, monkeypatch):
    network = tolerance.trained_network(searched)
    layer = removal_order.maskable_layers(network)[1]
    images, _ = removal_order.data.select(searched.dataset, removal_order.stored_splits(searched), "train")
    greedy = removal_order._removal_paths(network, layer, images)
    monkeypatch.setattr(removal_order, "EXACT_WEIGHTS", 1)
    fast = removal_order._removal_paths(network, layer, images)
    np.testing.assert_allclose(fast.residual[:, -1].min(), greedy.residual[:, -1].min(), rtol=0.5)
    assert np.all(greedy.residual.sum(axis=1) <= 1.001 * fast.residual.sum(axis=1))


@pytest.mark.parametrize("tolerance", ["0", "1", "-0.1", "half"])
def test_a_tolerance_outside_its_range_is_refused(deeptheory, searched, tolerance):
    result = deeptheory("predict", str(searched.directory), "--tolerance", tolerance)
    assert result.code == 2
    assert "--tolerance" in result.err


def test_the_heads_of_a_transformer_stay_since_attention_is_not_linear_in_its_weights():
    size = {"words": 20, "blocks": 2, "heads": 2}
    network = nn.build("text-transformer", 3, (8, 1, 1), width=1 / 16, rng=np.random.default_rng(0), **size)
    names = [layer.name for layer in removal_order.maskable_layers(network)]
    assert names == [
        *(f"{stage}{block}.conv" for block in (1, 2) for stage in ("attention", "nodes", "block")),
        "head.linear",
    ]
