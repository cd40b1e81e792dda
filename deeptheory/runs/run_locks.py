"""Locks of run directories: one process at a time writes a run, and a file in the directory names it."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deeptheory.errors import InputError
from deeptheory.store import exclusive_files, paths
from deeptheory.system import process_identity

_held: set[Path] = set()


class Locked(InputError):
    """A run that another process writes, or may be writing."""


@contextlib.contextmanager
def lock(directory: Path) -> Iterator[bool]:
    """Hold the lock of a run directory in the block.

    A directory that cannot be written gets no lock. A lock is taken over if its process has certainly ended
    (`process_identity.has_ended`). Whoever takes one over holds a lock of its own on exactly that one meanwhile:
    without it a slower process could take the lock of a quicker one for the old one.

    Yields
    ------
    bool
        Whether the lock was taken here; False inside a block that holds it already.

    Raises
    ------
    Locked
        Another process holds it, as far as is known; the message names host, process and start time.
    """
    path = directory.resolve() / paths.LOCK
    if path in _held or not os.access(directory, os.W_OK):
        yield False
        return
    text = json.dumps(process_identity.identity())
    _take(path, text)
    _held.add(path)
    try:
        yield True
    finally:
        _held.discard(path)
        _release(path, text)


def holder(directory: Path, ask: bool = True) -> str | None:
    """The process that writes a run, for messages; None if there is none, as far as this host can tell.

    Without `ask` Slurm is not asked, which takes a moment for every run.
    """
    text = exclusive_files.read(directory / paths.LOCK)
    if text is None or process_identity.has_ended(_identity_in(text), directory, ask):
        return None
    return _described(text)


def _take(path: Path, text: str) -> None:
    for _ in range(3):
        if exclusive_files.create(path, text):
            break
        there = exclusive_files.read(path)
        if there is None:  # released in the meantime
            continue
        if not process_identity.has_ended(_identity_in(there), path.parent):
            raise _refusal(path, there)
        if _take_over(path, there, text):
            break
    if (there := exclusive_files.read(path)) != text:
        raise _refusal(path, there or "")


def _take_over(path: Path, stale: str, text: str) -> bool:
    """Replace the lock of a process that has ended, unless another one has done so; whether it was replaced."""
    claim = path.with_name(f"{path.name}.{hashlib.sha256(stale.encode()).hexdigest()[:16]}")
    _take(claim, text)
    try:
        if exclusive_files.read(path) != stale:
            return False
        exclusive_files.replace(path, text)
        return True
    finally:
        _release(claim, text)


def _release(path: Path, text: str) -> None:
    with contextlib.suppress(OSError):
        if exclusive_files.read(path) == text:
            path.unlink()


def _refusal(path: Path, text: str) -> Locked:
    do = f"wait for it, or delete {path} if it is not running any more"
    what, expected = f"run {path.parent}", "no other process that writes it"
    return Locked(what, expected, f"one at work: {_described(text)}", do)


def _identity_in(text: str) -> dict[str, Any]:
    """The process that a lock names; nothing of it while the lock is being made, or if somebody else made it."""
    try:
        identity = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return identity if isinstance(identity, dict) else {}


def _described(text: str) -> str:
    identity = _identity_in(text)
    return process_identity.described(identity) if identity else "unknown, its lock cannot be read"
