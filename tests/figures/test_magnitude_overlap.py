import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import save
from deeptheory.theory import sign_disagreement
from deeptheory.theory.simulations.magnitude import Pruned
from tests.scripts import FIGURES, load_script

script = load_script(FIGURES / "magnitude_overlap.py")

KEPT = [0.2, 0.6]
SIMULATED = {
    "magnitude": [Pruned(np.array([0.6, 0.7]), np.array([0.2, 0.22])), Pruned(np.ones(2), np.zeros(2))],
    "random": [Pruned(np.array([0.1, 0.3]), np.array([0.3, 0.4])), Pruned(np.full(2, 0.6), np.full(2, 0.2))],
}


def test_points_are_means_over_vectors_and_lines_the_formulas(tmp_path):
    figure = script.draw_magnitude_overlap(KEPT, SIMULATED, 500)
    above, below = figure.axes
    np.testing.assert_allclose(above.containers[0].lines[0].get_ydata(), [0.65, 1.0])
    np.testing.assert_allclose(below.containers[1].lines[0].get_ydata(), [0.35, 0.2])
    low, high = (end[1] for end in below.containers[1].lines[2][0].get_segments()[0])
    assert high - low == pytest.approx(4 * 0.05)
    random = next(line for line in above.lines if line.get_label() == "random, formula")
    np.testing.assert_allclose(random.get_xdata(), random.get_ydata())
    lines = [line for line in below.lines if len(line.get_xdata()) > 10]
    np.testing.assert_allclose(lines[1].get_ydata(), sign_disagreement(random.get_xdata()))
    assert "magnitude, $N = 500$" in [text.get_text() for text in above.get_legend().get_texts()]
    save(figure, tmp_path / "figure.png")


def test_a_density_without_its_simulation_is_refused():
    with pytest.raises(InputError, match="simulation of magnitude: expected 3 densities, found 2"):
        script.draw_magnitude_overlap([0.2, 0.6, 0.7], SIMULATED, 500)
