"""From scores to what is kept: at a threshold, numbers per layer, or a density of all layers together."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from deeptheory.errors import InputError
from deeptheory.prune.masked_layers import Granularity, MaskedLayer
from deeptheory.prune.masks import Masks

Scope = Literal["layer", "network"]
TOLERANCE = 0.1  # of a density: what is further off counts as not reached


class DensityNotReached(InputError):
    """A density is not among those that a granularity can have."""


def keep_largest(scores: np.ndarray, n_kept: int, rng: np.random.Generator) -> np.ndarray:
    """Keep exactly the `n_kept` largest scores; ties are broken at random.

    Parameters
    ----------
    scores : float array of any shape
    n_kept : int
        Within 0 and the number of scores.
    rng : numpy.random.Generator

    Returns
    -------
    bool array of the shape of `scores`
    """
    if not 0 <= n_kept <= scores.size:
        raise InputError("number to keep", f"0 to {scores.size}", f"{n_kept}")
    kept = np.zeros(scores.size, dtype=bool)
    kept[_descending(scores.ravel(), rng)[:n_kept]] = True
    return kept.reshape(scores.shape)


def masks_of_units(
    layers: tuple[MaskedLayer, ...], kept: Mapping[str, np.ndarray], granularity: Granularity
) -> Masks:
    """Masks that keep the given weights, kernels or filters.

    A filter that goes takes its inputs along and, where the layer that reads it is masked too, its outputs.

    Parameters
    ----------
    layers : tuple of MaskedLayer
    kept : mapping of str to bool array
        By weight name, of shape ``layer.units(granularity)``; of filters for all layers but the head.
    granularity : "weight", "kernel" or "filter"
    """
    if granularity != "filter":
        return Masks(layers, kept)
    of_stage = {layer.stage_out: kept[layer.weight] for layer in layers if layer.weight in kept}
    kernels = {}
    for layer in layers:
        rows = of_stage.get(layer.stage_out, np.ones(layer.grid[0], bool))
        columns = of_stage.get(layer.stage_in, np.ones(layer.grid[1], bool))
        kernels[layer.weight] = rows[:, None] & columns
    return Masks(layers, kernels)


def keep_density(
    layers: tuple[MaskedLayer, ...],
    scores: Mapping[str, np.ndarray],
    density: float,
    scope: Scope,
    granularity: Granularity,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Keep the best so that the weights left are a given share of all masked weights.

    Parameters
    ----------
    layers : tuple of MaskedLayer
    scores : mapping of str to float array
        By weight name, of shape ``layer.units(granularity)``, higher = keep.
    density : float
        Within (0, 1].
    scope : "layer" or "network"
        The same share of every layer (of its filters, where these are removed), at least one; or the best of
        all layers together, whatever is left of a layer.
    granularity : "weight", "kernel" or "filter"
    rng : numpy.random.Generator
        Breaks ties.

    Returns
    -------
    dict of str to bool array
        Of the shapes of the scores.

    Raises
    ------
    InputError
        The density is outside (0, 1].
    DensityNotReached
        The nearest that this granularity can have is off by more than a tenth.
    """
    if not 0 < density <= 1:
        raise InputError("density", "a number within (0, 1]", f"{density:g}")
    if scope == "layer" and granularity != "filter":
        kept = {
            name: keep_largest(score, max(1, round(density * score.size)), rng)
            for name, score in scores.items()
        }
    else:
        kept = best_of_all(layers, scores, density, scope, granularity, rng)
    reached = masks_of_units(layers, kept, granularity).total_density
    if abs(reached - density) > TOLERANCE * density:
        raise DensityNotReached(
            f"density at {granularity} granularity",
            f"{density:g}",
            f"{reached:.3g} as the nearest that can be reached",
            "ask for that, or for a finer granularity",
        )
    return kept


def best_of_all(
    layers: tuple[MaskedLayer, ...],
    scores: Mapping[str, np.ndarray],
    density: float,
    scope: Scope,
    granularity: Granularity,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """The beginning of the order of all units whose density is nearest to the one asked for.

    Parameters and result are those of `keep_density`, which refuses what is far off.
    """
    ranked = {
        name: _ranks(score, rng) if scope == "layer" else score.ravel() for name, score in scores.items()
    }
    order = _descending(np.concatenate(list(ranked.values())), rng)
    ends = np.cumsum([score.size for score in scores.values()])[:-1]

    def first(count: int) -> dict[str, np.ndarray]:
        flat = np.zeros(len(order), bool)
        flat[order[:count]] = True
        parts = np.split(flat, ends)
        return {name: part.reshape(scores[name].shape) for name, part in zip(scores, parts, strict=True)}

    def reached(count: int) -> float:
        return _density(layers, first(count), granularity)

    low, high = len(scores) if scope == "layer" else 1, len(order)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reached(middle) < density else (low, middle)
    return first(high if abs(reached(high) - density) <= abs(reached(low) - density) else low)


def _density(
    layers: tuple[MaskedLayer, ...], kept: Mapping[str, np.ndarray], granularity: Granularity
) -> float:
    """``masks_of_units(...).total_density``, from numbers of units alone."""
    if granularity == "filter":
        shares = {layer.stage_out: kept[layer.weight].mean() for layer in layers if layer.weight in kept}
        left = sum(
            layer.size * shares.get(layer.stage_out, 1.0) * shares.get(layer.stage_in, 1.0)
            for layer in layers
        )
    else:
        left = sum(layer.size * kept[layer.weight].mean() for layer in layers)
    return float(left / sum(layer.size for layer in layers))


def _descending(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.lexsort((rng.random(len(scores)), -scores))


def _ranks(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ranks within a layer as numbers within (0, 1]; the best has 1 in every layer, so that one is kept."""
    flat = scores.ravel()
    ranks = np.empty(flat.size)
    ranks[_descending(flat, rng)] = 1 - np.arange(flat.size) / flat.size
    return ranks
