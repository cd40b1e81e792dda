"""Results of a study in one JSON file, which the same command goes on with after an interruption."""

import json
import reprlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deeptheory.errors import InputError
from deeptheory.store.atomic_files import write_text


def stored_results(path: Path, setting: dict[str, Any], new: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What is stored already, or an empty start.

    Parameters
    ----------
    path : Path
        Of the JSON file; it need not exist.
    setting : dict
        What all results of the file share, in types of JSON: kept in the file as "setting".
    new : callable
        Gives what the file holds before the first result; called only if there is no file.

    Raises
    ------
    InputError
        The file holds results of another setting, or is no JSON of results.
    """
    if not path.exists():
        return {"setting": setting, **new()}
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        found = dict(results["setting"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"results in {path}", "JSON with a setting", repr(error), "name another file with --out"
        ) from error
    if found != setting:
        differing = [key for key in {**setting, **found} if found.get(key) != setting.get(key)]
        raise InputError(
            f"results in {path}",
            f"the same {', '.join(differing)}",
            ", ".join(f"{key} = {reprlib.repr(found.get(key))}" for key in differing),
            "name another file with --out",
        )
    return results


def store_results(path: Path, results: dict[str, Any]) -> None:
    """Write the file whole, and the directories above it where they are missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(results, indent=1) + "\n")
