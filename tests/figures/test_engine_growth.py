"""The figure of how times grow."""

from tests.scripts import FIGURES, load_script

script = load_script(FIGURES / "engine_growth.py")

CURVES = {
    "seeds": {"by": "width", "values": [0.25, 1], "one, steps/s": [2.0, 1.0], "two, steps/s": [3.0, 1.1]},
    "measuring by labels": {"by": "labels", "values": [10, 100], "1 threads, s": [0.1, 0.3]},
    "step by batch": {
        "by": "batch", "values": [4, 8, 16], "1 threads, s": [0.1, 0.2, 0.4], "2 threads, s": [0.1, 0.1, 0.2],
    },
}  # fmt: skip


def test_every_curve_has_a_panel_and_the_multiply_adds_end_in_its_last_point():
    steps, labels, seeds, *_ = script.draw_growth(CURVES).axes
    one, two, slope = steps.get_lines()
    assert (one.get_label(), two.get_label()) == ("1 thread", "2 threads")
    assert two.get_ydata().tolist() == [100, 100, 200]
    assert slope.get_ydata().tolist() == [50, 100, 200]
    assert len(labels.get_lines()) == 1
    assert [bar.get_height() for bar in seeds.patches] == [1, 1, 1.5, 1.1]
