"""The data of filters, where the report of the tiny study does not show them."""

import base64
import gzip

import msgspec
import numpy as np
import pytest

from deeptheory.reports.html.filters import masks_of_run, prune_threshold, stage_of_run
from deeptheory.store import paths

pytestmark = pytest.mark.usefixtures("one_thread")


def test_masks_of_weights_count_where_any_weight_is_left(run):
    shape = run.read_array("train/state/stage5.conv.weight").shape
    mask = np.zeros(shape, np.bool_)
    mask[2, 3, 1, 1] = True
    criterion, density = run.config.compare.criteria[0], run.config.compare.densities[0]
    run.store(
        paths.compare_path(criterion, density), {"accuracy": 0.5, "masks": {"stage5.conv.weight": mask}}
    )
    masks, packed = masks_of_run(run)
    assert masks["arms"] == [*run.config.prune.arms, f"{criterion}, density {density:g}"]
    content = np.frombuffer(gzip.decompress(base64.b64decode(packed)), np.uint8)
    size = shape[0] * shape[1]
    kept = np.unpackbits(content[-(size // 8) :]).reshape(shape[:2])
    assert np.argwhere(kept).tolist() == [[2, 3]]


def test_a_density_that_was_not_reached_is_no_arm(run):
    criterion, density = run.config.compare.criteria[0], run.config.compare.densities[0]
    run.store(paths.compare_path(criterion, density), {"not_reached": "too small"})
    assert masks_of_run(run)[0]["arms"] == list(run.config.prune.arms)


def test_a_stage_may_have_a_threshold_of_its_own(run):
    options = msgspec.structs.replace(run.config.prune, thresholds=(0.6, 0.7))
    run.config = msgspec.structs.replace(run.config, prune=options)
    assert [prune_threshold(run, stage) for stage in ("stage3", "stage4", "stage5")] == [0.5, 0.6, 0.7]
    stage, _ = stage_of_run(run, "stage5")
    assert (stage["pruned"], stage["exact"]) == (0.7, [0.3, 0.7])


def test_a_number_that_is_missing_is_null(run):
    run.add(paths.stage_path("measure", "stage5"), {"single_filter_accuracy": np.full(32, np.nan)})
    stage, _ = stage_of_run(run, "stage5")
    assert stage["accuracy"] == [None] * 32
