"""Arrays that are used again."""

import numpy as np

from deeptheory.nn.kernels.scratch import CACHE_LINE, Scratch


def test_rows_of_threads_stay_where_they_are():
    scratch = Scratch()
    longest = scratch.rows("sums", 3, 100, np.float32)
    shorter = scratch.rows("sums", 3, 20, np.float32)
    fewer = scratch.rows("sums", 2, 50, np.float32)
    for rows in (longest, shorter, fewer):
        assert rows.shape[1] >= 100
        assert [row.ctypes.data for row in rows] == [row.ctypes.data for row in longest[: len(rows)]]
        assert not any(row.ctypes.data % CACHE_LINE for row in rows)


def test_longer_rows_take_new_memory():
    scratch = Scratch()
    scratch.rows("sums", 2, 10, np.float64)
    rows = scratch.rows("sums", 2, 1000, np.float64)
    assert rows.shape[1] >= 1000
    assert scratch.rows("others", 2, 10, np.float64).shape[1] < 1000
