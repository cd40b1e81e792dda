"""Products in registers against NumPy, for all panels, numbers of rows, and lines."""

import numpy as np
import pytest

from deeptheory.nn.kernels import matrix_products
from deeptheory.nn.kernels.matrix_products import NOTHING_COMING, SLACK, WIDE, Extent, Steps, panel_width
from deeptheory.system.compiled import numba
from tests.nn.kernels.comparison import NEEDS_VECTORS

pytestmark = NEEDS_VECTORS
PANELS = (64, 32, 16) if WIDE else (16,)
ROWS = (1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 16, 24, 29, 30, 47, 48, 49)
TOLERANCE = 1e-6  # relative to the largest value; 3e-7 seen


@numba.njit
def multiply(c, c_at, c_row, a, a_at, a_steps, b, b_at, b_depth, extent):
    """`matrix_products.multiply`, which only compiled code may call."""
    matrix_products.multiply(c, c_at, c_row, a, a_at, a_steps, b, b_at, b_depth, extent, NOTHING_COMING)


def test_widest_panel_that_divides_the_columns():
    widths = {16: 16, 32: 32, 48: 16, 64: 64, 96: 32, 128: 64, 512: 64}
    assert {columns: panel_width(columns) for columns in widths} == (
        widths if WIDE else dict.fromkeys(widths, 16)
    )


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize(("depth", "lines"), [(1, 1), (37, 1), (9, 3), (0, 1)])
@pytest.mark.parametrize("panel", PANELS)
def test_products_agree_with_numpy(panel, depth, lines, accumulate):
    rng = np.random.default_rng(0)
    for rows in ROWS:
        taken = rows + SLACK
        a = rng.standard_normal((taken, lines, depth + 2), np.float32)
        b = rng.standard_normal((lines * depth, panel + 16), np.float32)
        c = rng.standard_normal((taken, panel + 16), np.float32)
        before = c.copy()
        multiply(
            c.reshape(-1), 0, panel + 16, a.reshape(-1), 0, Steps(lines * (depth + 2), 1, depth + 2),
            b.reshape(-1), 0, panel + 16, Extent(rows, panel, depth, lines, int(accumulate)),
        )  # fmt: skip
        product = a[:rows, :, :depth].reshape(rows, -1).astype(np.float64) @ b[:, :panel]
        expected = product + before[:rows, :panel] * accumulate
        assert np.abs(c[:rows, :panel] - expected).max() <= TOLERANCE * max(1, np.abs(expected).max())
        whole = -(-rows // (SLACK + 1)) * (SLACK + 1)  # as many as may be written
        np.testing.assert_array_equal(c[whole:], before[whole:])
        np.testing.assert_array_equal(c[:, panel:], before[:, panel:])


@pytest.mark.parametrize("panel", PANELS)
def test_transposed_product_from_within_arrays(panel):
    """As in the gradient of the weights: `a` is read column by column."""
    rng, rows, depth = np.random.default_rng(1), 28, 10
    a, b = (rng.standard_normal((depth, n), np.float32) for n in (rows + 5, panel))
    c = np.zeros(3 + rows * panel, np.float32)
    steps, extent = Steps(1, rows + 5, 0), Extent(rows, panel, depth, 1, 0)
    multiply(c, 3, panel, a.reshape(-1), 5, steps, b.reshape(-1), 0, panel, extent)
    expected = a[:, 5:].T.astype(np.float64) @ b
    assert np.abs(c[3:].reshape(rows, panel) - expected).max() <= TOLERANCE * np.abs(expected).max()
