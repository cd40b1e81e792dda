"""A word while compiled kernels are made, which takes a while on a first start."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

REFRESH = 2.0  # seconds between two lines


@contextlib.contextmanager
def shown_by(say: Callable[[str], None]) -> Iterator[None]:
    """Call `say` with a line when Numba begins to compile a kernel in the block, and every few seconds then.

    Kernels that are found on disk are not compiled, and nothing is said.
    """
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        began = last = 0.0
        kernels = depth = 0

        def on_start(self, found: Any) -> None:
            now = time.monotonic()
            if not self.began:
                self.began = self.last = now
                say("compiling the kernels of this network, once on this machine")
            elif now - self.last >= REFRESH:
                self.last = now
                say(f"compiling the kernels, {self.kernels} so far, {now - self.began:.0f} s")

        def on_end(self, found: Any) -> None:
            self.kernels += 1

    with event.install_listener("numba:compile", Listener()):
        yield
