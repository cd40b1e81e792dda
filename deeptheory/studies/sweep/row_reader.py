"""The program of `reading_processes`: reads the rows of the members that the file at standard input names."""

import pickle
import signal
import sys

from deeptheory.studies.sweep.member_rows import read_rows
from deeptheory.studies.sweep.member_states import opened, states
from deeptheory.system import parenthood


def main() -> None:
    """Write the rows over the names; without them, and with exit code 1, where a member is not done."""
    parenthood.end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the parent as well, which ends this
    with open(0, "r+b") as file:
        root, names = pickle.load(file)
        sweep = opened(root)
        finished = [one for one in states(sweep, root) if one.state == "done" and one.directory.name in names]
        if len(finished) < len(names):
            sys.exit(1)
        rows = read_rows(sweep, finished)
        file.seek(0)
        file.truncate()
        pickle.dump(rows, file)


if __name__ == "__main__":
    main()
