"""The figures of runs and studies, as `deeptheory figure` draws them; `plot` is the room of all drawing."""

import os
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from deeptheory.front.callable_rooms import called
from deeptheory.front.run import Run
from deeptheory.front.study import Study
from deeptheory.reports import drawing

Source = Run | Study | str | os.PathLike[str]

plot = called("deeptheory.reports.plot")


def draw(
    name: str, runs: Source | Sequence[Source], *, stage: str | None = None, filter_index: int | None = None
) -> Figure:
    """A figure of runs: `dt.plot` when it is called.

    Parameters
    ----------
    name : str
        As in `deeptheory figure`: "field-matrix", "accuracy-and-snr", "cluster-sizes",
        "accuracy-by-arm", "predicted-losses", "predicted-against-measured",
        "accuracy-against-density", "accuracy-by-epochs", "error-against-labels", "loss-curves", "attention-maps",
        "networks-with-depth".
    runs : Run, Study, path, or a sequence of these
        Runs of one configuration; of several in "networks-with-depth".
    stage : str, optional
        Of a field matrix or of heads; the last stage by default.
    filter_index : int, optional
        Of a field matrix; by default the filter that serves the median number of labels. Of attention maps: one
        head, by default all.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it as the last line of a cell; `dt.plot.save(figure, "name.pdf")` writes it.

    Raises
    ------
    InputError
        An unknown figure, stage or filter, or runs that lack what it shows.

    Examples
    --------
    >>> figure = dt.plot("field-matrix", run, stage="stage5", filter_index=3)
    >>> [axes.get_xlabel() for axes in figure.axes[:2]]
    ['output $j$', 'output $j$']
    """
    given = runs if isinstance(runs, Sequence) and not isinstance(runs, str) else [runs]
    return drawing.figure_of(name, [_directory(each) for each in given], stage, filter_index)


def _directory(source: Source) -> Path:
    return source.directory if isinstance(source, Run | Study) else Path(source).expanduser()
