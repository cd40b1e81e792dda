"""The mask of the published code: clusters of a stage in one list, indexed by the number of the filter."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.prune.criteria import afcc
from deeptheory.prune.criterion_context import Context, Scores, required
from deeptheory.prune.masked_layers import HEAD


def scores(context: Context) -> Scores:
    """1 for the connections that the mask of the published code keeps, else 0.

    The clusters of all filters of a stage, filter by filter, form one list; filter f is taken to serve the labels
    of the f-th cluster of that list, whichever filter it is of. Then the rule of AFCC: a kernel stays where the
    two sets share a label, a connection of the head where its label is in the set. Where the list is shorter than
    the stage, the filters beyond its end serve nothing (`warnings`).

    Parameters
    ----------
    context : Context
        With `clusters`, those at the threshold.

    Returns
    -------
    dict of str to (out, n_inputs) float64 array
        Of zeros and ones: one mask, and no order of removal.

    Raises
    ------
    InputError
        The context has no clusters, or those of another stage.

    Notes
    -----
    Source: the notebook fragments published with "Advanced deep architecture pruning using single filter
    performance"; whether they made the table of the paper is NOT known. The mask equals that of the definition
    (`afcc`) only where every filter has exactly one cluster. Elsewhere a filter has the labels of another one, so
    the mask is nearly independent of that of the definition: what it keeps serves no common label.
    """
    served = {stage: labels_by_index(clusters) for stage, clusters in _clusters(context).items()}
    return afcc.scores_of_strengths(context.layers, served)


def labels_by_index(clusters: NDArray[np.integer]) -> NDArray[np.float64]:
    """Labels of the f-th cluster of a stage for every filter f.

    Parameters
    ----------
    clusters : int array (C, K)
        Number of every label's cluster within its filter, -1 where it is not served (`measure.stage_clusters`).

    Returns
    -------
    float64 array (C, K)
        1 for the labels of the cluster, 0 for the others and for all labels of filters beyond the end of the list.
    """
    counts = clusters.max(axis=1, initial=-1) + 1
    rows, labels = np.nonzero(clusters >= 0)
    places = (np.cumsum(counts) - counts)[rows] + clusters[rows, labels]
    listed = places < len(clusters)
    served = np.zeros(clusters.shape)
    served[places[listed], labels[listed]] = 1
    return served


def warnings(context: Context) -> list[str]:
    """Says which stages have fewer clusters than filters, and how many filters this leaves without one."""
    short = []
    for stage, clusters in _clusters(context).items():
        n_clusters = int((clusters.max(axis=1, initial=-1) + 1).sum())
        if n_clusters < len(clusters):
            short.append(f"{len(clusters) - n_clusters} of {len(clusters)} in {stage}")
    return [
        f"filters beyond the end of the list of clusters, which serve nothing: {', '.join(short)}"
    ] * bool(short)


def _clusters(context: Context) -> dict[str, NDArray[np.integer]]:
    """The clusters of every stage that a masked layer reads or writes."""
    expected, do = "the clusters of the filters", "measure the run first"
    clusters_of = required(context.clusters, "published-indexing", expected, do)
    sizes = {layer.stage_in: layer.n_inputs for layer in context.layers}
    sizes |= {layer.stage_out: layer.shape[0] for layer in context.layers if layer.stage_out != HEAD}
    clusters = {stage: clusters_of(stage) for stage in sizes}
    for stage, of_stage in clusters.items():
        if of_stage.ndim != 2 or len(of_stage) != sizes[stage]:
            what, expected = f"clusters of '{stage}'", f"shape ({sizes[stage]}, K)"
            raise InputError(what, expected, f"shape {of_stage.shape}", "measure this network again")
    return clusters
