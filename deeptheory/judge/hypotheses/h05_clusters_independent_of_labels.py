"""H5: size and number of the clusters of the last stage do not depend on the number of labels."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.decision import Hypothesis
from deeptheory.judge.evidence import LabelScaling
from deeptheory.judge.hypotheses.planted import per_seed, trend
from deeptheory.judge.hypotheses.straight_lines import slopes
from deeptheory.judge.rules import Within

SCATTER = 3.0  # percent per decade
MARGIN = 10.0  # percent per decade: 27 % more from 3 labels to 1000 at most
PARTS = {"size of a cluster": "cluster_size", "clusters of a filter": "clusters_per_filter"}


def parts(scaling: LabelScaling) -> dict[str, NDArray[np.float64]]:
    """Relative change per factor of ten in the number of labels, of both."""
    decades = np.log10(scaling.n_labels)
    return {
        part: 100 * np.expm1(slopes(decades, np.log(scaling.values[name]))) for part, name in PARTS.items()
    }


def planted(rng: np.random.Generator, effect: float, n_seeds: int) -> LabelScaling:
    """Both change by this many percent per decade."""
    n_labels, values = (3, 10, 30, 100, 300, 1000), {}
    for name in PARTS.values():
        rise = np.log1p(per_seed(rng, effect, SCATTER, n_seeds) / 100)
        values[name] = np.exp(trend(rise, np.log10(n_labels), 0.7, 0.05, rng))
    return LabelScaling(n_labels, values)


HYPOTHESIS = Hypothesis(
    number=5,
    name="clusters-independent-of-labels",
    label="clusters independent of the labels",
    claim="size and number of the clusters per filter at the last stage do not depend on the number of labels",
    source="Towards a universal mechanism for successful deep learning, Sci. Rep. 14, 5881 (2024)",
    evidence=LabelScaling,
    statistic="relative change for ten times as many labels: exp of the slope of the logarithm against the log10 "
    "of their number (least squares), minus 1",
    unit="% per decade",
    null=f"a change by {MARGIN:g} % per decade",
    rule=Within(MARGIN),
    scatter=SCATTER,
    parts=parts,
    planted=planted,
)
