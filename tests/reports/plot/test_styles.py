import matplotlib as mpl
import numpy as np
import pytest

from deeptheory.prune.options import PruneOptions
from deeptheory.reports.plot import draw_predicted_against_measured
from deeptheory.reports.plot.styles import (
    ARM_MARKS,
    OTHER_MARKS,
    SINGLE_COLUMN,
    arm_marks,
    arm_title,
    stage_title,
)


def small_figure():
    return draw_predicted_against_measured(
        {"probes": (np.array([0.4, 0.6]), np.array([0.41, 0.59]))}, 1000, 0.1
    )


def test_drawing_neither_reads_nor_changes_the_users_settings():
    with mpl.rc_context({"font.size": 31.0, "axes.labelsize": 29.0, "font.family": ["monospace"]}):
        before = dict(mpl.rcParams)
        figure = small_figure()
        assert dict(mpl.rcParams) == before
    label = figure.axes[0].xaxis.label
    assert label.get_fontsize() == 8
    assert label.get_fontfamily() == ["STIXGeneral"]
    assert figure.get_figwidth() == SINGLE_COLUMN
    assert figure.get_layout_engine() is not None


def test_drawing_opens_no_window_and_keeps_no_figure():
    figure = small_figure()
    assert figure.canvas.manager is None


def test_arms_differ_in_marker_and_keep_theirs():
    marks = arm_marks(["mine", "afcc", "theirs", "random"])
    assert marks["afcc"] == ARM_MARKS["afcc"]
    assert marks["random"] == ARM_MARKS["random"]
    assert marks["mine"] == OTHER_MARKS[0]
    assert marks["theirs"] == OTHER_MARKS[1]
    every = [*ARM_MARKS.values(), *OTHER_MARKS]
    assert len(set(every)) == len(every)
    markers = [ARM_MARKS[arm][1] for arm in ("unpruned", *PruneOptions().arms, "lamp")]
    assert len(set(markers)) == len(markers)  # told apart without colours


@pytest.mark.parametrize(
    ("stage", "title"), [("stage7", "7"), ("stage12", "12"), ("stageA", "stageA"), ("conv", "conv")]
)
def test_stage_title(stage, title):
    assert stage_title(stage) == title


def test_arm_titles_are_spelt_as_in_print():
    assert [arm_title(arm) for arm in ("afcc", "random", "snr-budget")] == ["AFCC", "random", "SNR budget"]
