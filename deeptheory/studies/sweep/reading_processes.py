"""The rows of many members read by several processes: HDF5 reads one number at a time in each."""

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

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
    processes = [_started(root, part) for part in others]
    members, stages = read_rows(sweep, ours)
    for process, part in zip(processes, others, strict=True):
        output, _ = process.communicate()
        rows: Rows = read_rows(sweep, part) if process.returncode else pickle.loads(output)
        members += rows[0]
        stages += rows[1]
    return members, stages


def _started(root: Path, part: Sequence[MemberState]) -> subprocess.Popen[bytes]:
    with tempfile.TemporaryFile() as names:
        pickle.dump((root, {member_state.directory.name for member_state in part}), names)
        names.seek(0)
        return subprocess.Popen(
            [sys.executable, "-m", PROGRAM],
            stdin=names,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=parenthood.of_child(),
        )
