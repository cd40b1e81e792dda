"""What an entry of a file is, for the tables of all of them: its type and shape, unit and meaning."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Union


class Entry(NamedTuple):
    """One data set.

    Attributes
    ----------
    kind : str
        "text", or a type of NumPy; with its shape in brackets if it is an array, as in "bool (C, K)".
    unit : str
        "" for counts, names and truth values.
    meaning : str
    """

    kind: str
    unit: str
    meaning: str

    @property
    def shape(self) -> tuple[str, ...] | None:
        """The symbols of its axes; () for one value, None for any shape."""
        found = re.search(r"\((.*)\)", self.kind)
        if found is None:
            return ()
        return (
            None if found[1] == "..." else tuple(axis.strip() for axis in found[1].split(",") if axis.strip())
        )


Group = Mapping[str, Union[Entry, "Group"]]
SHARE, SECONDS, BYTES, UTC = "share, 0 to 1", "s", "bytes", "UTC, ISO 8601"

NAMES = {  # of the parts of paths that are written in capitals
    "STEP": "a step: train, measure, predict, prune, retrain",
    "STAGE": "a stage, from the input upwards: `stage1`, `stage2`, ...",
    "ARM": "an arm: `unpruned`, `afcc`, or another criterion of `prune.arms`",
    "WEIGHT": "a masked weight by its dotted name: `stage5.conv.weight`, `head.linear.weight`",
    "LAYER": "a layer by its dotted name: `stage5.conv`",
    "ARRAY": "a parameter or buffer by its dotted name: `stage5.norm.running_mean`",
    "CRITERION": "a criterion of a comparison",
    "DENSITY": "a density as it was asked for: `0.1`",
    "ROUND": "a round of masks that change, from 0",
    "TOLERANCE": "`tolerance-` and an accepted loss: `tolerance-0.005`",
    "MASK": "a mask that was retrained or refitted for predictions, by its name",
    "VARIATION": "a way to measure: `threshold 0.2`, `inputs 0.5`",
    "SIDE": "a network: `dense`, `masked`, `compact`",
    "BATCH": "a size of batches: `batch1`, `batch100`",
    "PACKAGE": "a package of Python",
    "VARIABLE": "an environment variable of Slurm",
}
SYMBOLS = {
    "K": "labels",
    "C": "filters of the stage",
    "P": "positions of a filter, height times width (1 for a node)",
    "D": "C times P",
    "N": "inputs of the split",
    "T": "test inputs",
    "M": "measured stages",
    "E": "epochs",
    "O, I": "outputs and inputs of a layer, in filters; a mask that keeps whole kernels is stored as (O, I)",
    "n": "as many as there are",
    "...": "any shape",
}


def entries(group: Group, above: str = "") -> Iterator[tuple[str, Entry]]:
    """Path and entry of everything that a file may hold, in order; parts in capitals are `NAMES`."""
    for name, inside in group.items():
        path = f"{above}/{name}" if above else name
        if isinstance(inside, Entry):
            yield path, inside
        else:
            yield from entries(inside, path)


def defined(path: str, group: Group) -> tuple[str, Entry] | None:
    """The path in capitals and the entry that describe a path of a file; None if nothing does."""
    name, _, rest = path.partition("/")
    known = [name] if name in group else [key for key in group if key in NAMES]
    for key in known:
        inside = group[key]
        if isinstance(inside, Entry) and not rest:
            return key, inside
        if not isinstance(inside, Entry) and rest and (found := defined(rest, inside)):
            return f"{key}/{found[0]}", found[1]
    return None
