"""Pruning Gaussian weights by magnitude and at random, at finite size."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.theory.magnitude import checked_kept

Array = NDArray[np.float64]


class Pruned(NamedTuple):
    """Squared overlap of each pruned weight vector, and share of outputs that change sign: (n_vectors,) each."""

    squared_overlap: Array
    sign_disagreement: Array


def prune_by_magnitude(
    kept: float, n_weights: int, n_vectors: int, n_inputs: int, rng: np.random.Generator
) -> Pruned:
    r"""Keep the fraction f of largest magnitude of Gaussian weight vectors and compare with the originals.

    For comparison with `magnitude_overlap` and `sign_disagreement`. Status: a simulation; its mean differs from
    the formulas by its standard error and by terms of order 1/N. Source: deeptheory.

    Parameters
    ----------
    kept : float
        Fraction f of weights kept (density), in (0, 1]; f N is rounded to a whole number of at least one.
    n_weights : int
        Weights per vector, N.
    n_vectors : int
        Independent weight vectors.
    n_inputs : int
        Gaussian inputs per vector, whose outputs' signs are compared.
    rng : numpy.random.Generator
        Draws weights and inputs.

    Returns
    -------
    Pruned
        One value per vector, so that the scatter of its mean is known. Trained weights are neither Gaussian
        nor independent.

    Raises
    ------
    ValueError
        If `kept` is outside (0, 1] or a number is below 1.
    """
    return _compare(kept, n_weights, n_vectors, n_inputs, rng, by_magnitude=True)


def prune_at_random(
    kept: float, n_weights: int, n_vectors: int, n_inputs: int, rng: np.random.Generator
) -> Pruned:
    """The same with the kept weights chosen at random: the squared overlap is f.

    Status: a simulation, for comparison with ``sign_disagreement(f)``. Parameters, result and errors as in
    `prune_by_magnitude`. Source: deeptheory.
    """
    return _compare(kept, n_weights, n_vectors, n_inputs, rng, by_magnitude=False)


def _compare(
    kept: float, n_weights: int, n_vectors: int, n_inputs: int, rng: np.random.Generator, by_magnitude: bool
) -> Pruned:
    checked_kept(kept)
    for name, number in (("n_weights", n_weights), ("n_vectors", n_vectors), ("n_inputs", n_inputs)):
        if number < 1:
            raise ValueError(f"{name} must be at least 1, found {number}")
    n_kept = max(1, round(kept * n_weights))
    squared, changed = np.empty(n_vectors), np.empty(n_vectors)
    for vector in range(n_vectors):
        weights = rng.standard_normal(n_weights)
        if by_magnitude:
            left = np.argpartition(np.abs(weights), n_weights - n_kept)[n_weights - n_kept :]
        else:
            left = rng.choice(n_weights, n_kept, replace=False)
        pruned = np.zeros(n_weights)
        pruned[left] = weights[left]
        squared[vector] = (weights @ pruned) ** 2 / (weights @ weights) / (pruned @ pruned)
        # float32 is enough: only the signs of the products are used
        inputs = rng.standard_normal((n_inputs, n_weights), np.float32)
        fields = inputs @ np.stack([weights, pruned], axis=1).astype(np.float32)
        changed[vector] = np.mean((fields[:, 0] > 0) != (fields[:, 1] > 0))
    return Pruned(squared, changed)
