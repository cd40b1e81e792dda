import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import draw_accuracy_against_density
from deeptheory.reports.plot.styles import OTHER_MARKS

UNPRUNED = np.array([0.9, 0.91, 0.92])


def curves(n):
    return {f"criterion {i}": {0.5: UNPRUNED - 0.01 * i, 0.1: UNPRUNED - 0.05} for i in range(n)}


def test_every_criterion_has_a_line_of_losses():
    figure = draw_accuracy_against_density(UNPRUNED, curves(3), 0.5, 0.1)
    above, below = figure.axes
    legend = [text.get_text() for text in above.get_legend().get_texts()]
    assert legend == ["chance: 0.1", *curves(3)]
    bars = ("None", "_", "|")
    lines = [line for line in below.lines if len(line.get_xdata()) == 2 and line.get_marker() not in bars]
    drawn = sorted(float(line.get_ydata()[1]) for line in lines)
    assert drawn == pytest.approx([0.0, 1.0, 2.0])
    assert "bars: 95% interval of the mean, 3 seeds" in figure.get_suptitle()
    assert "density" in below.get_xlabel()


def test_many_criteria_share_two_columns():
    assert len(draw_accuracy_against_density(UNPRUNED, curves(12), 0.5, 0.1).axes) == 4


def test_a_density_that_was_not_reached_has_no_point_and_the_line_leads_over_it():
    given = {"a": {0.5: UNPRUNED, 0.2: np.full(3, np.nan), 0.1: UNPRUNED - 0.3}}
    figure = draw_accuracy_against_density(UNPRUNED, given, 0.5, 0.1)
    curve = next(line for line in figure.axes[0].lines if line.get_marker() == OTHER_MARKS[0][1])
    assert np.allclose(curve.get_ydata(), [0.61, 0.91])
    assert np.allclose(curve.get_xdata(), [0.1, 0.5])


@pytest.mark.parametrize("densities", [(1e-9,), (0.5, 1e-9)])
def test_where_no_density_was_reached_the_axis_has_them_all_the_same(densities, tmp_path):
    given = {"a": dict.fromkeys(densities, np.full(3, np.nan))}
    figure = draw_accuracy_against_density(UNPRUNED, given, 0.5, 0.1)
    low, high = figure.axes[1].get_xlim()
    assert low <= min(densities) <= max(densities) <= high
    figure.savefig(tmp_path / "figure.png")  # a warning is an error


def test_points_of_close_densities_are_not_mixed_up():
    given = {f"criterion {i}": dict.fromkeys((0.1, 0.11, 0.5), UNPRUNED) for i in range(7)}
    figure = draw_accuracy_against_density(UNPRUNED, given, 0.5, 0.1)
    markers = [marker for _, marker in OTHER_MARKS]
    curves = np.array([line.get_xdata() for line in figure.axes[0].lines if line.get_marker() in markers])
    assert curves.shape == (7, 3)
    assert curves[:, 0].max() < curves[:, 1].min()
    assert np.ptp(curves[:, 0]) > 0


def test_no_loss_is_cut_off_and_the_scale_is_said():
    given = {"collapsed": {0.5: UNPRUNED + 0.03, 0.1: [0.1, 0.1, 0.3]}}
    predicted = {"collapsed": {0.5: np.zeros(3), 0.1: np.full(3, 0.95)}}
    above, below = draw_accuracy_against_density(UNPRUNED, given, 0.5, 0.1, predicted).axes
    (bottom, top), bars = below.get_ylim(), below.containers[0].lines[2][0].get_segments()
    assert min(np.min(bar[:, 1]) for bar in bars) > top
    assert max(95, *(np.max(bar[:, 1]) for bar in bars)) < bottom
    assert below.get_yscale() == "symlog"
    assert "linear within 1 point, logarithmic beyond" in below.get_ylabel()
    assert above.get_ylim()[0] == 0


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="criteria: expected at least one, found none"):
        draw_accuracy_against_density(UNPRUNED, {}, 0.5, 0.1)
    with pytest.raises(InputError, match=r"densities of b: expected \[0.1, 0.5\], found \[0.1\]"):
        draw_accuracy_against_density(
            UNPRUNED, {"a": curves(1)["criterion 0"], "b": {0.1: UNPRUNED}}, 0.5, 0.1
        )
    with pytest.raises(InputError, match="seeds of a: expected 3, as unpruned"):
        draw_accuracy_against_density(UNPRUNED, {"a": {0.1: UNPRUNED[:2]}}, 0.5, 0.1)
