import numpy as np
import pytest

from deeptheory import theory
from deeptheory.judge.evidence import LabelScaling
from deeptheory.reports.plot.error_against_labels import best_fits, distance_of, draw_error_against_labels

K = np.array([3.0, 10.0, 30.0, 100.0])
NAMES = ("error", "max_error", "cluster_size", "clusters_per_filter", "snr_mean_field")


def test_distance_is_that_of_the_accuracy():
    assert distance_of(float(theory.detection_accuracy(2.5, 10)), 10) == pytest.approx(2.5)
    assert distance_of(0.05, 10) == 0


@pytest.mark.parametrize(
    ("law", "error"),
    [("$a + bK$", 0.1 + 0.002 * K), ("$aK^{0.30}$", 0.1 * K**0.3), (r"$a + b\ln K$", 0.1 * np.log(K))],
)
def test_each_law_fits_itself(law, error):
    assert best_fits(K, error, K)[law] == pytest.approx(error)


def test_panels_hold_the_numbers():
    values = {name: np.array([[0.1, 0.2, 0.3, 0.4], [0.2, 0.3, 0.4, 0.5]]) for name in NAMES}
    errors, fits, clusters = draw_error_against_labels(LabelScaling((3, 10, 30, 100), values)).axes
    of_errors = errors.get_lines()[0].get_xydata()
    np.testing.assert_allclose(of_errors, np.column_stack([K, [0.15, 0.25, 0.35, 0.45]]))
    prediction, chance = errors.get_lines()[-2:]
    np.testing.assert_allclose(chance.get_ydata()[[0, -1]], [2 / 3, 0.99])
    assert prediction.get_ydata()[-1] == pytest.approx(
        1 - theory.detection_accuracy(distance_of(0.75, 10), 100)
    )
    assert len(fits.get_legend().get_texts()) == len(clusters.get_legend().get_texts()) == 3
