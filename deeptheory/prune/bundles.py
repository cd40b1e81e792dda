"""Numbers for filters, and which of them are one bundle: they can only be removed together."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Filters = NDArray[np.int64]


class Bundles:
    """Filters are numbered first, and their bundles once all that unites them is known."""

    def __init__(self) -> None:
        self.n, self._pins = 0, list[Filters]()
        self._same: tuple[list[Filters], list[Filters]] = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]

    def new(self, n: int) -> Filters:
        """The next n filters."""
        self.n += n
        return np.arange(self.n - n, self.n)

    def pin(self, *filters: Filters) -> None:
        """Let filters stay in any case."""
        self._pins += filters

    def unite(self, one: Filters, other: Filters) -> None:
        """Let each filter of the one be in the bundle of the filter at the same place of the other."""
        for side, filters in zip(self._same, (one, other), strict=True):
            side.append(filters)

    def bundles(self) -> NDArray[np.int64]:
        """The bundle of every filter, (n,)."""
        ends = tuple(map(np.concatenate, self._same))
        edges = coo_array((np.ones(len(ends[0])), ends), shape=(self.n, self.n))
        found: NDArray[np.int64] = connected_components(edges, directed=False)[1].astype(np.int64)
        return found

    def pinned(self, bundle: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which bundles stay in any case, given the bundle of every filter."""
        pinned = np.zeros(bundle.max() + 1, np.bool_)
        pinned[bundle[np.concatenate(self._pins)]] = True
        return pinned
