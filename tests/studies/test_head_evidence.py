"""Evidence on heads from run files; the numbers in them are made up."""

import math
import time

import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run
from deeptheory.runs.configuration import config_from
from deeptheory.store import paths
from deeptheory.studies import evidence, head_evidence
from tests.conftest import TINY

CCT = {"network": {"name": "cct", "width": 0.25, "blocks": 2}, "prune": {"stages": ["heads2"]}}
K = TINY["data"]["n_labels"]


def measured(stage, level):
    """Two filters with 4 outputs each: the first serves all labels alone, the second none."""
    means = np.zeros((K, 2, 4))
    means[:, 0, 0] = 1.0
    weight = np.zeros((K, 2, 4))
    weight[:, 0, 0] = 1.0
    clusters = np.array([[0, 0, 1, -1, -1], [-1] * K])
    return {
        **dict.fromkeys(("snr_mean_field", "snr_measured", "cluster_size"), level),
        "single_filter_accuracy": np.array([0.5, 0.3]),
        "class_means": means,
        "probe_weight": weight.reshape(K, -1),
        "clusters": clusters.astype(np.int32),
        "filter_noise": np.array([3, 0]),
    }


@pytest.fixture
def make(tmp_path):
    def made(seed, stages, **tables):
        config = config_from({**TINY, **tables, "seed": seed})
        run = Run.create(tmp_path / config.network.name / f"seed-{seed}", config, quiet=True)
        for place, stage in enumerate(stages):
            run.store(paths.stage_path("measure", stage), measured(stage, 1.0 + place))
        run.finish("measure", {"stage_names": list(stages)}, time.monotonic())
        state = {f"{stage}.conv.weight": np.zeros(1) for stage in stages if not stage.startswith("heads")}
        run.store("train", {"splits": {"test": np.arange(50), "measure": np.arange(20)}, "state": state})
        run.add("train", {"label_names": [str(label) for label in range(K)]})
        return run

    return made


def test_heads_of_every_block(make):
    stages = ("tokens1", "heads1", "nodes1", "heads2", "nodes2")
    found = head_evidence.heads([make(seed, stages, **CCT) for seed in (0, 1)])
    assert found.stages == ("heads1", "heads2")
    assert found.values["snr_measured"] == pytest.approx(np.array([[2, 4], [2, 4]]))
    assert found.values["single_filter_accuracy"] == pytest.approx(np.full((2, 2), 0.4))
    assert found.values["scattered_cluster_size"] == pytest.approx(np.full((2, 2), K))  # ones everywhere
    assert (found.n_labels, found.n_inputs, found.chance.tolist()) == (K, 20, [1 / K] * 2)


def test_networks_without_heads_are_refused(make):
    with pytest.raises(
        InputError, match="expected stages whose filters are heads, found none; measure a tran"
    ):
        head_evidence.heads([make(0, ("stage1",))])


def test_convolutions_and_heads_of_a_seed_may_be_of_two_networks(make):
    vgg = [make(seed, ("stage1", "stage2", "stage3")) for seed in (0, 1)]
    cct = [make(seed, ("tokens1", "heads1", "attention1", "nodes1"), **CCT) for seed in (0, 1)]
    found = head_evidence.single_filters([*vgg, *cct])
    assert [set(of) for of in found.convolutions] == [
        {"vgg6 stage1", "vgg6 stage2", "vgg6 stage3", "cct tokens1"}
    ] * 2
    snr, accuracy = found.heads[0]["cct heads1"]
    # Three served labels; beside the diagonal two ones of the cluster of two labels and three of noise.
    assert snr == pytest.approx([math.log(3 * (K - 1) / 5.5)])
    assert accuracy == pytest.approx([0])  # 10 of 20 inputs
    with pytest.raises(
        InputError, match="of every seed, found one of them only for seed 1; name a study of a"
    ):
        head_evidence.single_filters([*vgg, cct[0]])


def test_networks_measured_differently_are_not_compared(make):
    cct = make(0, ("heads1",), **CCT, measure={"bootstrap": 100, "threshold": 0.5})
    with pytest.raises(InputError, match=r"measured alike, found measure.threshold = 0.3 in .* and 0.5"):
        head_evidence.single_filters([make(0, ("stage1",)), cct])


def test_data_are_the_same_by_their_fingerprint(make):
    other_options = {**TINY["data"], "noise": 0.2}  # of sentences, which glyphs do not read
    vgg, cct = make(0, ("stage1", "stage2", "stage3")), make(0, ("heads1",), **CCT, data=other_options)
    with pytest.raises(InputError, match=r"measured alike, found data.noise = 0.1 in .* and 0.2"):
        head_evidence.single_filters([vgg, cct])  # runs that record no fingerprint
    for run in (vgg, cct):
        run._fingerprint = "a" * 64
    assert set(head_evidence.single_filters([vgg, cct]).heads[0]) == {"cct heads1"}
    cct._fingerprint = "b" * 64
    with pytest.raises(InputError, match=r"found images and labels of SHA-256 a{16} in .* and b{16}"):
        head_evidence.single_filters([vgg, cct])


def test_arms_of_other_networks_are_refused(make):
    with pytest.raises(
        InputError, match=r"masked stages: expected heads, nodes or .* found prune.stages = stag"
    ):
        evidence.head_arms([make(0, ("stage1",))])
