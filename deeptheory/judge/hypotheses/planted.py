"""Made-up evidence with a known effect, on which the rules are tested."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.evidence import Arms


def per_seed(rng: np.random.Generator, effect: float, scatter: float, n_seeds: int) -> NDArray[np.float64]:
    """One number per seed about the effect, (S,)."""
    return effect + scatter * rng.standard_normal(n_seeds)


def trend(
    slopes: NDArray[np.float64], x: NDArray[np.float64], mean: float, scatter: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Lines with these slopes against x, and noise that leaves the slopes as they are, (S, len(x))."""
    centred = x - x.mean()
    noise = scatter * rng.standard_normal((len(slopes), len(x)))
    noise -= noise.mean(axis=1, keepdims=True) + np.outer(noise @ centred, centred) / (centred @ centred)
    return mean + np.outer(slopes, centred) + noise


def arms(rng: np.random.Generator, arm: str, rival: str, gain: NDArray[np.float64]) -> Arms:
    """One setting in which an arm is ahead of its rival by these percentage points, (S,)."""
    of_rival = 0.85 + 0.01 * rng.standard_normal(len(gain))
    return Arms({"planted": {rival: of_rival, arm: of_rival + gain / 100}})
