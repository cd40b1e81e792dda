"""The minimisation of probes where single precision ends."""

import numpy as np

from deeptheory.measure.probes.lbfgs import Iterate, minimise


def test_a_pair_whose_square_underflows_is_left_out():
    """As at a minimum that is reached to rounding: the curvature is a number, the square of the bend is 0."""
    start, change = np.ones(4, np.float32), np.full(4, 1e-3, np.float32)
    bend = np.full(4, 1e-25, np.float32)
    pair = change, bend, float(np.vdot(change, bend))
    assert pair[2] > 0
    assert np.vdot(bend, bend) == 0

    def objective(x):
        return 0.5 * float(x @ x), x

    first = Iterate(start, *objective(start), 0, (pair,))
    end = minimise(objective, start, lambda gradient: gradient, 1e-6, 20, resume_from=first)
    assert end.converged
    np.testing.assert_allclose(end.x, 0, atol=1e-6)
