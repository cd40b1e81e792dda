import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import Losses, draw_predicted_losses, save


def losses(predicted, measured):
    predicted, measured = np.array(predicted), np.array(measured)
    return Losses(predicted, predicted / 2, predicted * 2, measured, np.full(len(measured), 0.004))


FOUND = {"afcc": losses([0.01, 0.05], [0.02, 0.03]), "random": losses([0.2, 0.4], [0.25, 0.35])}


def test_legend_gives_the_mean_error_in_points_and_the_number_of_masks(tmp_path):
    figure = draw_predicted_losses(FOUND, 0.5)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["AFCC: 1.50 (2)", "random: 5.00 (2)"]
    title = figure.legends[0].get_title().get_text()
    assert "axes: linear within 1 point, logarithmic beyond" in title
    save(figure, tmp_path / "figure.png")


def test_points_and_bars_are_in_points_and_inside_equal_axes():
    (axes,) = draw_predicted_losses(FOUND, 0.5).axes
    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_xscale() == axes.get_yscale() == "symlog"
    low, high = axes.get_xlim()
    for container, of_one in zip(axes.containers, FOUND.values(), strict=True):
        np.testing.assert_allclose(
            container.lines[0].get_xydata(), 100 * np.transpose([of_one.predicted, of_one.measured])
        )
        bars = np.concatenate(container.lines[2][0].get_segments())
        assert low < bars.min()
        assert bars.max() < high


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "losses: expected at least one, found none"),
        ({"afcc": losses([], [])}, "losses: expected at least one, found none"),
        ({"afcc": losses([0.1], [np.nan])}, "measured losses of afcc: expected finite numbers"),
    ],
)
def test_bad_input(found, message):
    with pytest.raises(InputError, match=message):
        draw_predicted_losses(found, 0.5)
