"""The steps of a run, each alone on a run directory; a step that is already done returns at once."""

from deeptheory.runs.run import Run
from deeptheory.runs.steps.budget import budget
from deeptheory.runs.steps.compact import compact
from deeptheory.runs.steps.compare import compare
from deeptheory.runs.steps.cost import cost
from deeptheory.runs.steps.measure import measure
from deeptheory.runs.steps.predict import predict
from deeptheory.runs.steps.prune import prune
from deeptheory.runs.steps.retrain import retrain
from deeptheory.runs.steps.train import train

__all__ = ["budget", "chain", "compact", "compare", "cost", "measure", "predict", "prune", "retrain", "train"]


def chain(run: Run) -> None:
    """All steps that are not done yet, in order."""
    for step in (train, measure, predict, prune, retrain):
        step(run)
