import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import save
from tests.scripts import FIGURES, load_script

script = load_script(FIGURES / "field_theory.py")

KINDS = {
    "as they stand": script.Heads([0.50, 0.60, 0.73], [0.49, 0.61, 0.71], [True, False, False]),
    "refitted": script.Heads([0.80, 0.82], [0.81, 0.85], [False, False]),
}
CHANCE = {"CIFAR-10": 0.1, "glyphs": 0.01}


def test_points_stand_above_and_their_errors_below_with_full_heads_filled(tmp_path):
    figure = script.draw_head_accuracies({"CIFAR-10": KINDS, "glyphs": KINDS}, CHANCE)
    above, _, below, _ = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["CIFAR-10", "glyphs", "", ""]
    masked, full, *_ = above.lines
    np.testing.assert_allclose(masked.get_xydata(), [[0.61, 0.60], [0.71, 0.73]])
    np.testing.assert_allclose(full.get_xydata(), [[0.49, 0.50]])
    assert (masked.get_markerfacecolor(), full.get_markerfacecolor()) == ("none", full.get_color())
    np.testing.assert_allclose(below.lines[0].get_xydata(), [[0.61, -1.0], [0.71, 2.0]])
    identity = above.lines[-2]
    np.testing.assert_array_equal(identity.get_xdata(), identity.get_ydata())
    save(figure, tmp_path / "figure.png")


def test_legend_gives_mean_absolute_error_and_bias_in_points():
    legend = script.draw_head_accuracies({"glyphs": KINDS}, CHANCE).axes[0].get_legend()
    texts = [text.get_text() for text in legend.get_texts()]
    # Errors in points: +1, -1, +2 and -1, -3.
    assert texts == ["as they stand: 1.33, bias +0.67", "refitted: 2.00, bias −2.00", "chance: 0.01, outside"]


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({}, "panels: expected at least one, found none"),
        ({"glyphs": {}}, "kinds of heads of glyphs: expected 1 to 4, found 0"),
        ({"a": {"b": script.Heads([], [], [])}}, "heads b, a: expected at least one, found none"),
        (
            {"a": {"b": script.Heads([0.5], [0.5, 0.6], [True])}},
            r"measured accuracy of heads b, a: expected shape \(seeds, 1\), found shape \(2,\)",
        ),
        (
            {"a": {"b": script.Heads([0.5], [50.0], [True])}},
            "measured accuracy of heads b, a: expected shares within 0 and 1, found 50",
        ),
        (
            {"a": {"b": script.Heads([0.5], [0.5], [1])}},
            r"full heads b, a: expected bool of shape \(1,\), found int64 of shape \(1,\)",
        ),
    ],
)
def test_bad_input(panels, message):
    with pytest.raises(InputError, match=message):
        script.draw_head_accuracies(panels, CHANCE)
