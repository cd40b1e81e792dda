"""Configurations as a notebook gives them: a file, options as a dictionary, or a `Config`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deeptheory.errors import InputError
from deeptheory.runs.configuration import Config, complete, read_table
from deeptheory.runs.option_tables import flatten
from deeptheory.store.toml import toml_value

Options = Mapping[str, Any]
Given = str | os.PathLike[str] | Options | Config | None


def table_from(config: Given) -> dict[str, Any]:
    """The plain nested table of a configuration, unchecked and without defaults.

    Parameters
    ----------
    config : path, mapping, Config or None
        A TOML file, or the name of a packaged one; options by their dotted names or nested,
        ``{"train.epochs": 5}`` or ``{"train": {"epochs": 5}}``; or nothing, for the defaults.
    """
    if config is None:
        return {}
    if isinstance(config, Config):
        return complete(config)
    if isinstance(config, Mapping):
        return _nested(config)
    return read_table(Path(config).expanduser())


def overrides(options: Options | None) -> tuple[str, ...]:
    """Options as the command line takes them: ``prune.threshold=0.4``."""
    return tuple(f"{name}={toml_value(value)}" for name, value in flatten(options or {}))


def _nested(options: Options) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in flatten(options):
        *parents, leaf = name.split(".")
        inner = table
        for parent in parents:
            inner = inner.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise InputError("options", "an option or a table of options", f"both as '{parent}'")
        inner[leaf] = value
    return table
