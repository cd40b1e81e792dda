"""Fields in 8 bits, such that scripts clip them exactly as `measure.clip` does."""

import base64
import gzip
from collections.abc import Iterable
from typing import Any

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
        Increasing. The level of a threshold is as close to ``threshold * 255`` as the other thresholds allow.
    """
    exact = sorted(set(thresholds) - {0.0})
    marked = {0: 0.0}
    for position, threshold in enumerate(exact):
        highest = TOP - len(exact) + position  # leaves one level for each threshold above
        marked[min(max(round(TOP * threshold), max(marked) + 1), highest)] = threshold
    return {**marked, TOP: 1.0}


def edges(marked: dict[int, float]) -> NDArray[np.float64]:
    """Upper edge of every level, (256,): exact at the marks, evenly spaced between two marks."""
    positions, values = np.array(list(marked)), np.array(list(marked.values()))
    upper_edges: NDArray[np.float64] = np.interp(np.arange(TOP + 1), positions, values)
    upper_edges[positions] = values
    return upper_edges


def levels(fields: NDArray[np.floating], upper_edges: NDArray[np.float64]) -> NDArray[np.uint8]:
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
    Exact for clipping: ``levels > n`` equals ``measure.clip(fields, edges[n])``, element by element, at each of
    the 255 edges below 1. Values between two edges are not resolved, nor are negative ones.
    """
    return np.searchsorted(upper_edges, measure.normalise(fields), side="left").astype(np.uint8)


def packed(*arrays: NDArray[Any]) -> str:
    """Concatenated arrays as text: gzip in base64, the same for the same arrays."""
    content = b"".join(array.tobytes() for array in arrays)
    return base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii")
