"""Members of a sweep that are done, known again by their unchanged files: ten thousand take seconds to open."""

import contextlib
import json
import os
import stat
from pathlib import Path

from deeptheory.store import paths, small_entries
from deeptheory.store.atomic_files import write_text

Stamp = list[int]  # of a file: when it was written, its size and number


class FinishedMembers:
    """Members whose last step was done when their run file was last opened, kept in the directory of the sweep.

    What is kept may be deleted at any time, and counts only for a run file that is still the same.

    Parameters
    ----------
    root : Path
        Directory of the sweep.
    until : str
        The last step.
    """

    def __init__(self, root: Path, until: str) -> None:
        self.path, self.until = root / paths.SWEEP_FINISHED, until
        self._known, self._changed = _read(self.path).get(until, {}), False

    def has(self, directory: Path) -> bool:
        """Whether a member is done; False as well where its file is damaged."""
        results = os.path.join(directory, paths.RESULTS)
        try:
            status = os.stat(results)
        except OSError:
            return False
        stamp = [status.st_mtime_ns, status.st_size, status.st_ino]
        if self._known.get(directory.name) == stamp:
            return True
        finished = paths.join(self.until, paths.FINISHED)
        if stat.S_ISREG(status.st_mode) and small_entries.file_has(results, finished):
            self._known[directory.name], self._changed = stamp, True
            return True
        return False

    def keep(self) -> None:
        """Write what was found, where that is possible: it saves time, no more."""
        if self._changed:
            with contextlib.suppress(OSError):
                write_text(self.path, json.dumps({**_read(self.path), self.until: self._known}))


def _read(path: Path) -> dict[str, dict[str, Stamp]]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    whole = isinstance(kept, dict) and all(isinstance(of_step, dict) for of_step in kept.values())
    return kept if whole else {}
