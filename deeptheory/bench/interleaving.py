"""Steps of one process timed in turn, so that a drift of the machine affects all equally."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deeptheory.bench.alternation import BLOCK_SECONDS, Times
from deeptheory.bench.cases import Step
from deeptheory.bench.energy import Counter, joules_between


@dataclass(frozen=True)
class Turns:
    """Times and energy of one side.

    Attributes
    ----------
    times : Times
        Seconds of every call, block by block.
    joules : list of float
        Mean energy of a call, block by block; empty without counters.
    """

    times: Times
    joules: list[float]


def in_turn(
    steps: Mapping[str, Step], rounds: int, counters: Sequence[Counter], report: Callable[[int], None]
) -> dict[str, Turns]:
    """Let every side compute a block of at least half a second, in turn; the first side changes each round.

    Parameters
    ----------
    steps : mapping of str to Step
        By the name of the side. They are warmed up first.
    rounds : int
        Blocks of every side.
    counters : sequence of Counter
        Read before and after every block.
    report : callable
        Called with the number of finished blocks, of ``rounds * len(steps)``.
    """
    names = list(steps)
    calls = {name: _calls(step) for name, step in steps.items()}
    blocks: dict[str, list[tuple[float, ...]]] = {name: [] for name in names}
    joules: dict[str, list[float]] = {name: [] for name in names}
    for done in range(rounds * len(names)):
        turn, number = divmod(done, len(names))
        name = names[(turn + number) % len(names)]
        before = [counter.read() for counter in counters]
        blocks[name].append(tuple(steps[name]() for _ in range(calls[name])))
        if counters:
            spent = joules_between(counters, before, [counter.read() for counter in counters])
            joules[name].append(spent / calls[name])
        report(done + 1)
    return {name: Turns(Times(blocks[name], None, None), joules[name]) for name in names}


def _calls(step: Step) -> int:
    """Number of calls per block; the first call compiles."""
    step()
    return max(1, math.ceil(BLOCK_SECONDS / step()))
