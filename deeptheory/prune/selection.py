"""From scores to the units that are kept: a number per layer, or a density of each layer or of all together."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.prune.masked_layers import Granularity, MaskedLayer
from deeptheory.prune.masks import Masks

Scope = Literal["layer", "network"]
Kept = dict[str, NDArray[np.bool_]]
TOLERANCE = 0.1  # relative; a density that is further off counts as not reached


class DensityNotReached(InputError):
    """A granularity has no density near the one that was asked for."""


class Ranking(NamedTuple):
    """Scores of units, and among which units they are compared.

    Attributes
    ----------
    layers : tuple of MaskedLayer
    scores : mapping of str to float array
        By weight name, of shape ``layer.units(granularity)``, higher = keep.
    scope : "layer" or "network"
        Every layer keeps the same share of its weights (of its filters, where these are removed), and at least one
        unit; or the best units of all layers are kept, whatever is left of a layer.
    granularity : "weight", "kernel" or "filter"
    """

    layers: tuple[MaskedLayer, ...]
    scores: Mapping[str, NDArray[np.floating]]
    scope: Scope
    granularity: Granularity


def keep_largest(scores: NDArray[np.floating], n_kept: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Keep exactly the `n_kept` largest scores; ties are broken at random.

    Parameters
    ----------
    scores : float array of any shape
    n_kept : int
        Between 0 and the number of scores.
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
    layers: tuple[MaskedLayer, ...], kept: Mapping[str, NDArray[np.bool_]], granularity: Granularity
) -> Masks:
    """Masks that keep the given weights, kernels or filters.

    A removed filter loses its kernels and, where the layer that reads it is masked too, the kernels that read it.

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
        outputs = of_stage.get(layer.stage_out, np.ones(layer.grid[0], bool))
        inputs = of_stage.get(layer.stage_in, np.ones(layer.grid[1], bool))
        kernels[layer.weight] = outputs[:, None] & inputs
    return Masks(layers, kernels)


def keep_density(ranking: Ranking, density: float, rng: np.random.Generator) -> Kept:
    """Keep the best units, so many that the kept weights are a given share of all masked weights.

    Parameters
    ----------
    ranking : Ranking
    density : float
        Within (0, 1].
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
        The nearest density of this granularity is off by more than a tenth.
    """
    if not 0 < density <= 1:
        raise InputError("density", "a number within (0, 1]", f"{density:g}")
    granularity = ranking.granularity
    if ranking.scope == "layer" and granularity != "filter":
        kept = {
            name: keep_largest(score, max(1, round(density * score.size)), rng)
            for name, score in ranking.scores.items()
        }
    else:
        kept = nearest_density(ranking, density, rng)
    reached = masks_of_units(ranking.layers, kept, granularity).total_density
    if abs(reached - density) > TOLERANCE * density:
        raise DensityNotReached(
            f"density at {granularity} granularity",
            f"{density:g}",
            f"{reached:.3g} as the nearest that can be reached",
            "ask for that, or for a finer granularity",
        )
    return kept


def nearest_density(ranking: Ranking, density: float, rng: np.random.Generator) -> Kept:
    """As `keep_density`, by one order of all units, and with the nearest density however far off it is."""
    scores = ranking.scores
    ranked = {
        name: _ranks(score, rng) if ranking.scope == "layer" else score.ravel()
        for name, score in scores.items()
    }
    order = _descending(np.concatenate(list(ranked.values())), rng)
    ends = np.cumsum([score.size for score in scores.values()])[:-1]

    def first(count: int) -> Kept:
        flat = np.zeros(len(order), bool)
        flat[order[:count]] = True
        parts = np.split(flat, ends)
        return {name: part.reshape(scores[name].shape) for name, part in zip(scores, parts, strict=True)}

    def reached(count: int) -> float:
        return _density(ranking.layers, first(count), ranking.granularity)

    low, high = len(scores) if ranking.scope == "layer" else 1, len(order)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reached(middle) < density else (low, middle)
    return first(high if abs(reached(high) - density) <= abs(reached(low) - density) else low)


def _density(
    layers: tuple[MaskedLayer, ...], kept: Mapping[str, NDArray[np.bool_]], granularity: Granularity
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


def _descending(scores: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices by falling score; equal scores in random order."""
    return np.lexsort((rng.random(len(scores)), -scores))


def _ranks(scores: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.float64]:
    """Ranks within a layer as numbers within (0, 1]; the best of every layer has 1, so that it is kept."""
    flat = scores.ravel()
    ranks = np.empty(flat.size)
    ranks[_descending(flat, rng)] = 1 - np.arange(flat.size) / flat.size
    return ranks
