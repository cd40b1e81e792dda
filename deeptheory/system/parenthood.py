"""Workers end with the process that started them: nobody else would wait for them, or stop them."""

import os
import signal
import sys

PARENT = "DEEPTHEORY_PARENT"
PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


def of_child() -> dict[str, str]:
    """The environment of a process that shall end with this one."""
    return {**os.environ, PARENT: str(os.getpid())}


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, if the parent asked for it (Linux alone).

    What it has stored stays whole, and the next call goes on from its last checkpoint.
    """
    parent = os.environ.pop(PARENT, "")
    if not parent.isdigit() or not sys.platform.startswith("linux"):
        return
    import ctypes  # for workers alone

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != int(parent):  # it has ended before
        os._exit(128 + signal.SIGKILL)
