import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import save
from tests.scripts import FIGURES, load_script

script = load_script(FIGURES / "perceptron_capacity.py")

POINTS = {
    100: script.CapacityPoints([0.2, 0.5], [0.9, 1.7], [0.01, 0.02]),
    50: script.CapacityPoints([0.5], [1.0], [0.03]),
}


def test_points_lie_between_the_lines_as_given(tmp_path):
    figure = script.draw_perceptron_capacity(POINTS)
    above, below = figure.axes
    np.testing.assert_allclose(above.containers[1].lines[0].get_ydata(), [0.9, 1.7])
    names = [text.get_text() for text in above.get_legend().get_texts()]
    assert names[2:] == ["pruned and relearnt, $N = 50$", "pruned and relearnt, $N = 100$"]
    # On the quenched line, 0; at f = 0.5 the bound is 1.857.
    np.testing.assert_allclose(below.containers[0].lines[0].get_ydata(), [0.0], atol=1e-12)
    assert below.containers[1].lines[0].get_ydata()[1] == pytest.approx(0.7 / 0.857, abs=1e-3)
    low, high = (end[1] for end in above.containers[0].lines[2][0].get_segments()[0])
    assert high - low == pytest.approx(2 * 1.96 * 0.03)
    save(figure, tmp_path / "figure.png")


def test_refused_input_names_what_was_found():
    with pytest.raises(InputError, match="sizes: expected 1 to 4, found 0"):
        script.draw_perceptron_capacity({})
    with pytest.raises(InputError, match=r"density: expected values between 0 and 1, found \[1\.\]"):
        script.draw_perceptron_capacity({50: script.CapacityPoints([1.0], [2.0], [0.1])})
