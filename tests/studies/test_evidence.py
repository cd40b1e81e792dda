"""Evidence of hypotheses from run files; the numbers in them are made up."""

import operator
import time

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run
from deeptheory.runs.configuration import config_from
from deeptheory.runs.discovery import find_runs
from deeptheory.store import paths
from deeptheory.studies import evidence, soundness
from tests.conftest import TINY

STAGES = ("stage1", "stage2", "stage3")


@pytest.fixture
def make(tmp_path):
    """A run with a finished measurement of made-up numbers, and whatever else is stored."""

    def made(seed, stored=(), measured=True, **tables):
        config = config_from(
            {**TINY, "seed": seed, **{name: {**TINY.get(name, {}), **of} for name, of in tables.items()}}
        )
        name = f"seed-{seed}-" + "-".join(f"{value}" for of in tables.values() for value in of.values())
        run = Run.create(tmp_path / "study" / name, config, quiet=True)
        for place, stage in enumerate(STAGES if measured else ()):
            values = dict.fromkeys(evidence.OF_STAGES, 1.0 + place + 0.1 * seed)
            labels = {"label_accuracy": np.array([0.9, 0.5 - 0.01 * seed])}
            run.store(paths.stage_path("measure", stage), {**values, **labels})
        if measured:
            run.finish("measure", {"stage_names": list(STAGES)}, time.monotonic())
        for path, tree in dict(stored).items():
            run.store(path, tree)
        run.store("train/splits", {"test": np.arange(50)})
        number = config.data.labels_used or config.data.n_labels
        run.add("train", {"label_names": [str(label) for label in range(number)]})
        return run

    return made


def test_stages_are_seeds_by_stages(make):
    found = evidence.stages([make(0), make(1)])
    assert found.names == STAGES
    assert found.values["noise"] == pytest.approx(np.array([[1, 2, 3], [1.1, 2.1, 3.1]]))


def test_trends_over_stages_need_all_of_them(make):
    only = make(0, measure={"stages": ["stage5"]}, prune={"stages": []})
    with pytest.raises(InputError, match=r"expected all stages measured, found only stage5; measure runs"):
        evidence.stages([only])


def test_arms_of_a_confirm_study(run):
    found = evidence.arms([run])
    of_arm = found.settings["threshold 0.5"]
    assert set(of_arm) == {"unpruned", "afcc", "random", "label-permuted", "magnitude"}
    assert of_arm["afcc"] == run.read_number("retrain/arms/afcc/accuracy")


def compared(**accuracies):
    return {f"compare/{path}": {"accuracy": value} for path, value in accuracies.items()} | {
        "compare/unpruned": {"accuracy": 0.9}
    }


def test_arms_of_a_comparison_where_all_seeds_reached_the_density(make):
    both = {"afcc/0.2": 0.8, "afcc/0.1": 0.7, "random/0.2": 0.75}
    runs = [make(0, compared(**both)), make(1, compared(**both))]
    runs[1].store("compare/random/0.1", {"not_reached": "too few kernels"})
    runs[0].store("compare/random/0.1", {"accuracy": 0.6})
    found = evidence.arms(runs).settings
    assert list(found) == ["density 0.2", "density 0.1"]
    assert set(found["density 0.2"]) == {"unpruned", "afcc", "random"}
    assert set(found["density 0.1"]) == {"unpruned", "afcc"}


def test_layers_masked_alone(make):
    with pytest.raises(
        InputError,
        match=r"expected layers masked alone, found none; run 'deeptheory compare single-layers",
    ):
        evidence.single_layers([make(0)])
    stored = {
        "train/state": {"stage3.conv.weight": np.zeros(1), "stage2.conv.weight": np.zeros(1)},
        "compare/unpruned": {"accuracy": 0.9},
        "compare-alone/stage2.conv.weight/afcc/0.1": {"accuracy": 0.89},
        "compare-alone/stage3.conv.weight/afcc/0.1": {"accuracy": 0.88},
        "compare-alone/stage3.conv.weight/afcc/0.5": {"accuracy": 0.1},
    }
    found = evidence.single_layers([make(1, stored)])
    assert {layer: gain.item() for layer, gain in found.gain.items()} == pytest.approx(
        {"stage3.conv": -2, "stage2.conv": -1}
    )


def test_dilution_of_the_layers_of_a_confirm_study(run):
    found = evidence.diluted([run])
    assert found.network == "vgg6"
    of_layers = {
        layer: run.read_number(f"prune/arms/afcc/layers/{layer}/dilution")
        for layer in ("stage4.conv.weight", "stage5.conv.weight", "head.linear.weight")
    }
    *convolutions, head = of_layers.values()
    assert {kind: share.item() for kind, share in found.dilution.items()} == pytest.approx(
        {"last convolutions": np.mean(convolutions), "head": head}
    )
    assert found.arms.settings == evidence.arms([run]).settings


def test_earlier_convolutions_and_hidden_layers_are_other_kinds(make):
    state = {f"{layer}.weight": np.zeros(1) for layer in ("stage1.conv", "stage2.conv", "stage3.linear")}
    layers = {"stage1.conv.weight": 0.9, "stage3.linear.weight": 0.8, "head.linear.weight": 0.7}
    stored = {
        "train/state": state,
        "prune/arms/afcc": {"layers": {layer: {"dilution": share} for layer, share in layers.items()}},
        **{f"retrain/arms/{arm}": {"accuracy": 0.5} for arm in ("unpruned", "afcc", "random")},
    }
    of_afcc = {"arms": ["afcc", "random"]}
    run = make(0, stored, prune=of_afcc)
    with pytest.raises(InputError, match="the results of 'retrain'"):
        evidence.diluted([run])
    run.finish("retrain", {}, time.monotonic())
    assert {kind: share.item() for kind, share in evidence.diluted([run]).dilution.items()} == {
        "other convolutions": 0.9,
        "hidden layers": 0.8,
        "head": 0.7,
    }
    annealed = make(1, prune={**of_afcc, "disorder": "annealed"})
    annealed.finish("retrain", {}, time.monotonic())
    with pytest.raises(InputError, match=r"masks: expected quenched ones, found prune.disorder = 'annealed'"):
        evidence.diluted([annealed])
    given = make(2, prune={**of_afcc, "density": 0.1})
    given.finish("retrain", {}, time.monotonic())
    with pytest.raises(InputError, match=r"expected AFCC at its own density .*, found prune.density = 0.1,"):
        evidence.diluted([given])


def test_costs_of_dense_and_compact_networks(make):
    run = make(0)
    with pytest.raises(
        InputError, match=r"what the compact .*, found none; run 'deeptheory cost .* --arm af"
    ):
        evidence.costs([run])
    sides = {
        side: {"saved_bytes": size, "batch1": {"latency_s": 9.0}, "batch100": {"latency_s": size / 100}}
        for side, size in (("dense", 400.0), ("masked", 300.0), ("compact", 200.0))
    }
    run.store("cost/afcc", {"sides": sides, "quiet": "no"})
    found = evidence.costs([run])
    assert {side: of.item() for side, of in found.bytes.items()} == {"dense": 400, "compact": 200}
    assert {side: of.item() for side, of in found.seconds.items()} == {"dense": 4, "compact": 2}
    assert "other programs ran while times were measured: " in soundness.disturbed([run])
    run.add("cost/afcc", {"quiet": "yes"})
    assert soundness.disturbed([run]) == ""


def test_predictions_of_a_confirm_study(run):
    groups = evidence.predictions([run]).groups
    assert groups["full heads"][0].shape == (1, 3)  # stages 3 to 5 of five
    for arm, predicted, measured in zip(
        run.config.prune.arms, *map(np.ravel, groups["retrained arms"]), strict=True
    ):
        assert predicted == run.read_number(f"predict/arms/{arm}/loss")
        accuracies = (run.read_number(f"retrain/arms/{each}/accuracy") for each in ("unpruned", arm))
        assert measured == pytest.approx(operator.sub(*accuracies))


@pytest.mark.parametrize(("option", "source"), [("n_labels", "glyphs"), ("labels_used", "files")])
def test_numbers_of_labels(make, option, source):
    runs = [make(seed, data={option: number, "source": source}) for seed in (0, 1) for number in (20, 5, 10)]
    found = evidence.label_scaling(runs)
    assert found.n_labels == (5, 10, 20)
    assert found.values["max_error"] == pytest.approx(np.array([[0.5] * 3, [0.51] * 3]))
    assert found.values["cluster_size"] == pytest.approx(np.array([[3.0] * 3, [3.1] * 3]))
    found = r"found 5: \[0, 1\]; 10: \[0, 1\]; 20: \[0\]; run 'deeptheory sweep"
    with pytest.raises(InputError, match=f"at least 3, with the same seeds each, {found}"):
        evidence.label_scaling(runs[:3] + runs[4:])


def test_controls(make):
    kinds = ({}, {"train": {"epochs": 0}}, {"data": {"labels": "shuffled"}})
    runs = [make(seed, **tables) for seed in (0, 1) for tables in kinds]
    found = evidence.controls(runs)
    assert list(found.snr) == ["trained", "untrained", "shuffled-labels"]
    assert found.snr["untrained"] == pytest.approx([3, 3.1])
    with pytest.raises(InputError, match=r"found trained: \[0\]; untrained: \[0\]; shuffled-labels: \[\]"):
        evidence.controls(runs[:2])


def test_runs_of_different_configuration_are_refused(make):
    with pytest.raises(
        InputError,
        match=r"hypothesis: expected runs of one configuration, found train.epochs = 2 in .* and 3",
    ):
        evidence.stages([make(0), make(1, train={"epochs": 3})])


def test_a_missing_step_is_named_with_its_command(make):
    with pytest.raises(
        InputError, match=r"expected the results of 'measure', found none; run 'deeptheory measure"
    ):
        evidence.stages([make(0, measured=False)])


def test_runs_are_found_by_seed(make, tmp_path):
    for seed in (10, 2):
        make(seed)
    assert [run.config.seed for run in find_runs(tmp_path / "study")] == [2, 10]
    one = next((tmp_path / "study").iterdir())
    assert [run.directory for run in find_runs(one)] == [one]
    with pytest.raises(InputError, match=r"a directory with config\.toml, found .*, which holds study"):
        find_runs(tmp_path)
