"""What the arms of a finished run are, and on which inputs they are decided."""

import contextlib
import dataclasses

import msgspec
import numpy as np
import pytest

from deeptheory import data, measure, nn, prune
from deeptheory.errors import InputError
from deeptheory.runs import Run, random_streams, steps
from deeptheory.runs.configuration import config_from, to_toml
from deeptheory.runs.steps.arms import arm_context, trained_strengths
from deeptheory.runs.steps.layer_choice import masked_layers
from deeptheory.runs.steps.training import build_network, stored_splits, trained_network
from deeptheory.runs.summaries.prediction_summaries import predicted
from deeptheory.runs.summaries.step_summaries import measured
from deeptheory.store import paths
from deeptheory.studies import evidence, hypotheses

ARMS = ("afcc", "random", "label-permuted", "magnitude")
MASKED = ("stage4.conv.weight", "stage5.conv.weight", "head.linear.weight")


def test_every_arm_keeps_equally_many_kernels_of_every_layer(run):
    kept = {
        arm: {name: int(m.sum()) for name, m in run.read_arrays(f"prune/arms/{arm}/masks").items()}
        for arm in ARMS
    }
    assert set(kept["afcc"]) == set(MASKED)
    for arm in ARMS:
        assert kept[arm] == kept["afcc"]
        for name, report in run.read_tree(f"prune/arms/{arm}/layers").items():
            assert report["kernels_kept"] == kept[arm][name] < report["kernels_total"]
            assert report["density"] == kept[arm][name] / report["kernels_total"]
    masks = [run.read_array(f"prune/arms/{arm}/masks/stage5.conv.weight") for arm in ARMS]
    assert all((masks[0] != mask).any() for mask in masks[1:])


@pytest.mark.parametrize("arm", ARMS)
def test_retrained_weights_are_zero_exactly_outside_the_mask(run, arm):
    masks, state = run.read_arrays(f"prune/arms/{arm}/masks"), run.read_arrays(f"retrain/arms/{arm}/state")
    n_kept = n_weights = 0
    for name in MASKED:
        kernels = state[name].reshape(*masks[name].shape, -1)
        assert (kernels[~masks[name]] == 0).all()
        assert (kernels[masks[name]] != 0).all()
        n_kept += int(masks[name].sum()) * kernels.shape[2]
        n_weights += kernels.size
    assert run.read_number(f"retrain/arms/{arm}/achieved_density") == n_kept / n_weights
    assert run.read_number(f"prune/arms/{arm}/dilution") == pytest.approx(1 - n_kept / n_weights, abs=1e-12)


def test_the_unpruned_arm_is_retrained_without_a_mask(run):
    assert "masks" not in run.read_tree("prune/arms/unpruned")
    assert run.read_number("prune/arms/unpruned/accuracy") == run.read_number("train/accuracy/test")
    assert run.read_number("prune/arms/unpruned/cost/parameters_share") == 1.0
    trained, retrained = run.read_arrays("train/state"), run.read_arrays("retrain/arms/unpruned/state")
    for name in MASKED:
        assert (retrained[name] != 0).all()
        assert not np.array_equal(retrained[name], trained[name])
    lengths = {arm: len(run.read_array(f"retrain/arms/{arm}/history/loss")) for arm in ("unpruned", *ARMS)}
    assert set(lengths.values()) == {run.config.retrain.epochs}


def test_the_accuracies_are_those_of_the_stored_weights(run):
    test = data.select(run.dataset, stored_splits(run), "test")
    network = trained_network(run)
    assert nn.accuracy(network, *test) == run.read_number("train/accuracy/test")
    for arm in ("unpruned", *ARMS):
        network.load_state(run.read_arrays(f"retrain/arms/{arm}/state"))
        assert nn.accuracy(network, *test) == run.read_number(f"retrain/arms/{arm}/accuracy")


def scramble(run, split):
    """Give the run a data set of which the labels of one split are reversed."""
    splits, dataset = stored_splits(run), run.dataset
    labels = {"train": dataset.train_labels.copy(), "test": dataset.test_labels.copy()}
    pool, index = ("test", splits.test) if split == "test" else ("train", splits.measure)
    labels[pool][index] = 4 - labels[pool][index]
    run.__dict__["dataset"] = data.Dataset(
        "scrambled",
        dataset.train_images,
        labels["train"],
        dataset.test_images,
        labels["test"],
        dataset.label_names,
    )


def decisions(run):
    return {
        "fields": {
            stage: run.read_array(f"measure/stages/{stage}/strengths")
            for stage in run.read_names("measure/stage_names")
        },
        "masks": {arm: run.read_arrays(f"prune/arms/{arm}/masks") for arm in ARMS},
        "predicted": run.read_tree("predict/arms"),
    }


def test_masks_and_fields_are_decided_without_the_test_split(assert_same, finished_study, run_until):
    run, expected = run_until("train"), Run(finished_study / "seed-3")
    scramble(run, "test")
    for step in ("measure", "predict", "prune"):
        getattr(steps, step)(run)
    assert_same(decisions(run), decisions(expected))
    accuracy = "measure/stages/stage1/probe_accuracy"
    assert run.read_number(accuracy) != expected.read_number(accuracy)


def test_masks_and_fields_are_decided_on_the_measure_split(finished_study, run_until):
    run, expected = run_until("train"), Run(finished_study / "seed-3")
    scramble(run, "measure")
    for step in ("measure", "predict", "prune"):
        getattr(steps, step)(run)
    found, expected = decisions(run), decisions(expected)
    for stage in found["fields"]:
        assert not np.array_equal(found["fields"][stage], expected["fields"][stage])
    for name in MASKED:
        assert not np.array_equal(found["masks"]["afcc"][name], expected["masks"]["afcc"][name])


def test_fields_and_masks_are_those_of_the_test_split_where_it_is_asked_for(
    finished_study, run_until, assert_same
):
    """As the published code takes them; predictions of accuracies keep their own split."""
    run, expected = run_until("train"), Run(finished_study / "seed-3")
    run.config = msgspec.structs.replace(
        run.config, measure=msgspec.structs.replace(run.config.measure, split="test")
    )
    for step in ("measure", "predict", "prune"):
        getattr(steps, step)(run)
    images, labels = data.select(run.dataset, stored_splits(run), "test")
    stage = run.read_tree("measure/stages/stage5")
    probes = {"stage5": stage["probe_weight"]}
    own = measure.measure_stages(trained_network(run), images, labels, probes, quiet=True)["stage5"]
    np.testing.assert_array_equal(stage["class_means"], own.class_means)
    np.testing.assert_array_equal(stage["strengths"], own.measures.strengths)
    assert stage["probe_accuracy"] == expected.read_number("measure/stages/stage5/probe_accuracy")
    for weight, kernels in decisions(run)["masks"]["afcc"].items():
        assert not np.array_equal(kernels, decisions(expected)["masks"]["afcc"][weight])
    assert_same(run.read_tree("predict/stages"), expected.read_tree("predict/stages"))
    assert_same(run.read_tree("predict/arms/unpruned"), expected.read_tree("predict/arms/unpruned"))
    log = (run.directory / paths.LOG).read_text()
    assert log.count("fields and masks come from the test split") == 1
    assert "fields of the test split, not held out; threshold 0.3" in measured(run).text
    assert "not held out" not in measured(expected).text


def test_the_fields_of_all_filters_add_up_to_the_mean_complete_field(run):
    images, labels = data.select(run.dataset, stored_splits(run), "measure")
    network = trained_network(run)
    for stage in run.read_names("measure/stage_names"):
        means = run.read_array(f"measure/stages/{stage}/class_means")
        weight = run.read_array(f"measure/stages/{stage}/probe_weight")
        summed = measure.fields_from_class_means(means, weight.reshape(means.shape)).sum(axis=0)
        features = measure.stage_features(network, images, stage, quiet=True).astype(np.float64)
        complete = features @ weight.T.astype(np.float64)
        expected = np.stack([complete[labels == label].mean(axis=0) for label in range(5)])
        np.testing.assert_allclose(summed, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_the_unpruned_arm_is_predicted_without_loss_and_heads_apart_from_retrained_arms(finished_study):
    predicted = Run(finished_study / "seed-3").read_tree("predict/arms")
    unpruned = predicted["unpruned"]
    assert (unpruned["loss"], unpruned["loss_low"], unpruned["loss_high"]) == (0, 0, 0)
    for arm in ARMS:
        of_arm = predicted[arm]
        assert of_arm["refit_loss"] == pytest.approx(unpruned["refitted"] - of_arm["refitted"])
        assert 0 <= of_arm["loss_low"] <= of_arm["loss"] <= of_arm["loss_high"]
        assert set(of_arm["head"]) == {"accuracy", "integration_error", "counted"}


@pytest.mark.parametrize("granularity", ["weight", "kernel", "filter"])
def test_a_run_has_what_every_criterion_needs(run, granularity):
    network = trained_network(run)
    layers = prune.masked_layers(network, ("stage4", "stage5"), head=True)
    before = network.state()
    for name, criterion in prune.CRITERIA.items():
        if granularity not in criterion.granularities or criterion.one_density:
            continue
        strengths = trained_strengths(run, network)
        context = arm_context(run, network, layers, np.random.default_rng(0), strengths)
        context = dataclasses.replace(context, granularity=granularity)
        arm = prune.prune_arm(name, context, 0.5)
        assert arm.masks.total_density == pytest.approx(0.5, abs=0.05), name
        weights_alone = dataclasses.replace(context, network=None, inputs=None, order=None)
        with pytest.raises(InputError) if criterion.running else contextlib.nullcontext():
            prune.prune_arm(name, weights_alone, 0.5)
    assert all((array == before[name]).all() for name, array in network.state().items())


def test_an_arm_from_scratch_is_trained_from_scaled_initial_weights(assert_same, tiny_config, run_until):
    run = run_until("prune")
    table = msgspec.to_builtins(tiny_config)
    table["prune"]["arms"] = ["afcc", "random-afcc"]
    run.config = config_from(table)
    masks = {name: run.read_array(f"prune/arms/random/masks/{name}") for name in MASKED}
    run.store("prune/arms/random-afcc", {"masks": masks})
    steps.retrain(run)
    found = run.read_tree("retrain/arms/random-afcc")

    network = build_network(run)
    full = prune.Masks(masked_layers(run, network), masks)
    for name, mask in full.items():
        weight = network.parameters()[name]
        surviving = mask.reshape(len(mask), -1).sum(axis=1).reshape(-1, *[1] * (weight.ndim - 1))
        assert surviving.min() > 0
        network.parameters()[name] = (weight * mask * np.sqrt(mask[0].size / surviving)).astype(np.float32)
    generators = nn.Generators(*(random_streams.generator(3, name) for name in ("batches", "augmentation")))
    train = data.select(run.dataset, stored_splits(run), "train")
    nn.fit(network, *train, run.config.train, generators, masks=full, session=nn.Session(quiet=True))
    assert_same(found["state"], network.state())
    assert len(found["history"]["loss"]) == run.config.train.epochs != run.config.retrain.epochs


def published(config, **options):
    """A configuration whose arms take the density of the published indexing."""
    arms = {"arms": ("afcc", "random", "published-indexing"), "density_from": "published-indexing"}
    return msgspec.structs.replace(config, prune=msgspec.structs.replace(config.prune, **arms, **options))


def mask_by_loops(run, thresholds):
    """The published indexing of one layer between stages, from stored class means and probes."""
    sets = []
    for stage, threshold in thresholds.items():
        group = run.read_tree(f"measure/stages/{stage}")
        means = group["class_means"]
        fields = measure.fields_from_class_means(means, group["probe_weight"].reshape(means.shape))
        clipped = measure.clip(fields, threshold)
        listed = [set(cluster) for matrix in clipped for cluster in measure.find_clusters(matrix)]
        sets.append([listed[f] if f < len(listed) else set() for f in range(len(fields))])
    return [[bool(a & b) for a in sets[0]] for b in sets[1]]


@pytest.mark.parametrize("thresholds", [(), (0.35, 0.6)], ids=["common", "of each stage"])
def test_the_published_indexing_goes_through_the_whole_chain(tiny_config, run_until, thresholds):
    """At the thresholds of pruning, not at that of measuring, and the other arms at its densities."""
    run = run_until("measure")
    run.config = published(tiny_config, thresholds=thresholds)
    for step in (steps.predict, steps.prune, steps.retrain):
        step(run)
    masks = {arm: run.read_arrays(f"prune/arms/{arm}/masks") for arm in run.config.prune.arms}
    own = masks["published-indexing"]
    at = dict(zip(("stage4", "stage5"), thresholds or (0.5, 0.5), strict=True))
    expected = {
        "stage4.conv.weight": mask_by_loops(run, {"stage3": 0.5, "stage4": at["stage4"]}),
        "stage5.conv.weight": mask_by_loops(run, at),
    }
    for weight, mask in expected.items():
        assert own[weight].tolist() == mask
    for arm in masks:
        assert {weight: mask.sum() for weight, mask in masks[arm].items()} == {
            weight: mask.sum() for weight, mask in own.items()
        }
    assert any((masks["afcc"][weight] != own[weight]).any() for weight in own)
    natural = run.read_number("prune/arms/afcc/layers/stage5.conv.weight/natural_density")
    assert natural != own["stage5.conv.weight"].mean()
    assert "dilution that of published-indexing" in predicted(run).text
    assert run.done("retrain")


def test_dilution_above_chance_is_judged_where_afcc_is_cut_at_its_threshold(tiny_config, run_until):
    run = run_until("measure")
    run.config = published(tiny_config)
    steps.predict(run)
    (run.directory / paths.CONFIG).write_text(to_toml(run.config), encoding="utf-8")
    with pytest.raises(InputError, match=r"AFCC at its own density .* found .* 'published-indexing'; judge"):
        evidence.dilutions([Run(run.directory)])
    judged = [[one.number for one in hypotheses.confirmed_hypotheses(of)] for of in (tiny_config, run.config)]
    assert judged == [[1, 2, 6, 7, 8, 9, 12, 16], [1, 2, 6, 7, 12]]


def test_whole_filters_go_through_the_whole_chain(tiny_config, run_until):
    run = run_until("measure")
    options = {"granularity": "filter", "density": 0.5, "arms": ("afcc", "l1")}
    pruning = msgspec.structs.replace(tiny_config.prune, **options)
    run.config = msgspec.structs.replace(tiny_config, prune=pruning)
    for step in (steps.predict, steps.prune, steps.retrain, steps.compact):
        step(run)
    layers = run.read_trees("predict/layers")
    assert "scores" in layers["stage5.conv.weight"]
    assert "scores" not in layers["head.linear.weight"]  # its inputs go with the filters of the last stage
    assert layers["head.linear.weight"]["prunable"].any()
    for arm in ("afcc", "l1"):
        found = run.read_tree(f"compact/{arm}/layers/stage5.conv")
        assert found["filters_left"] < found["filters"]
    assert predicted(run).text
