"""A run as an object shows what its file holds."""

import numpy as np
import pytest

import deeptheory as dt
from deeptheory import measure
from deeptheory.errors import InputError
from deeptheory.runs.summaries import step_summaries

pytestmark = pytest.mark.usefixtures("one_thread")


def test_fields_clusters_and_tables_are_those_of_the_file(opened):
    fields, threshold = opened.fields("stage4"), opened.config.measure.threshold
    assert fields.shape == (32, 5, 5)
    clipped = measure.clip(fields, threshold)
    for of_filter, field in zip(opened.clusters("stage4"), clipped, strict=True):
        assert of_filter == [list(cluster) for cluster in measure.find_clusters(field)]
    assert opened.stages == step_summaries.measured(opened.stored).tables[0]
    of_last = opened.snr.rows[-1]
    found = (opened[f"measure/stages/stage5/snr_{of}"] for of in ("mean_field", "measured"))
    assert of_last[4:6] == tuple(f"{snr:.2f}" for snr in found)
    snr = opened["measure/stages/stage5/field_snr"]
    assert of_last[6] == f"{np.median([snr[i, j] for i in range(5) for j in range(5) if i != j]):.2f}"
    assert [row[0] for row in opened.accuracies.rows] == ["unpruned", *opened.config.prune.arms]


def test_networks_and_masks_of_arms(opened):
    masks, network = opened.masks("random"), opened.network("random")
    assert (network.parameters()["stage5.conv.weight"][~masks["stage5.conv.weight"]] == 0).all()
    np.testing.assert_array_equal(
        opened.network().parameters()["head.linear.weight"], opened["train/state/head.linear.weight"]
    )
    np.testing.assert_array_equal(
        opened.network("unpruned").parameters()["head.linear.weight"],
        opened["retrain/arms/unpruned/state/head.linear.weight"],
    )
    kept, size = sum(masks.kept().values()), sum(layer.size for layer in masks.layers)
    last = repr(masks).split("\n")[-1].split()
    assert last == ["all", str(kept), str(size), f"{masks.total_density:.4f}"]
    assert repr(opened.splits).startswith("Splits: 150 inputs to train, 50 to measure, 50 to test\n")


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (
            lambda run: run.fields("stage9"),
            ["stage: expected one of stage1", "'stage9'", "did you mean 'stage"],
        ),
        (lambda run: run.masks("unpruned"), ["arm", "'unpruned'"]),
        (lambda run: run.network("afc"), ["did you mean 'afcc'?"]),
        (lambda run: run.load_into(None, "afcc"), ["an imported network", "one that was trained here"]),
        (lambda run: run.masks_back("afcc"), ["an imported network", "one that was trained here"]),
        (lambda run: run["measure/stages/stage9"], ["'measure/stages/stage9' in run.h5"]),
        (lambda run: run.to_frame("stage"), ["to_frame", "did you mean 'stages'?"]),
    ],
)
def test_what_a_run_refuses(opened, ask, words):
    with pytest.raises(InputError) as refused:
        ask(opened)
    for word in words:
        assert word in str(refused.value)


def test_a_run_before_its_steps_names_the_calls(run_until):
    run = dt.open_run(run_until("train").directory)
    for step, ask in {"measure": "stages", "predict": "predictions"}.items():
        with pytest.raises(InputError, match=rf"call dt\.{step}\(run\) first"):
            getattr(run, ask)
    assert [row[0] for row in run.accuracies.rows] == ["measure", "test"]
    assert run.accuracies.rows[1][1] == f"{run['train/accuracy/test']:.4f}"


def test_frames(opened):
    pytest.importorskip("pandas")
    stages = opened.to_frame()
    assert stages.loc["stage5", "snr_measured"] == opened["measure/stages/stage5/snr_measured"]
    filters = opened.to_frame("filters")
    assert len(filters) == sum(len(opened.clusters(f"stage{number}")) for number in range(1, 6))
    assert filters["signal_share"].groupby("stage").sum().to_numpy() == pytest.approx(1)
    assert opened.to_frame("arms").loc["afcc", "accuracy_retrained"] == opened["retrain/arms/afcc/accuracy"]
    assert list(opened.to_frame("layers").index) == [layer.weight for layer in opened.masks("afcc").layers]
    assert len(opened.to_frame("history")) == opened.config.train.epochs


def test_a_frame_without_pandas_says_what_installs_it(opened, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"pip install 'deeptheory\[notebook\]'"):
        opened.to_frame()
