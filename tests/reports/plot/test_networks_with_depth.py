import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import DepthCurve, draw_networks_with_depth, save

DEPTH = np.array([0.5, 1.0])


def curve(network="vgg6, 5 labels", kind="filters", snr=((2.0, 4.0),)):
    return DepthCurve(network, kind, DEPTH, np.array([[0.4, 0.6]]), np.array(snr), 0.2)


def test_colours_are_networks_and_markers_are_kinds(tmp_path):
    curves = [curve(), curve("cct, 5 labels"), curve("cct, 5 labels", "heads")]
    figure = draw_networks_with_depth(curves, 0.3)
    left, right = figure.axes
    points = [container.lines[0] for container in left.containers]
    assert points[1].get_color() == points[2].get_color() != points[0].get_color()
    assert [line.get_marker() for line in points] == ["o", "o", "D"]
    np.testing.assert_array_equal(points[0].get_xydata(), [[0.5, 0.4], [1.0, 0.6]])
    assert right.get_yscale() == "log"
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["vgg6, 5 labels", "cct, 5 labels", "filters", "heads"]
    save(figure, tmp_path / "figure.png")


def test_an_infinite_snr_is_left_out():
    right = draw_networks_with_depth([curve(snr=((2.0, np.inf),))], 0.3).axes[1]
    np.testing.assert_array_equal(right.containers[0].lines[0].get_xydata(), [[0.5, 2.0]])


def test_an_snr_that_is_nearly_the_same_everywhere_has_ticks_to_be_read_by():
    right = draw_networks_with_depth([curve(snr=((1.06, 1.31),))], 0.3).axes[1]
    low, high = right.get_ylim()
    assert sum(low <= tick <= high for tick in right.get_yticks()) >= 3


def test_more_networks_than_colours_are_refused():
    with pytest.raises(InputError, match="networks: expected 1 to 7, found 8"):
        draw_networks_with_depth([curve(f"network {number}") for number in range(8)], 0.3)
