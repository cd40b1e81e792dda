"""Names of networks in what earlier versions recorded of runs and sweeps.

In a file that a user wrote they are refused, because they have become unclear (`nn.architectures.UNCLEAR`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deeptheory.nn.architectures import ARCHITECTURES, FORMER
from deeptheory.store import paths

OPTION = "network.name"
RECORDS = (paths.CONFIG, paths.CONFIG_NEXT, paths.SWEEP)
TABLES = {"seed", "data", "network", "train", "measure", "prune", "retrain"}  # in every record


def is_record(path: Path, table: Mapping[str, Any]) -> bool:
    """Whether a file is the record of a run or a sweep, which is complete, and not what a user wrote."""
    return path.name in RECORDS and table.keys() >= TABLES


def renamed(table: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """The plain table of a record, which may be that of a sweep, with the present names of networks."""
    return {name: _renamed(value, f"{within}.{name}") for name, value in table.items()}


def renamed_in(text: str) -> str:
    """The same for the text of a run's record."""
    for former, name in FORMER.items():
        text = text.replace(f'\n[network]\nname = "{former}"', f'\n[network]\nname = "{name}"', 1)
    return text


def _renamed(value: Any, option: str) -> Any:
    if isinstance(value, Mapping):
        return renamed(value, option)
    if isinstance(value, list):
        return [_renamed(one, option) for one in value]
    is_former = option.endswith(f".{OPTION}") and value in FORMER and value not in ARCHITECTURES
    return FORMER[value] if is_former else value
