"""Files of compact networks beside a run file, which records the SHA-256 of each."""

import hashlib

from deeptheory import nn
from deeptheory.errors import InputError
from deeptheory.runs.run import Run
from deeptheory.store import paths


def is_whole(run: Run, arm: str) -> bool:
    """Whether the file of an arm is there and has the bytes that the run file records, if it records them."""
    if not (
        run.has(paths.compact_path(arm, paths.FINISHED)) and paths.compact_file(run.directory, arm).is_file()
    ):
        return False
    where = paths.compact_path(arm, paths.SHA256)  # not in files of earlier versions
    return not run.has(where) or digest(run, arm) == run.read_text(where)


def digest(run: Run, arm: str) -> str:
    """SHA-256 of the file of an arm, 64 hexadecimal digits."""
    with paths.compact_file(run.directory, arm).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(run: Run, arm: str) -> nn.Network:
    """The compact network of an arm.

    Raises
    ------
    InputError
        The file is missing, damaged, or that of another arm.
    """
    if not is_whole(run, arm):
        path, do = paths.compact_file(run.directory, arm), f"run 'deeptheory compact {run.directory}' again"
        raise InputError(
            f"{path}", f"the file that {paths.RESULTS} records by its SHA-256", "another or none", do
        )
    return nn.load_model(paths.compact_file(run.directory, arm))
