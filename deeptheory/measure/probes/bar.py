"""One progress bar for the probes of several stages, in units of their work."""

import math
from collections.abc import Mapping, Sequence

from deeptheory.system.progress import Progress

FIRST_PASSES = 20.0  # of a probe, before its gradient tells
STRETCH = 0.5  # exponent of the iterations in the logarithm of the gradient norm
TYPICAL, WEIGHT = 7, 2  # iterations of a fit, and of how many of its own they count as much
LEAST_FALL = 0.5  # of that logarithm, where the time left is told from it


class ProbeBar:
    """Progress of the fits of several probes, which are made one after the other.

    A fit reports how many passes over its features it made, and how many it expects. Fits to come are taken to
    need as many as those before, and a pass to take as long as its multiply-adds.

    Parameters
    ----------
    title : str
    costs : mapping of str to float
        Of one pass of each probe, by its stage, in any unit.
    quiet : bool
        Write nothing.
    """

    def __init__(self, title: str, costs: Mapping[str, float], quiet: bool = False) -> None:
        self.stages, self.costs = list(costs), list(costs.values())
        self.current, self.passes = 0, 0.0  # the present fit
        self.spent = 0.0  # cost of those before
        self.progress = Progress(title, 0, "%", quiet)

    def __enter__(self) -> "ProbeBar":
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.__exit__()

    def advance(self, passes: float, left: float, note: str = "") -> None:
        """The present fit has made so many passes and expects so many more.

        Raises
        ------
        interruption.Interrupted
            The process was asked to stop.
        """
        self.passes, cost = passes, self.costs[self.current]
        done, with_this = self.spent + passes * cost, self.spent + (passes + left) * cost
        typical = with_this / sum(self.costs[: self.current + 1])
        if len(self.stages) > 1:
            place = f"{self.stages[self.current]} ({self.current + 1} of {len(self.stages)})"
            note = f"{place}, {note}" if note else place
        self.progress.advance(done, note, with_this + typical * sum(self.costs[self.current + 1 :]))

    def next(self) -> None:
        """The present fit is done."""
        self.spent += self.passes * self.costs[self.current]
        self.current, self.passes = self.current + 1, 0.0


def iterations_left(iterations: float, recent: Sequence[float], tolerance: float) -> float:
    """Iterations until the gradient norm has fallen to the tolerance; at least one.

    The norm falls about as exp(-c n^0.5), faster at first than later; the first few say less than other fits do.

    Parameters
    ----------
    iterations : float
        Made so far; at least 1.
    recent : sequence of float
        The last few norms, relative to zero weights: they do not fall at every step.
    tolerance : float
    """
    fallen = -sum(map(math.log, recent)) / len(recent)
    growth = float(max(1.0, -math.log(tolerance) / max(fallen, LEAST_FALL)) ** (1 / STRETCH))
    whole = (WEIGHT * TYPICAL + iterations**2 * growth) / (WEIGHT + iterations)
    return max(1.0, whole - iterations)
