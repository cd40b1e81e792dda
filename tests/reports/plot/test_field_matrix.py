import numpy as np
import pytest
from matplotlib.patches import Rectangle

from deeptheory.errors import InputError
from deeptheory.reports.plot import draw_field_matrix, save
from deeptheory.reports.plot.field_matrix import IN_CLUSTER, NOISE

# The example of three labels in a chain, its labels renamed: served 1, 3, 4; clusters {1, 3}, {4}; noise 2.
CHAIN = np.full((5, 5), -0.5)
for row, column in ((1, 1), (3, 3), (4, 4), (1, 3), (3, 1), (3, 4), (4, 3)):
    CHAIN[row, column] = 2.0
CLUSTERS = [[1, 3], [4]]


def squares(axes):
    return [
        (patch.get_x(), patch.get_y(), patch.get_width(), patch.get_height())
        for patch in axes.patches
        if isinstance(patch, Rectangle)
    ]


def test_three_panels_of_the_worked_example(tmp_path):
    figure = draw_field_matrix(CHAIN, 0.3, CLUSTERS)
    field, clipped, ordered = figure.axes[:3]
    np.testing.assert_array_equal(field.images[0].get_array(), CHAIN / 2)
    low, high = field.images[0].get_clim()
    assert (low, high) == (-1, 1)
    np.testing.assert_array_equal(clipped.images[0].get_array(), CHAIN > 0)
    expected = np.zeros((5, 5))
    expected[:2, :2] = expected[2, 2] = IN_CLUSTER
    expected[1, 2] = expected[2, 1] = NOISE
    np.testing.assert_array_equal(ordered.images[0].get_array(), expected)
    assert squares(ordered) == [(-0.5, -0.5, 2, 2), (1.5, 1.5, 1, 1)]
    assert [tick.get_text() for tick in ordered.get_xticklabels()] == ["1", "3", "4", "0", "2"]
    assert ordered.get_title() == "(c) sorted: 2 clusters, noise 2"
    assert field.get_xlabel() == "output $j$"
    assert field.get_ylabel() == "input label $i$"
    save(figure, tmp_path / "figure.png")


def test_the_sorted_panel_names_its_labels(tmp_path):
    names = "cup", "rose", "$2", "a name of many letters", "orange"
    figure = draw_field_matrix(CHAIN, 0.3, CLUSTERS, label_names=names)
    for ticks in (figure.axes[2].get_xticklabels(), figure.axes[2].get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == ["rose", "a name of m…", "orange", "cup", "$2"]
    save(figure, tmp_path / "figure.png")


def test_map_is_centred_at_zero_when_the_minimum_is_the_larger():
    field = np.array([[1.0, -4.0], [0.0, 0.1]])
    assert draw_field_matrix(field, 0.3, [[0]]).axes[0].images[0].get_clim() == (-4, 4)


def test_filter_without_clusters():
    field = -np.eye(4)
    field[0, 1] = 1.0
    figure = draw_field_matrix(field, 0.3, [])
    assert figure.axes[2].get_title() == "(c) no cluster, noise 1"
    assert squares(figure.axes[2]) == []


@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_field_without_a_positive_element_has_no_ones(value):
    figure = draw_field_matrix(np.full((3, 3), value), 0.3, [])
    assert figure.axes[0].get_title() == "(a) field: nothing above zero"
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), np.full((3, 3), value))
    assert figure.axes[1].get_title().endswith(": 0 ones")


def test_a_single_one_among_many_labels_is_still_drawn():
    field = np.zeros((300, 300))
    field[7, 7] = field[200, 31] = 1.0
    _, clipped, ordered = figure_axes = draw_field_matrix(field, 0.3, [[7]]).axes[:3]
    assert len(figure_axes) == 3
    drawn = [line.get_xydata().tolist() for line in clipped.lines]
    assert drawn == [[[7, 7], [31, 200]], [], []]
    # Label 7 moves to the front; 31 and 200 stay where they are.
    assert [line.get_xydata().tolist() for line in ordered.lines] == [[], [[0, 0]], [[31, 200]]]
    assert clipped.lines[0].get_markersize() == 1


@pytest.mark.parametrize(
    ("clusters", "message"),
    [
        ([[1, 5]], "clusters: expected labels within 0 and 4, found 5"),
        ([[1, 3], [3]], "clusters: expected every label in one cluster at most, found a label in two"),
        ([[1, 3, 4]], "found zeros inside cluster .*; find the clusters at the threshold of the figure"),
    ],
)
def test_clusters_are_checked(clusters, message):
    with pytest.raises(InputError, match=message):
        draw_field_matrix(CHAIN, 0.3, clusters)


def test_field_is_checked():
    with pytest.raises(InputError, match=r"field: expected shape \(labels, labels\), found shape \(2, 3\)"):
        draw_field_matrix(np.ones((2, 3)), 0.3, [])
    with pytest.raises(InputError, match="field: expected finite values, found 1 that are not finite"):
        draw_field_matrix(np.array([[1.0, np.nan], [0.0, 1.0]]), 0.3, [])


def test_the_name_of_the_filter_is_written():
    figure = draw_field_matrix(np.eye(4), 0.5, [[0], [1], [2], [3]], "stage3, filter 7")
    assert "stage3, filter 7" in [text.get_text() for text in figure.texts]
