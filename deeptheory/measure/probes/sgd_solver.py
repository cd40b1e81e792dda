"""The probe of the reference papers: stochastic gradient descent with Nesterov momentum."""

import functools
import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeptheory.errors import InputError
from deeptheory.measure.options import ProbeOptions
from deeptheory.measure.probes.crossentropy import residuals
from deeptheory.measure.probes.task import ProbeFit, ProbeTask
from deeptheory.system import interruption
from deeptheory.system.compiled import njit, prange


@njit(parallel=True)
def _step(
    weight: NDArray[np.float32],
    velocity: NDArray[np.float32],
    gradient: NDArray[np.float32],
    mask: NDArray[np.bool_],
    l2: np.float32,
    learning_rate: np.float32,
    momentum: np.float32,
) -> None:
    for k in prange(weight.shape[0]):
        for d in range(weight.shape[1]):
            if not mask[k % mask.shape[0], d]:
                continue
            slope = gradient[k, d] + l2 * weight[k, d]
            velocity[k, d] = momentum * velocity[k, d] + slope
            weight[k, d] -= learning_rate * (slope + momentum * velocity[k, d])


def fit_by_sgd(task: ProbeTask, options: ProbeOptions) -> ProbeFit:
    """Run all epochs of the schedule from zero weights; parameters and errors as in `fit_probe`."""
    objective, rng = task.objective, task.rng
    features, labels = objective.features, objective.labels
    weight, velocity = task.zero_weight, task.zero_weight
    first_norm = float(np.linalg.norm(objective(weight)[1]))
    mask = np.ones((1, features.shape[1]), np.bool_) if objective.mask is None else objective.mask
    first_epoch, rate = 0, options.learning_rate
    if state := task.resume(weight=weight.shape, velocity=weight.shape):
        weight, velocity = state.read_array("weight"), state.read_array("velocity")
        first_epoch, rate = int(state.read_number("epoch")), state.read_number("rate")
        rng.bit_generator.state = json.loads(state.read_text("generator"))
    # Divergence shows in the loss; NumPy's warnings would come first and say less.
    silent = np.errstate(over="ignore", invalid="ignore")
    with interruption.deferred(), silent:
        for epoch in range(first_epoch, options.epochs):
            order = rng.permutation(len(features))
            for start in range(0, len(order), options.batch):
                rows = order[start : start + options.batch]
                batch = features[rows]
                residual = batch @ weight.T
                loss = residuals(residual, labels[rows])
                if not math.isfinite(loss):
                    raise _diverged(loss, epoch + 1)
                gradient: NDArray[np.float32] = np.matmul(residual.T, batch)
                gradient *= np.float32(1 / len(rows))
                rates = (np.float32(number) for number in (options.l2, rate, options.momentum))
                _step(weight, velocity, gradient, mask, *rates)
            rate *= options.decay
            task.pause(functools.partial(_state, weight, velocity, epoch + 1, rate, rng))
            task.bar.advance(epoch + 1 - first_epoch, options.epochs - epoch - 1, f"epoch {epoch + 1}")
        value, gradient = objective(weight)
    if not math.isfinite(value):
        raise _diverged(value, options.epochs)
    norm = float(np.linalg.norm(gradient))
    relative = norm / first_norm if first_norm else 0.0
    return ProbeFit(weight, value, options.epochs, True, relative, norm**2 / (2 * options.l2))


def _diverged(loss: float, epoch: int) -> InputError:
    found, do = f"{loss} in epoch {epoch}", "lower probe.learning_rate"
    return InputError("loss of the probe", "a finite value", found, do)


def _state(
    weight: NDArray[np.float32],
    velocity: NDArray[np.float32],
    epoch: int,
    rate: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Checkpoint after so many epochs."""
    generator = json.dumps(rng.bit_generator.state)
    return {"weight": weight, "velocity": velocity, "epoch": epoch, "rate": rate, "generator": generator}
