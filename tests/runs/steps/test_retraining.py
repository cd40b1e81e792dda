"""Retraining of some stages: what is trained, what is held, and what is refused."""

import msgspec
import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run, steps
from deeptheory.runs.configuration import config_from

TRAINED = ("stage5", "head")
MASKED = ("stage4.conv.weight", "stage5.conv.weight", "head.linear.weight")


def with_options(config, **tables):
    table = msgspec.to_builtins(config)
    for name, options in tables.items():
        table[name].update(options)
    return config_from(table)


def test_only_the_named_stages_are_retrained_in_every_arm(finished_study, run_until):
    run, whole = run_until("prune"), Run(finished_study / "seed-3")
    run.config = with_options(run.config, retrain={"stages": TRAINED})
    steps.retrain(run)
    before = run.read_arrays("train/state")
    for arm in ("unpruned", *run.config.prune.arms):
        state, of_all = (of.read_arrays(f"retrain/arms/{arm}/state") for of in (run, whole))
        masks = {} if arm == "unpruned" else run.read_arrays(f"prune/arms/{arm}/masks")
        for name, array in state.items():
            if name.endswith(("running_mean", "running_var")):
                assert not np.array_equal(array, before[name]), (arm, name)  # the batches go on passing
            elif name.split(".")[0] in TRAINED:
                assert not np.array_equal(array, before[name] * whole_mask(masks, name, array)), (arm, name)
            else:
                np.testing.assert_array_equal(array, before[name] * whole_mask(masks, name, array))
        assert any(not np.array_equal(state[name], of_all[name]) for name in state)
    assert len(run.read_array("retrain/arms/afcc/history/loss")) == run.config.retrain.epochs


def whole_mask(masks, name, array):
    """The mask of kernels of one weight as one of weights; ones where there is none."""
    mask = masks.get(name)
    if mask is None:
        return np.ones(array.shape, bool)
    return np.repeat(mask.ravel(), array.size // mask.size).reshape(array.shape)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"retrain": {"stages": ["stage6"]}}, ["retrain.stages", "head, stage1", "'stage6'"]),
        (
            {"retrain": {"stages": ["head"]}, "prune": {"schedule": "iterative", "density": 0.5}},
            ["retrain.stages", "beside an iterative schedule", "head"],
        ),
        ({"retrain": {"stages": ["haed"]}}, ["retrain.stages", "did you mean 'head'?"]),
        (
            {"retrain": {"stages": ["head"]}, "prune": {"arms": ["afcc", "random-afcc"]}},
            [
                "retrain.stages",
                "all stages",
                "'random-afcc', which is trained from fresh weights",
                "found head",
            ],
        ),
    ],
)
def test_stages_that_cannot_be_retrained_are_refused_before_training_and_before_retraining(
    tiny_config, run_until, tmp_path, tables, words
):
    config = with_options(tiny_config, **tables)
    fresh, pruned = Run.create(tmp_path / "fresh", config, quiet=True), run_until("prune")
    pruned.config = config
    for refused in (lambda: steps.train(fresh), lambda: steps.retrain(pruned)):
        with pytest.raises(InputError) as error:
            refused()
        for word in words:
            assert word in str(error.value)
    assert not fresh.begun
    assert not pruned.has("retrain")


def test_a_comparison_refuses_arms_from_scratch_where_stages_are_held(run, tiny_config):
    compared = {"criteria": ["random-afcc"], "densities": [0.5]}
    run.config = with_options(tiny_config, retrain={"stages": ["head"]}, compare=compared)
    with pytest.raises(InputError, match=r"retrain.stages: expected all stages .* beside 'random-afcc'"):
        steps.compare(run)


def test_a_comparison_refuses_a_criterion_of_one_density(run, tiny_config):
    run.config = with_options(tiny_config, compare={"criteria": ["published-indexing"], "densities": [0.5]})
    with pytest.raises(InputError, match=r"found 'published-indexing', which has one; make it an arm"):
        steps.compare(run)
