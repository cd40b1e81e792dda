"""Lines about the compilation of kernels, which takes a while on a first start."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

INTERVAL = 5.0  # seconds between two lines


@contextlib.contextmanager
def shown_by(say: Callable[[str], None]) -> Iterator[None]:
    """Call `say` with a line when the first kernel is compiled in the block, and every few seconds of it.

    Kernels that are read from the cache are not compiled, and nothing is said of them.
    """
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        def __init__(self) -> None:
            self.began, self.said, self.compiled = 0.0, 0.0, 0

        def on_start(self, event: Any) -> None:
            now = time.monotonic()
            if not self.compiled and not self.began:
                self.began = self.said = now
                say("compiling the kernels of this network, once on this machine")
            elif now - self.said >= INTERVAL:
                self.said = now
                say(f"compiling the kernels, {self.compiled} after {now - self.began:.0f} s")

        def on_end(self, event: Any) -> None:
            self.compiled += 1

    with event.install_listener("numba:compile", Listener()):
        yield
