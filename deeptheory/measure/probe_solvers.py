"""Fit a probe with the solver that the options name."""

import numpy as np
from numpy.typing import NDArray

from deeptheory.measure.lbfgs_probe import fit_probe_exact
from deeptheory.measure.options import ProbeOptions
from deeptheory.measure.probe import ProbeFit
from deeptheory.measure.sgd_probe import fit_probe_sgd
from deeptheory.store.checkpoints import CheckpointStore


def fit_probe(
    features: NDArray[np.float32],
    labels: NDArray,
    n_labels: int,
    options: ProbeOptions,
    rng: np.random.Generator,
    mask: NDArray[np.bool_] | None = None,
    title: str = "probe",
    quiet: bool = False,
    checkpoint: CheckpointStore | None = None,
) -> ProbeFit:
    """Fit a probe with the solver that `options` names; parameters as in `fit_probe_exact`."""
    if options.solver == "sgd":
        return fit_probe_sgd(features, labels, n_labels, options, rng, mask, title, quiet, checkpoint)
    l2, tolerance = options.l2, options.tolerance
    return fit_probe_exact(features, labels, n_labels, l2, rng, mask, tolerance, title, quiet, checkpoint)
