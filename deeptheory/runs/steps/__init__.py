"""The steps of a run, each alone on a run directory; a step that is already done returns at once."""

from deeptheory import stopping
from deeptheory.errors import unknown_name
from deeptheory.runs import failures, paths
from deeptheory.runs.run import Run
from deeptheory.runs.steps.budget import budget
from deeptheory.runs.steps.compact import compact
from deeptheory.runs.steps.compare import check_criteria, compare
from deeptheory.runs.steps.cost import cost
from deeptheory.runs.steps.measure import measure
from deeptheory.runs.steps.predict import predict
from deeptheory.runs.steps.prune import prune
from deeptheory.runs.steps.retrain import retrain
from deeptheory.runs.steps.sensitivity import sensitivity
from deeptheory.runs.steps.train import train, train_along

__all__ = [
    "budget",
    "chain",
    "check_criteria",
    "compact",
    "compare",
    "cost",
    "measure",
    "predict",
    "prune",
    "retrain",
    "sensitivity",
    "train",
    "train_along",
]


def chain(run: Run, until: str = paths.STEPS[-1]) -> None:
    """All steps up to `until` that are not done yet, in order; an error is kept in the run's log."""
    if until not in paths.STEPS:
        raise unknown_name("--until", until, paths.STEPS)
    if not run.needs(until):
        return
    with stopping.deferred(), run.locked():
        try:
            run.record(
                f"begun, as far as {until}"
            )  # from here on an older failure is no longer the last word
            for step in (train, measure, predict, prune, retrain):
                step(run)
                if run.done(until):
                    break
        except Exception as error:
            failures.keep(run, error)
            raise
