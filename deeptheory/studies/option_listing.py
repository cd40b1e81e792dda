"""Every option with its default, unit, range and meaning, and what a file changes: as TOML that can be saved."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from deeptheory.errors import unknown_name
from deeptheory.options import Options
from deeptheory.runs.configuration import Config, complete, config_from, following, override, read_options
from deeptheory.runs.option_readers import PARTS, is_of
from deeptheory.runs.option_tables import description_of, fields_of, flatten, meta_of
from deeptheory.store import paths
from deeptheory.store.toml import toml_value
from deeptheory.studies.sweep.options import SweepOptions, read_sweep, sweep_lines

WIDTH = 100  # of lines of text
LONGEST = 140  # text of the values that an option can take behind it, else it goes above
KINDS = {int: "whole number", float: "number", str: "text", bool: "true or false"}
SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
FOLLOWS = "# An option right behind a # follows from others (network, training); take the # away to set it."
AS_GIVEN = ("network.file", "plugins.files")  # which a run records in another form
EXAMPLE = '# "train.epochs" = [6, 12]  # options and lists of their values: every combination is a run'

READERS: dict[str, Callable[[str], bool]] = {
    "train": lambda option: is_of(option, ("checkpoint_minutes", *PARTS["train"].reads)),
    "measure": lambda option: is_of(option, (*PARTS["probes"].reads, *PARTS["measure"].reads)),
    **{step: lambda option, step=step: is_of(option, PARTS[step].reads) for step in paths.STEPS[2:]},  # type: ignore[misc]
    "confirm": lambda option: not is_of(option, ["compare"]),
    "compare": lambda option: option != "prune.arms",
    "sweep": lambda option: not is_of(option, ["compare"]),
}


def list_options(overrides: Sequence[str] = (), command: str = "") -> str:
    """All options, or those that a command reads, with their defaults.

    Parameters
    ----------
    overrides : sequence of str
        As in `read_config`; options that follow from others take their values from these.
    command : str
        One of `READERS`; every option if empty.

    Returns
    -------
    str
        TOML. An option that follows from others is a comment, so that it follows in what is saved, too.

    Raises
    ------
    InputError
        An unknown command, or what `read_config` refuses of the overrides.
    """
    table: dict[str, Any] = {}
    override(table, overrides)
    config = config_from(table)
    asked = [name for name, _ in flatten(complete(config)) if _reader(command)(name)]
    followed = dict(flatten(following({**complete(config), "prune": {}, "retrain": {}})))
    values = dict(flatten(complete(config)))
    lines = [
        FOLLOWS,
        *_tables(asked, lambda field, name: _described(field, values[name], followed.get(name))),
    ]
    if command == "sweep":
        steps = fields_of(SweepOptions)[0]
        lines += ["", "[sweep]", *_described(steps, SweepOptions().steps), "", "[sweep.grid]", EXAMPLE]
    return "\n".join(lines)


def list_changes(path: Path, overrides: Sequence[str] = (), command: str = "") -> str:
    """The options that a file sets to other values than they would have without it, with these values.

    Parameters
    ----------
    path, overrides
        As in `read_config`; the file may also be that of a sweep.
    command : str
        As in `list_options`.

    Raises
    ------
    InputError
        What `read_config` or `read_sweep` refuse.
    """
    table = read_options(path, overrides)
    of_sweep = sweep_lines(read_sweep(path, overrides).options) if table.pop("sweep", None) else []
    values = dict(flatten(complete(config_from(table))))
    values |= {name: value for name, value in flatten(table) if name in AS_GIVEN and value}
    defaults = {name: _default(table, name) for name in values if _gives(table, name)}
    asked = _reader(command)
    changed = [name for name, default in defaults.items() if values[name] != default and asked(name)]
    lines = _tables(changed, lambda field, name: [
        f"{field.name} = {toml_value(values[name])}  # default: {toml_value(defaults[name])}"
    ])  # fmt: skip
    return "\n".join([*lines, *of_sweep]).strip("\n") or f"# {path} leaves all options at their defaults"


def range_of(field: msgspec.structs.FieldInfo) -> str:
    """What values an option can take, and their unit: ``whole number >= 0, in epochs``."""
    extra = meta_of(field).extra or {}
    text = _choice(sorted(extra["among"])) if "among" in extra else _kind(field.type)
    return f"{text}, in {extra['unit']}" if "unit" in extra else text


def _kind(kind: Any) -> str:
    inner, *metadata = get_args(kind) if hasattr(kind, "__metadata__") else (kind,)
    if get_origin(inner) is Literal:
        return _choice(get_args(inner))
    if get_origin(inner) is tuple:
        return f"list, each: {_kind(get_args(inner)[0])}"
    metas = [meta for meta in metadata if isinstance(meta, msgspec.Meta)]
    bounds = [(sign, getattr(meta, name)) for meta in metas for name, sign in SIGNS.items()]
    within = ", ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
    return f"{KINDS[inner]} {within}".strip()


def _choice(values: Sequence[Any]) -> str:
    return "one of " + ", ".join(map(toml_value, values))


def _reader(command: str) -> Callable[[str], bool]:
    if command and command not in READERS:
        raise unknown_name("--for", command, READERS)
    return READERS[command] if command else lambda option: True


def _tables(
    names: Sequence[str], lines_of: Callable[[msgspec.structs.FieldInfo, str], Sequence[str]]
) -> list[str]:
    """The lines of options, in the tables that they are in."""
    lines: list[str] = []
    for field in fields_of(Config):
        inner = field.type
        if not (isinstance(inner, type) and issubclass(inner, Options)):
            lines += lines_of(field, field.name) if field.name in names else []
            continue
        options = [(option, f"{field.name}.{option.name}") for option in fields_of(inner)]
        if asked := [(option, name) for option, name in options if name in names]:
            lines += ["", f"[{field.name}]"]
            lines += [line for option, name in asked for line in lines_of(option, name)]
    return lines


def _described(field: msgspec.structs.FieldInfo, value: Any, followed: Any = None) -> list[str]:
    text, values = textwrap.wrap(description_of(field), WIDTH), range_of(field)
    if len(values) > LONGEST:
        text, values = [*text, *textwrap.wrap(values, WIDTH)], "see above"
    mark = "#" if followed is not None and value == followed else ""
    return [
        *(f"# {line}" for line in text),
        f"{mark}{field.name} = {toml_value(value)}  # {values}",
    ]


def _gives(table: Mapping[str, Any], name: str) -> bool:
    *parents, leaf = name.split(".")
    for parent in parents:
        table = table.get(parent, {})
    return leaf in table


def _default(table: Mapping[str, Any], name: str) -> Any:
    """What an option of a plain table would be without it."""
    *parents, leaf = name.split(".")
    if not parents:
        without = {other: value for other, value in table.items() if other != leaf}
    else:
        inner = {other: value for other, value in table[parents[0]].items() if other != leaf}
        without = {**table, parents[0]: inner}
    return dict(flatten(complete(config_from(without))))[name]
