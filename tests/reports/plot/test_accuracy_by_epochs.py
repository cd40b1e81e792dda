import numpy as np
import pytest

from deeptheory.errors import InputError
from deeptheory.reports.plot import draw_accuracy_by_epochs

UNPRUNED = {0: [0.60, 0.62], 10: [0.61, 0.63]}
ACCURACY = {
    0: {"afcc": {0.5: [0.50, 0.52], 0.1: [0.30, 0.34]}, "random": {0.5: [0.4, 0.4], 0.1: [0.1, 0.1]}},
    10: {"afcc": {0.5: [0.61, 0.62], 0.1: [0.58, 0.60]}, "random": {0.5: [0.6, 0.6], 0.1: [0.5, np.nan]}},
}


def test_every_number_of_epochs_has_a_column_of_accuracy_and_loss():
    figure = draw_accuracy_by_epochs(UNPRUNED, ACCURACY, margin=0.5, chance=0.01)
    axes = np.reshape(figure.axes, (2, 2))
    assert [panel.get_title() for panel in axes[0]] == ["not retrained", "10 epochs"]
    losses = axes[1, 1].containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(losses, [3.0, 0.5])  # AFCC at densities 0.1 and 0.5
    assert axes[1, 0].xaxis_inverted()
    assert [axes[1, 1].xaxis.get_major_formatter()(density, 0) for density in (0.5, 0.1)] == ["0.5", "0.9"]
    assert axes[1, 0].get_ylim()[0] > 52 > axes[1, 0].get_ylim()[1]  # random, not retrained, density 0.1


def test_columns_may_have_densities_of_their_own():
    fewer = {0: ACCURACY[0], 10: {name: {0.1: curve[0.1]} for name, curve in ACCURACY[10].items()}}
    axes = np.reshape(draw_accuracy_by_epochs(UNPRUNED, fewer, margin=0.5, chance=0.01).axes, (2, 2))
    assert [len(panel.containers[0].lines[0].get_xdata()) for panel in axes[1]] == [2, 1]
    assert axes[1, 1].get_xticks().tolist() == [0.1, 0.5]


@pytest.mark.parametrize(
    ("unpruned", "accuracy", "named"),
    [
        ({}, {}, "epochs of retraining"),
        ({1: [0.6]}, {2: {"afcc": {0.5: [0.6]}}}, "epochs of retraining"),
        (UNPRUNED, {0: ACCURACY[0], 10: {"afcc": ACCURACY[10]["afcc"]}}, "criteria after 10 epochs"),
    ],
)
def test_columns_that_cannot_be_compared_are_refused(unpruned, accuracy, named):
    with pytest.raises(InputError, match=named):
        draw_accuracy_by_epochs(unpruned, accuracy, margin=0.5, chance=0.01)
