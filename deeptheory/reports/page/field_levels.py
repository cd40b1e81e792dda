"""Fields in 8 bits, so that the page clips them as Python does."""

import base64
import gzip
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from deeptheory import measure

TOP = 255  # the largest level


def marks(thresholds: Iterable[float]) -> dict[int, float]:
    """Levels whose upper edge is a given number: 0, 1 and every threshold that has to be exact.

    Parameters
    ----------
    thresholds : iterable of float
        In [0, 1), fewer than 255.

    Returns
    -------
    dict of level to edge
        Increasing. A threshold lies as near to ``threshold * 255`` as the others let it.
    """
    exact = sorted(set(thresholds) - {0.0})
    found = {0: 0.0}
    for position, threshold in enumerate(exact):
        highest = TOP - len(exact) + position  # leaves a level to each of those above
        found[min(max(round(TOP * threshold), max(found) + 1), highest)] = threshold
    return {**found, TOP: 1.0}


def edges(marked: dict[int, float]) -> NDArray[np.float64]:
    """Upper edge of every level, (256,): that of a mark exactly, evenly spaced between two of them."""
    where, values = np.array(list(marked)), np.array(list(marked.values()))
    found = np.interp(np.arange(TOP + 1), where, values)
    found[where] = values
    return found


def levels(fields: NDArray, upper_edges: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Fields in units of each filter's largest element, as levels.

    Parameters
    ----------
    fields : float array (C, K, K)
    upper_edges : float array (256,)
        As `edges` gives them.

    Returns
    -------
    uint8 array (C, K, K)
        Level n > 0 stands for values above edge n-1, up to edge n; 0 for zero and below.

    Notes
    -----
    Exact for clipping: ``levels > n`` is ``measure.clip(fields, edges[n])``, element by element, at each of the
    255 edges below 1. Nothing is exact between two edges, and what is below zero is not told apart.
    """
    return np.searchsorted(upper_edges, measure.normalise(fields), side="left").astype(np.uint8)


def packed(*arrays: NDArray) -> str:
    """Arrays one after the other, compressed, as text: gzip in base64, the same for the same arrays."""
    content = b"".join(array.tobytes() for array in arrays)
    return base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii")
