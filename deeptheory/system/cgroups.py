"""The memory that control groups, such as those of Slurm and of containers, leave this process."""

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# Of each version: where its groups are mounted, the files of limit and use, and of the file cache that the kernel
# gives up before it ends a process.
VERSION_2 = ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file")
VERSION_1 = (
    "sys/fs/cgroup/memory",
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    "total_inactive_file",
)


def memory_left(root: Path = Path("/")) -> int | None:
    """Bytes that the groups of this process can still take, or None where no group has a limit.

    Parameters
    ----------
    root : Path
        Of the file system that is read.

    Returns
    -------
    int or None
        The least of limit minus use over the group and those above it, each of which holds for all below; not
        below 0. File cache that was not used of late does not count as used.
    """
    left = [
        max(0, limit - used)
        for version, group in _groups(root)
        for limit, used in _limits(root / version[0], group, version[1:])
    ]
    return min(left, default=None)


def _groups(root: Path) -> Iterator[tuple[tuple[str, str, str, str], PurePosixPath]]:
    """The groups that this process is in, of either version."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0" and not controllers:
                yield VERSION_2, PurePosixPath(path)
            elif "memory" in controllers.split(","):
                yield VERSION_1, PurePosixPath(path)


def _limits(mounted: Path, group: PurePosixPath, names: tuple[str, str, str]) -> Iterator[tuple[int, int]]:
    """Limit and use of a group and of those above it, as far as they are seen from here.

    In a container the path may be the host's, of which only the last group above, its root, is there.
    """
    limit, use, cache = names
    for above in (group, *group.parents):
        directory = mounted / above.relative_to(above.anchor)
        with contextlib.suppress(OSError, ValueError):  # no such group or file, or "max": no limit
            bound, used = int((directory / limit).read_text()), int((directory / use).read_text())
            yield bound, used - _entry(directory / "memory.stat", cache)


def _entry(path: Path, name: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            key, value = line.split()
            if key == name:
                return int(value)
    return 0
