"""Everything a training needs to go on as if it had never stopped."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from deeptheory.nn.layers.base import Array

ARRAYS = ("order", "state", "momentum", "history", "masks")
POSITION = ("identity", "epoch", "step", "totals", "generators")


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

    @property
    def stored(self) -> dict[str, Any]:
        """The nested table that a `CheckpointStore` writes."""
        position = {name: getattr(self, name) for name in POSITION}
        return {
            "position": json.dumps(position, default=np.ndarray.tolist),
            **{name: getattr(self, name) for name in ARRAYS},
        }

    @classmethod
    def from_stored(cls, tree: Mapping[str, Any]) -> "Checkpoint":
        """Read back what `stored` gave; `KeyError` or `ValueError` for a table of something else."""
        return cls(**json.loads(tree["position"]), **{name: tree[name] for name in ARRAYS})
