"""File systems that no other machine can write to at the same time."""

import os
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
OF_ONE_MACHINE = ("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "tmpfs", "ramfs")


def is_of_this_machine(directory: Path) -> bool:
    """Whether a directory lies on a disk or in memory that only this machine has mounted; False in doubt."""
    place, longest, kind = os.path.realpath(directory), "", ""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    for line in lines:
        before, _, after = line.partition(" - ")
        mount = before.split()[4].replace("\\040", " ")
        inside = place == mount or place.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(longest):  # of two mounts at one place the later one is seen
            longest, kind = mount, after.split()[0]
    return kind in OF_ONE_MACHINE
