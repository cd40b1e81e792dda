"""Accuracy after retraining from that after a refit."""

import numpy as np
import pytest

from deeptheory.theory import SURVIVING_SHARE, retrained_accuracy


def test_nothing_is_lost_without_a_loss_and_a_share_of_it_otherwise():
    found = retrained_accuracy(0.9, np.array([0.9, 0.8, 0.95]))
    np.testing.assert_allclose(
        found, [0.9, 0.9 - 0.1 * SURVIVING_SHARE, 0.9 + 0.05 * SURVIVING_SHARE], rtol=1e-12
    )


@pytest.mark.parametrize(("intact", "refitted", "name"), [(1.1, 0.5, "intact"), (0.5, -0.1, "refitted")])
def test_an_accuracy_outside_its_range_is_refused(intact, refitted, name):
    with pytest.raises(ValueError, match=rf"{name} must be within \[0, 1\], found"):
        retrained_accuracy(intact, refitted)
