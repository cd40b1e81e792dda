"""The probe of the reference papers: stochastic gradient descent with Nesterov momentum."""

import functools
import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.measure.crossentropy import CrossEntropy, residuals
from deeptheory.measure.options import ProbeOptions
from deeptheory.measure.probe import ProbeFit, check_checkpoint, check_probe_input, pause
from deeptheory.store.checkpoints import CheckpointStore
from deeptheory.system import interruption
from deeptheory.system.compiled import njit, prange
from deeptheory.system.progress import Progress


@njit(parallel=True)
def _step(weight, velocity, gradient, mask, l2, learning_rate, momentum):
    for k in prange(weight.shape[0]):
        for d in range(weight.shape[1]):
            if not mask[k % mask.shape[0], d]:
                continue
            slope = gradient[k, d] + l2 * weight[k, d]
            velocity[k, d] = momentum * velocity[k, d] + slope
            weight[k, d] -= learning_rate * (slope + momentum * velocity[k, d])


def fit_probe_sgd(
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
    """Fit a probe by SGD with Nesterov momentum from zero weights, on features computed once.

    The objective of `fit_probe_exact`; `options` gives L2, first learning rate, momentum, batch, epochs and
    the factor on the learning rate per epoch (defaults: "Advanced deep architecture pruning using single
    filter performance").

    Parameters
    ----------
    features : float32 array (N, D)
    labels : int array (N,)
    n_labels : int
    options : ProbeOptions
    rng : numpy.random.Generator
        Draws the order of the inputs.
    mask : bool array (K, D), optional
        Weights outside it are exactly zero.
    title, quiet, checkpoint
        As `fit_probe_exact` takes them.

    Raises
    ------
    InputError
        As `fit_probe_exact`, or the loss becomes NaN or infinite.
    stopping.Interrupted
        The process was asked to stop.

    Notes
    -----
    The weights still fluctuate around the minimum at the end: `gradient_norm` says how far they are.
    """
    labels = check_probe_input(features, labels, n_labels, mask)
    objective = CrossEntropy(features, labels, options.l2, mask)
    weight = np.zeros((n_labels, features.shape[1]), np.float32)
    first_norm = float(np.linalg.norm(objective(weight)[1]))
    velocity = np.zeros_like(weight)
    mask = np.ones((1, features.shape[1]), np.bool_) if mask is None else mask
    first_epoch, rate = 0, options.learning_rate
    if checkpoint and (tree := checkpoint.load()):
        for name in ("weight", "velocity"):
            check_checkpoint(checkpoint, tree, name, weight.shape)
        weight, velocity, first_epoch, rate = (tree[name] for name in ("weight", "velocity", "epoch", "rate"))
        rng.bit_generator.state = json.loads(tree["generator"])
    # Divergence shows in the loss; NumPy's warnings would come first and say less.
    silent = np.errstate(over="ignore", invalid="ignore")
    with interruption.deferred(), silent, Progress(title, options.epochs, "epoch", quiet) as progress:
        for epoch in range(first_epoch, options.epochs):
            order = rng.permutation(len(features))
            for start in range(0, len(order), options.batch):
                rows = order[start : start + options.batch]
                batch = features[rows]
                residual = batch @ weight.T
                loss = residuals(residual, labels[rows])
                if not math.isfinite(loss):
                    raise InputError(
                        "loss of the probe",
                        "a finite value",
                        f"{loss} in epoch {epoch + 1}",
                        "lower learning_rate",
                    )
                gradient = residual.T @ batch
                gradient *= np.float32(1 / len(rows))
                _step(
                    weight,
                    velocity,
                    gradient,
                    mask,
                    np.float32(options.l2),
                    np.float32(rate),
                    np.float32(options.momentum),
                )
            rate *= options.decay
            pause(checkpoint, functools.partial(_stored, weight, velocity, epoch + 1, rate, rng))
            progress.advance(epoch + 1)
    value, gradient = objective(weight)
    norm = float(np.linalg.norm(gradient)) / first_norm if first_norm else 0.0
    return ProbeFit(weight, value, options.epochs, True, norm)


def _stored(
    weight: NDArray, velocity: NDArray, epoch: int, rate: float, rng: np.random.Generator
) -> dict[str, Any]:
    """What a checkpoint holds after so many epochs."""
    generator = json.dumps(rng.bit_generator.state)
    return {"weight": weight, "velocity": velocity, "epoch": epoch, "rate": rate, "generator": generator}
