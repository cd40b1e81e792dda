"""H1: probe accuracy rises with depth."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.judge.evidence import Stages
from deeptheory.judge.hypotheses.over_stages import rises
from deeptheory.judge.hypotheses.straight_lines import slope_weights
from deeptheory.judge.sampling import accuracy_variance


def _sampling(stages: Stages) -> dict[str, NDArray[np.float64]]:
    """Of the test inputs, as if every stage had its own: probes of one network fail on the same inputs."""
    if not stages.n_test:
        return {}
    weights = slope_weights(np.arange(float(len(stages.names))))
    variances = accuracy_variance(stages.values["probe_accuracy"], stages.n_test)
    return {"probe accuracy": 100**2 * variances @ weights**2}


HYPOTHESIS = rises(
    1,
    "probe-accuracy-rises",
    "accuracy rises with depth",
    "the accuracy of a probe rises with the depth of its stage",
    "The mechanism underlying successful deep learning, arXiv:2305.18078",
    "the test accuracy of the probe",
    "points per stage",
    {"probe accuracy": "probe_accuracy"},
    scatter=0.5,  # 0.06 to 0.6 in pilot runs
    typical=(60.0, 5.0),
    transform=lambda accuracy: 100 * accuracy,
    inverse=lambda points: points / 100,
    sampling=_sampling,
)
