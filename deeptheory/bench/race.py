"""Which form of PyTorch is the fastest, before it is timed in turn with ours."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from deeptheory.bench.alternation import Child
from deeptheory.bench.cases import Side, Task, fastest
from deeptheory.errors import InputError

COMPILERS = ("g++", "clang++", "c++")
WITHOUT = "torch.compile not tried: "


@dataclass(frozen=True)
class Race:
    """The outcome.

    Attributes
    ----------
    finalists : dict of Side
        The fastest of each precision.
    seconds : dict of float
        Median seconds of a step of every form.
    left_out : str
        Why there are no compiled forms, or which failed; empty otherwise.
    """

    finalists: dict[str, Side]
    seconds: dict[str, float]
    left_out: str


def race(
    rivals: Mapping[str, Side], task: Callable[[Side], Task], compiled: bool, report: Callable[[int], None]
) -> Race:
    """Time one block of every rival, and of the faster format of each precision compiled.

    Parameters
    ----------
    rivals : mapping of str to Side
    task : callable
        The task of a side.
    compiled : bool
        Whether compiled forms take part.
    report : callable
        Called with the number of forms that are done, of ``len(rivals) + 2``.
    """
    seconds, done = dict[str, float](), 0
    for name, side in rivals.items():
        seconds[name] = _one_block(name, task(side))
        report(done := done + 1)
    sides, left_out = dict(rivals), without_compiler() if compiled else WITHOUT + "not asked for"
    for name in fastest(rivals, seconds).values():
        if not left_out:
            form = name + ", compiled"
            sides[form] = replace(rivals[name], compiled=True)
            try:
                seconds[form] = _one_block(form, task(sides[form]))
            except InputError as error:  # torch.compile does not take every network; its message is above
                left_out = f"{form} failed: {error.found}"
        report(done := done + 1)
    finalists = {name: sides[name] for name in fastest(sides, seconds).values()}
    return Race(finalists, seconds, left_out)


def without_compiler() -> str:
    """Why nothing can be compiled by torch.compile here; empty where it can."""
    if any(map(shutil.which, COMPILERS)):
        return ""
    return WITHOUT + f"no C++ compiler found ({', '.join(COMPILERS)})"


def _one_block(name: str, task: Task) -> float:
    with Child(name, task) as child:
        child.warm_up()
        return float(np.median(child.run(child.steps).seconds))
