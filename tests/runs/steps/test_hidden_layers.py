"""The whole chain on fully connected hidden layers: an MLP, and the hidden classifier behind convolutions."""

import h5py
import numpy as np
import pytest

from deeptheory import measure
from deeptheory.errors import InputError
from deeptheory.reports import drawing
from deeptheory.runs import Run, steps
from deeptheory.runs.configuration import config_from
from deeptheory.store import hdf5, paths

RECIPE = {"epochs": 1, "batch": 20, "shift": 1, "flip": False}
THRESHOLD = 0.5
MLP = {"name": "mlp", "width": 0.05}
VGG = {"name": "vgg6", "width": 0.02, "classifier": "hidden"}
VGG_STAGES = ("stage5", "stage6", "stage7")  # a convolution of 2 x 2 positions, the hidden layers behind it


def config(network, stages, n_labels=4):
    return config_from(
        {
            "data": {
                "n_labels": n_labels,
                "size": 32 if "classifier" in network else 16,
                "train_per_label": 30,
                "test_per_label": 10,
                "measure_share": 0.3,
            },
            "network": network,
            "train": RECIPE,
            "probe": {"tolerance": 1e-1},
            "measure": {"bootstrap": 100, "relabellings": 2},
            "prune": {"stages": stages, "threshold": THRESHOLD},
            "retrain": RECIPE,
        }
    )


def finished(directory, *arguments, dead=None):
    """A run taken through all steps; the nodes of the stage `dead` are silenced once it is trained."""
    run = Run.create(directory / "run", config(*arguments), quiet=True)
    for step in paths.STEPS:
        getattr(steps, step)(run)
        if step == "train" and dead:
            with h5py.File(run.results, "r+") as file:
                bias = file[f"train/state/{dead}.linear.bias"]
                bias[...] = -1e4
                hdf5.add_checksum(bias)
    return run


@pytest.fixture(scope="module")
def behind_convolutions(tmp_path_factory, one_thread):
    return finished(tmp_path_factory.mktemp("hidden"), VGG, VGG_STAGES)


@pytest.mark.parametrize(
    ("network", "stages", "n_labels"),
    [
        (MLP, ("stage2",), 4),
        (MLP, ("stage2",), 3),
        (VGG, VGG_STAGES, 4),
        ({"name": "mlp", "width": 1 / 512}, ("stage2",), 3),  # one node per layer
    ],
)
def test_the_chain(tmp_path, deeptheory, network, stages, n_labels):
    run = finished(tmp_path, network, stages, n_labels)
    strengths = {
        name: run.read_array(f"measure/stages/{name}/strengths")
        for name in run.read_names("measure/stage_names")
    }
    for stage in stages:
        before = f"stage{int(stage[5:]) - 1}"
        weight = next(name for name in run.read_tree("predict/layers") if name.startswith(f"{stage}."))
        mask = run.read_array(f"prune/arms/afcc/masks/{weight}")
        shared = (strengths[stage] > THRESHOLD)[:, None] & (strengths[before] > THRESHOLD)[None]
        np.testing.assert_array_equal(mask, shared.any(axis=2))
        for arm in run.config.prune.arms:
            mask = run.read_array(f"prune/arms/{arm}/masks/{weight}")
            assert mask.sum() == run.read_array(f"prune/arms/afcc/masks/{weight}").sum()
            kernels = run.read_arrays(f"retrain/arms/{arm}/state")[weight].reshape(*mask.shape, -1)
            if weight == "stage6.linear.weight":
                assert kernels.shape[2] == 4  # all positions of one filter of the convolution
            assert not kernels[~mask].any()
            assert kernels[mask].all()
    assert network["name"] in deeptheory("inspect", run.directory).out


def test_the_figures(behind_convolutions, tmp_path):
    assert all(path.is_file() for path in drawing.draw_all([behind_convolutions], tmp_path))


def test_single_nodal_measures_are_those_of_the_definitions(behind_convolutions):
    run = behind_convolutions
    for stage, positions in (("stage5", 4), ("stage6", 1), ("stage7", 1)):
        of_stage = run.read_tree(f"measure/stages/{stage}")
        means = of_stage["class_means"]
        weight = of_stage["probe_weight"].reshape(means.shape)
        assert means.shape[2] == positions
        fields = measure.fields_from_class_means(means, weight)
        if positions == 1:  # of a node: its class means times its weights
            node = np.multiply.outer(means[:, 0, 0], weight[:, 0, 0].astype(np.float64))
            np.testing.assert_allclose(fields[0], node, rtol=1e-12)
        np.testing.assert_array_equal(of_stage["strengths"], measure.label_strengths(fields))
        clipped = measure.clip(fields, run.config.measure.threshold)
        np.testing.assert_array_equal(of_stage["clusters"], measure.all_clusters(clipped))
        alone = of_stage["single_filter_accuracy"]
        n_labels = len(means)
        assert ((alone >= 0) & (alone <= (2 / n_labels if positions == 1 else 1))).all()


@pytest.mark.parametrize("dead", ["stage1", "stage2"])
def test_a_stage_of_dead_nodes_is_measured_predicted_and_drawn(tmp_path, deeptheory, dead):
    run = finished(tmp_path, MLP, ("stage2",), dead=dead)
    assert run.read_number(f"measure/stages/{dead}/share_without_label") == 1
    assert not run.read_array("prune/arms/afcc/masks/stage2.linear.weight").any()
    assert any("no kernel is left" in line for line in run.read_names("prune/arms/afcc/warnings"))
    guess = run.read_number("predict/arms/unpruned/refitted")
    assert guess == pytest.approx(1 / 4)
    assert "nan" in deeptheory("inspect", run.directory).out  # an SNR without signal and noise
    drawing.draw("accuracy-and-snr", [run.directory], tmp_path)
    drawing.draw("cluster-sizes", [run.directory], tmp_path)
    with pytest.raises(
        InputError, match="margins of the measure split: expected a spread within every label, found none"
    ):
        steps.budget(run, 0.1)


def test_the_budget_searches_hidden_layers(tmp_path):
    run = Run.create(tmp_path / "run", config(MLP, ("stage2",)), quiet=True)
    steps.train(run)
    steps.budget(run, 0.3)
    found = run.read_arrays(f"{paths.budget_path(0.3)}/{paths.NETWORK}/prunable")
    assert {name: mask.shape for name, mask in found.items()} == {
        "stage2.linear.weight": (26, 26),
        "head.linear.weight": (4, 26),
    }
