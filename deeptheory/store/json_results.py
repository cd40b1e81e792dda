"""Results of a study in one JSON file, to which the same command adds after an interruption."""

import json
import reprlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deeptheory.errors import InputError
from deeptheory.store.atomic_files import write_text


def stored_results(path: Path, setting: dict[str, Any], new: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The results stored so far, or an empty start.

    Parameters
    ----------
    path : Path
        Of the JSON file; it need not exist.
    setting : dict
        What all results of the file share, in types of JSON; stored as "setting".
    new : callable
        Returns the contents before the first result; called only if there is no file.

    Raises
    ------
    InputError
        The file holds results of another setting, or is not a JSON file of results.
    """
    if not path.exists():
        return {"setting": setting, **new()}
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        stored = dict(results["setting"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"results in {path}", "JSON with a setting", repr(error), "name another file with --out"
        ) from error
    if stored != setting:
        differing = [key for key in {**setting, **stored} if stored.get(key) != setting.get(key)]
        raise InputError(
            f"results in {path}",
            f"the same {', '.join(differing)}",
            ", ".join(f"{key} = {reprlib.repr(stored.get(key))}" for key in differing),
            "name another file with --out",
        )
    return results


def store_results(path: Path, results: dict[str, Any]) -> None:
    """Write the file atomically, making missing directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(results, indent=1) + "\n")
