import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import save
from tests.scripts import FIGURES, load_script

script = load_script(FIGURES / "committee_scatter.py")

ALPHA = np.array([0.0, 1.0, 10.0, 100.0])
CASES = [
    script.Deviations(f"K = {K}", ALPHA, np.outer([1.0, -2.0, 4.0], ALPHA / 1e4), ALPHA / 5e3)
    for K in (2, 3, 4)
]
SIZES = script.Sizes("removed", [500, 1000], [0.2, 0.1], [0.05, 0.04], 100.0)


def test_networks_lie_about_zero_in_the_band_of_twice_the_scatter(tmp_path):
    figure = script.draw_committee_scatter(CASES, SIZES)
    axes = figure.axes[2]
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(4.0)
    assert band[:, 1].min() == pytest.approx(-4.0)
    assert [line.get_ydata()[-1] for line in axes.lines[:4]] == pytest.approx([1, -2, 4, 1])
    assert axes.get_title() == "(c) K = 4"
    save(figure, tmp_path / "figure.png")


def test_sizes_are_drawn_against_1_over_n_with_their_line():
    axes = script.draw_committee_scatter(CASES, SIZES).axes[3]
    points = axes.containers[0].lines[0]
    np.testing.assert_allclose(points.get_xdata(), [2, 1])
    np.testing.assert_allclose(points.get_ydata(), [20, 10])
    line = next(line for line in axes.lines if line.get_label() == "100 / N")
    np.testing.assert_allclose(line.get_ydata() / line.get_xdata().max(), [0, 10])


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="cases: expected three, found 2"):
        script.draw_committee_scatter(CASES[:2], SIZES)
    wrong = CASES[0]._replace(scatter=ALPHA[1:])
    with pytest.raises(
        InputError, match=r"expected \(n,\), \(S, n\) and \(n,\), found \(4,\), \(3, 4\) and \(3,\)"
    ):
        script.draw_committee_scatter([wrong, *CASES[1:]], SIZES)
