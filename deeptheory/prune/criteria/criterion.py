"""What a criterion is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from deeptheory.nn.layers.base import Array
from deeptheory.prune.criterion_context import Context, Scores
from deeptheory.prune.masked_layers import Granularity
from deeptheory.prune.masks import Masks
from deeptheory.prune.selection import Scope

ALL: tuple[Granularity, ...] = ("weight", "kernel", "filter")


@dataclass(frozen=True)
class Criterion:
    """A rule that scores the units that could be removed.

    Parameters
    ----------
    scores : callable
        From a `Context` to a finite float64 array for every masked layer, of shape
        ``layer.units(context.granularity)``, higher = keep; at filter granularity without the head.
    scope : "layer" or "network"
        Whether scores rank within a layer only, so that every layer gets the same density, or all layers
        together, so that they also decide the densities of the layers.
    granularities : tuple of "weight", "kernel", "filter"
        The units that it can score.
    thresholded : bool
        Whether the threshold of a served label can cut the scores.
    one_density : bool
        Whether that cut is its only mask, because the scores give no order.
    measured : bool
        Whether it needs measures of the filters of a stage: label strengths or shares.
    running : bool
        Whether it needs the network itself, not only its weights and measures.
    update : callable, optional
        From a context and the masks to new values of parameters and buffers, by name, with which retraining
        starts.
    warnings : callable, optional
        From a context to what has to be said about its masks, beside the counts.
    from_scratch : bool
        Whether the masked network is trained from fresh weights, not from the trained ones.
    title : str, optional
        As figures print it, where the name is no word.
    """

    scores: Callable[[Context], Scores]
    scope: Scope
    granularities: tuple[Granularity, ...] = ALL
    thresholded: bool = False
    one_density: bool = False
    measured: bool = False
    running: bool = False
    update: Callable[[Context, Masks], Mapping[str, Array]] | None = None
    warnings: Callable[[Context], list[str]] | None = None
    from_scratch: bool = False
    title: str = ""
