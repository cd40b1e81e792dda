"""Fit the probes of stages to features computed once, by the solver that the options name."""

import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.measure.features import iterate_features
from deeptheory.measure.labels import label_counts
from deeptheory.measure.options import ProbeOptions
from deeptheory.measure.probes.bar import ProbeBar
from deeptheory.measure.probes.crossentropy import CrossEntropy
from deeptheory.measure.probes.exact_solver import fit_exactly
from deeptheory.measure.probes.sgd_solver import fit_by_sgd
from deeptheory.measure.probes.task import ProbeFit, ProbeTask
from deeptheory.measure.streaming import Images, Measurable, output_sizes
from deeptheory.store.checkpoints import CheckpointStore


def fit_probe(
    features: NDArray[np.float32],
    labels: NDArray[np.integer],
    n_labels: int,
    options: ProbeOptions,
    rng: np.random.Generator | None = None,
    mask: NDArray[np.bool_] | None = None,
    title: str = "probe",
    quiet: bool = False,
    checkpoint: CheckpointStore | None = None,
) -> ProbeFit:
    """Minimise mean cross-entropy + l2/2 ||W||^2 over the weights of a bias-free linear probe.

    Parameters
    ----------
    features : float32 array (N, D)
        Features of one stage, filter-major (`stage_features`).
    labels : int array (N,)
    n_labels : int
    options : ProbeOptions
        L2 coefficient, solver and its settings: "exact" takes `tolerance`, "sgd" the rest.
    rng : numpy.random.Generator, optional
        SGD: draws the order of the inputs. Exact: draws the directions and inputs on which the preconditioner is
        built, on which the minimum does not depend. By default the same draws each time.
    mask : bool array (K, D), optional
        Weights outside it are exactly zero.
    title, quiet
        For the progress report.
    checkpoint : CheckpointStore, optional
        Of this probe alone: written every few minutes and when the process is asked to stop. The fit resumes from
        what it finds there, to the same bits with the same number of threads.

    Raises
    ------
    InputError
        Shapes or types disagree, a label is out of range or has no input, features are not finite, the loss of SGD
        becomes NaN or infinite, or the checkpoint is of something else.
    interruption.Interrupted
        The process was asked to stop.

    Notes
    -----
    Exact: the weights within the r leading directions of the features (D/8, 128 to 1024, at most 25 K) are
    eliminated, and those outside found by L-BFGS (`Eliminated`); under a mask, L-BFGS on all of them. It stops
    when the Euclidean norm of the gradient is `tolerance` times that at zero weights; docs/performance.md has how
    accuracies and masks change with it. Without a mask, the weights of a feature sum to zero over the labels, as
    at the minimum. Needs, beside the features, about the largest of (8192 + 28 r) D,
    4 (r + 32 K) D + 4 N r + 12 N K and 12 r D + 16 N r + 24 c^2 K bytes, c = D/16 (128 to 256).

    SGD with Nesterov momentum from zero weights: the schedule of "Advanced deep architecture pruning using single
    filter performance". Its weights still fluctuate around the minimum at the end: `gradient_norm` says how far
    they are from it.
    """
    if features.ndim != 2 or features.dtype != np.float32:
        raise InputError("features", "a float32 array (N, D)", f"{features.dtype} of shape {features.shape}")
    rng = np.random.default_rng(0) if rng is None else rng
    with ProbeBar(title, {title: features.shape[1]}, quiet) as bar:
        return _fit(features, labels, n_labels, options, rng, mask, bar, checkpoint)


def iterate_probes(
    network: Measurable,
    images: Images,
    labels: NDArray[np.integer],
    n_labels: int,
    stages: Sequence[str],
    options: ProbeOptions,
    rng: np.random.Generator,
    title: str = "probes",
    quiet: bool = False,
    checkpoint: Callable[[str], CheckpointStore] | None = None,
) -> Iterator[tuple[str, ProbeFit]]:
    """Fit the probes of several stages one after the other, with one progress bar for all of them.

    Parameters
    ----------
    network, images, stages
        As in `iterate_features`.
    labels, n_labels, options
        As in `fit_probe`.
    rng : numpy.random.Generator
        Every probe gets a copy, so that it does not depend on which others are fitted.
    checkpoint : callable, optional
        Stage to the checkpoint of its probe.

    Yields
    ------
    stage : str
    fit : ProbeFit
        As soon as it is there.

    Raises
    ------
    InputError, interruption.Interrupted
        As `iterate_features` and `fit_probe`.
    """
    sizes = output_sizes(network, images, stages)
    with ProbeBar(title, sizes, quiet) as bar:
        for stage, features in iterate_features(network, images, stages, f"{title}, features", quiet):
            kept = checkpoint(stage) if checkpoint else None
            yield stage, _fit(features, labels, n_labels, options, copy.deepcopy(rng), None, bar, kept)
            bar.next()


def _fit(
    features: NDArray[np.float32],
    labels: NDArray[np.integer],
    n_labels: int,
    options: ProbeOptions,
    rng: np.random.Generator,
    mask: NDArray[np.bool_] | None,
    bar: ProbeBar,
    checkpoint: CheckpointStore | None,
) -> ProbeFit:
    label_counts(labels, n_labels, len(features))
    shape = (n_labels, features.shape[1])
    if mask is not None and (mask.shape != shape or mask.dtype != np.bool_):
        raise InputError("mask of the probe", f"bool of shape {shape}", f"{mask.dtype} of shape {mask.shape}")
    objective = CrossEntropy(features, np.asarray(labels, np.int64), options.l2, mask)
    task = ProbeTask(objective, n_labels, rng, bar, checkpoint)
    return fit_by_sgd(task, options) if options.solver == "sgd" else fit_exactly(task, options.tolerance)
