import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import save
from tests.scripts import FIGURES, load_script

script = load_script(FIGURES / "rank_truncation.py")

LAYER = script.Truncation([0, 4, 16], [0.1, 0.5, 0.8], [4, 8], [[0.2, 0.3], [0.4, 0.5]], 6, 16)


def test_a_panel_per_layer_with_the_predicted_rank_and_both_ways(tmp_path):
    layers = {**{f"stage{number}": LAYER for number in range(1, 6)}, "head": LAYER}
    figure = script.draw_rank_truncation(layers, 0.8, 0.5, 0.1)
    assert [axes.get_title() for axes in figure.axes][-2:] == ["stage 5: 6 of 16", "head: 6 of 16"]
    predicted, largest, mean, draws, chance = figure.axes[0].lines
    assert set(chance.get_ydata()) == {0.1}
    assert predicted.get_xdata()[0] == 6 / 16
    np.testing.assert_allclose(largest.get_xydata(), [[0, 0.1], [0.25, 0.5], [1, 0.8]])
    np.testing.assert_allclose(mean.get_xydata(), [[0.25, 0.25], [0.5, 0.45]])
    np.testing.assert_allclose(draws.get_xydata(), [[0.25, 0.2], [0.5, 0.4], [0.25, 0.3], [0.5, 0.5]])
    band = figure.axes[0].patches[0]
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((0.795, 0.8))
    save(figure, tmp_path / "figure.png")


def test_no_layer_and_no_accuracy_are_refused():
    with pytest.raises(InputError, match="truncated layers: expected at least one, found none"):
        script.draw_rank_truncation({}, 0.8, 0.5, 0.1)
    wrong = script.Truncation([0], [1.5], [1], [[0.1]], 1, 2)
    with pytest.raises(InputError, match=r"accuracy of stage1: expected shares within 0 and 1, found 1\.5"):
        script.draw_rank_truncation({"stage1": wrong}, 0.8, 0.5, 0.1)
