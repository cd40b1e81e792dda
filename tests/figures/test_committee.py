import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import save
from tests.scripts import FIGURES, load_script

script = load_script(FIGURES / "committee.py")

ALPHA = np.linspace(0, 100, 201)
FALLING = np.exp(-ALPHA / 30)
SEEDS = FALLING * np.array([[0.9], [1.0], [1.4]])
ERRORS = script.Panel("learning", {"$K = 2$": script.Curve(ALPHA, FALLING, SEEDS)})
OVERLAPS = script.Panel("overlaps", {"R": script.Curve(ALPHA, FALLING - 0.5, SEEDS - 0.5)})
SETS = script.Sets("removed", {"3, 4": (0.01, [0.011, 0.012, 0.010]), "1": (0.5, [0.5, 0.4, 0.6])})


def test_lines_are_theory_and_points_means_over_seeds(tmp_path):
    figure = script.draw_committee(ERRORS, OVERLAPS, ERRORS, SETS)
    letters = [axes.get_title()[:3] for axes in figure.axes]
    assert letters == ["(a)", "(b)", "(c)", "(d)"]
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear", "log", "log"]
    line, points = figure.axes[0].lines[:2]
    np.testing.assert_array_equal(line.get_ydata(), FALLING)
    assert 10 < len(points.get_xdata()) < 25
    np.testing.assert_allclose(points.get_ydata(), 1.1 * np.exp(-points.get_xdata() / 30))
    np.testing.assert_array_equal(points.get_xdata()[[0, -1]], [0, 100])
    assert (
        figure.axes[0].get_legend().get_title().get_text()
        == "lines: theory; bars: 95% interval of the mean, 3 seeds"
    )
    save(figure, tmp_path / "figure.png")


def test_sets_keep_their_order_and_their_names():
    axes = script.draw_committee(ERRORS, OVERLAPS, ERRORS, SETS).axes[3]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["3, 4", "1"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.011, 0.5])
    np.testing.assert_allclose([part[0, 1] for part in axes.collections[0].get_segments()], [0.01, 0.5])


@pytest.mark.parametrize(
    ("learning", "sets", "message"),
    [
        (script.Panel("learning", {}), SETS, "curves of 'learning': expected at least one, found none"),
        (ERRORS, script.Sets("removed", {}), "sets of 'removed': expected at least one, found none"),
        (
            script.Panel("learning", {"a": script.Curve(ALPHA, FALLING[1:], SEEDS)}),
            SETS,
            r"alpha and theory of a: expected shape \(n,\) twice, found \(201,\) and \(200,\)",
        ),
        (
            script.Panel("learning", {"a": script.Curve(ALPHA, FALLING, SEEDS[:, 1:])}),
            SETS,
            r"simulation of a: expected shape \(seeds, 201\), found shape \(3, 200\)",
        ),
        (
            script.Panel("learning", {"a": script.Curve(ALPHA, FALLING, -SEEDS)}),
            SETS,
            "generalisation errors of a: expected values above 0, found -1.4",
        ),
    ],
)
def test_bad_input(learning, sets, message):
    with pytest.raises(InputError, match=message):
        script.draw_committee(learning, OVERLAPS, ERRORS, sets)
