"""Everything a training needs to go on as if it had never stopped, in one HDF5 file."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from deeptheory.errors import InputError
from deeptheory.files import replacing_file
from deeptheory.nn.layer import Array

ARRAY_GROUPS = ("state", "momentum", "history", "masks")


@dataclass
class Checkpoint:
    """A training between two steps.

    Attributes
    ----------
    identity : str
        What was trained; a training goes on only from a checkpoint of the same identity.
    epoch, step : int
        The next step: number of full epochs done, and of steps done in this one.
    order : int array (N,)
        Order of the inputs in this epoch; empty between epochs.
    totals : dict
        Sums over the steps done in this epoch.
    generators : dict
        States of the random generators.
    state, momentum, history, masks : dict of arrays
    """

    identity: str
    epoch: int
    step: int
    order: Array
    totals: dict[str, float]
    generators: dict[str, Any]
    state: dict[str, Array]
    momentum: dict[str, Array]
    history: dict[str, Array]
    masks: dict[str, Array]


class CheckpointStore:
    """The checkpoint file of one training; it is replaced as a whole, so that it is never half written.

    Parameters
    ----------
    path : path
        Its directory must exist and be writable.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def load(self) -> Checkpoint | None:
        """The last checkpoint, or None when there is none; `InputError` when the file cannot be read."""
        if not self.path.exists():
            return None
        try:
            with h5py.File(self.path, "r", locking="best-effort") as file:
                groups: dict[str, Any] = {g: {n: d[()] for n, d in file[g].items()} for g in ARRAY_GROUPS}
                position = json.loads(file["position"].asstr()[()])
                return Checkpoint(order=file["order"][()], **position, **groups)
        except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise InputError(
                f"checkpoint {self.path}",
                "a complete checkpoint",
                str(error),
                "delete it to train from the start",
            ) from error

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the file; an `InputError` (read-only directory, full disk) leaves the old one as it was."""
        try:
            with (
                replacing_file(self.path) as temporary,
                h5py.File(temporary, "w", locking="best-effort") as file,
            ):
                _write(file, checkpoint)
        except OSError as error:
            raise InputError(f"checkpoint {self.path}", "a place that can be written", str(error)) from error


def _write(file: h5py.File, checkpoint: Checkpoint) -> None:
    for name in ARRAY_GROUPS:
        group = file.create_group(name)
        for key, array in getattr(checkpoint, name).items():
            group[key] = array
    file["order"] = checkpoint.order
    position = {
        key: getattr(checkpoint, key) for key in ("identity", "epoch", "step", "totals", "generators")
    }
    file["position"] = json.dumps(position, default=np.ndarray.tolist)
