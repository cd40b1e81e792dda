"""Progress of long computations: a bar on a terminal, otherwise a line every few seconds."""

import sys
import time
from typing import TextIO

from deeptheory.system import heartbeats, interruption, standard_streams

LINE_INTERVAL = 5.0  # seconds between lines in a file (a Slurm log)
BAR_INTERVAL = 0.2  # seconds between redraws on a terminal


class Progress:
    """Report the progress of one computation of known length.

    Parameters
    ----------
    title : str
        What is computed.
    total : float
        Number of units of work, as far as it is known.
    unit : str
        Name of one unit, or "%": then only the share is shown.
    quiet : bool
        Write nothing. What cannot be written, to a closed pipe or terminal, is lost and stops nothing.
    stream : file object, optional
        Where to write; standard error by default.
    stoppable : bool
        Whether a call of `advance` may stop the computation on request.

    Notes
    -----
    Nothing is written in the first two seconds.
    """

    def __init__(
        self,
        title: str,
        total: float,
        unit: str = "step",
        quiet: bool = False,
        stream: TextIO | None = None,
        stoppable: bool = True,
    ) -> None:
        self.title, self.total, self.unit, self.quiet, self.stoppable = title, total, unit, quiet, stoppable
        self.stream = sys.stderr if stream is None else stream
        self.terminal = standard_streams.is_terminal(self.stream)
        self.done: float = 0
        self.started = self.last_shown = time.monotonic()
        self.first: tuple[float, float] | None = (
            None  # units and time at the first report: work may be resumed
        )
        self.shown = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown and self.terminal:
            standard_streams.say("\n", self.stream)

    def advance(self, done: float, note: str = "", total: float | None = None) -> None:
        """Set the number of units done, and of all of them where it is known better now; write when it is time.

        Raises
        ------
        interruption.Interrupted
            The process was asked to stop, and the computation is stoppable. Results have to be stored before.
        """
        if self.stoppable:
            interruption.check()
        now = time.monotonic()
        self.first = self.first or (done, now)
        self.done = done
        self.total = self.total if total is None else total
        if self.quiet:
            return
        interval = BAR_INTERVAL if self.terminal else LINE_INTERVAL
        finished = done >= self.total and self.shown
        if now - self.started < 2.0 or (now - self.last_shown < interval and not finished):
            return
        self.last_shown, self.shown = now, True
        self._write(now, note)

    def say(self, text: str) -> None:
        """Write a line of its own before the work begins."""
        if not self.quiet:
            standard_streams.say(f"{self.title}: {text}\n", self.stream)
            heartbeats.note_output()

    def _write(self, now: float, note: str) -> None:
        share = self.done / self.total if self.total else 1.0
        count = f"{100 * share:.0f} %" if self.unit == "%" else f"{self.done}/{self.total} {self.unit}s"
        text = f"{self.title}: {count}"
        if self.first and self.done > self.first[0]:
            left = (now - self.first[1]) / (self.done - self.first[0]) * (self.total - self.done)
            text += f", {left:.0f} s left"
        text += f", {note}" if note else ""
        if self.terminal:
            bar = "#" * int(20 * share)
            text = f"\r\033[K[{bar:<20}] {text}"
        else:
            text += "\n"
        standard_streams.say(text, self.stream)
        heartbeats.note_output()
