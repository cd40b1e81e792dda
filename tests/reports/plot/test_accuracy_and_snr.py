import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import draw_accuracy_and_snr, save

STAGES = [f"stage{number}" for number in range(1, 5)]
ACCURACY = np.array([[0.5, 0.6, 0.7, 0.8], [0.52, 0.58, 0.72, 0.81], [0.51, 0.62, 0.69, 0.79]])
SNR = np.array([1.0, 1.2, 1.9, 3.0]) * np.array([[1.0], [1.1], [0.9]])


def points(axes, number):
    return axes.containers[number].lines[0].get_ydata()


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_panels_show_the_means_over_seeds_on_one_axis(tmp_path):
    figure = draw_accuracy_and_snr(STAGES, ACCURACY, ACCURACY + 0.02, SNR, 0.9 * SNR, 0.3, 1000, 0.1)
    above, below = figure.axes
    np.testing.assert_allclose(points(above, 0), ACCURACY.mean(axis=0))
    np.testing.assert_allclose(points(above, 1), ACCURACY.mean(axis=0) + 0.02)
    np.testing.assert_allclose(points(below, 0), 0.9 * SNR.mean(axis=0))
    np.testing.assert_allclose(points(below, 1), SNR.mean(axis=0))
    assert above.containers[1].lines[0].get_markerfacecolor() == "white"
    assert above.get_xlim() == below.get_xlim()
    assert below.get_ylim()[0] == 0
    assert [tick.get_text() for tick in below.get_xticklabels()] == ["1", "2", "3", "4"]
    assert below.get_ylabel() == r"SNR ($\theta = 0.3$)"
    assert above.get_legend().get_title().get_text() == "bars: 95% interval of the mean, 3 seeds"
    assert below.get_legend().get_texts()[0].get_text() == "no structure: 1"
    save(figure, tmp_path / "figure.png")


def test_one_seed_without_prediction():
    figure = draw_accuracy_and_snr(STAGES, ACCURACY[0], None, SNR[0], SNR[0], 0.5, 1000, 0.1)
    above = figure.axes[0]
    assert len(above.containers) == 1
    np.testing.assert_array_equal(above.containers[0].lines[0].get_xdata(), [0, 1, 2, 3])
    assert above.get_legend().get_title().get_text() == "bars: 95% binomial, 1 seed, 1000 inputs"


def test_infinite_and_undefined_snr_are_written_out(tmp_path):
    mean_field, measured = SNR.copy(), SNR.copy()
    mean_field[:, 0] = np.nan
    mean_field[:, 3] = np.inf
    measured[1, 3] = np.inf
    figure = draw_accuracy_and_snr(STAGES, ACCURACY, None, mean_field, measured, 0.3, 1000, 0.1)
    assert texts(figure.axes[1]) == [r"$\infty$", "undef.", r"$\infty$"]
    assert np.all(np.isfinite(figure.axes[1].get_ylim()))
    save(figure, tmp_path / "figure.png")


def test_stages_and_values_must_agree():
    with pytest.raises(InputError, match=r"measured SNR: expected shape \(seeds, 4\), found shape \(3,\)"):
        draw_accuracy_and_snr(STAGES, ACCURACY, None, SNR, SNR[0, :3], 0.3, 1000, 0.1)
    with pytest.raises(InputError, match="stages: expected at least one stage, found none"):
        draw_accuracy_and_snr([], [], None, [], [], 0.3, 1000, 0.1)
