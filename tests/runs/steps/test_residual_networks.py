"""The whole chain on networks whose stages are not a plain sequence."""

import h5py
import numpy as np
import pytest

from deeptheory import data, nn
from deeptheory.runs import Run, steps
from deeptheory.runs.configuration import config_from
from deeptheory.runs.steps.compaction import retrained_network
from deeptheory.runs.steps.training import stored_splits
from deeptheory.store import paths

GLYPHS = {"n_labels": 4, "size": 16, "train_per_label": 30, "test_per_label": 10, "measure_share": 0.3}
RECIPE = {"epochs": 1, "batch": 20, "shift": 1, "flip": False}


def config(network, stages, measured=(), size=16):
    texts = network["name"] == "text-transformer"
    of_words = {"source": "sentences", "length": 16, "words": 60} if texts else {}
    still = {"shift": 0} if texts else {}
    return config_from(
        {
            "data": {**GLYPHS, "size": size} | of_words,
            "network": network,
            "train": RECIPE | still,
            "probe": {"inputs": 60, "tolerance": 1e-1},
            "measure": {"bootstrap": 100, "relabellings": 2, "stages": measured},
            "prune": {"stages": stages},
            "retrain": RECIPE | still,
        }
    )


@pytest.mark.parametrize(
    ("network", "stages", "measured", "size"),
    [
        (
            {"name": "efficientnet-b0", "width": 0.25, "depth": 0.3, "stochastic_depth": 0.2},
            ["stage2", "stage13", "stage14", "stage15", "stage16"],
            (),
            16,
        ),
        ({"name": "resnet20", "width": 0.25}, ["stage9", "stage19"], (), 16),
        ({"name": "resnet50", "width": 1 / 32}, ["stage52", "stage53"], [50, 51, 52, 53], 16),
        ({"name": "resnext50_32x4d", "width": 1 / 64}, ["stage36", "stage37"], [34, 35, 36, 37], 16),
        ({"name": "mobilenet-v2", "width": 1 / 16}, ["stage34", "stage35"], [33, 34, 35], 16),
        ({"name": "mobilenet-v3-small", "width": 1 / 16}, ["stage23", "stage24"], [22, 23, 24], 16),
        ({"name": "convnext-tiny", "width": 1 / 48}, ["stage39", "stage40"], [38, 39, 40], 32),
        ({"name": "densenet121", "width": 1 / 16}, ["stage118"], [117, 118, 120], 32),
        ({"name": "cct", "width": 1 / 16, "blocks": 1}, ["heads1", "attention1", "nodes1", "block1"], (), 16),
        ({"name": "vit-tiny", "width": 1 / 16, "blocks": 1}, ["attention1", "nodes1", "block1"], (), 16),
        (
            {"name": "text-transformer", "width": 1 / 16, "blocks": 2},
            ["attention1", "nodes1", "heads2", "block2"],
            (),
            16,
        ),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_the_chain(tmp_path, deeptheory, network, stages, measured, size):
    asked = config(network, stages, [f"stage{number}" for number in measured], size)
    run = Run.create(tmp_path / "run", asked, quiet=True)
    for step in paths.STEPS:
        getattr(steps, step)(run)
    names = run.read_names("measure/stage_names")
    last = names[-1]
    for name in names:
        fields = run.read_tree(f"measure/stages/{name}")
        assert fields["strengths"].shape[0] == fields["class_means"].shape[1]
        assert np.isfinite(fields["signal_share"]).all()
        assert fields["signal_share"].sum() == pytest.approx(1)
    means, weight = (
        run.read_array(f"measure/stages/{last}/class_means"),
        run.read_array("train/state/head.linear.weight"),
    )
    assert means.shape == (4, weight.shape[1], 1)  # after the global average pool one position is left
    np.testing.assert_array_equal(run.read_array(f"measure/stages/{last}/probe_weight"), weight)
    test = data.select(run.dataset, stored_splits(run), "test")
    for arm in ("unpruned", *run.config.prune.arms):
        accuracy = nn.accuracy(retrained_network(run, arm), *test)
        assert accuracy == run.read_number(f"retrain/arms/{arm}/accuracy")
    with h5py.File(run.results) as file:
        state = file["retrain/arms/afcc/state"]
        for weight_name, mask in file["prune/arms/afcc/masks"].items():
            kernels = state[weight_name][()].reshape(*mask.shape, -1)
            assert not kernels[~mask[()]].any()
    assert run.read_number("prune/arms/afcc/dilution") > 0
    steps.compact(run)  # which compares the compact networks with the masked ones
    assert all(paths.compact_file(run.directory, arm).is_file() for arm in run.config.prune.arms)
    if run.dataset.words:
        assert tuple(run.read_names("train/words")) == run.dataset.words
    assert network["name"] in deeptheory("inspect", run.directory).out
