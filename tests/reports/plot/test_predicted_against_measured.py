import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import draw_predicted_against_measured, save
from deeptheory.reports.plot.predicted_against_measured import KIND_MARKS

GROUPS = {
    "probes of stages": (np.array([0.50, 0.60, 0.73]), np.array([0.49, 0.61, 0.71])),
    "retrained arms": (np.array([0.80, 0.82]), np.array([0.81, 0.85])),
}


def test_legend_gives_rms_and_bias_in_points(tmp_path):
    figure = draw_predicted_against_measured(GROUPS, 2000, 0.1)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    # Errors in points: +1, -1, +2 and -1, -3.
    assert texts[0] == "chance: 0.1, outside"
    assert texts[1:] == ["probes of stages: rms 1.41, bias +0.67", "retrained arms: rms 2.24, bias −2.00"]
    save(figure, tmp_path / "figure.png")


def test_axes_are_equal_with_the_identity_and_all_points_inside():
    axes = draw_predicted_against_measured(GROUPS, 2000, 0.1).axes[0]
    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_aspect() == 1
    low, high = axes.get_xlim()
    for container, (predicted, measured) in zip(axes.containers, GROUPS.values(), strict=True):
        np.testing.assert_array_equal(container.lines[0].get_xydata(), np.transpose([predicted, measured]))
        bars = np.concatenate(container.lines[2][0].get_segments())
        assert bars.min() > low
        assert bars.max() < high
    identity = [line for line in axes.lines if line.get_marker() == "None" and len(line.get_xdata()) == 2]
    assert any(np.array_equal(line.get_xdata(), line.get_ydata()) for line in identity)


def test_every_kind_is_drawn_even_when_the_marks_repeat():
    groups = {f"kind {number}": ([0.5], [0.5]) for number in range(len(KIND_MARKS) + 1)}
    assert len(draw_predicted_against_measured(groups, 100, 0.1).axes[0].containers) == len(groups)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({}, "predictions: expected at least one kind, found none"),
        ({"probes": ([], [])}, "predictions of probes: expected at least one, found none"),
        (
            {"probes": ([0.5, 0.6], [0.5])},
            r"measured accuracy of probes: expected shape \(seeds, 2\), found shape \(1,\)",
        ),
        (
            {"probes": ([0.5], [50.0])},
            "measured accuracy of probes: expected shares within 0 and 1, found 50",
        ),
    ],
)
def test_bad_input(groups, message):
    with pytest.raises(InputError, match=message):
        draw_predicted_against_measured(groups, 100, 0.1)
