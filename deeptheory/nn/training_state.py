"""Everything that an interrupted training needs to continue as if it had not stopped."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from deeptheory.data.dataset import Labels
from deeptheory.errors import InputError
from deeptheory.nn.layers.base import Array
from deeptheory.nn.network import Network
from deeptheory.nn.optimiser import Mask
from deeptheory.nn.options import Recipe
from deeptheory.store.checkpoints import CheckpointStore
from deeptheory.store.typed_readers import StoredTree

CURVES = ("loss", "accuracy", "learning_rate", "seconds")  # one value per epoch each
POSITION = ("identity", "epoch", "step", "totals", "generators")
GROUPS = ("state", "velocity", "history", "masks")  # of arrays
LATER = ("mean_square", "best")  # groups that the checkpoints of plain trainings, as of first versions, lack
ENTRIES = {
    "velocity": "momentum"
}  # names in files where they differ: checkpoints of first versions are resumed

FIRST = (  # options of a recipe that were there when the first checkpoints were written
    "batch",
    "momentum",
    "l2",
    "l2_on_all",
    "decay",
    "decay_every",
    "shift",
    "flip",
    "epochs",
    "learning_rate",
    "schedule",
)


@dataclass
class Checkpoint:
    """A training between two steps.

    Attributes
    ----------
    identity : str
        Digest of what is trained (`identity_of`); only a training of the same identity is continued.
    epoch, step : int
        Number of completed epochs, and of completed steps of the current one.
    order : int64 array (N,)
        Order of the inputs in this epoch; empty between epochs.
    totals : dict
        Sums over the completed steps of this epoch.
    generators : dict
        States of the random generators.
    state, velocity, masks, mean_square : dict of arrays
        Of the network and its optimiser.
    history : dict of float64 arrays (epochs,)
    best : dict of arrays
        State of the network after the epoch that is best so far, where a training may stop early.
    """

    identity: str
    epoch: int = 0
    step: int = 0
    order: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    totals: dict[str, float] = field(
        default_factory=lambda: {"loss": 0.0, "correct": 0, "inputs": 0, "seconds": 0.0}
    )
    generators: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Array] = field(default_factory=dict)
    velocity: dict[str, Array] = field(default_factory=dict)
    history: dict[str, NDArray[np.float64]] = field(
        default_factory=lambda: {name: np.empty(0) for name in CURVES}
    )
    masks: dict[str, Mask] = field(default_factory=dict)
    mean_square: dict[str, Array] = field(default_factory=dict)
    best: dict[str, Array] = field(default_factory=dict)

    def close_epoch(self, rate: float, **others: float) -> None:
        """Append the means of this epoch, its learning rate and others to the history; begin the next epoch."""
        n_inputs = self.totals["inputs"]
        values = {
            "loss": self.totals["loss"] / n_inputs,
            "accuracy": self.totals["correct"] / n_inputs,
            "learning_rate": rate,
            "seconds": self.totals["seconds"],
            **others,
        }
        nothing = np.empty(0)
        self.history = {
            name: np.append(self.history.get(name, nothing), value) for name, value in values.items()
        }
        self.epoch, self.step, self.order = self.epoch + 1, 0, np.empty(0, np.int64)

    @property
    def stored(self) -> dict[str, Any]:
        """The nested table that a `CheckpointStore` writes."""
        position = {name: getattr(self, name) for name in POSITION}
        return {
            "position": json.dumps(position, default=np.ndarray.tolist),
            "order": self.order,
            **{ENTRIES.get(name, name): getattr(self, name) for name in GROUPS},
            **{name: group for name in LATER if (group := getattr(self, name))},
        }

    @classmethod
    def from_stored(cls, tree: StoredTree) -> "Checkpoint":
        """The inverse of `stored`; `TypeError` or `ValueError` if the table holds something else."""
        groups: dict[str, Any] = {name: tree.read_arrays(ENTRIES.get(name, name)) for name in GROUPS}
        groups |= {name: tree.read_arrays(name) for name in LATER if name in tree}
        return cls(**json.loads(tree.read_text("position")), order=tree.read_array("order"), **groups)


def identity_of(
    network: Network,
    labels: Labels,
    recipe: Recipe,
    masks: Mapping[str, Mask],
    stages: Collection[str] = (),
) -> str:
    """Digest of recipe, labels, masks, trained stages and shapes of the parameters, but not of the weights."""
    # Options that came later count where they are not at their defaults, so earlier checkpoints are continued;
    # `stages`, which the recipe of a retraining has, are those of the argument.
    defaults = msgspec.to_builtins(type(recipe)())
    table = {
        name: value
        for name, value in msgspec.to_builtins(recipe).items()
        if name in FIRST or (name != "stages" and value != defaults[name])
    }
    digest = hashlib.sha256(msgspec.json.encode(table))
    if stages:
        digest.update(repr(sorted(stages)).encode())
    digest.update(repr([(name, a.shape) for name, a in network.parameters().items()]).encode())
    digest.update(np.asarray(labels, np.int64).tobytes())
    for name in sorted(masks):
        digest.update(name.encode() + np.packbits(masks[name]).tobytes())
    return digest.hexdigest()


def stored_checkpoint(store: CheckpointStore, tree: StoredTree, identity: str) -> Checkpoint:
    """The checkpoint that a store has loaded.

    Raises
    ------
    InputError
        It is no checkpoint of a training, or one of another training.
    """
    do = "delete it to train from the start"
    try:
        checkpoint = Checkpoint.from_stored(tree)
    except (TypeError, ValueError) as error:
        raise InputError(f"checkpoint {store.path}", "that of a training", repr(error), do) from error
    if checkpoint.identity != identity:
        expected = "the same network, labels, recipe, masks and stages"
        raise InputError(f"checkpoint {store.path}", expected, "those of another training", do)
    return checkpoint
