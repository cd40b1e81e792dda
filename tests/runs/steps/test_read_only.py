"""A run that cannot be written is refused before anything is computed for it."""

import os

import pytest

from deeptheory.errors import InputError
from deeptheory.runs import Run, steps
from deeptheory.runs.steps import compaction, criteria, inference_cost, sensitivity_variations, tolerance


@pytest.fixture
def read_only(monkeypatch):
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))


@pytest.fixture
def computes(monkeypatch):
    """Nothing may be computed."""

    def forbid(*arguments, **named):
        raise AssertionError("computed")

    for module in (compaction, inference_cost, tolerance, sensitivity_variations, criteria):
        for name in ("trained_network", "retrained_network", "_measured", "train"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, forbid)


@pytest.mark.parametrize(
    "compute",
    [
        lambda run: steps.budget(run, 0.01),
        steps.sensitivity,
        steps.cost,
        steps.compact,
        steps.compare,
    ],
)
def test_what_is_beside_the_steps_looks_first(run, read_only, computes, compute):
    with pytest.raises(InputError, match=rf"^run {run.directory}: expected a directory that can be written"):
        compute(run)


@pytest.mark.parametrize("step", ["measure", "retrain"])
def test_the_steps_look_first(run_until, read_only, monkeypatch, step):
    run = run_until({"measure": "train", "retrain": "prune"}[step])
    with pytest.raises(InputError, match="found one that is read-only; copy it elsewhere"):
        getattr(steps, step)(run)


def test_what_is_stored_is_shown(run, monkeypatch):
    steps.sensitivity(run)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    for step in ("measure", "retrain"):
        getattr(steps, step)(Run(run.directory, quiet=True))
    steps.sensitivity(Run(run.directory, quiet=True))
