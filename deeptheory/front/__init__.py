"""What a notebook sees as `import deeptheory as dt`: the steps as functions, and what they left as objects.

Nothing is computed here: the functions call the steps of the command line, the objects read the files they wrote.
`dt.measure`, `dt.prune` and `dt.plot` are rooms with functions of their own, and can be called as the step or the
figure of a run.
"""

from typing import TYPE_CHECKING, Any

from deeptheory.front.callable_rooms import called
from deeptheory.front.computing import branch, confirm, measure, predict, prune, retrain, train
from deeptheory.front.data import load_data
from deeptheory.front.run import Run, open_run
from deeptheory.front.study import Study, open_study

if TYPE_CHECKING:
    from deeptheory.front.figures import draw

__all__ = [
    "Run",
    "Study",
    "branch",
    "confirm",
    "draw",
    "load_data",
    "measure",
    "open_run",
    "open_study",
    "predict",
    "prune",
    "retrain",
    "train",
]

for room in ("deeptheory.measure", "deeptheory.prune"):
    called(room)


def __getattr__(name: str) -> Any:
    if name == "draw":  # the figures load Matplotlib
        from deeptheory.front.figures import draw

        return draw
    raise AttributeError(f"module 'deeptheory.front' has no attribute '{name}'")
