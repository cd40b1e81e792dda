"""The rows of many members read by several processes: HDF5 reads one number at a time in each."""

import contextlib
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from deeptheory.studies.sweep.member_rows import Rows, read_rows
from deeptheory.studies.sweep.member_states import MemberState
from deeptheory.studies.sweep.options import Sweep
from deeptheory.system import parenthood, threadpools

PROGRAM = "deeptheory.studies.sweep.row_reader"
FEWEST = 500  # members of a process, which starts in the time of some 300


def read_side_by_side(sweep: Sweep, root: Path, finished: Sequence[MemberState]) -> Rows:
    """The same rows as `read_rows`, by as many processes as there are threads.

    What one of them cannot read is read here, where the error of a damaged member is raised.
    """
    size = max(FEWEST, -(-len(finished) // threadpools.threads()))
    ours, *others = [finished[first : first + size] for first in range(0, len(finished), size)] or [[]]
    with contextlib.ExitStack() as running:
        processes = []
        for part in others:
            file = running.enter_context(tempfile.TemporaryFile())
            process = running.enter_context(_started(root, part, file))
            running.callback(process.kill)  # none goes on after Ctrl-C or an error
            processes.append((process, file))
        members, stages = read_rows(sweep, ours)
        for (process, file), part in zip(processes, others, strict=True):
            failed = process.wait()
            file.seek(0)
            rows: Rows = read_rows(sweep, part) if failed else pickle.load(file)
            members += rows[0]
            stages += rows[1]
    return members, stages


def _started(root: Path, part: Sequence[MemberState], file: IO[bytes]) -> subprocess.Popen[bytes]:
    """A process that reads names of members from a file and writes their rows there.

    Its standard output is whatever plugins print.
    """
    pickle.dump((root, {member_state.directory.name for member_state in part}), file)
    file.seek(0)
    return subprocess.Popen(
        [sys.executable, "-m", PROGRAM],
        stdin=file,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=parenthood.of_child(),
    )
