"""Lloyd's k-means with k-means++ starting centres, for a few hundred points."""

import numpy as np
from numpy.typing import NDArray

_MOST_SWEEPS = 50


def k_means(points: NDArray[np.float64], n_clusters: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Cluster number of each of the points (N, D); a cluster that becomes empty keeps its centre.

    Source: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding" (2007). The result is a
    local minimum that depends on the starting centres.
    """
    centres = _starting_centres(points, n_clusters, rng)
    nearest = _nearest(points, centres)
    for _ in range(_MOST_SWEEPS):
        for cluster in np.unique(nearest):
            centres[cluster] = points[nearest == cluster].mean(axis=0)
        previous, nearest = nearest, _nearest(points, centres)
        if np.array_equal(previous, nearest):
            break
    return nearest


def _starting_centres(
    points: NDArray[np.float64], n_clusters: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    centres = points[[rng.integers(len(points))]]
    while len(centres) < n_clusters:
        distance = _squared_distances(points, centres).min(axis=1)
        if distance.sum() == 0:
            break
        chosen = rng.choice(len(points), p=distance / distance.sum())
        centres = np.vstack([centres, points[chosen]])
    return centres


def _nearest(points: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.int64]:
    nearest: NDArray[np.int64] = np.argmin(_squared_distances(points, centres), axis=1)
    return nearest


def _squared_distances(points: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    squared = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)
    distances: NDArray[np.float64] = np.maximum(squared, 0.0)
    return distances
