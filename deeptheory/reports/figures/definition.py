"""What a figure of runs is: its name, which runs it needs, and how it is drawn from them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from matplotlib.figure import Figure

from deeptheory.runs import Run
from deeptheory.store import paths


@dataclass(frozen=True)
class RunFigure:
    """A figure of runs that differ in nothing but their seeds and the options named in `may_differ`.

    Attributes
    ----------
    name : str
        On the command line, and of the PDF file.
    step : str
        The step that every run must have done.
    study : "confirm", "compare", "sweep", "budget", "transformers" or "networks"
        What has made the runs; "budget" is `predict --tolerance`, "transformers" and "networks" are any runs, of
        different configurations in the last case.
    draw : function of a sequence of runs
        Reads the numbers from the run files and draws them. With `of_one_filter` it also takes the keyword
        arguments ``stage`` and ``filter_index``.
    caption : str
        In the HTML report.
    may_differ : tuple of str
        Options besides the seed in which the runs may differ, as ``data.n_labels``.
    of_one_filter : bool
        Whether the figure shows one filter, which the caller may choose.
    """

    name: str
    step: str
    study: Literal["confirm", "compare", "sweep", "budget", "transformers", "networks"]
    draw: Callable[..., Figure]
    caption: str
    may_differ: tuple[str, ...] = ()
    of_one_filter: bool = False


def n_test_inputs(run: Run) -> int:
    """Number of test inputs behind an accuracy of the run."""
    return len(run.read_array(paths.join("train", paths.SPLITS, "test")))
