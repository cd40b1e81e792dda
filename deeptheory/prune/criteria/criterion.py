"""What a criterion is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from deeptheory.prune.criterion_context import Context
from deeptheory.prune.masked_layers import Granularity
from deeptheory.prune.masks import Masks
from deeptheory.prune.selection import Scope

Scores = dict[str, np.ndarray]
ALL: tuple[Granularity, ...] = ("weight", "kernel", "filter")


@dataclass(frozen=True)
class Criterion:
    """A way to score what could be removed.

    Parameters
    ----------
    scores : callable
        From a `Context` to a finite float64 array for every masked layer, of shape
        ``layer.units(context.granularity)``, higher = keep; at filter granularity without the head.
    scope : "layer" or "network"
        Whether scores rank within a layer only, so that every layer gets the same density, or all layers
        together, so that they decide the densities of the layers too.
    granularities : tuple of "weight", "kernel", "filter"
        What it can act on.
    thresholded : bool
        Whether the scores are label strengths, which the threshold of a served label cuts.
    measured : bool
        Whether it needs what is measured of the filters of a stage: label strengths or shares.
    running : bool
        Whether it needs the network itself, not only its weights and measures: weights alone are refused.
    update : callable, optional
        From a context and the masks to new values of parameters and buffers, by name, with which retraining
        starts.
    from_scratch : bool
        Whether the masked network is trained from fresh weights, not from the trained ones.
    title : str, optional
        As figures print it, where the name is no word.
    """

    scores: Callable[[Context], Scores]
    scope: Scope
    granularities: tuple[Granularity, ...] = ALL
    thresholded: bool = False
    measured: bool = False
    running: bool = False
    update: Callable[[Context, Masks], Mapping[str, np.ndarray]] | None = None
    from_scratch: bool = False
    title: str = ""
