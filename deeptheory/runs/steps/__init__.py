"""The steps of a run, each alone on a run directory; a step that is already done returns at once."""

from deeptheory.errors import unknown_name
from deeptheory.runs import failure_log
from deeptheory.runs.run import Run
from deeptheory.runs.run_locks import Locked
from deeptheory.runs.steps.compaction import compact
from deeptheory.runs.steps.criteria import compare
from deeptheory.runs.steps.inference_cost import cost
from deeptheory.runs.steps.measurement import measure
from deeptheory.runs.steps.option_checks import check_options
from deeptheory.runs.steps.prediction import predict
from deeptheory.runs.steps.pruning import prune
from deeptheory.runs.steps.retraining import retrain
from deeptheory.runs.steps.sensitivity_variations import sensitivity
from deeptheory.runs.steps.tolerance import budget
from deeptheory.runs.steps.training import train, train_along
from deeptheory.store import paths
from deeptheory.system import interruption

__all__ = [
    "budget",
    "chain",
    "check_options",
    "check_until",
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


def check_until(step: str) -> None:
    """Refuse a last step that there is not."""
    if step not in paths.STEPS:
        raise unknown_name("--until", step, paths.STEPS)


def chain(run: Run, until: str = paths.STEPS[-1]) -> None:
    """All steps up to `until` that are not done yet, in order; an error is kept in the run's log."""
    check_until(until)
    if not run.needs(until):
        return
    try:
        with interruption.deferred(), run.locked():
            check_options(run.config, paths.STEPS[: paths.STEPS.index(until) + 1])
            run.record(
                f"begun, as far as {until}"
            )  # from here on an older failure is no longer the last word
            for step in (train, measure, predict, prune, retrain):
                step(run)
                if run.done(until):
                    break
    except Locked:  # the log is that of the process that writes the run
        raise
    except Exception as error:
        failure_log.keep(run, error)
        raise
