"""The style of every figure: widths of a column, colours and markers, and the decorator that applies them."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec

import matplotlib.style
from matplotlib.typing import ColorType

from deeptheory.prune.criteria import CRITERIA
from deeptheory.reports.plot.notebook_figure import STYLE, Figure

SINGLE_COLUMN = 3.375  # inches
DOUBLE_COLUMN = 7.0  # inches

# The colours of Okabe and Ito (2008) without yellow, which is too pale on white paper.
BLACK, ORANGE, SKY_BLUE, GREEN = "#000000", "#e69f00", "#56b4e9", "#009e73"
BLUE, VERMILLION, PURPLE = "#0072b2", "#d55e00", "#cc79a7"
GREY = (0.6, 0.6, 0.6)

Mark = tuple[ColorType, str]  # colour, marker

ARM_MARKS: dict[str, Mark] = {
    "unpruned": (BLACK, "D"),
    "afcc": (BLUE, "o"),
    "random": (ORANGE, "s"),
    "label-permuted": (GREEN, "^"),
    "magnitude": (VERMILLION, "v"),
    "lamp": (PURPLE, "P"),
    "snr-overlap": (SKY_BLUE, "X"),
    "snr-budget": (BLACK, "*"),
    "magnitude-global": (VERMILLION, "<"),
    "snip": (SKY_BLUE, ">"),
    "grasp": (GREEN, "p"),
    "synflow": (ORANGE, "h"),
    "taylor": (PURPLE, "d"),
    "obd": (VERMILLION, "X"),
    "obs": (BLACK, "P"),
    "random-afcc": (BLUE, "s"),
    "published-indexing": (BLUE, "*"),
    "l1": (VERMILLION, "^"),
    "geometric-median": (GREEN, "D"),
    "snr-share": (BLACK, "o"),
}
# For arms and groups without a mark of their own.
OTHER_MARKS: tuple[Mark, ...] = (
    (PURPLE, ">"),
    (SKY_BLUE, "D"),
    (GREEN, "h"),
    (ORANGE, "<"),
    (BLUE, "p"),
    (PURPLE, "X"),
    (SKY_BLUE, "v"),
)

P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a drawing function in the style of the package, whatever the user's own matplotlib settings are.

    The caller's settings are back in force when the function returns.
    """

    @wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.style.context(STYLE, after_reset=True):
            return draw(*args, **kwargs)

    return wrapper


def arm_marks(arms: Iterable[str]) -> dict[str, Mark]:
    """Colour and marker per arm: the same arm looks the same in every figure.

    Parameters
    ----------
    arms : iterable of str
        Names of the arms; one without a fixed mark gets the next unused mark.

    Returns
    -------
    dict of str to (colour, marker)
    """
    marks: dict[str, Mark] = {}
    n_other = 0
    for arm in arms:
        if arm in ARM_MARKS:
            marks[arm] = ARM_MARKS[arm]
        else:
            marks[arm] = OTHER_MARKS[n_other % len(OTHER_MARKS)]
            n_other += 1
    return marks


def arm_title(arm: str) -> str:
    """Name of an arm as printed in a figure."""
    return (arm in CRITERIA and CRITERIA[arm].title) or arm


def stage_title(stage: str) -> str:
    """Name of a stage as printed on an axis: the number alone for `stage7`."""
    number = stage.removeprefix("stage")
    return number if number.isdigit() else stage
