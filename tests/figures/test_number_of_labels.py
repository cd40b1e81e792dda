import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import save
from tests.scripts import FIGURES, load_script

script = load_script(FIGURES / "number_of_labels.py")

SIZES = [2, 5, 10]
MEASURED = np.array([[0.99, 0.97, 0.95], [0.97, 0.93, 0.91]])
EXCESS = {"linear": MEASURED * [0, -0.1, -2], "mixture": 0.01 * MEASURED}
CURVES = script.LabelCurves(SIZES, MEASURED, [0.01, 0.01, 0.0], EXCESS)


def test_laws_are_lines_and_measured_errors_points_at_one_less_than_the_labels(tmp_path):
    figure = script.draw_number_of_labels({"glyphs": CURVES, "photographs": CURVES})
    above, below = figure.axes[0], figure.axes[2]
    assert [axes.get_title() for axes in figure.axes[:2]] == [
        f"{name}\nbars: range of 2 seeds" for name in ("glyphs", "photographs")
    ]
    assert [tick.get_text() for tick in below.get_xticklabels()] == ["2", "5", "10"]
    linear, mixture, measured = above.lines[:3]
    chance = next(line for line in above.lines if line.get_label() == "chance")
    np.testing.assert_allclose(chance.get_ydata(), [0.5, 0.8, 0.9])
    np.testing.assert_array_equal(measured.get_xdata(), [1, 4, 9])
    np.testing.assert_allclose(measured.get_ydata(), [0.02, 0.05, 0.07])
    np.testing.assert_allclose(mixture.get_ydata(), 1 - 1.01 * (1 - np.array([0.02, 0.05, 0.07])))
    np.testing.assert_allclose(linear.get_ydata()[:2], [0.02, 0.145])
    zero, first = below.lines[:2]
    assert zero.get_ydata()[0] == 0
    np.testing.assert_allclose(first.get_ydata()[:2], [0, -9.5])
    assert below.get_ylim()[0] < -100 * MEASURED[0, 2] * 2  # nothing is left out
    assert "linear within 1 point, logarithmic beyond" in below.get_ylabel()
    save(figure, tmp_path / "figure.png")


def test_no_data_and_wrong_shapes_are_refused():
    with pytest.raises(InputError, match="data sets: expected at least one, found none"):
        script.draw_number_of_labels({})
    short = script.LabelCurves(SIZES, MEASURED, [0.01, 0.01, 0.0], {"linear": [0.1]})
    with pytest.raises(InputError, match=r"linear of x: expected shape \(seeds, 3\), found shape \(1,\)"):
        script.draw_number_of_labels({"x": short})
