"""The program of `reading_processes`: reads the rows of the members that standard input names."""

import pickle
import signal
import sys

from deeptheory.studies.sweep.member_rows import read_rows
from deeptheory.studies.sweep.member_states import opened, states
from deeptheory.system import parenthood


def main() -> None:
    """Write the rows to standard output; without them, and with exit code 1, where a member is not done."""
    parenthood.end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the parent as well, and this ends with that
    root, names = pickle.load(sys.stdin.buffer)
    sweep = opened(root)
    finished = [one for one in states(sweep, root) if one.state == "done" and one.directory.name in names]
    if len(finished) < len(names):
        sys.exit(1)
    pickle.dump(read_rows(sweep, finished), sys.stdout.buffer)


if __name__ == "__main__":
    main()
