"""The gradient of an embedding."""

from deeptheory.system.compiled import njit, prange

PART = 16  # channels that one thread sums at a time


@njit(parallel=True)
def add_rows(rows, ids, sums):
    """sums[id] = sum of the rows (n, C) with that id (n,), in order, so that threads change no bit."""
    n_channels = sums.shape[1]
    for part in prange((n_channels + PART - 1) // PART):
        first, last = part * PART, min((part + 1) * PART, n_channels)
        sums[:, first:last] = 0.0
        for r in range(len(ids)):
            for c in range(first, last):
                sums[ids[r], c] += rows[r, c]
