"""Files that are opened only where they are regular files: a pipe would be waited for, a device read for ever."""

import errno
import os
import stat
from pathlib import Path


def require_regular(path: Path) -> None:
    """Refuse a pipe or a device in the place of a file, unopened; one that is missing is left to who opens it.

    Raises
    ------
    OSError
        It is no regular file, and no directory either.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "a pipe or a device, no regular file", str(path))


def open_for_appending(path: str | os.PathLike[str], flags: int) -> int:
    """The opener of a file that is added to: it follows no link, and waits for no reader of a pipe.

    Raises
    ------
    OSError
        A link, a pipe, a device, or a file that cannot be written.
    """
    opened = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(errno.EINVAL, "a pipe or a device, no regular file", os.fspath(path))
    return opened
