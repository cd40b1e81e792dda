import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import draw_cluster_sizes, save

SIZES = {"stage1": [1, 1, 4], "stage2": [], "stage3": [2, 2, 2, 1, 1, 3]}
FILTERS = {"stage1": 2, "stage2": 8, "stage3": 4}


def test_bars_are_clusters_per_filter_and_add_up_to_their_mean_number(tmp_path):
    figure = draw_cluster_sizes(SIZES, FILTERS)
    heights = [[bar.get_height() for bar in axes.patches] for axes in figure.axes]
    np.testing.assert_allclose(heights, [[1, 0, 0, 0.5], [0, 0, 0, 0], [0.5, 0.75, 0.25, 0]])
    texts = [axes.texts[0].get_text() for axes in figure.axes]
    assert texts[0] == "$N_c$ = 1.50\n$C_s$ = 2.00\n2 filters"
    assert texts[1] == "$N_c$ = 0.00\nno cluster\n8 filters"
    assert texts[2] == "$N_c$ = 1.50\n$C_s$ = 1.83\n4 filters"
    assert [axes.get_title() for axes in figure.axes] == ["stage 1", "stage 2", "stage 3"]
    save(figure, tmp_path / "figure.png")


def test_panels_share_honest_axes():
    panels = draw_cluster_sizes(SIZES, FILTERS).axes
    assert len({axes.get_ylim() for axes in panels}) == 1
    assert len({axes.get_xlim() for axes in panels}) == 1
    assert panels[0].get_ylim()[0] == 0
    assert panels[0].get_ylim()[1] > 1


@pytest.mark.parametrize(("n_stages", "width"), [(1, 3.375), (3, 3.375), (4, 7.0), (7, 7.0), (16, 7.0)])
def test_one_panel_per_stage(n_stages, width):
    stages = [f"stage{number}" for number in range(1, n_stages + 1)]
    figure = draw_cluster_sizes(dict.fromkeys(stages, (1,)), dict.fromkeys(stages, 1))
    assert len(figure.axes) == n_stages
    assert figure.get_figwidth() == width


def test_no_clusters_anywhere():
    figure = draw_cluster_sizes({"stage1": []}, {"stage1": 3})
    assert figure.axes[0].get_ylim() == (0, 1)


@pytest.mark.parametrize(
    ("sizes", "filters", "message"),
    [
        ({}, {}, "cluster sizes: expected at least one stage, found none"),
        ({"stage1": [1]}, {"stage2": 1}, "filters per stage: expected the stages stage1, found stage2"),
        ({"stage1": [0]}, {"stage1": 1}, "cluster sizes of stage1: expected sizes of at least 1, found 0"),
        ({"stage1": [1]}, {"stage1": 0}, "filters of stage1: expected at least 1, found 0"),
    ],
)
def test_bad_input(sizes, filters, message):
    with pytest.raises(InputError, match=message):
        draw_cluster_sizes(sizes, filters)
